"""The figure of what systems reach for what they cost. It only draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from concepttransfer.result.figures import INK, MUTED, titled

from .costs import beside_costs
from .looks import looks_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..compare import Comparison

COLUMNS = 3
WIDTH = 9.0
STEP = 1.13
"""Systems that stand nearer to each other than this factor are moved apart by it."""
UNKNOWN = "Of no system is it known how many parameters were trained: its result was made without its fits at hand."


def costs(result: Comparison) -> Figure:
    """A panel a measure: trained parameters to the right, the level upwards, a point a system."""
    from matplotlib.figure import Figure

    systems = [system for system in result.compared if result.cost(system, "trained") > 0]
    if not systems:
        return titled(_empty(Figure(figsize=(6.4, 1.2))), result, "What systems cost")
    panels = [("", measure) for measure in result.measures] + beside_costs(result)
    columns, rows = min(COLUMNS, len(panels)), -(-len(panels) // COLUMNS)
    side_by_side = max(1, int(WIDTH / (0.45 + 0.075 * max(len(system) for system in systems))))
    legend = 0.2 + 0.2 * -(-(len(systems) + 1) // side_by_side)
    figure = Figure(figsize=(WIDTH, 0.8 + 2.5 * rows + legend))
    grid = figure.add_gridspec(rows + 1, columns, height_ratios=[2.5] * rows + [legend])
    for place, (kind, measure) in enumerate(panels):
        axes = figure.add_subplot(grid[place // columns, place % columns])
        _panel(axes, result, systems, measure, kind)
        if place + columns >= len(panels):
            axes.set_xlabel("trained parameters")
    _legend(figure.add_subplot(grid[rows, :]), result, systems, side_by_side)
    n = f"{result.provenance['n_rows']:,} rows"
    return titled(figure, result, f"What {len(systems)} systems reach on the same {n} for the parameters trained")


def _empty(figure: Figure) -> Figure:
    axes = figure.subplots()
    axes.set_axis_off()
    axes.text(0, 0.5, UNKNOWN, va="center", color=MUTED, wrap=True)
    return figure


def _panel(axes: Axes, result: Comparison, systems: list[str], measure: str, kind: str) -> None:
    """Systems of equal cost stand side by side, so that all can be seen."""
    at = _apart([result.cost(system, "trained") for system in systems])
    for system, x in zip(systems, at, strict=True):
        level, look = result.level(system, measure, kind), looks_of(result)[system]
        if pd.isna(level["value"]):
            continue
        axes.plot([x, x], [level["low"], level["high"]], color=look.colour, lw=1.3)
        axes.plot(x, level["value"], **look.point, ms=5, mew=1.2)
        if pd.notna(level["chance"]):
            axes.plot([x / STEP**0.4, x * STEP**0.4], [level["chance"]] * 2, color=MUTED, lw=1.4)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(_short)
    axes.set_xlim(min(at) / STEP**2, max(at) * STEP**2)
    axes.grid(axis="y")
    axes.locator_params(axis="y", nbins=5)
    axes.set_title(measure)


def _short(parameters: float, place: float = 0.0) -> str:
    """`30,000` or `5 million`."""
    return f"{parameters / 1e6:g} million" if parameters >= 1e6 else f"{parameters:,.0f}"


def _apart(costs: list[float]) -> list[float]:
    """The costs of systems, of which those that are nearly equal are spread to either side."""
    places = np.asarray(costs, dtype=np.float64)
    order = np.argsort(places, kind="stable")
    groups: list[list[int]] = []
    for one in order:
        if groups and places[one] < STEP * places[groups[-1][-1]]:
            groups[-1].append(int(one))
        else:
            groups.append([int(one)])
    for group in groups:
        middle = float(np.exp(np.log(places[group]).mean()))
        spread = STEP ** (np.arange(len(group)) - (len(group) - 1) / 2)
        places[group] = middle * spread if len(group) > 1 else places[group]
    return [float(place) for place in places]


def _legend(axes: Axes, result: Comparison, systems: list[str], columns: int) -> None:
    from matplotlib.lines import Line2D

    axes.set_axis_off()
    drawn = [Line2D([], [], **looks_of(result)[system].point, ms=5, mew=1.2, label=system) for system in systems]
    drawn.append(Line2D([], [], color=MUTED, lw=1.4, label="chance"))
    drawn_there = axes.legend(handles=drawn, loc="center", ncols=columns, fontsize=8, labelcolor=INK)
    drawn_there.set_in_layout(False)
