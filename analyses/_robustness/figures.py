"""Figures of robustness: shifted against plain accuracy with the line, and distances from it. They only draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from concepttransfer.result.figures import INK, MUTED, looks, titled
from concepttransfer.statistics.claims import is_random

from . import claims
from .line import logit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..robustness import Robustness

COLUMNS = 3
TICKS = (1, 2, 5, 10, 20, 40, 60, 80, 90, 95, 98, 99)
"""Per cent, at their places on logit axes."""
MANY = 1e9
"""Pictures, so that a logit is that of the share itself."""
EDGE = 1e-3


def _place(share: Any) -> Any:
    return logit(np.clip(np.asarray(share, dtype=np.float64), EDGE, 1 - EDGE), MANY)


def line(result: Robustness) -> Figure:
    """A panel a shifted set: every classifier by its accuracy on plain (across) and shifted pictures (up)."""
    from matplotlib.figure import Figure

    shifted = result.shifted
    columns = 2 if len(shifted) == 4 else min(COLUMNS, len(shifted))
    rows = -(-len(shifted) // columns)
    figure = Figure(figsize=(2.4 + 3.2 * columns, 1.0 + 3.1 * rows))
    grid = figure.subplots(rows, columns, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place < len(shifted):
            _scatter(axes, result, shifted[place], place)
        else:
            axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("on shifted pictures, % right")
    for axes in grid[-1]:
        axes.set_xlabel(f"on {result.plain}, % right")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside right upper")
    n = result.about(shifted[0], *result.systems[0])
    title = f"Accuracy under shift, {n['n']} pictures of {n['n_clusters']} classes in {shifted[0]}"
    return titled(figure, result, title)


def _scatter(axes: Axes, result: Robustness, on: str, place: int) -> None:
    drawn = looks(result)
    every = []
    for encoder, how in result.systems:
        plain, shifted = (result.about(data, encoder, how) for data in (result.plain, on))
        look, zero = drawn[encoder], how == claims.ZERO_SHOT
        x, y = _place(plain["value"]), _place(shifted["value"])
        every += [x, y]
        axes.plot([_place(plain["low"]), _place(plain["high"])], [y, y], color=look.colour, lw=0.9, alpha=0.7)
        axes.plot([x, x], [_place(shifted["low"]), _place(shifted["high"])], color=look.colour, lw=0.9, alpha=0.7)
        mark = {**look.point, "marker": "*"} if zero else look.point
        axes.plot(x, y, **mark, ms=12 if zero else 6, mew=1.2, label=f"{encoder}, {how}")
    low, high = min(every) - 0.4, max(every) + 0.4
    ends = np.array([low, high])
    slope, intercept = result.arrays["lines"][place]
    axes.plot(ends, ends, color=MUTED, lw=0.9, ls=":", label="no loss")
    axes.plot(ends, slope * ends + intercept, color=INK, lw=1.2, label="line of the probes that learnt")
    shown = [tick for tick in TICKS if low <= _place(tick / 100) <= high]
    at = [float(_place(tick / 100)) for tick in shown]
    axes.set_xticks(at, [str(tick) for tick in shown])
    axes.set_yticks(at, [str(tick) for tick in shown])
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.set_title(on, fontsize=9)
    axes.grid()


def effective(result: Robustness) -> Figure:
    """A column a shifted set, a row a classifier: points above the line of the probes, with 95 % intervals."""
    from matplotlib.figure import Figure

    data = [*result.shifted, *([claims.EVERY] if len(result.shifted) > 1 else [])]
    rows = [
        (e, how) for e, how in result.systems if pd.notna(result.about(data[0], e, claims.EFFECTIVE + how)["value"])
    ]
    figure = Figure(figsize=(2.2 + 1.95 * len(data), 1.4 + 0.34 * max(len(rows), 1)))
    grid = figure.subplots(1, len(data), squeeze=False, sharey=True)[0]
    drawn = looks(result)
    for axes, on in zip(grid, data, strict=True):
        for y, (encoder, how) in enumerate(rows):
            found = result.about(on, encoder, claims.EFFECTIVE + how)
            look = drawn[encoder]
            mark = {**look.point, "marker": "*"} if how == claims.ZERO_SHOT else look.point
            axes.plot([100 * found["low"], 100 * found["high"]], [y, y], color=look.colour, lw=1.4)
            axes.plot(100 * found["value"], y, **mark, ms=11 if how == claims.ZERO_SHOT else 6, mew=1.2)
        axes.axvline(0, color=MUTED, lw=0.9)
        axes.set_title(on, fontsize=8.5)
        axes.set_xlabel("points")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
    grid[0].set_yticks(range(len(rows)), [f"{encoder}, {how}" for encoder, how in rows])
    grid[0].set_ylim(max(len(rows), 1) - 0.4, -0.6)
    n = result.about(result.shifted[0], *result.systems[0])["n"]
    return titled(
        figure, result, f"Effective robustness: above the line of {_probes(result)} (n = {n} each; chance: 0)"
    )


def _probes(result: Robustness) -> str:
    n = result.provenance["n_ordinary"]
    controls = any(is_random(encoder) for encoder, _ in result.systems)
    return f"{n} probes" + (" that learnt" if controls else "")
