"""Captions and references as sentences: which were said of which picture, and how rare their n-grams are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from concepttransfer.errors import BadInputError, MissingResourceError, UnknownNameError
from concepttransfer.language.caption_tokens import tokens
from concepttransfer.manifest import Manifest
from concepttransfer.statistics import Floats

from .ngrams import Ints, Sentences

FREQUENCIES = ("subset", "set")


@dataclass(frozen=True)
class Corpus:
    """All texts of one analysis, each once.

    Attributes:
        sentences: as numbers.
        said: [n_captioners, n_rows] the sentence that each captioner said of each picture.
        references: of each picture, its sentences.
        foreign: texts of each document of a file of document frequencies; empty without one.
    """

    sentences: Sentences
    said: Ints
    references: tuple[Ints, ...]
    foreign: tuple[Ints, ...]

    @classmethod
    def of(
        cls,
        said: Sequence[Sequence[str]],
        references: Sequence[Sequence[str]],
        foreign: Sequence[Sequence[str]] = (),
    ) -> Corpus:
        """Tokenise.

        Args:
            said: of each captioner, a caption for each picture.
            references: of each picture; those without a word are left out.
            foreign: of each document of a file of document frequencies.
        """
        numbers: dict[tuple[str, ...], int] = {}
        words: dict[str, tuple[str, ...]] = {}

        def number(text: str) -> int:
            if text not in words:
                words[text] = tuple(tokens(text))
            return numbers.setdefault(words[text], len(numbers))

        spoken = np.array([[number(text) for text in texts] for texts in said], dtype=np.int64)
        written = [[number(text) for text in texts] for texts in references]
        others = [np.array([number(text) for text in texts], dtype=np.int64) for texts in foreign]
        sentences = Sentences.of(numbers)
        kept = tuple(np.array([s for s in row if sentences.lengths[s]], dtype=np.int64) for row in written)
        return cls(sentences, spoken, kept, tuple(others))

    def idf(self, rows: Ints) -> Floats:
        """[n_grams] log of documents over those that hold each n-gram: of the file, else of these pictures."""
        documents = self.foreign or tuple(self.references[row] for row in rows)
        frequencies = self.sentences.document_frequencies(documents)
        return np.asarray(np.log(len(documents)) - np.log(np.maximum(frequencies, 1)))

    @cached_property
    def n_documents(self) -> int | None:
        """Documents of the file of document frequencies; None without one."""
        return len(self.foreign) or None

    def distinct(self, sentences: Ints) -> dict[int, float]:
        """For n of 1 and 2, different n-grams over all n-grams of some captions; NaN where there is none."""
        places, _ = self.sentences.entries(sentences)
        grams, counts = self.sentences.grams[places], self.sentences.counts[places]
        orders = self.sentences.orders[grams] if len(grams) else grams
        found = {}
        for n in (1, 2):
            here = orders == n - 1
            total = counts[here].sum()
            found[n] = float(len(np.unique(grams[here])) / total) if total else np.nan
        return found

    def vocabulary(self, sentences: Ints) -> int:
        """How many different words some captions say."""
        places, _ = self.sentences.entries(sentences)
        grams = np.unique(self.sentences.grams[places])
        return int((self.sentences.orders[grams] == 0).sum()) if len(grams) else 0


def frequency_texts(frequencies: str) -> list[tuple[str, ...]]:
    """The documents of a file of document frequencies: COCO's captions as published, or a table of captions.

    Raises:
        UnknownNameError: it is neither `subset` nor `set`, and no file.
        BadInputError: the file is read, and has no captions.
    """
    if frequencies in FREQUENCIES:
        return []
    path = Path(frequencies).expanduser()
    if not path.is_file():
        raise UnknownNameError("document frequencies", frequencies, [*FREQUENCIES, "a file of captions"])
    texts = [texts for texts in _read(path).texts if texts]
    if not texts:
        raise BadInputError(
            f"{path} has no captions to count n-grams in. Give COCO's captions_val2014.json, or a table."
        )
    return texts


def _read(path: Path) -> Manifest:
    from concepttransfer.data.captions_table import captions_table
    from concepttransfer.data.coco import coco

    if ".json" in path.suffixes:
        return coco(path.parent, captions=path, texts_only=True, hashes=False)
    try:
        return captions_table(path, hashes=False)
    except MissingResourceError as error:
        raise BadInputError(str(error)) from error


def groups_of(references: Manifest, rows: Sequence[str]) -> Mapping[str, Ints]:
    """The pictures of each domain (label `domain`, as NoCaps has it) and, first, all; only all without domains."""
    label = dict(zip(references.ids, references.labels("domain"), strict=True))
    domains = np.array([str(label[row]) if label[row] is not None else "" for row in rows])
    order = {"in": 0, "in-domain": 0, "near": 1, "near-domain": 1, "out": 2, "out-domain": 2}
    named = sorted({str(d) for d in domains} - {""}, key=lambda d: (order.get(d, 3), d))
    every: dict[str, Ints] = {"all": np.arange(len(rows))}
    return every | ({name: np.flatnonzero(domains == name) for name in named} if len(named) > 1 else {})
