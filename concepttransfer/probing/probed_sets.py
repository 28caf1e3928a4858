"""One encoder on several data sets: what a probe of each learns from and is tested on; class names, if it reads any.

So a probe and a zero-shot classifier meet the same pictures, and a probe of plain pictures meets shifted ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ..errors import EmptyDataError, MismatchError
from ..storage import digest

if TYPE_CHECKING:
    from ..concepts.class_texts import ClassTexts
    from .splits import Splits


@dataclass(frozen=True, eq=False)
class ProbedSet:
    """One data set of one encoder.

    Attributes:
        names: its classes; the codes of classes are their places here.
        splits: the pictures that a probe learns from, is tuned on and is tested on.
        texts: the class names beside the pictures that are tested on; None for an encoder that reads no texts.
    """

    names: tuple[str, ...]
    splits: Splits
    texts: ClassTexts | None = None

    def __post_init__(self) -> None:
        if self.texts is not None and self.texts.names != self.names:
            raise MismatchError(
                f"The texts of {self.splits.encoder} are of {len(self.texts.names)} classes, its pictures of "
                f"`{self.on}` of {len(self.names)}. Read the names of the same classes."
            )

    @property
    def on(self) -> str:
        """The name of the data that are tested on."""
        return self.splits.on

    @cached_property
    def learns_from(self) -> str:
        """Names what a probe is fitted and tuned on: of two sets with the same, it is the same probe."""
        s = self.splits
        parts = [(part.features.key, part.row_ids) for part in (s.train, s.validation)]
        rows = (*s.train.row_ids, *s.validation.row_ids)
        return digest("learns-from", parts, [s.truth.get(row) for row in rows], self.names)


@dataclass(frozen=True, eq=False)
class ProbedSets:
    """One encoder on several data sets.

    Attributes:
        encoder, study: their names.
        sets: the first is the one that was asked about.
        reads: what the probe reads, in words.
        left_out: encoders that were asked for and cannot be asked about texts, each with the reason.
    """

    encoder: str
    study: str
    sets: tuple[ProbedSet, ...]
    reads: str = ""
    left_out: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if not self.sets:
            raise EmptyDataError(f"{self.encoder} has no data to be tested on. Name some with --on.")

    @cached_property
    def key(self) -> str:
        """Names everything that changes a number."""
        each = [(one.on, one.splits.key, one.texts.key if one.texts else None) for one in self.sets]
        return digest("probed-sets", each)

    @property
    def reads_texts(self) -> bool:
        """Whether it has class names."""
        return self.sets[0].texts is not None

    @property
    def on(self) -> tuple[str, ...]:
        """The names of the data sets."""
        return tuple(one.on for one in self.sets)
