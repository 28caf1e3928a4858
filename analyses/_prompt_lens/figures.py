"""Figures of prompt-lens that show numbers: by layer, lengths and cosines, and cuts. They only draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from concepttransfer.result.figures import FAINT, INK, MUTED, Look, looks, titled

from . import estimates as est

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..prompt_lens import PromptLens

PANELS = {est.CLASS: "class read, % of pictures", est.TRUE: "words read that are true, %"}


def layers(result: PromptLens) -> Figure:
    """A panel a measure: nearest words at the left, then the logit lens from the first layer's input to the last."""
    from matplotlib.figure import Figure

    shown = [m for m in PANELS if pd.notna([result.claim(e, m)["value"] for e in result.encoders]).any()]
    if not shown:
        return _nothing(result, "It is not known what is in the pictures.", "What is read, layer by layer")
    figure = Figure(figsize=(1.5 + 3.8 * len(shown), 3.9))
    grid = figure.subplots(1, len(shown), squeeze=False)[0]
    groups = [est.NEAREST, *(est.layer(number) for number in range(result.n_layers + 1))]
    for axes, measure in zip(grid, shown, strict=True):
        for number, encoder in enumerate(result.encoders):
            _by_layer(axes, result, encoder, measure, groups, _aside(number, len(result.encoders)))
        _layer_axis(axes, result.n_layers)
        axes.set_title(PANELS[measure])
    _legend(figure, result, grid[0])
    n = result.provenance["pictures"]
    return titled(figure, result, f"What is read of the picture, {n} pictures (dotted: chance)")


def _by_layer(axes: Axes, result: PromptLens, encoder: str, measure: str, groups: Sequence[str], aside: float) -> None:
    look = looks(result)[encoder]
    claims = [result.claim(encoder, measure, group=group) for group in groups]
    x = np.arange(len(groups)) - 1.0
    x[0] -= 0.4
    value, low, high, chance = (
        100 * np.array([claim[name] for claim in claims], dtype=np.float64)
        for name in ("value", "low", "high", "chance")
    )
    axes.vlines(x + aside, low, high, color=look.colour, lw=1)
    axes.plot((x + aside)[1:], value[1:], color=look.colour, ls=look.dashes, lw=1.1)
    axes.plot(x + aside, value, ms=4.5, mew=1.1, label=encoder, **look.point)
    axes.plot(x[1:], chance[1:], color=look.colour, ls=(0, (1, 2)), lw=1)
    axes.plot([x[0] - 0.25, x[0] + 0.25], [chance[0]] * 2, color=look.colour, ls=(0, (1, 2)), lw=1)


