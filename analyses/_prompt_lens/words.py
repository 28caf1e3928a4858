"""When does a word that a prompt reads as tell of the picture? If it names its class, or a reference says it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from concepttransfer.language.caption_tokens import tokens

from .._runoff.presence import table
from .._runoff.words import FUNCTION

if TYPE_CHECKING:
    from concepttransfer.concepts import ConceptSet

SHORTEST = 3
"""Letters that a piece of a word must have to stand for the whole: `ele` for elephant."""
Readings = Sequence[Sequence[Sequence[str]]]
"""[n_rows][positions][words]."""


def plain(token: str) -> str:
    """A token as it is compared: in small letters, without blanks around it."""
    return token.strip().lower()


class Sought:
    """What is sought in the readings of some pictures."""

    def __init__(self, rows: Sequence[str], references: Sequence[Sequence[str]], classes: ConceptSet | None) -> None:
        """Take the pictures, what their references say, and their classes; either may be unknown."""
        self.rows, self.classes = rows, classes
        self.of = [classes.truth.get(row) if classes else None for row in rows]
        self.said = [frozenset(w for text in some for w in tokens(text)) - FUNCTION for some in references]
        self._found: dict[str, tuple[int, ...]] = {}

    @property
    def has_classes(self) -> bool:
        """Whether any picture's class is known."""
        return any(self.of)

    @property
    def has_references(self) -> bool:
        """Whether any picture has a reference with a word that tells anything."""
        return any(self.said)

    @cached_property
    def class_truth(self) -> Any:
        """1 for the class of each picture: sparse `[n_rows, n_classes]`."""
        names = self.classes.names if self.classes else ()
        pairs = [(row, names.index(name)) for row, name in enumerate(self.of) if name is not None]
        at = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        return table(at[:, 0], at[:, 1], (len(self.rows), len(names)))

    def classes_read(self, readings: Readings) -> Any:
        """1 for each class that a word of a picture's reading is, or begins: sparse `[n_rows, n_classes]`."""
        pairs = {
            (row, column)
            for row, places in enumerate(readings)
            if self.of[row] is not None
            for place in places
            for token in place
            for column in self._names(plain(token))
        }
        at = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
        return table(at[:, 0], at[:, 1], self.class_truth.shape)

    def _names(self, token: str) -> tuple[int, ...]:
        """The classes of whose words one is the token, or begins with it."""
        if token not in self._found:
            self._found[token] = tuple(
                column
                for column, parts in enumerate(self._class_words)
                if any(_stands_for(token, part) for part in parts)
            )
        return self._found[token]

    @cached_property
    def _class_words(self) -> list[frozenset[str]]:
        """The words of each class, those of several one by one: such as are of one class alone, where it has any.

        Both bears are bears: of a grizzly bear it is `grizzly` that tells.
        """
        every = (
            [{w for word in one.words for w in word.lower().split()} for one in self.classes.concepts]
            if self.classes
            else []
        )
        return [
            frozenset(word for word in mine if sum(word in other for other in every) == 1) or frozenset(mine)
            for mine in every
        ]

    def words_read(self, readings: Readings) -> tuple[Any, Any]:
        """Which words the readings have that a caption could, and of which pictures each is true: sparse, one shape.

        Words of at least three letters that do not only hold a sentence together; each counts once a picture.
        """
        read = [
            {w for place in places for token in place if len(w := plain(token)) >= SHORTEST and w.isalpha()} - FUNCTION
            if said
            else set[str]()
            for places, said in zip(readings, self.said, strict=True)
        ]
        column = {word: n for n, word in enumerate(sorted(set().union(*read)))}
        shape = (len(self.rows), len(column))
        return _table(read, column, shape), _table(self.said, column, shape)

    def true_of(self, row: int) -> set[str]:
        """All that may be read of one picture: words of its class, and of its references."""
        name = self.of[row]
        own = self._class_words[self.classes.names.index(name)] if self.classes and name is not None else frozenset()
        return {*own, *self.said[row]}


def is_true(token: str, true: set[str]) -> bool:
    """Whether a token is a word that is true, or begins one."""
    return any(_stands_for(plain(token), word) for word in true)


def _stands_for(token: str, word: str) -> bool:
    return token == word or (len(token) >= SHORTEST and word.startswith(token))


def _table(words: Sequence[set[str] | frozenset[str]], column: dict[str, int], shape: tuple[int, int]) -> Any:
    pairs = [(row, column[word]) for row, some in enumerate(words) for word in some if word in column]
    at = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    return table(at[:, 0], at[:, 1], shape)
