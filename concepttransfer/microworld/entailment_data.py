"""The microworld's entailment as data: a picture, or one of its captions, and a statement that it may entail."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from concepttransfer.data.entailment import ANSWERS, CONTRADICTION, ENTAILMENT, NEUTRAL, answer_words, pair
from concepttransfer.manifest import Manifest, Row
from concepttransfer.microworld.data import key_of, microworld_manifest, scenes
from concepttransfer.microworld.entailment import Statement, about, says, shows, statements
from concepttransfer.microworld.grammar import captions
from concepttransfer.microworld.scene import Scene

TRIES = 200
"""So many scenes are drawn at most in search of one that fits."""


class _Premise(NamedTuple):
    """A scene, and the caption of it that says what a statement is about."""

    scene: Scene
    caption: str


def microworld_entailment(split: str, *, answers: Sequence[str] = ANSWERS, texts_only: bool = False) -> Manifest:
    """Pairs of a picture and a statement: three rows a statement, one for each of entailment, neutral, contradiction.

    Each statement stands with a picture of which it is true, one of which it is false and one that does not show what
    it is about, so that the statement alone tells nothing: whoever reads only that is right one time in three. A row's
    text is the word for what the pair is. Labels: `question`, the statement; `premise`, a caption of the picture that
    says what makes the statement true or false (of a neutral pair any caption), so that the pair is the same for who
    reads it in the picture's place; `gold`; `question_type`, always entailment; `kind`: place, pose, object-colour or
    relation; `class`, the picture's animal. `limit:` draws rows, not statements.

    Args:
        split: `projection`, `dev` or `test`, or `pretraining`: as many statements as it has pictures, fewer where none
            is found for one.
        answers: the words for entailment, neutral and contradiction, such as [yes, maybe, no].
        texts_only: rows without pictures, to fit on captions alone.

    Raises:
        UnknownNameError: there is no such split.
        BadInputError: the words are not three different ones.
    """
    words = answer_words(answers)
    world = microworld_manifest(split)
    rows: list[Row] = []
    for number, statement, premises in _threes(split):
        for gold, premise in premises.items():
            rows.append(
                pair(
                    f"{split}-{number}-{gold}",
                    None if texts_only else key_of(premise.scene),
                    premise.caption,
                    statement.text,
                    gold,
                    words,
                    kind=statement.kind,
                    **{"class": premise.scene.animal},
                )
            )
    source = {**world.source, "title": f"Entailment in concepttransfer's microworld, split `{split}`"}
    return Manifest(f"{world.name}-entailment", tuple(rows), None if texts_only else world.pictures, source)


def _threes(split: str) -> Iterator[tuple[int, Statement, dict[str, _Premise]]]:
    """Of each scene, a statement that is true of it with its premises, where there is one that can be contradicted."""
    drawn = scenes(split)
    showing: defaultdict[str, list[Scene]] = defaultdict(list)
    for scene in drawn:
        for thing in filter(None, (scene.animal, scene.object)):
            showing[thing].append(scene)
    for number, scene in enumerate(drawn):
        rng = random.Random(f"entailment {split} {number}")
        for statement in _shuffled(statements(scene), rng):
            true = _said(scene, statement)
            false = _contradiction(statement, showing[statement.thing], rng) if true else None
            if true and false:
                yield (
                    number,
                    statement,
                    {ENTAILMENT: true, CONTRADICTION: false, NEUTRAL: _silent(statement, drawn, rng)},
                )
                break


def _said(scene: Scene, statement: Statement | None) -> _Premise | None:
    """The scene with the first of its captions that says what is true of it; None: none does."""
    if statement is None:
        return None
    caption = next((caption for caption in _captions(scene) if says(caption, scene, statement)), None)
    return None if caption is None else _Premise(scene, caption)


def _contradiction(statement: Statement, showing: Sequence[Scene], rng: random.Random) -> _Premise | None:
    """A scene that shows the thing, of which something else is true, and a caption that says so."""
    for _ in range(TRIES):
        scene = showing[int(rng.random() * len(showing))]
        other = about(scene, statement.kind)
        if other is None or other.thing != statement.thing or other.value == statement.value:
            continue
        if found := _said(scene, other):
            return found
    return None


def _silent(statement: Statement, drawn: Sequence[Scene], rng: random.Random) -> _Premise:
    """A scene without the thing, and one of its captions."""
    while True:
        scene = drawn[int(rng.random() * len(drawn))]
        if not shows(scene, statement):
            said = _captions(scene)
            return _Premise(scene, said[int(rng.random() * len(said))])


@lru_cache(maxsize=1 << 15)
def _captions(scene: Scene) -> tuple[str, ...]:
    return captions(scene)


def _shuffled(values: Sequence[Statement], rng: random.Random) -> list[Statement]:
    keyed = sorted((rng.random(), position) for position in range(len(values)))
    return [values[position] for _, position in keyed]
