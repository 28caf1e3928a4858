"""With how many training pictures of a class does a probe equal a zero-shot classifier? Arrays in, numbers out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from concepttransfer.statistics import LEVEL, Floats


@dataclass(frozen=True)
class Crossing:
    """Where a curve of accuracies reaches a level.

    Attributes:
        value: training pictures of a class; the fewest or the most measured where it lies outside.
        low, high: its 95 % interval, cut off likewise.
        side: -1: the level is reached with the fewest already; 1: not even with the most; 0: in between.
    """

    value: float
    low: float
    high: float
    side: int

    @property
    def words(self) -> str:
        """The value in words."""
        return f"{'more than ' if self.side > 0 else ''}{self.value:.3g}{' or fewer' if self.side < 0 else ''}"


def crossing(shots: Floats, curve: Floats, level: float, curves: Floats, levels: Floats) -> Crossing:
    """Interpolate on the logarithm of the number of pictures, as accuracies grow about evenly with it.

    Args:
        shots: [k] numbers of training pictures, rising.
        curve: [k] accuracies.
        level: the accuracy to be reached.
        curves: [n_resamples, k] accuracies of resamples.
        levels: [n_resamples] levels of the same resamples.
    """
    at = np.log2(shots)
    value, side = reached(at, curve[None], np.array([level]))
    drawn, _ = reached(at, curves, levels)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail]) if len(drawn) else (np.nan, np.nan)
    return Crossing(float(2 ** value[0]), float(2**low), float(2**high), int(side[0]))


def reached(at: Floats, curves: Floats, levels: Floats) -> tuple[Floats, Floats]:
    """The first place on a line through the points of each curve [r, k] that is as high as its level [r].

    Returns:
        [r] the places, the first or last where it is not in between; [r] -1, 0 or 1: before, in between, beyond.
    """
    rows = np.arange(len(curves))
    enough = curves >= levels[:, None]
    first = np.where(enough.any(axis=1), enough.argmax(axis=1), len(at))
    inside = (first > 0) & (first < len(at))
    right = np.where(inside, first, 1) if len(at) > 1 else np.zeros(len(curves), dtype=int)
    left = np.maximum(right - 1, 0)
    rise = curves[rows, right] - curves[rows, left]
    share = np.where(inside, (levels - curves[rows, left]) / np.where(rise > 0, rise, 1), 0)
    between = at[left] + share * (at[right] - at[left])
    places = np.where(first == 0, at[0], np.where(first == len(at), at[-1], between))
    return places, np.where(first == 0, -1, np.where(first == len(at), 1, 0))
