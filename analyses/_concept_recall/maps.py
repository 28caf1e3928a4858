"""Figures of concept recall that show single things: each word by encoder, and example pictures. They only draw."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from concepttransfer.result.figures import FAINT, INK, MUTED, show_picture, titled
from concepttransfer.result.wording import percent

from . import presence as m

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from ..concept_recall import ConceptRecall

PICTURE, TEXT, LINE = 1.35, 4.3, 78
MOST_LINES = 8


def words(result: ConceptRecall) -> Figure:
    """A map a kind of word: rows are words, by category, columns encoders, darkness F1 above chance."""
    from matplotlib.figure import Figure

    every = {kind: result.words(kind) for kind in result.kinds}
    most = max(frame["word"].nunique() for frame in every.values())
    width = 1.9 + 0.24 * len(result.encoders)
    figure = Figure(figsize=(0.4 + width * len(every), 1.9 + 0.15 * most))
    grid = figure.subplots(1, len(every), squeeze=False)[0]
    tables = {kind: _table(frame, result.encoders) for kind, frame in every.items()}
    top = max([0.01, *(np.nanmax(table) for table in tables.values() if np.isfinite(table).any())])
    for axes, kind in zip(grid, every, strict=True):
        drawn = _map(axes, every[kind], tables[kind], result.encoders, top)
        axes.set_ylim(most - 0.5, -0.5)
        axes.set_title(kind)
    bar = figure.colorbar(drawn, ax=list(grid), location="top", shrink=0.35, aspect=40, pad=0.01, anchor=(0.0, 0.0))
    bar.set_label("F1 of a word less its chance (white: none, or below it; ×: it has no F1)", loc="left")
    bar.outline.set_visible(False)
    return titled(figure, result, f"Each word, of {result.provenance['pictures']} pictures (in brackets: true of)")


def _table(frame: pd.DataFrame, encoders: Sequence[str]) -> NDArray[np.float64]:
    """[n_words, n_encoders] F1 less its chance."""
    above = frame[m.F1].to_numpy(dtype=np.float64) - frame[f"{m.F1}, chance"].to_numpy(dtype=np.float64)
    return np.asarray(above.reshape(-1, len(encoders)))


def _map(axes: Axes, frame: pd.DataFrame, table: NDArray[np.float64], encoders: Sequence[str], top: float) -> Any:
    drawn = axes.imshow(table, cmap="Greys", vmin=0, vmax=top, aspect="auto", interpolation="nearest")
    unknown = np.argwhere(~np.isfinite(table))
    axes.plot(unknown[:, 1], unknown[:, 0], "x", color=MUTED, ms=3)
    one = frame.drop_duplicates("word")
    names = [f"{word} ({n})" for word, n in zip(one["word"], one["true of"].fillna(0), strict=True)]
    axes.set_yticks(range(len(names)), names, fontsize=6.2)
    axes.set_xticks(range(len(encoders)), encoders, rotation=90, fontsize=7)
    axes.tick_params(length=0, pad=2)
    axes.spines[:].set_visible(False)
    category = one["category"].to_numpy()
    borders = np.flatnonzero(category[1:] != category[:-1]) + 0.5
    axes.hlines(borders, -0.5, len(encoders) - 0.5, color=INK, lw=0.7)
    axes.vlines(np.arange(0.5, len(encoders) - 1), -0.5, len(names) - 0.5, color=FAINT, lw=0.4)
    for start, end in zip([-0.5, *borders], [*borders, len(names) - 0.5], strict=True):
        axes.text(
            len(encoders) - 0.4, (start + end) / 2, category[int(start + 0.5)], rotation=270, va="center", ha="left",
            fontsize=6.2, color=MUTED,
        ) if end - start >= 3 else None  # fmt: skip
    return drawn


def sheet(result: ConceptRecall) -> Figure:
    """A line a picture: its true words, and of every encoder's first seed those that it says of them, and others."""
    from matplotlib.figure import Figure

    rows = result.wanted_pictures()
    encoders = result.encoders[:MOST_LINES]
    tall = max(PICTURE, 0.55 + 0.24 * len(encoders))
    height = -(-max(len(rows), 1) // 2)
    figure = Figure(figsize=(2 * (PICTURE + TEXT), 0.7 + tall * height))
    grid = figure.subplots(height, 4, squeeze=False, width_ratios=(PICTURE, TEXT, PICTURE, TEXT))
    for axes in grid.flat:
        axes.set_axis_off()
    for place, row in enumerate(rows):
        line, column = place % height, 2 * (place // height)
        show_picture(grid[line, column], result.pictures.get(row))
        _said(grid[line, column + 1], result.provenance["examples"][row], encoders)
    kind = result.kinds[0]
    claim = result.claim(encoders[0], m.RECALL, group=kind)
    start = f"from {encoders[0]}'s lowest recall of {kind} to its highest (+ said and true, – said and not true)"
    of_all = f"recall in all {claim['n']} pictures {percent(claim['value'])} %, chance {percent(claim['chance'])} %"
    return titled(figure, result, f"Examples, {start}\n{of_all}")


def _said(axes: Axes, example: dict[str, Any], encoders: Sequence[str]) -> None:
    true = example["true"]
    axes.set(xlim=(0, 1), ylim=(max(len(encoders) + 2.2, 5.5), 0))
    lines = textwrap.wrap("true: " + ", ".join(true), LINE, max_lines=2, placeholder=" …")
    axes.text(0, 0.9, "\n".join(lines), va="center", color=MUTED, fontsize=7.5, style="italic")
    for y, encoder in enumerate(encoders, start=2):
        said = example["said"][encoder]
        marked = [f"+{word}" for word in said if word in true] + [f"–{word}" for word in said if word not in true]
        words = textwrap.shorten(f"{encoder}: {', '.join(marked) or '(nothing measured)'}", LINE, placeholder=" …")
        axes.text(0, y + 0.3, words, va="center", color=INK, fontsize=7.5)
