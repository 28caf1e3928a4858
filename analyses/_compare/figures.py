"""Figures of a comparison: the ranking, and every difference. They only draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from concepttransfer.result.figures import FAINT, INK, MUTED, titled
from concepttransfer.result.ranking import SURE

from .looks import looks_of
from .words import in_order, number, ranks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..compare import Comparison

COLUMNS = 2
FEW = 4
"""With more systems the panels of differences stand one above the other."""
CLOSE = 0.3
"""Differences below it are written with three decimals."""
MOST_WRITTEN = 14
"""With more systems the cells of differences hold no numbers."""
TINT = "PuOr"


def ranking(result: Comparison) -> Figure:
    """A panel a measure, a line a system in the order of the main measure: level, interval, chance, ranks."""
    from matplotlib.figure import Figure

    systems = in_order(result, result.measures[0])
    n = len(result.measures)
    columns = min(COLUMNS, n)
    figure = Figure(figsize=(1.4 + 3.9 * columns, 0.7 + -(-n // columns) * (0.7 + 0.28 * len(systems))))
    grid = figure.subplots(-(-n // columns), columns, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= n:
            axes.set_axis_off()
            continue
        _ranks(axes, result, result.measures[place], systems)
        axes.set_yticks(range(len(systems)), systems if place % columns == 0 else [""] * len(systems))
    title = f"Encoders on the same {result.provenance['n_rows']:,} rows, and the ranks that can be told"
    return titled(figure, result, title)


def _ranks(axes: Axes, result: Comparison, measure: str, systems: list[str]) -> None:
    for y, system in enumerate(systems):
        level = result.level(system, measure)
        if pd.isna(level["value"]):
            continue
        look = looks_of(result)[system]
        axes.plot([level["low"], level["high"]], [y, y], color=look.colour, lw=1.4)
        axes.plot(level["value"], y, **look.point, ms=6, mew=1.3)
        if pd.notna(level["chance"]):
            axes.plot([level["chance"]] * 2, [y - 0.3, y + 0.3], color=MUTED, lw=1.4)
        if pd.notna(level["published"]):
            doubtful = pd.notna(level["doubt"]) and bool(level["doubt"])
            axes.plot(level["published"], y, "D", color=INK, mfc="none" if doubtful else INK, ms=5, clip_on=False)
        words = number(level["value"]) + (f"  {ranks(level)}" if ranks(level) else "")
        right = np.nanmax([level["high"], level["value"], level["chance"], level["published"]])
        axes.annotate(words, (right, y), (7, 0), textcoords="offset points", va="center", color=INK, fontsize=8)
    axes.set_ylim(len(systems) - 0.4, -0.7)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.locator_params(axis="x", nbins=5)
    low, high = axes.get_xlim()
    low = min(0.0, low) if low < high / 2 else low
    axes.set_xlim(low, high + 0.55 * (high - low))
    both = result.provenance["between"][measure].removeprefix(measure)
    axes.set_title(f"{measure}\n(ranks{both})" if both else measure)


def differences(result: Comparison) -> Figure:
    """A panel a measure, the highest systems first: the column's system less the row's."""
    from matplotlib.figure import Figure

    n_systems, n = len(result.compared), len(result.measures)
    columns = 1 if n_systems > FEW else min(COLUMNS, n)
    wide, tall = 1.7 + max(1.6, 0.86 * (n_systems - 1)), 1.3 + max(0.5, 0.4 * (n_systems - 1))
    figure = Figure(figsize=(max(wide * columns, 5.0), 0.6 + tall * -(-n // columns)))
    grid = figure.subplots(-(-n // columns), columns, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place < n:
            _differences(axes, result, result.measures[place])
        else:
            axes.set_axis_off()
    title = f"The column's encoder less the row's, on the same {result.provenance['n_rows']:,} rows (chance: 0)"
    return titled(figure, result, title)


def _differences(axes: Axes, result: Comparison, measure: str) -> None:
    systems = in_order(result, measure)
    pairs = {
        (row, column): _less(result, measure, systems[column], systems[row]) for row, column in _below(len(systems))
    }
    most = max((abs(low) for low, *_ in pairs.values() if np.isfinite(low)), default=0.0)
    values = np.full((len(systems), len(systems)), np.nan)
    for (row, column), (value, low, high, sure) in pairs.items():
        values[row, column] = value if sure else 0.0
        if len(systems) <= MOST_WRITTEN and np.isfinite(value):
            _written(axes, (value, low, high), (column, row), digits=2 if most > CLOSE else 3, sure=sure)
    axes.imshow(values, cmap=TINT, vmin=-1.8 * max(most, 1e-9), vmax=1.8 * max(most, 1e-9), aspect="auto")
    shown = len(systems) - 1
    axes.set_xticks(range(shown), systems[:-1], rotation=20, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(1, len(systems)), systems[1:])
    axes.set_xlim(-0.5, shown - 0.5)
    axes.set_ylim(len(systems) - 0.5, 0.5)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    for edge in range(1, len(systems)):
        axes.plot([-0.5, edge - 0.5], [edge + 0.5] * 2, color=FAINT, lw=0.8)
        axes.plot([edge - 0.5] * 2, [edge - 0.5, len(systems) - 0.5], color=FAINT, lw=0.8)
    axes.set_title(result.provenance["between"][measure])


def _below(n: int) -> list[tuple[int, int]]:
    return [(row, column) for row in range(n) for column in range(row)]


def _less(result: Comparison, measure: str, system: str, other: str) -> tuple[float, float, float, bool]:
    """One system less another one: value, interval, and whether they are told apart."""
    claim, sign = result.difference(system, measure, other)
    low, high = sorted(sign * claim[end] for end in ("low", "high"))
    return sign * float(claim["value"]), low, high, bool(pd.notna(claim["q"]) and claim["q"] < SURE)


def _written(axes: Axes, numbers: tuple[float, float, float], at: tuple[int, int], *, digits: int, sure: bool) -> None:
    value, low, high = (_short(number, digits) for number in numbers)
    colour, weight = (INK, "bold") if sure else (MUTED, "normal")
    x, y = at
    axes.text(x, y - 0.18, value, ha="center", va="center", fontsize=8, color=colour, weight=weight)
    if np.isfinite(numbers[1]):
        axes.text(x, y + 0.2, f"{low} to {high}", ha="center", va="center", fontsize=6.5, color=colour)


def _short(value: float, digits: int) -> str:
    """`.12`, `-.03`; what rounds to nothing has no sign."""
    text = f"{value if round(value, digits) else 0.0:.{digits}f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 else text
