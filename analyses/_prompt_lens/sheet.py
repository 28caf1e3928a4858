"""The sheet of pictures beside what the language model reads at each position of their prompts. It only draws."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from concepttransfer.result.figures import FAINT, INK, MUTED, PICTURE, show_picture, titled

from .table import layers_shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..prompt_lens import PromptLens

CELL, LINE, LETTERS = 1.38, 0.165, 21
"""Inches of a cell, and from one line to the next; letters that a cell holds."""
TRUE = "+"
TITLE = "What the language model reads in {}'s soft prompts (bold, {}: true of the picture)"


def words(result: PromptLens) -> Figure:
    """A table beside each picture, of the first encoder's first seed: a line a position, a column a way to read."""
    from matplotlib.figure import Figure

    rows, encoder = result.wanted_pictures(), result.encoders[0]
    columns = ["nearest words", *(f"layer {number}" for number in layers_shown(result.n_layers))]
    shown = [result.provenance["examples"][row] for row in rows]
    lines = max(len(one["read"][encoder]) for one in shown)
    height, wide = -(-len(rows) // 2), 0.25 + CELL * len(columns)
    tall = max(PICTURE, LINE * (lines + 2))
    figure = Figure(figsize=(2 * (PICTURE + wide), 0.8 + height * (tall + 0.12)))
    grid = figure.subplots(height, 4, squeeze=False, width_ratios=(PICTURE, wide) * 2)
    for axes in grid.flat:
        axes.set_axis_off()
    for place, (row, one) in enumerate(zip(rows, shown, strict=True)):
        line, column = place % height, 2 * (place // height)
        show_picture(grid[line, column], result.pictures.get(row))
        _table(grid[line, column + 1], one["name"], one["read"][encoder], columns, tall)
    return titled(figure, result, TITLE.format(encoder, TRUE))


def _table(axes: Axes, name: str, read: Sequence[Mapping[str, Any]], columns: Sequence[str], tall: float) -> None:
    axes.set(xlim=(0, 0.25 + CELL * len(columns)), ylim=(tall, 0))
    axes.text(0.25, 0.08, name, weight="bold", va="center", color=INK, fontsize=8)
    for column, head in enumerate(columns):
        axes.text(0.25 + CELL * column, 0.08 + LINE, head, va="center", color=MUTED, fontsize=7.5)
    axes.plot([0, 0.25 + CELL * len(columns)], [0.08 + 1.5 * LINE] * 2, color=FAINT, lw=0.8)
    for number, one in enumerate(read):
        y = 0.08 + LINE * (number + 2)
        axes.text(0.18, y, str(one["position"]), va="center", ha="right", color=MUTED, fontsize=7)
        for column, cell in enumerate(one["cells"]):
            _cell(axes, 0.25 + CELL * column, y, cell)


def _cell(axes: Axes, x: float, y: float, cell: Sequence[Sequence[Any]]) -> None:
    is_true = any(true for _, true in cell)
    said = ", ".join(f"{TRUE}{word}" if true else str(word) for word, true in cell)
    short = textwrap.shorten(said, LETTERS, placeholder=" …") if len(said) > LETTERS else said
    short = short if len(short) > 2 or len(said) <= LETTERS else said[: LETTERS - 2] + " …"
    weight = "bold" if is_true else "normal"
    axes.text(x, y, short, va="center", color=INK if is_true else MUTED, fontsize=7.2, weight=weight)
