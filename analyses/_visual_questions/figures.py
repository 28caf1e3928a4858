"""Figures of answers to questions: accuracy by shots, by type of question, and examples. They only draw."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from concepttransfer.answering import BLIND
from concepttransfer.result.figures import (
    FAINT,
    INK,
    MOST_LINES,
    MUTED,
    PICTURE,
    RIGHT,
    TEXT,
    WRONG,
    looks,
    show_picture,
    titled,
)
from concepttransfer.result.wording import percent
from concepttransfer.statistics.claims import is_random

from . import estimates as est
from .words import after

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..visual_questions import VisualQuestions

MOST_TYPES = 16
STEP = 0.13
"""Inches between two systems in one row."""
LINE = 58


def shots(result: VisualQuestions) -> Figure:
    """A line a system over the numbers of shots; the grey band holds every system's chance."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 4.2))
    axes = figure.subplots()
    places = np.arange(len(result.shots), dtype=float)
    systems = _systems(result)
    width = 0.5 / max(len(systems) - 1, 1)
    for number, system in enumerate(systems):
        _line(axes, result, system, places + (number - (len(systems) - 1) / 2) * min(width, 0.09))
    _references(axes, result, places)
    axes.set_xticks(places, [str(n) for n in result.shots])
    axes.set_xlim(-0.4, len(places) - 0.6)
    axes.set_ylim(0, min(100, axes.get_ylim()[1]))
    axes.grid(axis="y")
    axes.set_xlabel("solved examples before the question")
    axes.set_ylabel("accuracy, %")
    figure.legend(loc="outside right upper")
    claim = result.accuracy(result.systems[0], result.shots[0])
    return titled(figure, result, f"{claim['n']} questions about {claim['n_clusters']} pictures (grey band: chance)")


def _systems(result: VisualQuestions) -> tuple[str, ...]:
    """The encoders, then the blind."""
    return (*result.encoders, *(system for system in result.systems if system == BLIND))


def _look(result: VisualQuestions, system: str) -> dict[str, Any]:
    """Colour and marker of a system: random controls hollow, the blind a star in ink."""
    if system == BLIND:
        return {"color": INK, "marker": "*", "mfc": "white"}
    look = looks(result)[system]
    return {"color": look.colour, "marker": look.marker, "mfc": look.fill}


def _line(axes: Axes, result: VisualQuestions, system: str, places: Any) -> None:
    claims = [result.accuracy(system, n) for n in result.shots]
    look = _look(result, system)
    axes.vlines(
        places, [100 * c["low"] for c in claims], [100 * c["high"] for c in claims], color=look["color"], lw=1.2
    )
    style = "--" if system == BLIND else ":" if is_random(system) else "-"
    axes.plot(places, [100 * c["value"] for c in claims], style, ms=5.5, mew=1.3, label=system, **look)


def _references(axes: Axes, result: VisualQuestions, places: Any) -> None:
    chance = np.array([[100 * result.accuracy(s, n)["chance"] for n in result.shots] for s in result.systems])
    ends = places.copy()
    ends[0], ends[-1] = places[0] - 0.4, places[-1] + 0.4
    low, high = chance.min(0), chance.max(0)
    if len(places) == 1:
        ends, low, high = np.array([-0.4, 0.4]), low.repeat(2), high.repeat(2)
    axes.fill_between(ends, low, high, color=FAINT, zorder=0, lw=0, label="chance (all systems)")
    axes.axhline(100 * result.commonest(), color=MUTED, lw=1, ls=(0, (1, 2)), label="commonest answer")


def types(result: VisualQuestions) -> Figure:
    """A row a type of answer or question, a column fewest and most shots; tick: the commonest answer."""
    from matplotlib.figure import Figure

    groups, systems = _shown_groups(result), _systems(result)
    shown = list(dict.fromkeys((result.shots[0], result.shots[-1])))
    tall = max(0.34, STEP * len(systems) + 0.12)
    figure = Figure(figsize=(3.6 + 3.1 * len(shown), 1.4 + tall * len(groups)))
    columns = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
    for axes, number in zip(columns, shown, strict=True):
        for row, group in enumerate(groups):
            _group(axes, result, group, row * tall, number)
        axes.hlines([(row - 0.5) * tall for row in range(1, len(groups))], -5, 105, color=FAINT, lw=0.8)
        axes.set_xlim(-2, 102)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.set_title(after(number))
        axes.set_xlabel("accuracy, %")
    columns[0].set_yticks([row * tall for row in range(len(groups))], [_name(result, group) for group in groups])
    columns[0].set_ylim((len(groups) - 0.5) * tall, -0.5 * tall)
    handles, labels = columns[0].get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    figure.legend(once.values(), once.keys(), loc="outside right upper")
    n = result.accuracy(result.systems[0], shown[-1])["n"]
    return titled(figure, result, f"{n} questions by type of answer and of question (in brackets: how many)")


