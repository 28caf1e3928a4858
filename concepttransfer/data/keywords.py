"""Words that a caption is asked to be about, with how often each is said, and pairs of them drawn."""

from __future__ import annotations

import random
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Literal

from ..errors import BadInputError, EmptyDataError, MissingResourceError
from ..language import closed_words
from ..storage import digest

Sampling = Literal["uniform", "frequency"]
SHORTEST = 3
"""Letters of the shortest word that is taken from captions."""

_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_CLOSED = frozenset().union(
    closed_words.PREPOSITIONS,
    closed_words.POSSESSIVES,
    closed_words.DETERMINERS,
    closed_words.PRONOUNS,
    closed_words.CONJUNCTIONS,
    closed_words.AUXILIARIES,
    closed_words.HAVE,
    closed_words.ADVERBS,
    closed_words.NUMBERS,
)


@dataclass(frozen=True)
class Keywords:
    """A vocabulary, from frequent words to rare ones.

    Attributes:
        words: each once, in lower case.
        counts: how often each is said; 1 where nobody counted.
    """

    words: tuple[str, ...]
    counts: tuple[int, ...]

    @property
    def id(self) -> str:
        """Names the words and their counts."""
        return digest(self.words, self.counts)

    def draw(self, rng: random.Random, n: int, sampling: Sampling) -> tuple[str, ...]:
        """`n` different words: each as likely as any other, or as often as it is said (unigram frequency).

        Raises:
            BadInputError: there are fewer words than are to be drawn.
        """
        if n > len(self.words):
            raise BadInputError(f"{n} different keywords are to be drawn from {len(self.words)}. Give more words.")
        weights = self.counts if sampling == "frequency" else (1,) * len(self.words)
        ends, drawn = list(accumulate(weights)), dict[str, None]()
        while len(drawn) < n:
            drawn[self.words[_place(ends, rng.random())]] = None
        return tuple(drawn)


def _place(ends: Sequence[int], at: float) -> int:
    """The first place whose end lies above a share of the whole."""
    return min(bisect_right(ends, at * ends[-1]), len(ends) - 1)


def content_words(text: str) -> tuple[str, ...]:
    """The words of a text that tell something of a picture: all but the closed classes, in lower case, in order."""
    words = (word.lower() for word in _WORD.findall(text))
    return tuple(word for word in words if len(word) >= SHORTEST and word not in _CLOSED)


def keywords_of(texts: Iterable[str], *, most: int = 1000) -> Keywords:
    """The commonest content words of some captions, with their counts.

    Args:
        texts: the captions.
        most: at most so many words; of equally frequent ones the first in the alphabet.

    Raises:
        EmptyDataError: the texts have no such word.
    """
    counts = Counter(word for text in texts for word in content_words(text))
    if not counts:
        raise EmptyDataError("The captions have no word to be a keyword. Give others, or a vocabulary.")
    chosen = sorted(counts, key=lambda word: (-counts[word], word))[:most]
    return Keywords(tuple(chosen), tuple(counts[word] for word in chosen))


def read_keywords(path: Path) -> Keywords:
    """A vocabulary from a file with a word on each line, and behind it, after a comma or a tab, its count if known.

    Raises:
        MissingResourceError: there is no such file.
        BadInputError: it is not text, a count is no whole number above 0, or a word stands there twice.
        EmptyDataError: it holds no word.
    """
    if not path.is_file():
        raise MissingResourceError(f"There is no vocabulary {path}. Give a file with a word on each line.")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path} is not text in UTF-8. Save it as that, with a word on each line.") from error
    counts: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        word, _, said = (part.strip() for part in line.replace("\t", ",").partition(","))
        if not word:
            continue
        if said and not (said.isdecimal() and int(said)):
            raise BadInputError(
                f"{path}, line {number}: `{said}` is no count of `{word}`. Write a whole number above 0."
            )
        if word.lower() in counts:
            raise BadInputError(f"{path}, line {number}: `{word}` stands there twice. Keep one of the lines.")
        counts[word.lower()] = int(said or 1)
    if not counts:
        raise EmptyDataError(f"{path} holds no word. Give a file with a word on each line.")
    return Keywords(tuple(counts), tuple(counts.values()))
