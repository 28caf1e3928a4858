"""Which of the things that are said are true of the picture, and how many would be by chance: sparse tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from concepttransfer.statistics import Floats
from concepttransfer.statistics.resampling import Ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Share:
    """A share of what is said or true.

    Attributes:
        level: the share, over pictures.
        surplus: the share less its chance, likewise.
        chance: the share if what is said were dealt to any picture.
    """

    level: Ratio
    surplus: Ratio
    chance: float

    def complement(self) -> Share:
        """The share of what is not."""
        level = Ratio(self.level.denominator - self.level.numerator, self.level.denominator, 0, 1)
        surplus = Ratio(-self.surplus.numerator, self.surplus.denominator, -1, 1)
        return Share(level, surplus, 1 - self.chance)


def table(rows: NDArray[Any], columns: NDArray[Any], shape: tuple[int, int]) -> Any:
    """How often each thing (column) comes in each row: a sparse table `shape`."""
    from scipy.sparse import csr_matrix

    return csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)


def shares(said: Sequence[Any], true: Any) -> tuple[Share, Share]:
    """Of what is said the share that is true, and of what is true the share that is said.

    Chance gives what is said of a picture to any picture with equal probability; it is computed exactly. What is above
    chance is a product of two deviations from a mean for each thing, whose sum is exactly value less chance; so
    pictures can be resampled without dealing anew.

    Args:
        said: for each seed, how often each thing is said of each picture: sparse `[n_rows, n_things]`.
        true: 1 where a thing is true of a picture: sparse, of the same shape.
    """
    n_rows = true.shape[0]
    mean_true = np.asarray(true.mean(0)).ravel()
    n_true = np.tile(_rows(true), (len(said), 1))
    both, n_said, above, chance = [], [], [], []
    for one in said:
        mean_said = np.asarray(one.mean(0)).ravel()
        both.append(_rows(one.multiply(true)))
        n_said.append(_rows(one))
        above.append(both[-1] - one @ mean_true - true @ mean_said + mean_true @ mean_said)
        chance.append(n_rows * (mean_true @ mean_said))
    tops, bottoms, surplus = np.stack(both), np.stack(n_said), np.stack(above)
    return _share(tops, surplus, bottoms, chance), _share(tops, surplus, n_true, chance)


def _rows(sparse: Any) -> Floats:
    return np.asarray(sparse.sum(1), dtype=np.float64).ravel()


def _share(tops: Floats, surplus: Floats, bottoms: Floats, chance: Sequence[float]) -> Share:
    with np.errstate(invalid="ignore", divide="ignore"):
        level = float(np.mean(np.array(chance) / bottoms.sum(1)))
    return Share(Ratio(tops, bottoms, 0, 1), Ratio(surplus, bottoms, -1, 1), level)
