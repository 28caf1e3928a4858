"""Figures of zero-shot against linear probes: difference bars over data sets, few-shot curves. They only draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from concepttransfer.result.figures import INK, MUTED, RIGHT, WRONG, Look, looks, titled
from concepttransfer.statistics.claims import is_random

from . import claims
from .words import signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..zero_shot_probe import ZeroShotProbe

ROWS, COLUMNS = 3, 4
"""Of panels, at most."""


def _learnt(encoders: tuple[str, ...]) -> list[str]:
    return [one for one in encoders if not is_random(one)] or list(encoders)


def differences(result: ZeroShotProbe) -> Figure:
    """A row a zero-shot encoder, a column a probe; a bar a data set: zero-shot less the probe, and its interval."""
    from matplotlib.figure import Figure

    clips, probes = _learnt(result.zero_shot)[:ROWS], _learnt(result.encoders)[:COLUMNS]
    tall = 0.9 + 0.32 * len(result.data)
    figure = Figure(figsize=(max(1.6 + 2.5 * len(probes), 6.6), 1.0 + tall * len(clips)))
    grid = figure.subplots(len(clips), len(probes), squeeze=False, sharey=True)
    for row, clip in enumerate(clips):
        for column, probed in enumerate(probes):
            _bars(grid[row, column], result, clip, probed)
            own = "its own features" if probed == clip else probed
            grid[row, column].set_title(f"{clip}, and a probe on {own}", fontsize=8)
    for axes in grid[:, 0]:
        axes.set_yticks(range(len(result.data)), result.data)
        axes.set_ylim(len(result.data) - 0.4, -0.6)
    for axes in grid[-1]:
        axes.set_xlabel("points")
    n = result.claim(clips[0], claims.ZERO_SHOT)
    title = f"Zero-shot less linear probe (chance: 0); {result.data[0]}: n = {n['n']} of {n['n_clusters']} classes"
    return titled(figure, result, title)


def _bars(axes: Axes, result: ZeroShotProbe, clip: str, probed: str) -> None:
    found = pd.DataFrame([result.difference(clip, probed, on) for on in result.data])
    value, low, high = (100 * found[column].to_numpy(dtype=float) for column in ("value", "low", "high"))
    y = np.arange(len(value))
    axes.barh(y, value, color=[RIGHT if one >= 0 else WRONG for one in value], alpha=0.55, height=0.7)
    axes.hlines(y, low, high, color=INK, lw=1.2)
    axes.axvline(0, color=MUTED, lw=0.9)
    for place, one in zip(y, found["value"].to_numpy(dtype=float), strict=True):
        axes.annotate(
            signed(float(one)), (1.0, place), xycoords=("axes fraction", "data"), va="center", fontsize=7.5, color=INK
        )
    axes.margins(x=0.15)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")


def shots(result: ZeroShotProbe) -> Figure:
    """A panel a zero-shot encoder: its level, the probes' curves, and a mark where each reaches the level."""
    from matplotlib.figure import Figure

    clips = _learnt(result.zero_shot)[:ROWS]
    figure = Figure(figsize=(7.6, 0.6 + 3.0 * len(clips)))
    grid = figure.subplots(len(clips), 1, squeeze=False, sharex=True)[:, 0]
    at = result.arrays["shots"]
    for row, (axes, clip) in enumerate(zip(grid, clips, strict=True)):
        for place, (probed, look) in enumerate(looks(result).items()):
            _curve(axes, result, (clip, probed), look, place, label=row == 0)
        zero = result.claim(clip, claims.ZERO_SHOT)
        axes.axhspan(100 * zero["low"], 100 * zero["high"], color=MUTED, alpha=0.15, lw=0)
        axes.axhline(100 * zero["value"], color=INK, lw=1.2)
        words = f"{clip} zero-shot {100 * zero['value']:.1f} %"
        axes.annotate(words, (at[0], 100 * zero["value"]), (0, 3), textcoords="offset points", fontsize=8, color=INK)
        axes.axhline(100 * zero["chance"], color=MUTED, lw=0.9, ls=":")
        axes.set(xscale="log", ylabel="accuracy, % (dots: chance)", ylim=(0, 103))
        axes.grid(axis="y")
        axes.minorticks_off()
    ticks = [one for one in at if one == round(one)]
    grid[-1].set_xticks([*ticks, at[-1]], [f"{one:g}" for one in ticks] + ["all"])
    grid[-1].set_xlabel("training pictures of a class")
    figure.legend(loc="outside right upper", title="probe on")
    n = result.claim(clips[0], claims.ZERO_SHOT)
    title = f"Where few-shot probes equal zero-shot: {result.data[0]}, {n['n']} pictures of {n['n_clusters']} classes"
    return titled(figure, result, title)


def _curve(axes: Axes, result: ZeroShotProbe, about: tuple[str, str], look: Look, place: int, *, label: bool) -> None:
    clip, probed = about
    at, number = result.arrays["shots"], result.encoders.index(probed)
    low, value, high = 100 * result.arrays["curves"][number]
    shifted = at * 2 ** (0.05 * (place - (len(result.encoders) - 1) / 2))
    style = ":" if is_random(probed) else "-"
    axes.vlines(shifted, low, high, color=look.colour, lw=1.1, alpha=0.7)
    axes.plot(
        shifted, value, color=look.colour, ls=style, lw=1.2, marker=look.marker, mfc=look.fill, ms=4, mew=1.0,
        label=probed if label else None,
    )  # fmt: skip
    found = result.claim(clip, claims.CROSSING, against=claims.against(probed))
    zero = 100 * result.claim(clip, claims.ZERO_SHOT)["value"]
    if pd.notna(found["value"]) and result.is_inside(clip, probed):
        axes.plot([found["low"], found["high"]], [zero, zero], color=look.colour, lw=3, alpha=0.6)
        axes.plot(found["value"], zero, "X", color=look.colour, mec=INK, mew=0.8, ms=8)
