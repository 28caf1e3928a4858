"""The same rows of several systems: what each adds to a measure, picture by picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from concepttransfer.errors import MismatchError
from concepttransfer.result.pairing import Paired
from concepttransfer.statistics import Floats
from concepttransfer.statistics.resampling import Ratio

from .given import System


@dataclass(frozen=True)
class Rows:
    """One measure of several systems over the rows that all of them have.

    Attributes:
        paired: the measure.
        systems: their names.
        tops, bottoms: of each system, [n_seeds, n_rows]: what the ratio sums, and over what.
        clusters: [n_rows] what each row is drawn with.
        left_out: rows that not all systems have.
    """

    paired: Paired
    systems: tuple[str, ...]
    tops: tuple[Floats, ...]
    bottoms: tuple[Floats, ...]
    clusters: NDArray[np.int64]
    left_out: int

    @property
    def whole(self) -> bool:
        """Whether every row counts for every system, or is weighed as the measure says; else some are missing."""
        return bool(self.paired.over) or all((bottom == 1).all() for bottom in self.bottoms)

    def ratio(self, system: int, counted: Floats | None = None) -> Ratio:
        """The measure of one system; over the rows `counted` [n_seeds, n_rows] where these are given."""
        top, bottom = self.tops[system], self.bottoms[system]
        if counted is not None:
            top, bottom = top[: len(counted)] * counted, counted
        return Ratio(top, bottom, self.paired.low, self.paired.high)

    def both(self, one: int, other: int) -> Floats:
        """[n_seeds, n_rows] where two systems count; the first seed of one goes with that of the other."""
        n_seeds = min(len(self.bottoms[one]), len(self.bottoms[other]))
        return np.asarray(self.bottoms[one][:n_seeds] * self.bottoms[other][:n_seeds])


def align(systems: Sequence[System], paired: Paired) -> Rows:
    """Bring the rows of all systems into one order.

    Raises:
        MismatchError: they have no row in common.
    """
    frames = [_rows_of(system, paired) for system in systems]
    ids = [dict.fromkeys(frame["row_id"]) for frame in frames]
    common = [row for row in ids[0] if all(row in others for others in ids[1:])]
    if not common:
        counts = ", ".join(f"{system.name} {len(rows)}" for system, rows in zip(systems, ids, strict=True))
        raise MismatchError(
            f"No picture is in all results of `{paired.measure}` ({counts}). A comparison needs the same pictures: "
            "measure all encoders on the same data."
        )
    sums = [_sums(frame, common, paired) for frame in frames]
    first = frames[0].drop_duplicates("row_id").set_index("row_id").loc[common]
    labels = first[paired.cluster].astype(str) if paired.cluster else np.arange(len(common))
    return Rows(
        paired=paired,
        systems=tuple(system.name for system in systems),
        tops=tuple(top for top, _ in sums),
        bottoms=tuple(bottom for _, bottom in sums),
        clusters=np.unique(np.asarray(labels), return_inverse=True)[1].astype(np.int64),
        left_out=len(set().union(*ids)) - len(common),
    )


def _rows_of(system: System, paired: Paired) -> pd.DataFrame:
    table = system.result.table
    mine = table["encoder"] == system.encoder
    for column, value in paired.where.items():
        mine &= table[column] == value
    return table[mine]


def _sums(frame: pd.DataFrame, common: Sequence[str], paired: Paired) -> tuple[Floats, Floats]:
    """What the measure sums, and over what, [n_seeds, n_rows] each."""
    seeds = [one.set_index("row_id").loc[list(common)] for _, one in frame.groupby("seed", sort=True)]
    values = np.stack([one[paired.column].to_numpy(np.float64, na_value=np.nan) for one in seeds])
    counted = np.isfinite(values)
    if paired.over:
        bottom = np.stack([one[list(paired.over)].to_numpy(np.float64).sum(1) for one in seeds])
    else:
        bottom = counted.astype(np.float64)
    return paired.times * np.where(counted, values, 0.0), bottom
