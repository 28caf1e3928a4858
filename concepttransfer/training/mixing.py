"""Several data sets in one fit, each with a share of what is learnt: MAGMA's second version has ten.

All rows of all data sets make one manifest, each once, so that each is encoded once and a held-out row is held out
for good. Shares are met by the plan: an epoch takes from each data set as many rows as its share says, from a small one
some rows again, from a large one only some; no row is seen twice before all rows of its data set were seen once.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadInputError, EmptyDataError, UnknownNameError
from ..manifest import Manifest, PictureSource, Rows
from .batch_plan import BatchPlan, Indices, generator

if TYPE_CHECKING:
    from PIL.Image import Image

    from .recipe import Recipe

BETWEEN = "/"
"""Between a data set's name and a row's own id."""


@dataclass(frozen=True)
class MixedPictures:
    """Pictures of several data sets; a key is a data set's name and the key there, `coco/000000000001.jpg`."""

    parts: Mapping[str, PictureSource]

    def read(self, key: str) -> Image:
        """The picture, from the data set that has it.

        Raises:
            UnknownNameError: no data set with pictures is of that name.
        """
        name, _, own = key.partition(BETWEEN)
        if name not in self.parts:
            raise UnknownNameError("data set with pictures", name, self.parts)
        return self.parts[name].read(own)


def mixed(name: str, parts: Mapping[str, Manifest], shares: Mapping[str, float]) -> Manifest:
    """One manifest of all rows of several data sets, in order; ids and pictures' keys begin with the data set's name.

    Args:
        name: of the whole.
        parts: the data sets, by name.
        shares: of each; only their proportions count. They are checked here and met by `MixedPlan`.

    Raises:
        UnknownNameError: a share of a data set that is not there.
        BadInputError: a share that is missing or not above 0, or a name that cannot stand before an id.
    """
    _check(parts, shares)
    rows = (
        replace(row, id=_under(part, row.id), picture=None if row.picture is None else _under(part, row.picture))
        for part, manifest in parts.items()
        for row in manifest.rows
    )
    pictures = {part: manifest.pictures for part, manifest in parts.items() if manifest.pictures is not None}
    told = {key for manifest in parts.values() for key in manifest.source}
    source = {key: _joined(manifest.source.get(key) for manifest in parts.values()) for key in sorted(told)}
    return Manifest(name, Rows.of(rows), MixedPictures(pictures) if pictures else None, source)


def count_by_data_set(row_ids: Iterable[str]) -> dict[str, int]:
    """How many of the rows of a mixed manifest are each data set's, such as of those whose picture is unreadable."""
    return dict(Counter(row_id.partition(BETWEEN)[0] for row_id in row_ids))


def planned(
    recipe: Recipe, lengths: Sequence[Sequence[int]], rows: Indices, seed: int, row_ids: Sequence[str]
) -> BatchPlan:
    """The batches of a fit: on one data set, or on several by the shares that its recipe says. See `MixedPlan`."""
    if isinstance(recipe.data, str):
        return BatchPlan(lengths, rows, recipe.batch_size, seed)
    return MixedPlan(lengths, rows, recipe.batch_size, seed, row_ids, recipe.data)


