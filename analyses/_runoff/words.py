"""The words of a caption: which only hold it together, and which name a thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from concepttransfer.language import closed_words as closed
from concepttransfer.language.caption_tokens import tokens

from .._concept_recall.words import Reader

FUNCTION = (
    closed.PREPOSITIONS
    | closed.POSSESSIVES
    | closed.DETERMINERS
    | closed.PRONOUNS
    | closed.CONJUNCTIONS
    | closed.AUXILIARIES
    | closed.HAVE
)
"""Words that hold a caption together: the language model knows them without a picture."""


@dataclass(frozen=True)
class Named:
    """A thing that a caption names.

    Attributes:
        noun: in its base form.
        first, last: the words of the caption in which it is written, from 0.
    """

    noun: str
    first: int
    last: int


@dataclass(frozen=True)
class Read:
    """A caption that was read.

    Attributes:
        words: what stands between blanks, as written.
        is_function: of each word, whether it holds the caption together, or is no word at all.
        named: the things named, in order.
    """

    words: tuple[str, ...]
    is_function: tuple[bool, ...]
    named: tuple[Named, ...]


class CaptionReader:
    """Reads captions, each distinct text once."""

    def __init__(self, reader: Reader) -> None:
        """Take what tells nouns."""
        self.reader = reader
        self._known: dict[str, Read] = {}

    def read(self, text: str) -> Read:
        """One caption."""
        if text not in self._known:
            self._known[text] = self._read(text)
        return self._known[text]

    def _read(self, text: str) -> Read:
        words = tuple(text.split())
        parts = [tokens(word) for word in words]
        owner = [n for n, some in enumerate(parts) for _ in some]
        named = [
            Named(noun, _owner(owner, first), _owner(owner, last)) for first, last, noun in self.reader.nouns_at(text)
        ]
        return Read(words, tuple(FUNCTION.issuperset(some) for some in parts), tuple(named) if owner else ())


def _owner(owner: Sequence[int], token: int) -> int:
    """The word between blanks that a token is part of. A full stop may be read otherwise in a text than in a word."""
    return owner[min(token, len(owner) - 1)] if owner else 0
