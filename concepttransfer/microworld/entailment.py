"""Statements about a scene that are true of it, false of another, and left open by a third.

A statement is about a thing: where an animal is or what it is doing, what colour an object has, or where the animal is
seen from it. Of a picture that shows the thing it is true or false. Of one that does not it is neither: whoever sees a
bear in a cave does not know what zebras are doing. So each statement can be paired with a scene of each kind, and says
by itself nothing about which one it is paired with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from concepttransfer.microworld.grammar import OPPOSITE, PLACES, object_phrase
from concepttransfer.microworld.scene import COLOURS_OF_OBJECTS, Scene

KINDS = ("place", "pose", "object-colour", "relation")
"""What a statement is about."""

_DOING: Mapping[str, str] = {"lying": "lying down", "hanging": "hanging upside down"}


@dataclass(frozen=True)
class Statement:
    """One statement.

    Attributes:
        kind: one of `KINDS`.
        thing: the animal or object that it is about.
        value: what is said of it: a habitat, a pose, a colour or a relation, as `Scene` names it.
    """

    kind: str
    thing: str
    value: str

    @property
    def text(self) -> str:
        """The sentence, such as `The zebra is lying down.`"""
        if self.kind == "relation":
            return f"The animal is {self.value} the {self.thing}."
        said = {"place": PLACES, "pose": _DOING}.get(self.kind, {}).get(self.value, self.value)
        return f"The {self.thing} is {said}."


def statements(scene: Scene) -> tuple[Statement, ...]:
    """What is true of a scene: place and pose of its animal, and the colour of its object and where that is."""
    found = [Statement("place", scene.animal, scene.habitat), Statement("pose", scene.animal, scene.pose)]
    if scene.object is not None and scene.object_colour in COLOURS_OF_OBJECTS:
        found.append(Statement("object-colour", scene.object, scene.object_colour))
    if scene.object is not None and scene.relation is not None:
        found.append(Statement("relation", scene.object, scene.relation))
    return tuple(found)


def about(scene: Scene, kind: str) -> Statement | None:
    """What of this kind is true of a scene; None: nothing."""
    return next((one for one in statements(scene) if one.kind == kind), None)


def shows(scene: Scene, statement: Statement) -> bool:
    """Whether the thing that a statement is about is in a scene."""
    return statement.thing in (scene.animal, scene.object)


def says(caption: str, scene: Scene, statement: Statement) -> bool:
    """Whether a caption of a scene says in words what is true of it in this statement."""
    padded = f" {caption} "
    match statement.kind:
        case "place":
            return f" {PLACES[statement.value]} " in padded
        case "pose":
            return f" {_DOING.get(statement.value, statement.value)} " in padded
        case "object-colour":
            return f" {object_phrase(scene)} " in padded
    thing, where = object_phrase(scene), statement.value
    return f" {where} {thing} " in padded or f" {thing} {OPPOSITE[where]} " in padded