def _layer_axis(axes: Axes, n_layers: int) -> None:
    step = max(1, -(-(n_layers + 1) // 9))
    ticks = list(range(0, n_layers + 1, step))
    axes.set_xticks([-1.4, *ticks], ["nearest\nwords", *map(str, ticks)])
    axes.axvline(-0.7, color=FAINT, lw=1)
    axes.set_xlabel("logit lens behind layer")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")


def norms(result: PromptLens) -> Figure:
    """A panel a measure: means with intervals (thick), 80 % of positions (thin), words in grey, chance a tick."""
    from matplotlib.figure import Figure

    panels = {
        est.LENGTH: "length over that of words",
        est.NEAR: "cosine to the nearest word",
        est.MEAN: "cosine to the mean word",
    }
    encoders = result.encoders
    figure = Figure(figsize=(9.2, 1.5 + 0.34 * len(encoders)))
    grid = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for column, (axes, (measure, title)) in enumerate(zip(grid, panels.items(), strict=True)):
        words = result.arrays["word_spread"][column]
        axes.axvspan(words[0], words[-1], color=FAINT, zorder=0)
        axes.axvline(result.claim(est.WORDS, measure, group=est.VECTORS)["value"], color=MUTED, lw=1, zorder=0)
        for y, encoder in enumerate(encoders):
            claim = result.claim(encoder, measure, group=est.VECTORS)
            _spread(axes, claim, result.arrays["spread"][y, column], y, looks(result)[encoder])
        axes.set_title(title)
        if measure == est.LENGTH:
            axes.set_xscale("log")
        _lines(axes, encoders)
    n, m = result.provenance["pictures"], result.provenance["positions_read"]
    many = f"{m} position{'s' if m > 1 else ''} of {n} pictures"
    return titled(figure, result, f"Soft prompts beside word vectors (grey), {many} (grey tick: random directions)")


def _spread(axes: Axes, claim: pd.Series[Any], spread: Any, y: float, look: Look) -> None:
    axes.plot(spread[[1, 3]], [y, y], color=look.colour, lw=0.9, alpha=0.7)
    axes.plot([claim["low"], claim["high"]], [y, y], color=look.colour, lw=3, solid_capstyle="butt")
    axes.plot(claim["value"], y, ms=6, mew=1.2, **look.point)
    if pd.notna(claim["chance"]):
        axes.plot([claim["chance"]] * 2, [y - 0.32, y + 0.32], color=MUTED, lw=1.6)
    words = f"{claim['value']:.2f}" if claim["value"] < 10 else f"{claim['value']:.0f}"
    axes.annotate(words, (claim["value"], y), (0, 5), textcoords="offset points", ha="center", color=INK, fontsize=7)


def cuts(result: PromptLens) -> Figure:
    """Left: one position cut, by position; right: all positions cut, by encoder."""
    from matplotlib.figure import Figure

    encoders = result.encoders
    if not pd.notna([result.claim(e, est.LOST, group=est.CUTS)["value"] for e in encoders]).any():
        return _nothing(result, "Prompts of one position without text behind them cannot be cut.", "Cuts")
    figure = Figure(figsize=(10.2, max(3.7, 1.5 + 0.27 * len(encoders))))
    left, right = figure.subplots(1, 2, width_ratios=(2, 1))
    for number, encoder in enumerate(encoders):
        _by_position(left, result, encoder, _aside(number, len(encoders)))
        _whole(right, result, encoder, number)
    left.axhline(0, color=MUTED, lw=1.2, zorder=0)
    left.set_title("one position cut: nats a caption loses (0: chance)")
    left.set_xlabel("position of the prompt")
    left.grid(axis="y")
    left.xaxis.get_major_locator().set_params(integer=True)
    right.axvline(0, color=MUTED, lw=1.2, zorder=0)
    right.set_title("all cut (0: chance)")
    right.set_xlabel("nats a caption loses")
    _lines(right, encoders)
    n = result.provenance["pictures"]
    return titled(figure, result, f"What captions lose without parts of their prompts, {n} pictures")


def _by_position(axes: Axes, result: PromptLens, encoder: str, aside: float) -> None:
    look = looks(result)[encoder]
    table = result.table
    places = sorted(set(table.loc[table["encoder"] == encoder, "position"]))
    claims = [result.claim(encoder, est.LOST, group=est.position(place - 1)) for place in places]
    x = np.array(places, dtype=np.float64) + aside * min(1.0, float(np.diff([*places, places[-1] + 1]).min()))
    axes.vlines(x, [c["low"] for c in claims], [c["high"] for c in claims], color=look.colour, lw=1)
    axes.plot(x, [c["value"] for c in claims], color=look.colour, ls=look.dashes, lw=0.8)
    axes.plot(x, [c["value"] for c in claims], ms=4.5, mew=1.1, **look.point)


def _whole(axes: Axes, result: PromptLens, encoder: str, y: int) -> None:
    claim, look = result.claim(encoder, est.LOST_ALL, group=est.CUTS), looks(result)[encoder]
    if pd.isna(claim["value"]):
        return
    axes.plot([claim["low"], claim["high"]], [y, y], color=look.colour, lw=1.4)
    axes.plot(claim["value"], y, ms=6, mew=1.2, **look.point)
    axes.annotate(
        f"{claim['value']:.1f}", (claim["value"], y), (0, 5), textcoords="offset points", ha="center", fontsize=7
    )


def _aside(number: int, n: int) -> float:
    """How far an encoder's points stand aside, so that those of several do not hide each other."""
    return 0.5 * (number / (n - 1) - 0.5) if n > 1 else 0.0


def _lines(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.7)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def _legend(figure: Figure, result: PromptLens, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper")


def _nothing(result: PromptLens, words: str, title: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 1.2))
    figure.text(0.01, 0.4, words, color=MUTED)
    return titled(figure, result, title)
