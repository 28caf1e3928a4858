"""What is to be seen in one picture: the truth from which it is drawn and its captions are written."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from concepttransfer.errors import UnknownNameError
from concepttransfer.microworld.species import ANIMALS, SPECIES, matrix, visible_attributes, visible_colours

__all__ = [
    "ANIMALS", "COLOURLESS_OBJECTS", "COLOURS_OF_OBJECTS", "HABITATS", "OBJECTS", "POSES", "RELATIONS", "Scene",
    "habitats_of", "poses_of", "sample_scene",
]  # fmt: skip

HABITATS = (
    "arctic", "coastal", "desert", "bush", "plains", "forest", "fields", "jungle", "mountains", "ocean", "river",
    "cave", "indoors",
)  # fmt: skip
"""Where a scene may be. All but `river` (AwA2: water) and `indoors` are attributes of AwA2."""

POSES = ("standing", "walking", "grazing", "lying", "sitting", "swimming", "jumping", "flying", "hanging")
"""What an animal may be doing. Only bats fly and hang, only primates sit, only hoofed animals graze."""

COLOURS_OF_OBJECTS = ("red", "blue", "yellow", "green", "purple", "white")
"""Colours of the objects that people make."""

COLOURLESS_OBJECTS = ("tree", "rock", "bush")
"""Objects that have the colour that they always have: their `object_colour` is None."""

OBJECTS = ("ball", "box", "bucket", "umbrella", "flower", "boat", *COLOURLESS_OBJECTS)
"""What may be beside an animal. Boats are in the ocean only, and only boats and balls are there."""

RELATIONS = ("to the left of", "to the right of", "in front of", "behind")
"""Where the animal is, seen from the object: an animal behind a box is partly covered by it."""

_LARGE = ("tree", "bush", "box", "umbrella")
_LOW = ("rock", "bush", "box", "bucket", "ball")
_AT_HOME = (
    "persian cat",
    "siamese cat",
    "hamster",
    "chihuahua",
    "dalmatian",
    "collie",
    "german shepherd",
    "mouse",
    "rat",
)
_IN_RIVERS = ("beaver", "otter", "hippopotamus")
_ANYWHERE = ("fields", "plains", "forest", "desert", "arctic", "indoors", "mountains", "coastal")
_SHARE_ELSEWHERE = 0.35
_SHARE_WITH_OBJECT = 0.4


@dataclass(frozen=True)
class Scene:
    """All that is true of one picture.

    Attributes:
        seed: with `animal`, the whole identity of a scene that `sample_scene` made.
        animal: AwA2's name of the class.
        attributes: AwA2's attributes, colours apart, that are drawn and true of the animal.
        colours: AwA2's colour words that are plainly to be seen and true of the animal, the most conspicuous first;
            empty for the antelope, which has no colour in AwA2's matrix.
        habitat: one of `HABITATS`.
        pose: one of `POSES`.
        object: one of `OBJECTS`, or None.
        object_colour: one of `COLOURS_OF_OBJECTS`; None without an object and for `COLOURLESS_OBJECTS`.
        relation: one of `RELATIONS`: the animal is `relation` the object. None without an object.
        nuisance: what a picture has and a caption does not say: `scale` (of the animal, 1 is its full size),
            `cast_red`, `cast_green`, `cast_blue` and `brightness` (factors), `noise` (standard deviation in grey levels
            of 255), `coat` (the same, of the coat's colour), `clutter` (how many stones, leaves and tufts lie about),
            `mirrored` (1: the animal looks to the left), `typical_habitat` (1: the animal lives there). To shift the
            world, put other values here with `dataclasses.replace`.
    """

    seed: int
    animal: str
    attributes: tuple[str, ...]
    colours: tuple[str, ...]
    habitat: str
    pose: str
    object: str | None
    object_colour: str | None
    relation: str | None
    nuisance: dict[str, float] = field(hash=False)


@cache
def habitats_of(animal: str) -> tuple[str, ...]:
    """The habitats, in the order of `HABITATS`, in which an animal lives: AwA2's, and rivers and rooms for some."""
    species = SPECIES[animal]
    if species.plan == "cetacean":
        return ("ocean",)
    if species.plan == "bat":
        return ("forest", "jungle", "cave")
    if species.plan == "pinniped":
        return ("arctic", "coastal", "ocean")
    true = matrix()[animal]
    found = [habitat for habitat in HABITATS if habitat != "ocean" and true.get(habitat, False)]
    found += ["river"] * (animal in _IN_RIVERS) + ["indoors"] * (animal in _AT_HOME)
    return tuple(found) or ("fields",)


@cache
def poses_of(animal: str, habitat: str) -> tuple[str, ...]:
    """What an animal may be doing in a habitat; a pose that is listed twice is twice as likely."""
    species = SPECIES[animal]
    if species.plan == "bat":
        return ("flying", "flying", "hanging") if habitat in ("cave", "forest", "jungle") else ("flying",)
    if species.plan == "cetacean":
        return ("swimming", "swimming", "jumping")
    if habitat in ("ocean", "river"):
        return ("swimming",)
    if species.plan == "pinniped":
        return ("lying",)
    if species.plan == "primate":
        return ("sitting", "walking")
    upright = ("standing", "standing", "standing", "walking", "walking", "walking", "lying")
    return (*upright, "grazing") if species.feet == "hooves" and species.leg > 0.25 else upright


def sample_scene(animal: str, seed: int) -> Scene:
    """Draw one scene of an animal: the same for the same animal and seed, on every platform; takes microseconds.

    Raises:
        UnknownNameError: the animal is not one of AwA2's 50.
    """
    if animal not in SPECIES:
        raise UnknownNameError("animal", animal, ANIMALS, where="the microworld")
    rng = random.Random(f"scene {animal} {seed}")
    habitat = _habitat(animal, rng)
    thing, colour, relation = _object(animal, habitat, rng)
    return Scene(
        seed=seed,
        animal=animal,
        attributes=visible_attributes(animal),
        colours=visible_colours(animal),
        habitat=habitat,
        pose=_pick(poses_of(animal, habitat), rng),
        object=thing,
        object_colour=colour,
        relation=relation,
        nuisance=_nuisance(habitat in habitats_of(animal), rng),
    )


def _habitat(animal: str, rng: random.Random) -> str:
    """Where the animal lives, or in about a third of the scenes (of whales: never) some other place."""
    if SPECIES[animal].plan == "cetacean" or rng.random() >= _SHARE_ELSEWHERE:
        return _pick(habitats_of(animal), rng)
    return _pick(_elsewhere(animal), rng)


@cache
def _elsewhere(animal: str) -> tuple[str, ...]:
    return tuple(habitat for habitat in _ANYWHERE if habitat not in habitats_of(animal))


def _object(animal: str, habitat: str, rng: random.Random) -> tuple[str | None, str | None, str | None]:
    """An object, its colour, and where the animal is, seen from it; or three times None."""
    if rng.random() >= _SHARE_WITH_OBJECT or SPECIES[animal].plan == "bat":
        return None, None, None
    relation = RELATIONS[int(rng.random() * 2)] if rng.random() < 0.7 else RELATIONS[2 + int(rng.random() * 2)]
    if habitat in ("ocean", "river"):
        relation = RELATIONS[int(rng.random() * 2)]
    thing = _pick(_objects(habitat, relation), rng)
    return thing, None if thing in COLOURLESS_OBJECTS else _pick(COLOURS_OF_OBJECTS, rng), relation


@cache
def _objects(habitat: str, relation: str) -> tuple[str, ...]:
    """What may be in a habitat, and can be seen when the animal is before or behind it."""
    if habitat in ("ocean", "river"):
        return ("ball", "boat") if habitat == "ocean" else ("ball", "rock")
    fitting: dict[str, tuple[str, ...]] = {"in front of": _LARGE, "behind": _LOW}
    unfit = ("boat", *COLOURLESS_OBJECTS) if habitat == "indoors" else ("boat",)
    return tuple(thing for thing in fitting.get(relation, OBJECTS) if thing not in unfit)


def _nuisance(typical: bool, rng: random.Random) -> dict[str, float]:
    """Everything by which two pictures of the same content differ."""

    def between(low: float, high: float) -> float:
        return low + (high - low) * rng.random()

    return {
        "scale": between(0.58, 1.12),
        "cast_red": between(0.8, 1.2),
        "cast_green": between(0.8, 1.2),
        "cast_blue": between(0.8, 1.2),
        "brightness": between(0.6, 1.2),
        "noise": between(4.0, 10.0),
        "coat": 14.0,
        "clutter": float(int(between(2, 9))),
        "mirrored": float(rng.random() < 0.5),
        "typical_habitat": float(typical),
    }


def _pick(values: Sequence[str], rng: random.Random) -> str:
    """One of the values. Not `rng.choice`, whose sequence a new version of Python may change."""
    return values[int(rng.random() * len(values))]
