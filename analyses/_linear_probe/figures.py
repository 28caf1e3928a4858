"""Figures of linear probes: accuracy, attributes against their control task, few-shot curves. They only draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from concepttransfer.result.figures import FAINT, INK, MUTED, Look, looks, looks_of, titled
from concepttransfer.result.wording import percent, signed, two
from concepttransfer.statistics.claims import is_random, layer_of, stem

from .._awa_errors.figures import THESE
from . import claims
from .classes import SHOTS
from .words import ORDER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..linear_probe import LinearProbe

SHORT = ("held out in 5 folds", "AwA2's 10 test classes", "pictures held out:\na class probe")


def accuracy(result: LinearProbe) -> Figure:
    """A line an encoder: share read rightly, both intervals, and chance; of several layers, a curve over them."""
    from matplotlib.figure import Figure

    encoders = result.encoders
    if len({layer_of(encoder) for encoder in encoders} - {None}) > 1:
        return _by_layer(result)
    figure = Figure(figsize=(6.4, 1.5 + 0.42 * len(encoders)))
    axes = figure.subplots()
    for y, (encoder, look) in enumerate(looks(result).items()):
        _accuracy(axes, result, encoder, look, y)
    axes.set_yticks(range(len(encoders)), encoders)
    axes.set_ylim(len(encoders) - 0.4, -0.75)
    axes.set_xlim(left=0, right=axes.get_xlim()[1] * 1.12)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel("test pictures whose class the probe reads, %")
    n = result.claim(encoders[0], claims.ACCURACY)
    return titled(figure, result, f"Class read by a linear probe, of {n['n']} pictures of {n['n_clusters']} classes")


def _by_layer(result: LinearProbe) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.4, 3.8))
    axes = figure.subplots()
    stems = list(dict.fromkeys(stem(encoder) for encoder in result.encoders))
    drawn = looks_of(stems, result.provenance.get("palette", ()))
    for place, (name, look) in enumerate(drawn.items()):
        depths = {one: layer_of(one) for one in result.encoders if stem(one) == name}
        layers = sorted((layer, one) for one, layer in depths.items() if layer is not None)
        style = {"color": look.colour, "ls": ":" if is_random(name) else "-", "lw": 1.2, "marker": look.marker}
        _curve(axes, result, layers, 0.06 * (place - (len(drawn) - 1) / 2), style | {"mfc": look.fill, "label": name})
        for own in (one for one, layer in depths.items() if layer is None):
            axes.axhline(100 * result.claim(own, claims.ACCURACY)["value"], color=look.colour, ls=style["ls"], lw=0.8)
    n = result.claim(result.encoders[0], claims.ACCURACY)
    axes.axhline(100 * n["chance"], color=MUTED, lw=1)
    axes.annotate("chance", (0.5, 100 * n["chance"]), (0, 3), textcoords="offset points", color=MUTED, fontsize=8)
    axes.set(xlabel="layer (a level line: the features that the study reads)", ylabel="accuracy, %")
    axes.set_xticks(sorted({layer for one in result.encoders if (layer := layer_of(one)) is not None}))
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    figure.legend(loc="outside right upper")
    title = f"Class read by a linear probe by layer, of {n['n']} pictures of {n['n_clusters']} classes"
    return titled(figure, result, title)


def _curve(
    axes: Axes, result: LinearProbe, layers: Sequence[tuple[int, str]], shift: float, style: dict[str, Any]
) -> None:
    if not layers:
        return
    rows = pd.DataFrame([result.claim(encoder, claims.ACCURACY) for _, encoder in layers])
    value, low, high = (100 * rows[column].to_numpy(dtype=float) for column in ("value", "low", "high"))
    x = np.array([layer for layer, _ in layers]) + shift
    axes.vlines(x, low, high, color=style["color"], lw=1.3)
    axes.plot(x, value, ms=5, mew=1.2, **style)


def _accuracy(axes: Axes, result: LinearProbe, encoder: str, look: Look, y: int) -> None:
    claim, these = result.claim(encoder, claims.ACCURACY), result.claim(encoder, claims.ACCURACY, group=THESE)
    ends = [100 * these["low"], 100 * these["high"]]
    axes.plot(ends, [y, y], color=look.colour, alpha=0.35, lw=6, solid_capstyle="butt")
    axes.plot([100 * claim["low"], 100 * claim["high"]], [y, y], color=look.colour, lw=1.4)
    axes.plot(100 * claim["value"], y, **look.point, ms=7, mew=1.4)
    axes.plot([100 * claim["chance"]] * 2, [y - 0.3, y + 0.3], color=MUTED, lw=1.4)
    if y == 0:
        axes.annotate("chance", (100 * claim["chance"], y - 0.34), color=MUTED, fontsize=8, ha="left", va="bottom")
    right = np.nanmax([100 * claim["high"], 100 * claim["value"]])
    words = percent(claim["value"])
    axes.annotate(words, (right, y), (8, 0), textcoords="offset points", va="center", color=INK)


def attributes(result: LinearProbe) -> Figure:
    """A row an encoder, a column a setting: a dot an attribute, its control task across, its own precision up."""
    from matplotlib.figure import Figure

    encoders, settings = result.encoders, result.settings
    if not settings:
        figure = Figure(figsize=(6.4, 1.4))
        axes = figure.subplots()
        axes.set_axis_off()
        axes.text(0, 0.5, "No attributes of these classes are known.", color=MUTED, va="center")
        return titled(figure, result, "Attributes")
    figure = Figure(figsize=(1.2 + 2.35 * len(settings), 1.1 + 2.25 * len(encoders)))
    grid = figure.subplots(len(encoders), len(settings), squeeze=False, sharex=True, sharey=True)
    for row, encoder in enumerate(encoders):
        for column, setting in enumerate(settings):
            _attributes(grid[row, column], result, encoder, setting)
        grid[row, 0].set_ylabel(encoder)
    for column, setting in enumerate(settings):
        n = result.claim(encoders[0], setting)
        short = next(s for s, name in zip(SHORT, ORDER, strict=True) if name == setting)
        grid[0, column].set_title(f"{short}\n{_count(n)}", fontsize=8.5, color=INK, weight="normal")
    figure.supylabel("average precision of the attribute", fontsize=9)
    grid[-1, 0].set_xlabel("of its control task")
    return titled(figure, result, "Attributes read by linear probes, and random attributes")


def _count(claim: pd.Series[Any]) -> str:
    return f"n = {claim['n']} of {claim['n_clusters']} classes" if pd.notna(claim["n"]) else "not measured"


def _attributes(axes: Axes, result: LinearProbe, encoder: str, setting: str) -> None:
    at = result.encoders.index(encoder), result.settings.index(setting)
    look = looks(result)[encoder]
    axes.plot([0, 1], [0, 1], color=MUTED, lw=0.9, zorder=1)
    own, control = result.arrays["ap"][at], result.arrays["ap_control"][at]
    axes.plot(control, own, **look.point, ms=3.4, mew=0.7, alpha=0.75, zorder=2)
    level, other = result.claim(encoder, setting), result.claim(encoder, setting + claims.BY_CONTROL)
    difference = result.claim(encoder, setting, against=claims.CONTROL)
    axes.plot([other["low"], other["high"]], [level["value"]] * 2, color=INK, lw=1.3, zorder=3)
    axes.plot([other["value"]] * 2, [level["low"], level["high"]], color=INK, lw=1.3, zorder=3)
    axes.plot([0, level["chance"]], [level["chance"]] * 2, color=MUTED, lw=0.9, ls=":", zorder=1)
    words = f"mean {two(level['value'])}, chance {two(level['chance'])}\nselectivity {signed(difference['value'])}"
    if pd.notna(difference["low"]):
        words += f"\n({signed(difference['low'])} to {signed(difference['high'])})"
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}
    axes.text(0.98, 0.03, words, transform=axes.transAxes, ha="right", va="bottom", fontsize=7.2, color=INK, bbox=box)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    axes.set_aspect("equal")
    axes.grid(color=FAINT)


def shots(result: LinearProbe) -> Figure:
    """A curve an encoder over the number of training pictures of a class, last all of them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.4, 3.8))
    axes = figure.subplots()
    measured = [s for s in SHOTS if pd.notna(result.claim(result.encoders[0], claims.few(s))["value"])]
    columns = [*(claims.few(s) for s in measured), claims.ACCURACY]
    for encoder, look in looks(result).items():
        rows = pd.DataFrame([result.claim(encoder, column) for column in columns])
        x = np.arange(len(rows)) + 0.06 * (result.encoders.index(encoder) - (len(result.encoders) - 1) / 2)
        value, low, high = (100 * rows[c].to_numpy(dtype=float) for c in ("value", "low", "high"))
        style: dict[str, Any] = {"color": look.colour, "ls": ":" if is_random(encoder) else "-", "lw": 1.2}
        axes.vlines(x, low, high, color=look.colour, lw=1.3)
        axes.plot(x, value, marker=look.marker, mfc=look.fill, ms=5, mew=1.2, label=encoder, **style)
    last = result.claim(result.encoders[0], claims.ACCURACY)
    axes.axhline(100 * last["chance"], color=MUTED, lw=1)
    at = (len(columns) - 1.5, 100 * last["chance"])
    axes.annotate("chance", at, (0, 3), textcoords="offset points", color=MUTED, fontsize=8, ha="center")
    axes.set_xticks(range(len(columns)), [*map(str, measured), "all"])
    axes.set(xlabel="training pictures of a class", ylabel="accuracy, %")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    figure.legend(loc="outside right upper")
    n = f"{last['n']} pictures of {last['n_clusters']} classes"
    return titled(figure, result, f"Few-shot accuracy of linear probes, of {n}")
