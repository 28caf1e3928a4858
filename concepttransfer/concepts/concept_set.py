"""Which concepts are right for a picture, and by which rule a word in a caption names one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from ..errors import BadInputError, EmptyDataError, UnknownNameError
from ..storage import digest, read_json, write_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..language.naming import NameFinder

Match = Literal["first", "any", "most-specific"]
Senses = Literal["own", "most-similar"]


@dataclass(frozen=True)
class Concept:
    """One thing that a caption can name.

    Attributes:
        name: what results call it; unique in its set.
        synset: its noun in WordNet 3.0, such as `killer_whale.n.01`.
        words: what counts as saying it, the name that it goes by first; plurals and any case are understood.
    """

    name: str
    synset: str
    words: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ConceptSet:
    """For each picture the concept that counts as right, and how near another one comes.

    Attributes:
        name: what people call it, such as `awa2`. Not part of `id`.
        concepts: those that a caption can name, right or wrong.
        truth: row id -> name of the concept that is right.
        attributes: a row a concept, a column an attribute, 0 or 1; None where none are known.
        senses: Wu-Palmer is between the concepts' own synsets, or from the truth's synset to the `most-similar` noun
            sense of what was said, where concepts are plain words.
    """

    name: str
    concepts: tuple[Concept, ...]
    truth: Mapping[str, str]
    attributes: pd.DataFrame | None = None
    senses: Senses = "own"

    def __post_init__(self) -> None:
        if not self.concepts:
            raise EmptyDataError(f"`{self.name}` has no concepts. Give it some.")
        if silent := [concept.name for concept in self.concepts if not any(map(str.strip, concept.words))]:
            raise BadInputError(f"Concept `{silent[0]}` of `{self.name}` has no words. Give it one that names it.")
        if twice := [name for name, n in Counter(self.names).items() if n > 1]:
            raise BadInputError(f"`{self.name}` has two concepts named `{twice[0]}`. Give each a name of its own.")
        if strange := set(self.truth.values()) - set(self.names):
            raise UnknownNameError("concept", sorted(strange)[0], self.names, where=self.name)
        if self.attributes is not None and list(self.attributes.index) != list(self.names):
            raise BadInputError(f"The attributes of `{self.name}` are not a row for each concept, in the same order.")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConceptSet) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    @cached_property
    def id(self) -> str:
        """sha256 of its concepts, truths and attributes: equal sets, equal id."""
        return digest({key: value for key, value in self._content().items() if key != "name"})

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The concepts' names, in order: the order of every matrix's rows and columns."""
        return tuple(concept.name for concept in self.concepts)

    @cached_property
    def by_name(self) -> dict[str, Concept]:
        """Each concept by its name."""
        return {concept.name: concept for concept in self.concepts}

    def find(self, text: str, match: Match = "first") -> list[str]:
        """Which concepts does a text name? None, one, or with `any` several. language/naming.py has the rule.

        Args:
            text: a caption.
            match: `first`: the one said first; `any`: each once, in the order said; `most-specific`: the one deepest in
                WordNet's taxonomy, of equals the one said first.

        Raises:
            UnknownNameError: there is no such match.
        """
        if match not in get_args(Match):
            raise UnknownNameError("match", match, get_args(Match))
        said = list(dict.fromkeys(self._finder.mentions(text)))
        if match == "any" or not said:
            return said
        return [said[0] if match == "first" else max(said, key=self._depth)]

    def wup(self, truth: str, said: str) -> float:
        """How near is what was said to the truth, in WordNet's taxonomy? Wu-Palmer similarity in (0, 1].

        Raises:
            UnknownNameError: one of them is not in this set.
        """
        from ..language import wordnet

        a, b = self._concept(truth), self._concept(said)
        if self.senses == "most-similar":
            return wordnet.wup_to_word(a.synset, b.words[0])
        return wordnet.wup(a.synset, b.synset)

    @cached_property
    def wup_matrix(self) -> NDArray[np.float64]:
        """Wu-Palmer similarity of every pair, [n, n]; rows are truths, columns what was said."""
        return np.array([[self.wup(truth, said) for said in self.names] for truth in self.names])

    def attribute_overlap(self, truth: str, said: str) -> tuple[float, float]:
        """How much has what was said in common with the truth? (shared of the truth's attributes, Jaccard), in [0, 1].

        Raises:
            UnknownNameError: one of them is not in this set.
            BadInputError: this set knows no attributes.
        """
        at = self.names.index(self._concept(truth).name), self.names.index(self._concept(said).name)
        shared, jaccard = self.overlap_matrices
        return float(shared[at]), float(jaccard[at])

    @cached_property
    def overlap_matrices(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Attribute overlap of every pair, twice [n, n]: |A and B| / |A|, and |A and B| / |A or B|.

        A is the row's concept, the truth, and B the column's, what was said. NaN where nothing is to be shared.
        Means over AwA2's pairs of different classes: .521 and .360.

        Raises:
            BadInputError: this set knows no attributes.
        """
        if self.attributes is None:
            raise BadInputError(f"`{self.name}` knows no attributes. AwA2's animals do.")
        has = self.attributes.to_numpy(dtype=np.float64)
        common, size = has @ has.T, has.sum(axis=1)
        with np.errstate(invalid="ignore"):
            return common / size[:, None], common / (size[:, None] + size[None, :] - common)

    def limit(self, row_ids: Iterable[str]) -> ConceptSet:
        """The same concepts, with the truth of these rows only."""
        kept = {row_id: self.truth[row_id] for row_id in row_ids if row_id in self.truth}
        return ConceptSet(self.name, self.concepts, kept, self.attributes, self.senses)

    def save(self, path: Path) -> None:
        """Write it as JSON, atomically."""
        write_json(path, self._content())

    @classmethod
    def load(cls, path: Path) -> ConceptSet:
        """Read what `save` wrote.

        Raises:
            BadInputError: the file holds something else.
        """
        try:
            content = read_json(path)
            concepts = tuple(Concept(c["name"], c["synset"], tuple(c["words"])) for c in content["concepts"])
            table = content["attributes"]
            names = [concept.name for concept in concepts]
            attributes = None if table is None else pd.DataFrame(table["rows"], names, table["columns"])
            return cls(content["name"], concepts, dict(content["truth"]), attributes, content["senses"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInputError(f"{path} holds no concepts ({type(error).__name__}: {error}).") from error

    def _content(self) -> dict[str, Any]:
        table = self.attributes
        return {
            "name": self.name,
            "concepts": [{"name": c.name, "synset": c.synset, "words": list(c.words)} for c in self.concepts],
            "truth": sorted(self.truth.items()),
            "attributes": None
            if table is None
            else {"columns": [str(c) for c in table.columns], "rows": table.to_numpy(dtype=int).tolist()},
            "senses": self.senses,
        }

    def _concept(self, name: str) -> Concept:
        if name not in self.by_name:
            raise UnknownNameError("concept", name, self.names, where=self.name)
        return self.by_name[name]

    def _depth(self, name: str) -> int:
        from ..language.wordnet import synset

        return int(synset(self._concept(name).synset).max_depth())

    @cached_property
    def _finder(self) -> NameFinder:
        from ..language.naming import NameFinder

        return NameFinder({c.name: c.words for c in self.concepts}, {c.name: c.synset for c in self.concepts})
