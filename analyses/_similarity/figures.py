"""Figures of similarity: a map a measure for encoders, a bar an encoder for the language model. They only draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from concepttransfer.result.figures import INK, MUTED, SEQUENTIAL, colours, titled
from concepttransfer.result.wording import two
from concepttransfer.statistics.claims import is_random

from . import claims as c
from . import measures as m

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from concepttransfer.statistics import Floats

    from ..similarity import Similarity

DARK = 0.55
"""Above this share of the scale numbers are white."""
BAND = "#c9ced5"


def pictures(result: Similarity) -> Figure:
    """A map a measure: below the diagonal how alike two encoders are, above it what chance would give."""
    from matplotlib.figure import Figure

    encoders = result.encoders
    side = max(2.3, 0.46 * len(encoders))
    figure = Figure(figsize=(2 * side + 2.6, 2 * side + 2.2))
    grid = figure.subplots(2, 2, squeeze=False)
    for place, (axes, measure) in enumerate(zip(grid.flat, m.MEASURES, strict=True)):
        _map(axes, _matrix(result, measure), f"{measure}{_counted(result, measure)}")
        axes.set_yticks(range(len(encoders)), encoders if place % 2 == 0 else [""] * len(encoders))
        axes.set_xticks(range(len(encoders)), encoders if place > 1 else [""] * len(encoders), rotation=90)
    n = result.provenance["pictures"]
    return titled(figure, result, f"Arrangement of {n} pictures: values below the diagonal, chance above it")


def _matrix(result: Similarity, measure: str) -> Floats:
    encoders = result.encoders
    found = np.full((len(encoders), len(encoders)), np.nan)
    for row, one in enumerate(encoders):
        for column, other in enumerate(encoders[:row]):
            claim = result.between(one, measure, other)
            found[row, column], found[column, row] = claim["value"], claim["chance"]
    return found


def _counted(result: Similarity, measure: str) -> str:
    if measure == m.NEIGHBOURS:
        return f", k = {result.provenance['neighbours']['pictures']}"
    n = result.provenance["pictures"]
    return f", {c.ROTATED_ROWS} pictures" if measure == m.PROCRUSTES and n > c.ROTATED_ROWS else ""


def _map(axes: Axes, matrix: Floats, title: str) -> None:
    axes.imshow(matrix, cmap=SEQUENTIAL, vmin=0, vmax=1, interpolation="nearest")
    size = 8 if len(matrix) <= 6 else 6.6
    for (row, column), value in np.ndenumerate(matrix):
        if row == column:
            axes.text(column, row, "1", ha="center", va="center", fontsize=size, color=MUTED)
        elif np.isfinite(value):
            colour = "white" if value > DARK else MUTED if column > row else INK
            axes.text(column, row, two(value), ha="center", va="center", fontsize=size, color=colour)
    axes.set_title(title)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def language_model(result: Similarity) -> Figure:
    """A panel a measure, a bar an encoder; the stitching loss where there are fits."""
    from matplotlib.figure import Figure

    drawn: list[str] = [] if result.provenance["no_language_model"] else list(m.MEASURES)
    if (result.estimates["measure"] == c.STITCHING).any():
        drawn.append(c.STITCHING)
    if not drawn:
        return _nothing(result)
    columns = min(3, max(2, len(drawn)))
    height = -(-len(drawn) // columns)
    figure = Figure(figsize=(1.6 + 2.5 * columns, 1.0 + height * (0.75 + 0.26 * len(result.encoders))))
    grid = figure.subplots(height, columns, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(drawn):
            axes.set_axis_off()
            continue
        _panel(axes, result, drawn[place], labelled=place % columns == 0)
    n = result.provenance["classes"]
    return titled(figure, result, f"Likeness to word vectors of {n} class names (grey, chance: permuted names)")


def _panel(axes: Axes, result: Similarity, measure: str, *, labelled: bool) -> None:
    table = result.table[(result.table["rows"] == "classes") & (result.table["measure"] == measure)]
    for y, encoder in enumerate(result.encoders):
        claim = result.claim(encoder, measure, against=None if measure == c.STITCHING else c.LANGUAGE_MODEL)
        if measure != c.STITCHING:
            _band(axes, table[table["system"] == encoder].iloc[0], y)
        if pd.notna(claim["value"]):
            _bar(axes, result, claim, y)
    names = list(result.encoders) if labelled else [""] * len(result.encoders)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.axvline(0, color=MUTED, lw=0.8)
    axes.set_title(f"{measure}, nats a token" if measure == c.STITCHING else measure)
    low, high = axes.get_xlim()
    axes.set_xlim(min(0, low), high + 0.22 * (high - min(0, low)))
    axes.locator_params(axis="x", nbins=5)


def _band(axes: Axes, row: pd.Series[Any], y: int) -> None:
    axes.fill_betweenx([y - 0.42, y + 0.42], row["null_low"], row["null_high"], color=BAND, lw=0, zorder=0)
    axes.plot([row["chance"]] * 2, [y - 0.42, y + 0.42], color=MUTED, lw=1.4, zorder=3)


def _bar(axes: Axes, result: Similarity, claim: pd.Series[Any], y: int) -> None:
    encoder = str(claim["system"])
    colour = colours(result)[encoder]
    face = "none" if is_random(encoder) else colour
    axes.barh(y, claim["value"], 0.5, facecolor=face, edgecolor=colour, alpha=0.6, lw=1.2, zorder=1)
    axes.plot([claim["low"], claim["high"]], [y, y], color=INK, lw=1.2, zorder=2)
    right = np.nanmax([claim["value"], claim["high"], claim["chance"], 0])
    axes.annotate(two(claim["value"]), (right, y), (5, 0), textcoords="offset points", va="center", fontsize=8)


def _nothing(result: Similarity) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 1.2))
    axes = figure.subplots()
    axes.set_axis_off()
    axes.text(0, 0.5, f"Not compared: {result.provenance['no_language_model']}.", color=MUTED, va="center")
    return titled(figure, result, "Likeness to the language model")