def _shown_groups(result: VisualQuestions) -> Sequence[str]:
    """All, the types of answers, and those types of questions that have most questions."""
    kinds = [group for group in result.groups if group.startswith(est.QUESTION_TYPE)]
    others = [group for group in result.groups if not group.startswith(est.QUESTION_TYPE)]
    return [*others, *kinds[:MOST_TYPES]]


def _name(result: VisualQuestions, group: str) -> str:
    n = int(result.accuracy(result.systems[0], result.shots[-1], group=group)["n"])
    name = group.removeprefix(est.QUESTION_TYPE)
    name = f"answer {name.removeprefix(est.ANSWER_TYPE)}" if name.startswith(est.ANSWER_TYPE) else name
    return f"{textwrap.shorten(name, 30, placeholder='…')} ({n})"


def _group(axes: Axes, result: VisualQuestions, group: str, y: float, shots: int) -> None:
    systems = _systems(result)
    for number, system in enumerate(systems):
        claim, look = result.accuracy(system, shots, group=group), _look(result, system)
        at = y + (number - (len(systems) - 1) / 2) * STEP
        if pd.notna(claim["low"]):
            axes.plot([100 * claim["low"], 100 * claim["high"]], [at, at], color=look["color"], lw=1.2)
        axes.plot(100 * claim["value"], at, ls="", ms=4.5, mew=1.2, label=system, **look)
    half = STEP * len(systems) / 2
    commonest = 100 * result.commonest(group)
    axes.plot([commonest] * 2, [y - half, y + half], color=MUTED, lw=1.4, label="commonest answer")
    chance = 100 * float(np.mean([result.accuracy(system, shots, group=group)["chance"] for system in systems]))
    axes.plot([chance] * 2, [y - half, y + half], color=MUTED, lw=1.2, ls=(0, (1, 1)), label="chance (mean of systems)")


def examples(result: VisualQuestions) -> Figure:
    """Two columns of pictures, each with its question and what every system's first seed answered to it alone.

    With fewest shots, so that the picture shown is, as far as there is such a pass, the only one that was seen.
    """
    from matplotlib.figure import Figure

    rows, fewest = result.wanted_pictures(), result.shots[0]
    table = result.table[result.table["row_id"].isin(rows) & (result.table["shots"] == fewest)]
    table = table.sort_values("seed", kind="stable").drop_duplicates(["row_id", "encoder"])
    systems = _systems(result)[:MOST_LINES]
    height = -(-max(len(rows), 1) // 2)
    tall = max(PICTURE, 0.55 + 0.22 * len(systems))
    figure = Figure(figsize=(2 * (PICTURE + TEXT), 0.7 + tall * height))
    grid = figure.subplots(height, 4, squeeze=False, width_ratios=(PICTURE, TEXT, PICTURE, TEXT))
    for axes in grid.flat:
        axes.set_axis_off()
    for place, row in enumerate(rows):
        line, column = place % height, 2 * (place // height)
        show_picture(grid[line, column], result.pictures.get(row))
        _said(grid[line, column + 1], table[table["row_id"] == row].set_index("encoder"), systems)
    shown = table[table["encoder"] == systems[0]]["accuracy"]
    right = f"{systems[0]} answers {int((shown >= 0.5).sum())} of {len(rows)} right {after(fewest)}"
    claim = result.accuracy(systems[0], fewest)
    of_all = f"of all {claim['n']} {percent(claim['value'])} %, chance {percent(claim['chance'])} %"
    return titled(figure, result, f"Examples, drawn at random so that {right} ({of_all})")


def _said(axes: Axes, table: Any, systems: Sequence[str]) -> None:
    """Question and true answer, then a line a system: green and a tick where it is mostly right, else red."""
    axes.set(xlim=(0, 1), ylim=(max(len(systems) + 2.1, 6), 0))
    first = table.iloc[0]
    axes.text(0, 0.55, textwrap.shorten(first["question"], LINE, placeholder=" …"), weight="bold", va="center")
    axes.text(0, 1.5, f"truth: {textwrap.shorten(first['truth'], LINE, placeholder=' …')}", va="center", fontsize=8)
    for y, system in enumerate(systems, start=2):
        one = table.loc[system]
        colour, sign = (RIGHT, "✓") if one["accuracy"] >= 0.5 else (WRONG, "✗")
        said = textwrap.shorten(one["answer"], LINE - len(system), placeholder=" …") or "(nothing)"
        axes.text(0, y + 0.5, sign, va="center", color=colour, fontsize=9)
        axes.text(0.045, y + 0.5, f"{system}: {said}", va="center", color=colour, fontsize=8)
