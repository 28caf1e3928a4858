"""Figures of runoff that show numbers: gains by place, and things named that are not there. They only draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from concepttransfer.result.figures import INK, MUTED, Look, looks, titled
from concepttransfer.scoring.token_scores import BLANK, OTHER

from . import estimates as est

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..runoff import Runoff

LINE = 0.22
"""Inches from one encoder to the next below it."""
PANELS = {BLANK: "over a blank picture", OTHER: "over another picture"}


def positions(result: Runoff) -> Figure:
    """A panel for each contrast: gain by place, a line an encoder."""
    from matplotlib.figure import Figure

    shown = [over for over in PANELS if pd.notna(result.claim(result.encoders[0], est.GAINS[over])["value"])]
    figure = Figure(figsize=(1.4 + 3.7 * max(len(shown), 1), 3.9))
    grid = figure.subplots(1, max(len(shown), 1), squeeze=False)[0]
    for axes, over in zip(grid, shown, strict=False):
        for number, encoder in enumerate(result.encoders):
            _line(axes, result, encoder, over, number)
        axes.axhline(0, color=MUTED, lw=1.2, zorder=0)
        axes.set_title(f"{PANELS[over]} (0: chance)")
        axes.set_xlabel("word of the caption")
        axes.grid(axis="y")
        axes.xaxis.get_major_locator().set_params(integer=True)
    grid[0].set_ylabel("gain of a word, nats")
    handles, labels = grid[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside right upper")
    n = result.provenance["pictures"]
    return titled(figure, result, f"What the picture adds to each word, {n} pictures")


def _line(axes: Axes, result: Runoff, encoder: str, over: str, number: int) -> None:
    """One encoder's gains with 95 % intervals, a little aside of the other encoders'."""
    claims = [result.claim(encoder, est.GAINS[over], group=est.place(n)) for n in range(est.MOST_PLACES)]
    known = [(n + 1, claim) for n, claim in enumerate(claims) if pd.notna(claim["value"])]
    if not known:
        return
    look = looks(result)[encoder]
    aside = 0.5 * (number / max(len(result.encoders) - 1, 1) - 0.5) if len(result.encoders) > 1 else 0.0
    x = np.array([place for place, _ in known]) + aside
    low, high = ([claim[end] for _, claim in known] for end in ("low", "high"))
    axes.vlines(x, low, high, color=look.colour, lw=1)
    values = [claim["value"] for _, claim in known]
    axes.plot(x, values, color=look.colour, ls=look.dashes, lw=1.1)
    axes.plot(x, values, ms=4.5, mew=1.1, label=encoder, **look.point)


def absent(result: Runoff) -> Figure:
    """Left: of what is named first and later the share not there. Right: likewise no likelier than with a blank."""
    from matplotlib.figure import Figure

    encoders = result.encoders
    panels = [
        (est.ABSENT, (est.FIRST, est.LATER), "named, but not there, %"),
        (est.RUNOFF, (est.THERE, est.NOT_THERE), "no likelier than with a blank, %"),
    ]
    known = pd.notna([result.claim(e, est.ABSENT, group=est.EVERYTHING)["value"] for e in encoders]).any()
    if not known:
        return _nothing(result)
    figure = Figure(figsize=(8.6, 1.9 + 2.2 * LINE * len(encoders)))
    grid = figure.subplots(1, 2, squeeze=False, sharey=True)[0]
    for axes, (measure, groups, title) in zip(grid, panels, strict=True):
        for y, encoder in enumerate(encoders):
            look = looks(result)[encoder]
            for group, aside, size in zip(groups, (-0.2, 0.2), (6.5, 4.5), strict=True):
                _dot(axes, result.claim(encoder, measure, group=group), y + aside, look, size)
        axes.set_title(title)
        axes.set_xlabel(f"upper, large: {groups[0]}\nlower, small: {groups[1]}", fontsize=8)
        _lines(axes, encoders)
    return titled(figure, result, _title(result))


def _title(result: Runoff) -> str:
    return f"Things named in captions of {result.provenance['pictures']} pictures (grey tick: chance)"


def _dot(axes: Axes, claim: pd.Series[Any], y: float, look: Look, size: float) -> None:
    """A share with its interval, and chance as a grey tick."""
    if pd.isna(claim["value"]):
        return
    axes.plot([100 * claim["chance"]] * 2, [y - 0.16, y + 0.16], color=MUTED, lw=1.5)
    axes.plot([100 * claim["low"], 100 * claim["high"]], [y, y], color=look.colour, lw=1.2)
    axes.plot(100 * claim["value"], y, ms=size, mew=1.2, **look.point)
    low, high = 100 * np.nanmin([claim["low"], claim["value"]]), 100 * np.nanmax([claim["high"], claim["value"]])
    left = -1 < 100 * claim["chance"] - high < 8  # there the tick would strike the number through
    where: dict[str, Any] = {"xytext": (-4, 0), "ha": "right"} if left else {"xytext": (4, 0), "ha": "left"}
    axes.annotate(
        f"{100 * claim['value']:.0f}",
        (low if left else high, y),
        textcoords="offset points",
        va="center",
        color=INK,
        fontsize=7.5,
        **where,
    )


def _lines(axes: Axes, names: tuple[str, ...]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(-2, 104)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def _nothing(result: Runoff) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 1.2))
    figure.text(0.01, 0.4, "It is not known of anything named whether the pictures contain it.", color=MUTED)
    return titled(figure, result, _title(result))
