"""Figures of entailment: accuracy by gold label and kind, and what is taken for what. They only draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from concepttransfer.answering import BLIND
from concepttransfer.data.entailment import LABELS
from concepttransfer.result.figures import INK, MUTED, SEQUENTIAL, looks, titled
from concepttransfer.result.wording import percent

from .._visual_questions.words import after
from .hypothesis_only import HYPOTHESIS_ONLY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..entailment import Entailment

STEP = 0.15
"""Inches between two systems in one row."""
COLUMNS = 4
ANSWERED = (*LABELS, "none of them")


def accuracy(result: Entailment) -> Figure:
    """A row for all pairs, each gold label and each kind; a mark a system with its interval; a tick at its chance."""
    from matplotlib.figure import Figure

    shots, systems, rows = result.shots[0], _systems(result), result.groups
    tall = max(0.42, STEP * len(systems) + 0.16)
    figure = Figure(figsize=(8.4, 1.5 + tall * len(rows)))
    axes = figure.subplots()
    for place, group in enumerate(rows):
        for number, system in enumerate(systems):
            at = place + (number - (len(systems) - 1) / 2) * STEP / tall
            _mark(
                axes,
                result.accuracy(system, shots, group=group),
                at,
                _look(result, system),
                system if not place else "",
            )
    axes.set_yticks(range(len(rows)), [_named(result, group) for group in rows])
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel="judged right, %")
    axes.set_xlim(left=0)
    axes.grid(axis="x")
    figure.legend(loc="outside right upper")
    claim = result.accuracy(systems[0], shots)
    said = f"{claim['n']} pairs with {claim['n_clusters']} premises, {after(shots)} (grey ticks: chance of each)"
    return titled(figure, result, said)


def _systems(result: Entailment) -> tuple[str, ...]:
    """The encoders, then what sees no premise."""
    return (*result.encoders, *(system for system in result.systems if system not in result.encoders))


def _look(result: Entailment, system: str) -> dict[str, Any]:
    """Colour and marker of a system: random controls hollow; a star for the blind, a cross for the bag of words."""
    if system in (BLIND, HYPOTHESIS_ONLY):
        return {"color": INK, "marker": "*" if system == BLIND else "X", "mfc": "white"}
    look = looks(result)[system]
    return {"color": look.colour, "marker": look.marker, "mfc": look.fill}


def _mark(axes: Axes, claim: pd.Series[Any], at: float, look: dict[str, Any], label: str) -> None:
    if pd.isna(claim["value"]):
        return
    chance = 100 * claim["chance"]
    axes.plot([chance, chance], [at - 0.06, at + 0.06], color=MUTED, lw=1.2)
    if pd.notna(claim["low"]):
        axes.plot([100 * claim["low"], 100 * claim["high"]], [at, at], color=look["color"], lw=1.2)
    axes.plot(100 * claim["value"], at, ls="", ms=5, mew=1.2, label=label or None, **look)


def _named(result: Entailment, group: str) -> str:
    n = result.accuracy(result.systems[0], result.shots[0], group=group)["n"]
    return f"{group} (n = {n})"


def confusion(result: Entailment) -> Figure:
    """A square a system: of the pairs of each gold label (rows) the share judged to be each (columns)."""
    from matplotlib.figure import Figure

    systems, shots = _systems(result), result.shots[0]
    height = -(-len(systems) // COLUMNS)
    wide = min(len(systems), COLUMNS)
    figure = Figure(figsize=(1.6 + 2.5 * wide, 1.6 + 2.0 * height))
    grid = figure.subplots(height, wide, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for number, system in enumerate(systems):
        axes = grid[number // COLUMNS, number % COLUMNS]
        axes.set_axis_on()
        _square(axes, result.confusion(system), first=number % COLUMNS == 0, last=number + COLUMNS >= len(systems))
        claim = result.accuracy(system, shots)
        axes.set_title(f"{system}: {percent(claim['value'])} %", fontsize=9)
    claim = result.accuracy(systems[0], shots)
    said = f"Gold label (rows) and what was answered (columns), {after(shots)}; n = {claim['n']} pairs, chance "
    return titled(figure, result, f"{said}{percent(claim['chance'])} % ({systems[0]})")


def _square(axes: Axes, shares: np.ndarray[Any, Any], *, first: bool, last: bool) -> None:
    axes.imshow(shares, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.6 else INK
        axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color=colour, fontsize=8.5)
    axes.set_xticks(range(len(ANSWERED)), [name.replace(" of them", "") for name in ANSWERED] if last else [""] * 4)
    axes.tick_params(axis="x", rotation=40)
    axes.set_yticks(range(len(LABELS)), list(LABELS) if first else [""] * 3)
    axes.tick_params(length=0)
