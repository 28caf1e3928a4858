"""Figures of concept recall that show numbers: by kind of word, by category, by nearness. They only draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from concepttransfer.result.figures import FAINT, INK, MUTED, Look, looks, titled

from . import presence as m
from .claims import REFERENCE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..concept_recall import ConceptRecall

SHARES = (m.PRECISION, m.RECALL, m.F1)
LINE = 0.17
"""Inches from one encoder to the next below it."""


def kinds(result: ConceptRecall) -> Figure:
    """A row a kind of word, a column a measure, a line an encoder."""
    from matplotlib.figure import Figure

    encoders, rows = result.encoders, result.kinds
    figure = Figure(figsize=(8.6, 0.7 + len(rows) * (0.6 + 0.25 * len(encoders))))
    grid = figure.subplots(len(rows), len(SHARES), squeeze=False, sharex="col")
    for row, kind in enumerate(rows):
        for column, measure in enumerate(SHARES):
            axes = grid[row, column]
            for y, (encoder, look) in enumerate(looks(result).items()):
                claim = result.claim(encoder, measure, group=kind)
                _dot(axes, claim, y, look, 100, number=True, height=0.3)
            _lines(axes, encoders if column == 0 else [""] * len(encoders))
            reference = result.claim(REFERENCE, measure, group=kind)["value"]
            if pd.notna(reference):
                axes.axvline(100 * reference, color=MUTED, lw=1, ls=(0, (4, 2)), zorder=0)
            axes.set_title(f"{kind}: {measure}, %")
    for axes in grid[-1]:
        axes.set_xlim(0, min(118, max(1.0, axes.get_xlim()[1] * 1.16)))
    title = f"Words of {result.provenance['pictures']} pictures (grey tick: chance; dashed: one reference)"
    return titled(figure, result, title)


def categories(result: ConceptRecall) -> Figure:
    """A row a kind of word with a line for each category and encoder; columns are recall and precision."""
    rows = [result.categories(kind) for kind in result.kinds]
    title = f"By category, {result.provenance['pictures']} pictures (grey tick: chance; ◆ one reference)"
    figure, grid = _grid(result, rows, (m.RECALL, m.PRECISION), 100)
    for row, kind in enumerate(result.kinds):
        for column, measure in enumerate((m.RECALL, m.PRECISION)):
            grid[row, column].set_title(f"{kind}: {measure}, %")
    return titled(figure, result, title)


def nearness(result: ConceptRecall) -> Figure:
    """Categories of nouns: nearness of all true words, and of those that were not said."""
    rows = [name for name in ["nouns", *result.categories("nouns")] if _is_known(result, name)]
    if not rows:
        return _nothing(result)
    figure, grid = _grid(result, [rows], (m.WUP, m.MISSED), 1)
    grid[0, 0].set_title("all true nouns")
    grid[0, 1].set_title("true nouns that were not said")
    for axes in grid[0]:
        axes.set_xlabel("Wu-Palmer similarity to the nearest noun said")
    n = result.claim(result.encoders[0], m.WUP)["n"]
    return titled(figure, result, f"How near the nearest noun is, {n} pictures (grey tick: chance; ◆ one reference)")


def _is_known(result: ConceptRecall, group: str) -> bool:
    return any(pd.notna(result.claim(encoder, m.WUP, group=group)["value"]) for encoder in result.encoders)


def _nothing(result: ConceptRecall) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 1.2))
    figure.text(0.01, 0.4, "No noun that WordNet knows was measured.", color=MUTED)
    return titled(figure, result, "How near the nearest noun is")


def _grid(
    result: ConceptRecall, rows: Sequence[Sequence[str]], measures: Sequence[str], scale: float
) -> tuple[Figure, Any]:
    """Panels with a block of lines, one an encoder, for each group; the legend of encoders at the foot."""
    from matplotlib.figure import Figure

    tall = [max(len(groups) * (len(result.encoders) * LINE + 0.14), 0.5) for groups in rows]
    figure = Figure(figsize=(9.8, 0.9 + sum(tall) + 0.55 * len(rows)))
    grid = figure.subplots(len(rows), len(measures), squeeze=False, height_ratios=tall)
    for row, groups in enumerate(rows):
        for column, measure in enumerate(measures):
            _blocks(grid[row, column], result, groups, measure, scale)
        grid[row, 0].set_yticks(range(len(groups)), [_named(result, group) for group in groups])
    _legend(figure, result)
    return figure, grid


def _blocks(axes: Axes, result: ConceptRecall, groups: Sequence[str], measure: str, scale: float) -> None:
    encoders = result.encoders
    step = 0.8 / max(len(encoders), 1)
    for place, group in enumerate(groups):
        for n, (encoder, look) in enumerate(looks(result).items()):
            y = place + (n - (len(encoders) - 1) / 2) * step
            claim = result.claim(encoder, measure, group=group)
            _dot(axes, claim, y, look, scale, number=False, height=0.4 * step)
        reference = result.claim(REFERENCE, measure, group=group)["value"]
        if pd.notna(reference):
            axes.plot(scale * reference, place, "D", color=MUTED, mfc="none", ms=5, mew=1, zorder=1)
    axes.hlines(np.arange(len(groups) - 1) + 0.5, 0, scale, color=FAINT, lw=0.6, zorder=0)
    _lines(axes, [""] * len(groups))
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.set_xlim(0, scale * 1.02)


def _named(result: ConceptRecall, group: str) -> str:
    """The category and of how many pictures a word of it is true."""
    n = result.claim(result.encoders[0], m.RECALL, group=group)["n"]
    return f"{group.rpartition('/')[2]} ({0 if pd.isna(n) else n})"


def _dot(axes: Axes, claim: pd.Series[Any], y: float, look: Look, scale: float, *, number: bool, height: float) -> None:
    """A value with its interval, hollow for a random control, and chance as a grey tick."""
    if pd.isna(claim["value"]):
        return
    axes.plot([scale * claim["chance"]] * 2, [y - height, y + height], color=MUTED, lw=1.3)
    axes.plot([scale * claim["low"], scale * claim["high"]], [y, y], color=look.colour, lw=1.3)
    axes.plot(scale * claim["value"], y, **look.point, ms=6 if number else 4, mew=1.2)
    if number:
        right = np.nanmax([scale * claim["high"], scale * claim["value"], scale * claim["chance"]])
        words = f"{scale * claim['value']:.0f}" if scale * claim["value"] >= 10 else f"{scale * claim['value']:.1f}"
        axes.annotate(words, (right, y), (6, 0), textcoords="offset points", va="center", color=INK, fontsize=8)


def _lines(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.locator_params(axis="x", nbins=5)


def _legend(figure: Figure, result: ConceptRecall) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, ms=5, mfc=look.fill, label=encoder)
        for encoder, look in looks(result).items()
    ]
    figure.legend(handles=handles, loc="outside right upper")
