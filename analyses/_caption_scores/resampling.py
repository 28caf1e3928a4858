"""How a score of a whole set of captions would come out with other pictures and other seeds.

`concepttransfer.statistics.resampling` is about ratios of sums; BLEU and METEOR are other functions of sums over
pictures. Given the function, the same estimates follow: pictures are drawn, the sums are made anew, and the function is
taken of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from concepttransfer.statistics import LEVEL, Floats
from concepttransfer.statistics.resampling import Sampled, seed_deviations

from .measures import Measure

_BLOCK = 1 << 22
_STEP = 1e-6


@dataclass(frozen=True)
class Summed:
    """A score before resampling: what each picture adds, and the function of the sums.

    Attributes:
        measure: the function, and between which bounds it lies.
        counts: [n_seeds, n_rows, n_columns].
    """

    measure: Measure
    counts: Floats

    @property
    def found(self) -> float:
        """How much of what the measure multiplies was found, mean over seeds."""
        column = self.measure.found
        return np.inf if column is None else float(self.counts[..., column].sum(1).mean())


def resample(summed: Sequence[Summed], *, n_resamples: int, seed: int) -> list[Sampled]:
    """Every score with its spread over pictures and seeds, all from the same draws, so that differences are paired.

    A picture is drawn with all its captions, of all seeds. What belongs to the set and not to a picture (n-grams'
    document frequencies) stays as it is.
    """
    if not summed:
        return []
    rng = np.random.default_rng(seed)
    arrays = {id(one.counts): one.counts for one in summed}
    columns = np.concatenate([_flat(array) for array in arrays.values()], axis=1)
    starts = dict(zip(arrays, np.cumsum([0, *(_flat(a).shape[1] for a in arrays.values())]), strict=False))
    sums = _drawn_sums(columns, n_resamples, rng)
    made = []
    for one in summed:
        n_seeds, _, width = one.counts.shape
        start = starts[id(one.counts)]
        drawn = sums[:, start : start + n_seeds * width].reshape(-1, n_seeds, width)
        made.append(_sampled(one, drawn, rng))
    return made


def _flat(counts: Floats) -> Floats:
    """[n_rows, n_seeds * n_columns]."""
    return np.moveaxis(counts, 1, 0).reshape(counts.shape[1], -1)


def _drawn_sums(columns: Floats, n_resamples: int, rng: np.random.Generator) -> Floats:
    """[n_resamples, n_columns] sums over as many rows as there are, drawn with replacement."""
    n = len(columns)
    step = max(1, _BLOCK // n)
    blocks = []
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        drawn = rng.integers(0, n, (size, n)) + np.arange(size)[:, None] * n
        times = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        blocks.append(times.astype(np.float64) @ columns)
    return np.concatenate(blocks)


def _sampled(one: Summed, drawn: Floats, rng: np.random.Generator) -> Sampled:
    n_seeds, n, _ = one.counts.shape
    formula, sums = one.measure.formula, one.counts.sum(1)
    per_seed = formula(sums)
    value = float(per_seed.mean())
    influence = np.stack([_influence(one, seed) for seed in range(n_seeds)])
    moved = formula(drawn).mean(-1) - value
    edge = 1 - ((1 - LEVEL) / 2) ** (1 / n)
    low, high = one.measure.low, one.measure.high
    return Sampled(
        value=value,
        low=low,
        high=high,
        whole=moved,
        nested=moved,
        pictures=moved,
        seeds=seed_deviations(per_seed, influence, len(moved), rng),
        class_influence=influence.mean(0),
        row_influence=np.zeros(n),
        class_weights=np.full(n, 1 / n),
        contributions=influence.mean(0) + value / n,
        counted=np.asarray((one.counts[..., -1] > 0).any(0)) if one.measure.partial else np.ones(n, dtype=bool),
        clusters=np.arange(n),
        slack=(edge if value == high else 0.0, edge if value == low else 0.0),
        n_seeds=n_seeds,
    )


def _influence(one: Summed, seed: int) -> Floats:
    """[n_rows] how much each picture moves the score of one seed, to first order: the slope times its distance."""
    counts = one.counts[seed]
    sums = counts.sum(0)
    steps = np.diag(_STEP * np.maximum(np.abs(sums), 1))
    slope = (one.measure.formula(sums + steps) - one.measure.formula(sums - steps)) / (2 * np.diag(steps))
    moved: Floats = (counts - counts.mean(0)) @ slope
    return moved
