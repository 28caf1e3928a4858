"""Figures of naming errors that show things: what is taken for what, and example pictures. They only draw."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from concepttransfer.result.figures import (
    FAINT,
    INK,
    MOST_LINES,
    MUTED,
    PICTURE,
    RIGHT,
    TEXT,
    WRONG,
    show_picture,
    titled,
)
from concepttransfer.result.wording import percent
from concepttransfer.statistics.claims import is_random

from . import estimates as est

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from ..awa_errors import AwaErrors

FEW = 25
MOST_MAPS = 4
LINE = 62


def confusions(result: AwaErrors) -> Figure:
    """A map an encoder: rows are true classes, columns what was named; right names grey, wrong ones in colour."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    classes, shown = result.provenance["classes"], _shown(result)
    tables = result.arrays["confusions"][[result.encoders.index(encoder) for encoder in shown]]
    columns = min(2, len(tables))
    rows = -(-len(tables) // columns)
    side = max(2.8, (0.105 if len(classes) > FEW else 0.15) * len(classes))
    figure = Figure(figsize=(1.5 + columns * (side + 0.3), 2.2 + rows * (side + 0.45)))
    grid = figure.subplots(rows, columns, squeeze=False)
    wrong = _wrong(tables)
    top = float(np.nan_to_num(wrong).max()) or 1.0
    for place, axes in enumerate(grid.flat):
        if place >= len(tables):
            axes.set_axis_off()
            continue
        drawn = _map(axes, tables[place], wrong[place], top, _named(result, shown[place]))
        _labels(axes, classes, left=place % columns == 0, below=place + columns >= len(tables))
    bar = figure.colorbar(drawn, ax=grid, location="top", shrink=0.4, aspect=40, pad=0.01, anchor=(0.0, 0.0))
    bar.set_label("% of a class's pictures given this wrong name (grey: the right one; blue: none)", loc="left")
    bar.locator = MaxNLocator(4)
    bar.outline.set_visible(False)
    n, left = result.claim(shown[0], est.RIGHT)["n"], len(result.encoders) - len(shown)
    without = f" (without {left} random controls)" if left else ""
    return titled(figure, result, f"What is taken for what, of {n} pictures{without}")


def _shown(result: AwaErrors) -> list[str]:
    """All encoders; of many those that learnt, so that names stay readable: the table holds the controls too."""
    learnt = [encoder for encoder in result.encoders if not is_random(encoder)]
    return learnt if learnt and len(result.encoders) > MOST_MAPS else list(result.encoders)


def _named(result: AwaErrors, encoder: str) -> str:
    right = result.claim(encoder, est.RIGHT)
    return f"{encoder}: {percent(right['value'])} % right (chance {percent(right['chance'])})"


def _wrong(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """Per cent of each class, without right names and those that are not shown: [n_encoders, k, k]."""
    shown: NDArray[np.float64] = 100 * tables[:, :, :-1]
    shown[:, np.eye(shown.shape[1]) == 1] = np.nan
    return np.where(shown > 0, shown, np.nan)


def _map(axes: Axes, table: NDArray[np.float64], wrong: NDArray[np.float64], top: float, title: str) -> Any:
    from matplotlib.colors import PowerNorm

    k = len(table)
    right = np.where(np.eye(k) == 1, table[:, :-1], np.nan)
    axes.imshow(right, cmap="Greys", vmin=-0.15, vmax=1.1, interpolation="nearest")
    norm = PowerNorm(0.5, 0, top)
    drawn = axes.imshow(wrong, cmap="YlOrRd", norm=norm, interpolation="nearest")
    axes.imshow(table[:, -1:], cmap="Blues", vmin=0, vmax=1.2, extent=(k - 0.5, k + 0.5, k - 0.5, -0.5))
    between = np.arange(0.5, k - 0.5)
    axes.hlines(between, -0.5, k + 0.5, color=FAINT, lw=0.3)
    axes.vlines(between, -0.5, k - 0.5, color=FAINT, lw=0.3)
    axes.vlines(k - 0.5, -0.5, k - 0.5, color=MUTED, lw=0.8)
    axes.set(xlim=(-0.5, k + 0.5), ylim=(k - 0.5, -0.5), aspect="equal")
    axes.set_title(title)
    axes.spines[["top", "right"]].set_visible(True)
    return drawn


def _labels(axes: Axes, classes: list[str], *, left: bool, below: bool) -> None:
    size = 6.2 if len(classes) > FEW else 8.0
    names = [*classes, "none or other"]
    axes.set_yticks(np.arange(len(classes)) if left else [], classes if left else [], fontsize=size)
    axes.set_xticks(np.arange(len(names)) if below else [], names if below else [], rotation=90, fontsize=size)
    axes.tick_params(length=0, pad=2)


def examples(result: AwaErrors) -> Figure:
    """Two columns of pictures, each with its class and what every encoder's first seed said of it."""
    from matplotlib.figure import Figure

    rows = result.wanted_pictures()
    table = result.table[result.table["row_id"].isin(rows)]
    table = table.sort_values("seed", kind="stable").drop_duplicates(["row_id", "encoder"])
    lines = min(len(result.encoders), MOST_LINES)
    tall = max(PICTURE, 0.3 + 0.24 * lines)
    height = -(-max(len(rows), 1) // 2)
    figure = Figure(figsize=(2 * (PICTURE + TEXT), 0.7 + tall * height))
    grid = figure.subplots(height, 4, squeeze=False, width_ratios=(PICTURE, TEXT, PICTURE, TEXT))
    for axes in grid.flat:
        axes.set_axis_off()
    for place, row in enumerate(rows):
        line, column = place % height, 2 * (place // height)
        show_picture(grid[line, column], result.pictures.get(row))
        _said(grid[line, column + 1], table[table["row_id"] == row].set_index("encoder"), result.encoders[:lines])
    first, right = result.encoders[0], result.claim(result.encoders[0], est.RIGHT)
    shown = f"{first} names {int(table[table['encoder'] == first]['right'].sum())} of {len(rows)} right"
    of_all = f"of all {right['n']} {percent(right['value'])} %, chance {percent(right['chance'])} %"
    return titled(figure, result, f"Examples, drawn at random so that {shown} ({of_all})")


def _said(axes: Axes, table: Any, encoders: tuple[str, ...]) -> None:
    """The class, then a line an encoder: green and a tick where it names it, red where it names another."""
    axes.set(xlim=(0, 1), ylim=(max(len(encoders) + 1.1, 5.5), 0))
    axes.text(0, 0.55, table["class"].iloc[0], weight="bold", va="center", color=INK)
    for y, encoder in enumerate(encoders, start=1):
        one = table.loc[encoder]
        named = isinstance(one["named"], str)
        colour, sign = (RIGHT, "✓") if one["right"] else (WRONG, "✗") if named else (MUTED, "–")
        caption = textwrap.shorten(one["caption"], LINE - len(encoder), placeholder=" …") or "(nothing)"
        axes.text(0, y + 0.5, sign, va="center", color=colour, fontsize=9)
        axes.text(0.045, y + 0.5, f"{encoder}: {caption}", va="center", color=colour, fontsize=8)
