"""The figure of what training more buys. It only draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from concepttransfer.result.figures import INK, MUTED, looks, titled

from .fits import is_blind
from .words import by_parameters, count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..tuning import Tuning

APART = 1.09
"""Systems that train as many parameters stand so many times as far to the right, one after another."""


def parameters(result: Tuning) -> Figure:
    """A panel a measure: trained parameters to the right (logarithmic), the measure upwards, a point a system."""
    from matplotlib.figure import Figure

    table = by_parameters(result)
    n_lines = len(table) + 1
    figure = Figure(figsize=(0.6 + 4.2 * len(result.measures), 3.6 + 0.2 * n_lines))
    grid = figure.add_gridspec(2, len(result.measures), height_ratios=[3.3, 0.2 * n_lines])
    for place, measure in enumerate(result.measures):
        _panel(figure.add_subplot(grid[0, place]), result, table, measure)
    _legend(figure.add_subplot(grid[1, :]), result, table)
    claim = result.claim(result.encoders[0], result.measures[0])
    seeds = f", {int(claim['n_seeds'])} seeds" if claim["n_seeds"] > 1 else ""
    return titled(figure, result, f"What training more buys: {int(claim['n']):,} pictures{seeds}, 95 % intervals")


def _panel(axes: Axes, result: Tuning, table: pd.DataFrame, measure: str) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    for row, x in zip(table.to_dict("records"), _places(table), strict=True):
        claim, look = result.claim(row["encoder"], measure), looks(result)[row["encoder"]]
        if is_blind(row["encoder"]):
            axes.axhline(claim["value"], color=look.colour, lw=1.2, ls="--")
            axes.axhspan(claim["low"], claim["high"], color=look.colour, alpha=0.12, lw=0)
        axes.plot([x, x], [claim["low"], claim["high"]], color=look.colour, lw=1.4)
        axes.plot(x, claim["value"], **look.point, ms=6, mew=1.3)
        if pd.notna(claim["chance"]):
            axes.plot([x / APART, x * APART], [claim["chance"]] * 2, color=MUTED, lw=1.4)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count(round(value))))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("trained parameters")
    axes.set_title(measure)
    axes.grid(axis="y")
    low, high = axes.get_ylim()
    axes.set_ylim(min(0.0, low), high)
    left, right = axes.get_xlim()
    if right / left < 100:  # all train as many: a scale of one tick would say nothing
        axes.set_xlim(left / 5, right * 5)


def _places(table: pd.DataFrame) -> list[float]:
    """Where each system stands; those that train as many parameters side by side about the true place."""
    groups = table.groupby("parameters", sort=False).cumcount().to_numpy()
    sizes = table.groupby("parameters", sort=False)["parameters"].transform("size").to_numpy()
    return list(table["parameters"].to_numpy() * APART ** (groups - (sizes - 1) / 2 * np.ones(len(table))))


def _legend(axes: Axes, result: Tuning, table: pd.DataFrame) -> None:
    from matplotlib.lines import Line2D

    axes.set_axis_off()
    handles: list[Any] = [
        Line2D([], [], **looks(result)[row["encoder"]].point, ms=6, mew=1.3, label=_label(row))
        for row in table.to_dict("records")
    ]
    handles.append(Line2D([], [], color=MUTED, lw=1.4, label="chance"))
    axes.legend(handles=handles, loc="center left", fontsize=8, labelcolor=INK).set_in_layout(False)


def _label(row: dict[Any, Any]) -> str:
    return f"{row['encoder']}: {row['trains']}, {count(row['parameters'])}"
