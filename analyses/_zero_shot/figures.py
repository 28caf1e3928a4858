"""Figures of zero-shot classification that show numbers: accuracy, reliability, classes. They only draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from concepttransfer.result.figures import FAINT, INK, MUTED, Look, looks, titled
from concepttransfer.result.wording import percent
from concepttransfer.statistics.claims import is_random

from .._awa_errors.figures import THESE
from . import claims

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..zero_shot import ZeroShot

COLUMNS = 4
"""Encoders in a row of panels."""
MOST_CLASSES = 50
"""Of more classes the worst and the best are drawn."""


def accuracy(result: ZeroShot) -> Figure:
    """A row an encoder, a column a measure: share right, both intervals, and chance."""
    from matplotlib.figure import Figure

    encoders = result.encoders
    measures = [m for m in (claims.TOP1, claims.TOP5, claims.PER_CLASS) if m in set(result.estimates["measure"])]
    figure = Figure(figsize=(1.4 + 2.7 * len(measures), 1.6 + 0.42 * len(encoders)))
    grid = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for axes, measure in zip(grid, measures, strict=True):
        for y, (encoder, look) in enumerate(looks(result).items()):
            share(axes, result, (encoder, measure), look, y)
        axes.set(xlabel=f"{measure}, %", xlim=(0, 118))
        axes.set_ylim(len(encoders) - 0.4, -0.75)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xticks([0, 25, 50, 75, 100])
        axes.grid(axis="x")
    grid[0].set_yticks(range(len(encoders)), encoders)
    n = result.claim(encoders[0], claims.TOP1)
    title = f"Named by the nearest class name, of {n['n']} pictures of {n['n_clusters']} classes"
    return titled(figure, result, title)


def share(axes: Axes, result: Any, about: tuple[str, str], look: Look, y: float) -> None:
    """One share with both intervals, and chance as a tick."""
    claim, these = result.claim(*about), result.claim(*about, group=THESE)
    ends = [100 * these["low"], 100 * these["high"]]
    axes.plot(ends, [y, y], color=look.colour, alpha=0.35, lw=6, solid_capstyle="butt")
    axes.plot([100 * claim["low"], 100 * claim["high"]], [y, y], color=look.colour, lw=1.4)
    axes.plot(100 * claim["value"], y, **look.point, ms=7, mew=1.4)
    axes.plot([100 * claim["chance"]] * 2, [y - 0.3, y + 0.3], color=MUTED, lw=1.4)
    if y == 0:
        axes.annotate("chance", (100 * claim["chance"], y - 0.34), color=MUTED, fontsize=8, ha="left", va="bottom")
    right = np.nanmax([100 * claim["high"], 100 * claim["value"]])
    axes.annotate(percent(claim["value"]), (right, y), (8, 0), textcoords="offset points", va="center", color=INK)


def calibration(result: ZeroShot) -> Figure:
    """A panel an encoder: share right against the probability of the class named, in 15 bins; grey: how many."""
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(result.encoders))
    rows = -(-len(result.encoders) // columns)
    figure = Figure(figsize=(1.0 + 2.7 * columns, 1.3 + 2.9 * rows))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for place, axes in enumerate(grid.flat):
        if place < len(result.encoders):
            _reliability(axes, result, place)
        else:
            axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("pictures named right, %")
    for axes in grid[-1]:
        axes.set_xlabel("probability of the name, %")
    n = result.claim(result.encoders[0], claims.ERROR)["n"]
    return titled(figure, result, f"Is it right as often as it says? {n} pictures")


def _reliability(axes: Axes, result: ZeroShot, place: int) -> None:
    encoder = result.encoders[place]
    look, bins = looks(result)[encoder], result.arrays["reliability"][place]
    n, confidence, right, low, high = bins[bins[:, 0] > 0].T
    width = 100 / len(bins)
    left = width * np.flatnonzero(bins[:, 0] > 0)
    axes.bar(left, 100 * n / n.sum(), width, align="edge", color=FAINT, edgecolor="white", lw=0.5)
    axes.plot([0, 100], [0, 100], color=MUTED, lw=0.9)
    axes.vlines(100 * confidence, 100 * low, 100 * high, color=look.colour, lw=1.3)
    axes.plot(100 * confidence, 100 * right, **look.point, ms=5, mew=1.2)
    error = result.claim(encoder, claims.ERROR)
    interval = f"\n({percent(error['low'])} to {percent(error['high'])})" if pd.notna(error["low"]) else ""
    said = f"error {percent(error['value'])} points{interval}\ncalibrated: {percent(error['chance'])}"
    axes.text(2, 98, said, va="top", fontsize=7.8, color=INK)
    axes.set(xlim=(0, 100), ylim=(0, 100))
    axes.set_title(f"{encoder}, cosines times {result.provenance['scales'][encoder]:.4g}", fontsize=9)


def classes(result: ZeroShot) -> Figure:
    """A row a class, worst first by the first encoder: share named right, its interval for these pictures, chance."""
    from matplotlib.figure import Figure

    names, table = result.provenance["classes"], result.arrays["by_class"]
    here = np.flatnonzero(table[0, :, 0] > 0)
    order = here[np.argsort(table[0, here, 1], kind="stable")]
    left_out = max(len(order) - MOST_CLASSES, 0)
    if left_out:
        order = np.concatenate([order[: MOST_CLASSES // 2], order[-MOST_CLASSES // 2 :]])
    figure = Figure(figsize=(8.4, 1.4 + 0.19 * len(order)))
    axes = figure.subplots()
    learnt = [one for one in result.encoders if not is_random(one)] or list(result.encoders)
    step = 0.5 / max(len(learnt), 1)
    for place, encoder in enumerate(learnt):
        look, own = looks(result)[encoder], table[result.encoders.index(encoder)][order]
        y = np.arange(len(order)) + step * (place - (len(learnt) - 1) / 2)
        axes.hlines(y, 100 * own[:, 2], 100 * own[:, 3], color=look.colour, lw=1.2)
        axes.plot(100 * own[:, 1], y, **look.point, ms=4, mew=1.0, label=encoder)
        if place == 0:
            axes.plot(100 * own[:, 4], y, "|", color=MUTED, ms=6, label="chance")
            _wrong(axes, own, names)
    axes.set_yticks(range(len(order)), [f"{names[code]} ({int(table[0, code, 0])})" for code in order], fontsize=7)
    axes.set(xlim=(0, 101.5), ylim=(len(order) - 0.4, -0.6), xlabel="pictures of the class named right, %")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    figure.legend(loc="outside right upper")
    without = f", {left_out} in the middle left out" if left_out else ""
    n = int(table[0, :, 0].sum())
    return titled(figure, result, f"Classes, of {n} pictures (in brackets: of the class{without})")


def _wrong(axes: Axes, own: Any, names: list[str]) -> None:
    """Beside each class what it was taken for most often."""
    for y, row in enumerate(own):
        if row[5] >= 0:
            said = f"{names[int(row[5])]} {100 * row[6]:.0f} %"
            axes.annotate(
                said, (101.5, y), (4, 0), textcoords="offset points", va="center", fontsize=6.5, color=MUTED,
                annotation_clip=False,
            )  # fmt: skip