class MixedPlan(BatchPlan):
    """All batches of a fit on several data sets, each computable by itself.

    An epoch has as many captions as there are rows. Each data set's are taken from passes over it, each in an order of
    its own, that go on from epoch to epoch.
    """

    def __init__(
        self,
        lengths: Sequence[Sequence[int]],
        rows: Indices,
        batch_size: int,
        seed: int,
        row_ids: Sequence[str],
        shares: Mapping[str, float],
    ) -> None:
        """Plan, without drawing anything yet.

        Args:
            lengths, rows, batch_size, seed: see `BatchPlan`.
            row_ids: of all rows of the data, as `mixed` names them.
            shares: of each data set; only their proportions count.

        Raises:
            EmptyDataError: a data set has no row that could be trained on.
            BadInputError: a share so small that an epoch holds nothing of the data set.
        """
        super().__init__(lengths, rows, batch_size, seed)
        names = np.array([row_ids[row].partition(BETWEEN)[0] for row in rows])
        self.parts = {name: rows[names == name] for name in shares}
        if empty := [name for name, part in self.parts.items() if not len(part)]:
            raise EmptyDataError(
                f"`{empty[0]}` has no row that can be trained on: none with a text, or none below the limit of rows. "
                "Leave it out of `train: data:`."
            )
        self.quotas = quotas(shares, len(rows))
        self._pass = lru_cache(maxsize=2 * len(shares))(self._drawn_pass)

    def about(self, unreadable: Iterable[str] = ()) -> dict[str, dict[str, float]]:
        """Of each data set: its rows, its share, its captions in an epoch, how often an epoch sees each row, and how
        many of the rows `unreadable` are its own.
        """
        faults = count_by_data_set(unreadable)
        return {
            name: {
                "rows": len(part),
                "share": self.quotas[name] / len(self.rows),
                "per_epoch": self.quotas[name],
                "passes": self.quotas[name] / len(part),
                "unreadable": faults.get(name, 0),
            }
            for name, part in self.parts.items()
        }

    def _drawn_epoch(self, epoch: int) -> tuple[Indices, Indices]:
        drawn = generator(self.seed, "epoch", epoch)
        taken = [self._taken(name, epoch * n, (epoch + 1) * n) for name, n in self.quotas.items()]
        rows = drawn.permutation(np.concatenate(taken))
        counts = np.array([len(self.lengths[row]) for row in rows], dtype=np.int64)
        return rows, (drawn.random(len(rows)) * counts).astype(np.int64)

    def _taken(self, name: str, start: int, stop: int) -> Indices:
        """What stands from `start` to `stop` if the passes over a data set stand one behind the other."""
        n = len(self.parts[name])
        first, last = start // n, (stop - 1) // n
        return np.concatenate([self._pass(name, number) for number in range(first, last + 1)])[
            start - first * n : stop - first * n
        ]

    def _drawn_pass(self, name: str, number: int) -> Indices:
        return generator(self.seed, "pass", name, number).permutation(self.parts[name])


def quotas(shares: Mapping[str, float], total: int) -> dict[str, int]:
    """Whole numbers in proportion to shares that add up to `total`: rounded down, and the largest remainders up.

    Raises:
        BadInputError: one would be 0.
    """
    whole = sum(shares.values())
    exact = {name: share / whole * total for name, share in shares.items()}
    counts = {name: math.floor(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in by_remainder[: total - sum(counts.values())]:
        counts[name] += 1
    if none := [name for name, count in counts.items() if not count]:
        raise BadInputError(
            f"A share of {shares[none[0]]:g} of {whole:g} is less than one of the {total} captions of an epoch: "
            f"nothing of `{none[0]}` would be learnt. Give it a larger share, or leave it out."
        )
    return counts


def _check(parts: Mapping[str, Manifest], shares: Mapping[str, float]) -> None:
    for name in shares:
        if name not in parts:
            raise UnknownNameError("data set", name, parts)
        if BETWEEN in name:
            raise BadInputError(
                f"`{name}` cannot be mixed: rows are named NAME{BETWEEN}ID. Name it without `{BETWEEN}`."
            )
    for name in parts:
        share = shares.get(name, 0.0)
        if not (math.isfinite(share) and share > 0):
            raise BadInputError(
                f"`{name}` has a share of {share:g}. Shares are numbers above 0, of which only proportions count; "
                "leave a data set out that is not to be learnt from."
            )


def _under(part: str, own: str) -> str:
    return f"{part}{BETWEEN}{own}"


def _joined(said: Iterable[str | None]) -> str:
    """Each thing that is said once, in order."""
    return "; ".join(dict.fromkeys(text for text in said if text))
