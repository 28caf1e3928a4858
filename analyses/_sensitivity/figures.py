"""The figure of `sensitivity`: scores over noise and over the length of shifts. It only draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from concepttransfer.result.figures import INK, MARKERS, MUTED, PALETTE, titled

from .._prefix_length.scores import CIDER, RIGHT
from .systems import BLIND, PICTURES, SHIFTED, UNMOVED, System

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..sensitivity import Sensitivity

WORDS = {RIGHT: "named right, %", CIDER: "CIDEr-D × 100"}
LOOKS = {
    kind: (PALETTE[place], MARKERS[place]) for place, kind in enumerate(("noise", *SHIFTED, "linear", "covariance"))
} | {"none": (PALETTE[0], MARKERS[0])}
"""Colour and marker of a kind of adapter; `none` is the noise of 0."""
BOUND = PALETTE[6]


def sweeps(result: Sensitivity) -> Figure:
    """A row a score: over noise without a shift, over the length of shifts, and what is fitted on pairs."""
    from matplotlib.figure import Figure

    systems, measures = result.systems, result.measures
    figure = Figure(figsize=(10.2, 0.9 + 2.6 * len(measures)))
    grid = figure.subplots(len(measures), 3, squeeze=False, sharey="row", width_ratios=(2, 2, 1.2))
    for axes, measure in zip(grid, measures, strict=True):
        _noise(axes[0], result, measure, [one for one in systems if one.kind in UNMOVED])
        _shift(axes[1], result, measure, [one for one in systems if one.kind in SHIFTED])
        _on_pairs(axes[2], result, measure, [one for one in systems if one.kind in ("linear", "covariance")])
        axes[0].set_ylabel(WORDS[measure])
        for one in axes:
            _levels(one, result, measure)
            one.grid(axis="y")
    for one, words in zip(grid[-1], ("noise", "length of the shift", "fitted on pairs"), strict=True):
        one.set_xlabel(words)
    _legend(figure, result)
    n = result.provenance["pictures"]
    return titled(figure, result, f"Systems that learnt from texts, on {n} pictures (95 % intervals)")


def _noise(axes: Axes, result: Sensitivity, measure: str, systems: Sequence[System]) -> None:
    _line(axes, result, measure, sorted((one.noise, one.name) for one in systems), "noise")


def _shift(axes: Axes, result: Sensitivity, measure: str, systems: Sequence[System]) -> None:
    """Each direction from the system without a shift on."""
    start = [(0.0, result.base.name)] if result.base else []
    for kind in SHIFTED:
        mine = sorted((one.magnitude, one.name) for one in systems if one.kind == kind)
        if mine:
            _line(axes, result, measure, [*start, *mine], kind)
    if start:
        _line(axes, result, measure, start, "noise")


def _line(axes: Axes, result: Sensitivity, measure: str, placed: Sequence[tuple[float, str]], kind: str) -> None:
    colour, marker = LOOKS[kind]
    claims = [result.claim(name, measure) for _, name in placed]
    x = [place for place, _ in placed]
    values, lows, highs = (100 * np.array([c[e] for c in claims], dtype=float) for e in ("value", "low", "high"))
    axes.plot(x, values, color=colour, lw=1.3, marker=marker, ms=5)
    axes.vlines(x, lows, highs, color=colour, lw=1.2)


def _on_pairs(axes: Axes, result: Sensitivity, measure: str, systems: Sequence[System]) -> None:
    for place, one in enumerate(systems):
        _line(axes, result, measure, [(place, one.name)], one.kind)
    axes.set_xlim(-0.6, max(len(systems), 1) - 0.4)
    axes.set_xticks(range(len(systems)), [one.kind for one in systems])


def _levels(axes: Axes, result: Sensitivity, measure: str) -> None:
    """The upper bound with its interval, the blind, and chance."""
    for kind, colour, dashes in ((PICTURES, BOUND, "-"), (BLIND, INK, (0, (4, 2)))):
        for one in result.systems:
            claim = result.claim(one.name, measure)
            if one.kind == kind and pd.notna(claim["value"]):
                axes.axhline(100 * claim["value"], color=colour, lw=1.2, ls=dashes, zorder=0)
                axes.axhspan(100 * claim["low"], 100 * claim["high"], color=colour, alpha=0.12, lw=0, zorder=0)
    levels = result.estimates[(result.estimates["measure"] == measure) & result.estimates["against"].isna()]
    if levels["chance"].notna().any():
        axes.axhline(100 * levels["chance"].mean(), color=MUTED, lw=1.2, ls=(0, (1, 2)))
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))


def _legend(figure: Figure, result: Sensitivity) -> None:
    from matplotlib.lines import Line2D

    kinds = dict.fromkeys("noise" if one.kind == "none" else one.kind for one in result.systems if one.reads_texts)
    made = [Line2D([], [], color=LOOKS[kind][0], marker=LOOKS[kind][1], ms=5, lw=1.3, label=kind) for kind in kinds]
    there = {one.kind for one in result.systems}
    lines = ((PICTURES, "learnt from pictures", BOUND, "-"), (BLIND, "blind", INK, (0, (4, 2))))
    made += [Line2D([], [], color=c, ls=ls, lw=1.3, label=label) for kind, label, c, ls in lines if kind in there]
    made.append(Line2D([], [], color=MUTED, ls=(0, (1, 2)), lw=1.3, label="chance"))
    figure.legend(handles=made, loc="outside right upper")
