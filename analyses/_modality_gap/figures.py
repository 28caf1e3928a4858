"""Figures of the modality gap: levels by encoder, the effect of adapters, both clouds. They only draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from concepttransfer.result.figures import INK, MUTED, Look, looks, titled
from concepttransfer.result.wording import percent, two

from . import claims as c

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..modality_gap import ModalityGap

PICTURES, CAPTIONS = "#19438a", "#a85018"
MOST = 4
"""Encoders on the map."""


def levels(result: ModalityGap) -> Figure:
    """A panel a measure, a line an encoder: value, 95 % interval, chance."""
    panels: list[tuple[str, Callable[[float], str]]] = [
        (c.MATCHED, two),
        (c.CAPTIONS, two),
        (c.PICTURES, two),
        (c.DISTANCE, two),
        (c.SHARE, two),
        (c.NEAREST, two),
    ]
    figure, axes = _grid(2, 3, list(result.encoders), width=3.1)
    for one, (measure, show) in zip(axes, panels, strict=True):
        for y, encoder in enumerate(result.encoders):
            _value(one, result.claim(encoder, measure), y, looks(result)[encoder], show)
        one.set_title(_wrapped(measure))
        _room(one)
    n = result.provenance["pictures"]
    return titled(figure, result, f"{n:,} pictures and their captions (grey tick: chance, captions of other pictures)")


def adapters(result: ModalityGap) -> Figure:
    """A panel a measure, a line an adapter, a sign an encoder: value, 95 % interval, chance."""
    panels = [(c.MATCHED, two), (c.KEPT, two), (c.NEAREST, two)]
    figure, axes = _grid(1, 3, list(result.adapters), width=3.1)
    step = 0.5 / max(len(result.encoders), 1)
    for one, (measure, show) in zip(axes, panels, strict=True):
        for y, adapter in enumerate(result.adapters):
            for place, encoder in enumerate(result.encoders):
                at = y + (place - (len(result.encoders) - 1) / 2) * step
                claim = result.claim(encoder, measure, group=adapter)
                _value(one, claim, at, looks(result)[encoder], show if len(result.encoders) == 1 else None)
        one.set_title(_wrapped(measure))
        _room(one)
    _legend(figure, result)
    n, fitted = result.provenance["pictures"], result.provenance["fitted_on"] or "other pictures"
    said = f"Captions of {n:,} pictures after adapters fitted on {fitted}\n(grey tick: chance, captions of others)"
    return titled(figure, result, said)


def clouds(result: ModalityGap) -> Figure:
    """A row an encoder, a panel an adapter: pictures and captions, some pairs joined."""
    from matplotlib.figure import Figure

    encoders = result.encoders[:MOST]
    mapped = [key.partition("|")[2].partition("|")[2] for key in result.arrays if key.startswith("captions|")]
    columns = list(dict.fromkeys(mapped))
    figure = Figure(figsize=(0.6 + 2.6 * len(columns), 0.9 + 2.5 * len(encoders)))
    grid = figure.subplots(len(encoders), len(columns), squeeze=False, sharex="row", sharey="row")
    for row, encoder in enumerate(encoders):
        shares = result.arrays[f"shares|{encoder}"]
        for column, adapter in enumerate(columns):
            axes = grid[row, column]
            _cloud(axes, result.arrays[f"pictures|{encoder}"], result.arrays[f"captions|{encoder}|{adapter}"])
            matched = result.claim(encoder, c.MATCHED, group=adapter)
            axes.set_title(f"{adapter}: cosine {two(matched['value'])} ({two(matched['chance'])})", fontsize=9)
        grid[row, 0].set_ylabel(f"{encoder}\naxes: {percent(shares[0])} and {percent(shares[1])} %")
    grid[0, 0].legend(loc="best", markerscale=2)
    shown = len(next(iter(result.arrays[f"pictures|{encoder}"] for encoder in encoders)))
    said = f"{shown:,} pictures and their first captions in the plane of most variance (cosine; in brackets chance)"
    return titled(figure, result, said)


def _cloud(axes: Axes, pictures: np.ndarray[Any, Any], captions: np.ndarray[Any, Any]) -> None:
    for picture, caption in list(zip(pictures, captions, strict=True))[:40]:
        axes.plot(*np.stack([picture, caption]).T, color=MUTED, lw=0.4, alpha=0.5, zorder=1)
    axes.scatter(
        pictures[:, 0],
        pictures[:, 1],
        s=5,
        color=PICTURES,
        marker="o",
        lw=0,
        label="pictures",
        zorder=2,
        rasterized=True,
    )
    axes.scatter(
        captions[:, 0],
        captions[:, 1],
        s=7,
        color=CAPTIONS,
        marker="^",
        lw=0,
        label="captions",
        zorder=3,
        rasterized=True,
    )
    axes.set(xticks=[], yticks=[])


def _grid(height: int, width_in_panels: int, names: list[str], *, width: float) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    tall = 0.75 + 0.3 * len(names)
    figure = Figure(figsize=(1.2 + width * width_in_panels, 0.8 + height * tall))
    grid = figure.subplots(height, width_in_panels, squeeze=False)
    for place, axes in enumerate(grid.flat):
        axes.set_yticks(range(len(names)), names if place % width_in_panels == 0 else [""] * len(names))
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.locator_params(axis="x", nbins=5)
    return figure, list(grid.flat)


def _value(axes: Axes, claim: pd.Series[Any], y: float, look: Look, show: Callable[[float], str] | None) -> None:
    if pd.isna(claim["value"]):
        return
    axes.plot([claim["low"], claim["high"]], [y, y], color=look.colour, lw=1.4)
    axes.plot(claim["value"], y, **look.point, ms=5, mew=1.2)
    if pd.notna(claim["chance"]):
        axes.plot([claim["chance"]] * 2, [y - 0.25, y + 0.25], color=MUTED, lw=1.4)
    if show is not None:
        right = np.nanmax([claim["high"], claim["value"], claim["chance"]])
        axes.annotate(
            show(claim["value"]), (right, y), (5, 0), textcoords="offset points", va="center", color=INK, fontsize=8
        )


def _room(axes: Axes) -> None:
    """From 0, or from below it where something is, with room for the numbers at the right."""
    low, high = axes.get_xlim()
    axes.set_xlim(min(0, low), max(high, 0.02) + 0.16 * (high - min(0, low)))


def _legend(figure: Figure, result: ModalityGap) -> None:
    from matplotlib.lines import Line2D

    if len(result.encoders) > 1:
        handles = [Line2D([], [], label=one, **looks(result)[one].point) for one in result.encoders]
        figure.legend(handles=handles, loc="outside lower right", ncols=min(len(handles), 6))


def _wrapped(words: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(words[:1].upper() + words[1:], 30))
