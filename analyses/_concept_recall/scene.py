"""References and captions of the same pictures, read as words: what is true, and what each system says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concepttransfer.captioning import Captions

from .claims import REFERENCE
from .groups import KINDS
from .presence import Bools, Nearness, Said, presence
from .words import Reader, Word

Found = Sequence[Sequence[Word]]


class Scene:
    """What the references say of each picture, beside which captions are put."""

    def __init__(self, reader: Reader, words: Sequence[Word], references: Sequence[Sequence[str]]) -> None:
        """Read the references.

        Args:
            reader: reads texts.
            words: the words that are measured.
            references: of each picture, at least one.
        """
        self.reader, self.words, self.references = reader, words, references
        self._columns = {word: n for n, word in enumerate(words)}
        self._near = Nearness(words, [reader.groups.sense(w.text) if w.kind == "nouns" else None for w in words])
        self._found = [[word for one in reader.words(texts) for word in one] for texts in references]
        self.true = self._presence(self._found)

    @cached_property
    def groups(self) -> dict[str, NDArray[np.int64]]:
        """The columns of the words of each kind, of each category, and each word by itself."""
        found: dict[str, list[int]] = {}
        for kind in KINDS:
            members = [(n, word) for n, word in enumerate(self.words) if word.kind == kind]
            for n, _ in members:
                found.setdefault(kind, []).append(n)
            for n, word in members:
                found.setdefault(_category(word), []).append(n)
            for n, word in members:
                found[word.group] = [n]
        return {name: np.array(columns, dtype=np.int64) for name, columns in found.items()}

    @cached_property
    def categories(self) -> list[str]:
        """The categories that hold a measured word, such as `nouns/animals`."""
        return list(dict.fromkeys(map(_category, self.words)))

    @property
    def never_true(self) -> list[Word]:
        """The words that no reference says: a user's list may have some."""
        return [word for n, word in enumerate(self.words) if not self.true[:, n].any()]

    def systems(self, captions: Sequence[Captions], rows: Sequence[str]) -> tuple[list[Captions], list[Said]]:
        """Captions by encoder and seed, and what each encoder says; last, what one reference of each picture does."""
        names = list(dict.fromkeys(one.encoder for one in captions))
        ordered = sorted(captions, key=lambda one: (names.index(one.encoder), one.seed))
        texts = {id(one): one.texts() for one in ordered}
        found = {id(one): self.reader.words([texts[id(one)][row] for row in rows]) for one in ordered}
        every = np.arange(len(rows))
        made = [
            self._said(name, self._found, self.true, [found[id(o)] for o in ordered if o.encoder == name], every)
            for name in names
        ]
        reference = self._reference()
        return ordered, [*made, reference] if reference else made

    def example(self, row: str, rows: Sequence[str], captions: Sequence[Captions]) -> dict[str, Any]:
        """What a sheet of examples shows of a picture: true words, and those that each encoder's first seed says."""
        at = list(rows).index(row)
        said: dict[str, list[str]] = {}
        for one in captions:
            if one.encoder not in said:
                (words,) = self.reader.words([one.texts()[row]])
                said[one.encoder] = self._measured(words)
        return {"true": self._measured(self._found[at]), "said": said}

    def _measured(self, words: Sequence[Word]) -> list[str]:
        return [word.text for word in dict.fromkeys(words) if word in self._columns]

    def _reference(self) -> Said | None:
        """The first reference of each picture that has several, beside the others of it."""
        rows = np.array([n for n, texts in enumerate(self.references) if len(texts) > 1], dtype=np.int64)
        if len(rows) == 0:
            return None
        read = [self.reader.words(self.references[n]) for n in rows]
        others = [[word for one in words[1:] for word in one] for words in read]
        return self._said(REFERENCE, others, self._presence(others), [[words[0] for words in read]], rows)

    def _said(
        self, system: str, true_words: Found, true: Bools, said: Sequence[Found], rows: NDArray[np.int64]
    ) -> Said:
        return Said(
            system=system,
            true=true,
            said=np.stack([self._presence(one) for one in said]),
            true_any=self._any(true_words),
            said_any=np.stack([self._any(one) for one in said]),
            near=np.stack([self._near.of(one) for one in said]),
            rows=rows,
        )

    def _presence(self, found: Found) -> Bools:
        return presence(found, self._columns)

    def _any(self, found: Found) -> Bools:
        """[n_rows, n_categories] whether any word of each category is said, be it measured or not."""
        columns: Mapping[str, int] = {name: n for n, name in enumerate(self.categories)}
        table = np.zeros((len(found), len(columns)), dtype=bool)
        for row, words in enumerate(found):
            for word in words:
                if (column := columns.get(_category(word))) is not None:
                    table[row, column] = True
        return table


def _category(word: Word) -> str:
    return f"{word.kind}/{word.category}"
