"""What explains the answer to a question about a picture: a phrase that holds it, as VQA-E's sentences do."""

from __future__ import annotations

from concepttransfer.microworld.grammar import ADJECTIVES, Question, object_phrase
from concepttransfer.microworld.scene import Scene


def explanation(scene: Scene, asked: Question) -> str:
    """A phrase like a caption from which the answer can be read, such as `a zebra next to a red ball`.

    It is true of the scene, names the animal, and tells of the picture only what the question is about.
    """
    animal = scene.animal
    match asked.kind:
        case "animal":
            return f"a picture of {_a(animal)}"
        case "place" | "pose":
            return f"{_a(animal)} {asked.answer}"
        case "colour":
            return _a(f"{asked.answer} {animal}")
        case "attribute":
            adjective = next(word for word in ADJECTIVES.values() if f" {word}?" in asked.text)
            return _a(f"{adjective} {animal}") if asked.answer == "yes" else f"{_a(animal)} that is not {adjective}"
        case "presence" if asked.answer == "no":
            return f"{_a(animal)} without {asked.text.removeprefix('Is there ').removesuffix('?')}"
        case "relation":
            return f"{_a(animal)} {scene.relation} {object_phrase(scene)}"
    return f"{_a(animal)} next to {object_phrase(scene)}"


def _a(words: str) -> str:
    return ("an " if words[0] in "aeiou" else "a ") + words
