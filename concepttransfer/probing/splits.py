"""The pictures that a probe learns from, is tuned on and is tested on: three parts of one encoder's features."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInputError, MismatchError
from ..storage import digest

if TYPE_CHECKING:
    from ..features import Features

SHARES = (0.6, 0.2)
"""Of each class's pictures, those that train and those that validate, where nobody has split them; the rest test."""
BLOCK_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows of a store of features.

    Attributes:
        features: the store.
        row_ids: which rows, in order.
    """

    features: Features
    row_ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.row_ids)

    def pooled(self) -> NDArray[np.float32]:
        """The mean of each row's tokens [n, dim], read block by block.

        Raises:
            BadInputError: a value is no number.
        """
        at = self.features.indices(self.row_ids)
        found = np.empty((len(at), self.features.dim), dtype=np.float32)
        step = max(1, BLOCK_BYTES // max(1, self.features.tokens * self.features.dim * 4))
        for start in range(0, len(at), step):
            rows = np.asarray(self.features.values[at[start : start + step]])
            found[start : start + step] = rows.mean(axis=1, dtype=np.float32)
        if (bad := ~np.isfinite(found).all(axis=1)).any():
            row = self.row_ids[int(np.argmax(bad))]
            raise BadInputError(
                f"The features of `{row}` by {self.features.encoder or self.features.encoder_id} hold a value that is "
                f"no number ({int(bad.sum())} rows do). Encode again: concepttransfer encode --force encode"
            )
        return found


@dataclass(frozen=True, eq=False)
class Splits:
    """One encoder's features of one data set in three parts, and the concept that is right for each row.

    Attributes:
        encoder: its name in the study.
        on: the name of the data that are tested on.
        study: the study's name.
        train, validation, test: the parts; no row is in two of them.
        truth: row id -> name of the concept, for the rows of all parts; rows without one are left out.
        how: how the rows were split, in words.
        seed: of the fit, for an encoder that the fit tuned.
    """

    encoder: str
    on: str
    study: str
    train: Part
    validation: Part
    test: Part
    truth: Mapping[str, str]
    how: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        seen: dict[str, str] = {}
        for name, part in parts.items():
            if twice := [row for row in part.row_ids if row in seen]:
                raise BadInputError(
                    f"Row `{twice[0]}` is in both {seen[twice[0]]} and {name} ({len(twice)} rows are). A probe must "
                    "not be tested on what it learnt from: give data sets without common rows under `splits:`."
                )
            seen |= dict.fromkeys(part.row_ids, name)
        if len(widths := {part.features.dim for part in parts.values()}) > 1:
            raise MismatchError(f"The parts of {self.encoder}'s features are {sorted(widths)} wide. Encode them alike.")

    @cached_property
    def key(self) -> str:
        """Names everything that changes a number: features, rows and truths."""
        parts = [(part.features.key, part.row_ids) for part in (self.train, self.validation, self.test)]
        return digest("splits", parts, sorted(self.truth.items()))

    def known(self, part: Part) -> Part:
        """The rows of a part whose concept is known."""
        return Part(part.features, tuple(row for row in part.row_ids if row in self.truth))


def split_rows(truth: Mapping[str, str], *, seed: int = 0) -> tuple[list[str], list[str], list[str]]:
    """Split rows into train, validation and test, class by class, drawn by a hash of their ids.

    A row's place depends on its class's rows only, not on their order. A class of one picture trains, one of two trains
    and tests; from three on each part has one.

    Args:
        truth: row id -> class.
        seed: of the draw.
    """
    classes: dict[str, list[str]] = defaultdict(list)
    for row, name in truth.items():
        classes[name].append(row)
    parts: tuple[list[str], list[str], list[str]] = ([], [], [])
    for rows in classes.values():
        drawn = sorted(rows, key=lambda row: digest("split", seed, row))
        for part, chosen in zip(parts, _cut(drawn), strict=True):
            part += chosen
    return parts


def _cut(rows: Sequence[str]) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    n = len(rows)
    n_validation = max(1, round(SHARES[1] * n)) if n > 2 else 0
    n_test = max(1, n - round(SHARES[0] * n) - n_validation) if n > 1 else 0
    n_train = n - n_validation - n_test
    return rows[:n_train], rows[n_train : n_train + n_validation], rows[n_train + n_validation :]
