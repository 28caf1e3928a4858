"""What may truly be said of a picture: the nouns of its references, what they are kinds of, and its class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from concepttransfer.language import wordnet

from .._concept_recall.words import Reader
from .presence import table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from concepttransfer.concepts import ConceptSet

REFERENCES, CLASSES = "references", "classes"
"""Where truth comes from: references that describe the pictures; or the class of each, which tells of the names of
classes alone whether they are right."""


class Truth:
    """Decides of each picture and noun whether the picture contains it.

    A noun is true of a picture if one of its references says it, or says something that is a kind of it in WordNet
    ("animal" is true of a dog), or if it names the picture's class or something that the class is a kind of. The name
    of another class is true only if a reference says it: a killer whale is a dolphin to WordNet, but not to AwA2.

    Attributes:
        source: `references`, `classes`, or None where nothing is known.
        known: [n_rows] whether anything is known of each picture.
    """

    def __init__(
        self, reader: Reader, rows: Sequence[str], references: Sequence[Sequence[str]], concepts: ConceptSet | None
    ) -> None:
        """Read the references.

        Args:
            reader: tells nouns.
            rows: the pictures.
            references: of each picture, maybe none.
            concepts: the class of each picture; None: unknown.
        """
        self.reader, self.concepts = reader, concepts
        self.classes = [concepts.truth.get(row) if concepts else None for row in rows]
        found = [{w.text for one in reader.words(list(t)) for w in one if w.kind == "nouns"} for t in references]
        self._nouns = found if self._describe(found) else [set[str]() for _ in rows]
        self.source = REFERENCES if any(self._nouns) else CLASSES if any(self.classes) else None
        has_class = np.array([name is not None for name in self.classes], dtype=bool)
        self.known: NDArray[np.bool_] = (
            np.array([bool(nouns) for nouns in self._nouns], dtype=bool) if self.source == REFERENCES else has_class
        )
        self._above: dict[str, frozenset[str]] = {}

    def _describe(self, found: Sequence[set[str]]) -> bool:
        """Do references tell more than the class of a picture? `dog.` names what is learnt, and describes nothing."""
        if self.concepts is None:
            return True
        names = [self.concepts.by_name[name].words if name else () for name in self.classes]
        own = [{part for word in said for part in (word.lower(), word.lower().split()[-1])} for said in names]
        return any(nouns - known for nouns, known in zip(found, own, strict=True) if known)

    def counts(self, nouns: Sequence[str]) -> NDArray[np.bool_]:
        """[n_nouns] whether it can be told of a noun that a picture does not contain it."""
        if self.source == REFERENCES or self.concepts is None:
            return np.full(len(nouns), self.source is not None)
        return np.array([bool(self.concepts.find(noun, "any")) for noun in nouns], dtype=bool)

    def table(self, nouns: Sequence[str]) -> Any:
        """1 where a noun is true of a picture: sparse `[n_rows, n_nouns]`."""
        by_sense: dict[str, list[int]] = {}
        column = {noun: n for n, noun in enumerate(nouns)}
        for n, noun in enumerate(nouns):
            for sense in wordnet.noun_senses(noun.replace(" ", "_"), inflected=False):
                by_sense.setdefault(sense.name(), []).append(n)
        names = {noun: self.concepts.find(noun, "any") for noun in nouns} if self.concepts else {}
        pairs = set()
        for row, (said, name) in enumerate(zip(self._nouns, self.classes, strict=True)):
            true = {column[noun] for noun in said if noun in column}
            senses = set().union(*map(self._kinds, said))
            others: set[int] = set()
            if name is not None and self.concepts is not None:
                senses |= wordnet.kinds_above(self.concepts.by_name[name].synset)
                true |= {column[noun] for noun, named in names.items() if name in named}
                others = {column[noun] for noun, named in names.items() if named and name not in named}
            true |= {n for sense in senses for n in by_sense.get(sense, ())} - others
            pairs |= {(row, n) for n in true}
        at = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
        return table(at[:, 0], at[:, 1], (len(self.classes), len(nouns)))

    def _kinds(self, noun: str) -> frozenset[str]:
        """The synset that is meant by a noun, and all that it is a kind of."""
        if noun not in self._above:
            sense = self.reader.groups.sense(noun)
            self._above[noun] = wordnet.kinds_above(sense) if sense else frozenset()
        return self._above[noun]
