"""The figure of the supervision ladder. It only draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from concepttransfer.encoders.spec import RUNGS
from concepttransfer.result.figures import FAINT, INK, MUTED, titled
from concepttransfer.result.wording import two

from .ladder import EVERY, PLACES
from .looks import looks_of
from .words import UNKNOWN, studies_of, trend_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..compare import Comparison

COLUMNS = 4
MOST_PANELS = 24
NAMES = ("random", "none", "class\nlabels", "captions")
SPREAD = 0.62
"""How far the encoders of one rung lie apart, all together."""


def ladder(result: Comparison) -> Figure:
    """A panel a measure: the rung to the right, the level upwards, a point an encoder."""
    from matplotlib.figure import Figure

    known = result.table[result.table["supervision"].notna() & result.table["value"].notna()]
    if not len(known):
        return titled(_empty(Figure(figsize=(6.4, 1.4))), result, "Supervision by language")
    about = ["kind", "on", "group", "measure"]
    spread = known.groupby(about, sort=False, dropna=False)["value"].agg(lambda values: values.max() - values.min())
    every: list[tuple[Any, ...]] = spread.index.tolist()
    keys = [key for key, apart in zip(every, spread, strict=True) if apart > 0] or every
    shown, n = keys[:MOST_PANELS], min(len(keys), MOST_PANELS)
    columns = min(COLUMNS, n)
    systems = list(dict.fromkeys(known["encoder"]))
    width, height = max(0.5 + 2.55 * columns, 5.0), -(-n // columns)
    side_by_side = max(1, int(width / (0.45 + 0.075 * max(len(system) for system in systems))))
    legend = 0.15 + 0.2 * -(-(len(systems) + 1) // side_by_side)
    figure = Figure(figsize=(width, 0.7 + 2.15 * height + legend))
    grid = figure.add_gridspec(height + 1, columns, height_ratios=[2.15] * height + [legend])
    for place in range(n):
        axes = figure.add_subplot(grid[place // columns, place % columns])
        _panel(axes, result, known, shown[place], several=len({key[0] for key in keys}) > 1)
    _legend(figure.add_subplot(grid[height, :]), result, systems, side_by_side)
    more = f"; {len(keys) - n} more measures are in the table" if len(keys) > n else ""
    n_encoders = len(systems)
    return titled(figure, result, f"Measures by supervision with language, {n_encoders} encoders{more}")


def _empty(figure: Figure) -> Figure:
    axes = figure.subplots()
    axes.set_axis_off()
    axes.text(0, 0.5, f"{UNKNOWN}.", va="center", color=MUTED, wrap=True)
    return figure


def _panel(axes: Axes, result: Comparison, known: pd.DataFrame, key: tuple[Any, ...], *, several: bool) -> None:
    kind, on, group, measure = key
    same = known["kind"].eq(kind) & known["on"].eq(on) & known["measure"].eq(measure)
    rows = known[same & (known["group"].isna() if pd.isna(group) else known["group"].eq(group))]
    for rung in RUNGS:
        here = rows[rows["supervision"] == rung]
        spread = np.linspace(-SPREAD / 2, SPREAD / 2, len(here)) if len(here) > 1 else np.zeros(1)
        for x, (_, row) in zip(PLACES[rung] + spread, here.iterrows(), strict=True) if len(here) else ():
            look = looks_of(result)[row["encoder"]]
            axes.plot([x, x], [row["low"], row["high"]], color=look.colour, lw=1.3)
            axes.plot(x, row["value"], **look.point, ms=5, mew=1.2)
            if pd.notna(row["chance"]):
                axes.plot([x - 0.09, x + 0.09], [row["chance"]] * 2, color=MUTED, lw=1.4)
    axes.set_xticks(range(len(RUNGS)), NAMES, fontsize=7.5)
    axes.set_xlim(-0.55, len(RUNGS) - 0.45)
    axes.grid(axis="y")
    axes.tick_params(axis="x", length=0)
    axes.locator_params(axis="y", nbins=5)
    for edge in np.arange(len(RUNGS) - 1) + 0.5:
        axes.axvline(edge, color=FAINT, lw=0.8, zorder=0)
    axes.set_title(_title(result, rows.iloc[0], several=several), fontsize=8)


def _title(result: Comparison, level: pd.Series[Any], *, several: bool) -> str:
    """The measure, and the trend where there is one study."""
    kind, group, measure = (level[name] for name in ("kind", "group", "measure"))
    claim = trend_of(result, EVERY, str(level["study"]), measure, level)
    of = f"{group}: " if kind == "concept-recall" and isinstance(group, str) else ""
    named = f"{of}{measure}" if len(of + measure) <= 34 else f"{of}{measure[:33].rstrip()}…"
    head = f"{kind}\n{named}" if several else named
    if pd.isna(claim["value"]) or len(studies_of(result)) > 1:
        return head
    p = f", p {claim['p']:.2g}" if pd.notna(claim["p"]) else ", too few for a p"
    return f"{head}\ntau {two(claim['value'])}{p}, n {claim['n']}"


def _legend(axes: Axes, result: Comparison, systems: list[str], columns: int) -> None:
    from matplotlib.lines import Line2D

    axes.set_axis_off()
    drawn = [Line2D([], [], **looks_of(result)[system].point, ms=5, mew=1.2, label=system) for system in systems]
    drawn.append(Line2D([], [], color=MUTED, lw=1.4, label="chance"))
    drawn_there = axes.legend(handles=drawn, loc="center", ncols=columns, fontsize=8, labelcolor=INK)
    drawn_there.set_in_layout(False)  # a wide legend would take the panels' room
