"""Figures of naming errors that show numbers: shares named right, and how near wrong names are. They only draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from concepttransfer.result.figures import FAINT, INK, MUTED, Look, looks, titled
from concepttransfer.result.wording import percent, signed, two
from concepttransfer.statistics.claims import CHANCE

from . import estimates as est
from .arrays import KEYS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..awa_errors import AwaErrors

THESE = est.GROUPS["pictures"]
PANELS = {est.WUP: "Wu-Palmer similarity to the truth", est.OVERLAP: "share of the true class's attributes"}


def shares(result: AwaErrors) -> Figure:
    """A line an encoder: share named right, both intervals, chance, and the published value where there is one."""
    from matplotlib.figure import Figure

    encoders = result.encoders
    figure = Figure(figsize=(6.4, 1.5 + 0.42 * len(encoders)))
    axes = figure.subplots()
    for y, (encoder, look) in enumerate(looks(result).items()):
        _share(axes, result, encoder, look, y)
    axes.set_yticks(range(len(encoders)), encoders)
    axes.set_ylim(len(encoders) - 0.4, -0.75)
    axes.set_xlim(left=0, right=axes.get_xlim()[1] * 1.12)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel("pictures named right, %")
    n = result.claim(encoders[0], est.RIGHT)
    return titled(figure, result, f"Named right, of {n['n']} pictures of {n['n_clusters']} classes")


def _share(axes: Axes, result: AwaErrors, encoder: str, look: Look, y: int) -> None:
    claim, these = result.claim(encoder, est.RIGHT), result.claim(encoder, est.RIGHT, group=THESE)
    ends = [100 * these["low"], 100 * these["high"]]
    axes.plot(ends, [y, y], color=look.colour, alpha=0.35, lw=6, solid_capstyle="butt")
    axes.plot([100 * claim["low"], 100 * claim["high"]], [y, y], color=look.colour, lw=1.4)
    axes.plot(100 * claim["value"], y, **look.point, ms=7, mew=1.4)
    axes.plot([100 * claim["chance"]] * 2, [y - 0.3, y + 0.3], color=MUTED, lw=1.4)
    if y == 0:
        axes.annotate("chance", (100 * claim["chance"], y - 0.34), color=MUTED, fontsize=8, ha="left", va="bottom")
    published, words = result.published(encoder, est.RIGHT), percent(claim["value"])
    if np.isfinite(published):
        axes.plot(100 * published, y, "D", color=INK, mfc="none", ms=6, clip_on=False)
        words += f" (◇ published {percent(published)})"
    right = np.nanmax([100 * claim["high"], 100 * claim["value"], 100 * published])
    axes.annotate(words, (right, y), (8, 0), textcoords="offset points", va="center", color=INK)


def similarity(result: AwaErrors) -> Figure:
    """A row an encoder, a column a measure: the distribution over wrong names, over permuted ones, and both means."""
    from matplotlib.figure import Figure

    measures = [measure for measure, key in KEYS.items() if f"{key}_errors" in result.arrays]
    encoders = result.encoders
    figure = Figure(figsize=(2.2 + 3.5 * len(measures), 1.4 + 1.05 * len(encoders)))
    grid = figure.subplots(len(encoders), len(measures), squeeze=False, sharex=True)
    for row, encoder in enumerate(encoders):
        for column, measure in enumerate(measures):
            _distribution(grid[row, column], result, encoder, measure)
        grid[row, 0].set_ylabel(encoder, rotation=0, ha="right", va="center", labelpad=6)
    for column, measure in enumerate(measures):
        grid[-1, column].set_xlabel(PANELS[measure])
    return titled(figure, result, "How near wrong names are (filled), and by chance (outlined; grey tick: its mean)")


def _distribution(axes: Axes, result: AwaErrors, encoder: str, measure: str) -> None:
    key, edges = KEYS[measure], result.arrays["edges"]
    row, look = result.encoders.index(encoder), looks(result)[encoder]
    errors, chance = result.arrays[f"{key}_errors"][row], result.arrays[f"{key}_chance"][row]
    claim = result.claim(encoder, measure)
    if pd.isna(claim["value"]):
        axes.text(0.01, 0.5, "no picture is named wrongly", fontsize=8, va="center", color=MUTED)
    else:
        top = max(errors.max(), chance.max(), 1e-9)
        axes.stairs(errors / top, edges, fill=True, color=look.colour, alpha=0.45)
        axes.stairs(chance / top, edges, color=INK, lw=1.0)
        _means(axes, claim, result.claim(encoder, measure, against=CHANCE), look)
    axes.set_ylim(-0.4, 1.5)
    axes.set_xlim(0, 1)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.axhline(0, color=FAINT, lw=0.8, zorder=0)


def _means(axes: Axes, claim: pd.Series[Any], surplus: pd.Series[Any], look: Look) -> None:
    axes.plot([claim["low"], claim["high"]], [-0.2, -0.2], color=look.colour, lw=1.4)
    axes.plot(claim["value"], -0.2, **look.point, ms=5, mew=1.2)
    axes.plot([claim["chance"]] * 2, [-0.33, -0.07], color=MUTED, lw=1.4)
    words = f"n {claim['n']}: {two(claim['value'])}, by chance {two(claim['chance'])}: {signed(surplus['value'])}"
    if pd.notna(surplus["low"]):
        words += f" ({signed(surplus['low'])} to {signed(surplus['high'])})"
    axes.text(0.01, 1.5, words, fontsize=8, va="top", ha="left", color=INK)
