"""Figures of the numbers beside the map: how pictures group, by each measure and by each group. They only draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from concepttransfer.result.figures import FAINT, INK, MUTED, SEQUENTIAL, colours, titled
from concepttransfer.result.wording import two
from concepttransfer.statistics.claims import is_random

from .claims import ADJUSTED
from .groups import CATEGORY, CLASS, PERCEPTION
from .scores import MEASURES, PURITY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..embedding_map import EmbeddingMap

MARKS = {CLASS: ("D", "class"), CATEGORY: ("s", "category"), PERCEPTION: ("o", "perception")}
DARK = 0.55


def agreement(result: EmbeddingMap) -> Figure:
    """A panel a measure, three lines an encoder: class, category, perception; the line at 0 is chance."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    if not len(result.estimates):
        return _nothing(result)
    figure = Figure(figsize=(8.6, 1.6 + 2 * (0.55 + 0.36 * len(result.encoders))))
    grid = figure.subplots(2, 3, squeeze=False, sharey=True)
    for place, (axes, measure) in enumerate(zip(grid.flat, MEASURES, strict=True)):
        _panel(axes, result, measure)
        if place > 2:
            axes.set_xlabel("0: chance, 1: perfect")
    there = [one for one in MARKS if (result.estimates["against"] == one).any()]
    handles = [Line2D([], [], ls="", marker=MARKS[one][0], color=INK, markersize=5) for one in there]
    handles.append(Line2D([], [], ls="", marker="o", markerfacecolor="white", color=INK, markersize=5))
    figure.legend(handles, [*(MARKS[one][1] for one in there), "random control"], loc="outside upper right", ncols=4)
    known = result.provenance
    return titled(figure, result, f"How {known['pictures']} pictures of {len(known['classes'])} classes group")


def _panel(axes: Axes, result: EmbeddingMap, measure: str) -> None:
    for row, encoder in enumerate(result.encoders):
        for step, (grouping, (marker, _)) in enumerate(MARKS.items()):
            claim = result.claim(encoder, measure + ADJUSTED, against=grouping)
            if pd.isna(claim["value"]):
                continue
            y, colour = row + 0.26 * (step - 1), colours(result)[encoder]
            axes.plot([claim["low"], claim["high"]], [y, y], color=colour, lw=1.1, zorder=1)
            face = "white" if is_random(encoder) else colour
            axes.plot(claim["value"], y, marker, mfc=face, mec=colour, ms=4.6, zorder=2)
    axes.axvline(0, color=MUTED, lw=0.9, zorder=0)
    for row in range(len(result.encoders) - 1):
        axes.axhline(row + 0.5, color=FAINT, lw=0.7, zorder=0)
    axes.set_yticks(range(len(result.encoders)), list(result.encoders))
    axes.set_ylim(len(result.encoders) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_title(measure)
    low, high = axes.get_xlim()
    axes.set_xlim(max(-1.0, min(low, -0.02)), min(1.02, high))
    axes.locator_params(axis="x", nbins=5)


def groups(result: EmbeddingMap) -> Figure:
    """A map: a row an encoder, a column a grouping; purity of neighbours adjusted for chance, dark where it is high."""
    from matplotlib.figure import Figure

    if not len(result.estimates):
        return _nothing(result)
    levels = result.estimates["measure"] == PURITY + ADJUSTED
    columns = list(dict.fromkeys(result.estimates.loc[levels, "against"]))
    claims = [[result.claim(e, PURITY + ADJUSTED, against=one) for one in columns] for e in result.encoders]
    values = np.array([[claim["value"] for claim in row] for row in claims], dtype=float)
    figure = Figure(figsize=(2.0 + 0.78 * len(columns), 1.75 + 0.4 * len(result.encoders)))
    axes = figure.subplots()
    axes.imshow(values, cmap=SEQUENTIAL, vmin=0, vmax=max(1.0 * DARK, float(np.nanmax(values))), aspect="auto")
    top = max(DARK, float(np.nanmax(values)))
    for (row, column), value in np.ndenumerate(values):
        claim = claims[row][column]
        colour = "white" if value > DARK * top else INK
        axes.text(column, row - 0.13, two(value), ha="center", va="center", fontsize=8.5, color=colour)
        ends = f"{two(claim['low'])} to {two(claim['high'])}"
        axes.text(column, row + 0.24, ends, ha="center", va="center", fontsize=5.6, color=colour)
    axes.set_yticks(range(len(result.encoders)), list(result.encoders))
    axes.set_xticks(range(len(columns)), columns, rotation=30, ha="right", rotation_mode="anchor")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    known = result.provenance
    k, n, n_classes = known["neighbours_looked_at"], known["pictures"], len(known["classes"])
    title = f"Neighbours of one group: {n} pictures, {n_classes} classes, k = {k}"
    return titled(figure, result, title)


def _nothing(result: EmbeddingMap) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 1.2))
    axes = figure.subplots()
    axes.set_axis_off()
    axes.text(0, 0.5, "Not measured: no picture's class is known.", color=MUTED, va="center")
    return titled(figure, result, "How pictures group")
