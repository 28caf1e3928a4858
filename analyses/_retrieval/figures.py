"""Figures of retrieval: recall at 1, 5 and 10, recall at every rank, example pictures. They only draw."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from concepttransfer.result.figures import INK, MOST_LINES, MUTED, RIGHT, WRONG, beside_pictures, looks
from concepttransfer.result.figures import titled as headed
from concepttransfer.result.wording import percent
from concepttransfer.statistics.claims import is_random

from . import claims
from .search import AT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..retrieval import Retrieval

DIRECTIONS = {claims.CAPTIONS: "a picture finds a caption of its own", claims.PICTURES: "a caption finds its picture"}
LINE = 66


def recall(result: Retrieval) -> Figure:
    """A panel a direction, a group of marks a number of results: share with its interval; the tick is chance."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 3.6))
    grid = figure.subplots(1, 2, sharey=True)
    encoders = result.encoders
    step = 0.7 / max(len(encoders), 1)
    for axes, (direction, words) in zip(grid, DIRECTIONS.items(), strict=True):
        for place, (encoder, look) in enumerate(looks(result).items()):
            x = np.arange(len(AT)) + step * (place - (len(encoders) - 1) / 2)
            found = [result.claim(encoder, claims.recall(direction, k)) for k in AT]
            for at, claim in zip(x, found, strict=True):
                axes.plot([at, at], [100 * claim["low"], 100 * claim["high"]], color=look.colour, lw=1.4)
                axes.plot([at - 0.3 * step, at + 0.3 * step], [100 * claim["chance"]] * 2, color=MUTED, lw=1.4)
            label = encoder if direction == claims.CAPTIONS else None
            axes.plot(x, [100 * claim["value"] for claim in found], **look.point, ms=6, mew=1.4, label=label)
        axes.set_xticks(range(len(AT)), [f"first {k}" if k > 1 else "first" for k in AT])
        axes.set(ylim=(0, 103), title=words)
        axes.title.set_fontsize(9)
        axes.grid(axis="y")
    grid[0].set_ylabel("recall, % (tick: chance)")
    figure.legend(loc="outside right upper")
    return headed(figure, result, _title(result, "Retrieval"))


def _title(result: Retrieval, what: str) -> str:
    n, captions = result.provenance["pictures"], result.provenance["captions"]
    return f"{what} among {n:,} pictures and {captions:,} captions"


def ranks(result: Retrieval) -> Figure:
    """A panel a direction: share of queries whose first right result is among so many; grey: chance."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 3.6))
    grid = figure.subplots(1, 2, sharey=True)
    for column, (axes, words) in enumerate(zip(grid, DIRECTIONS.values(), strict=True)):
        at = result.arrays["looked_at"]
        at = at[at <= (result.provenance["pictures" if column else "captions"])]
        for place, (encoder, look) in enumerate(looks(result).items()):
            curve = 100 * result.arrays["recall"][place, column, : len(at)]
            style = {"color": look.colour, "ls": ":" if is_random(encoder) else look.dashes, "lw": 1.5}
            by_chance = 100 * result.arrays["chance"][place, column, : len(at)]
            axes.plot(at, by_chance, color=MUTED, lw=0.9, label="chance" if (place, column) == (0, 0) else None)
            axes.plot(at, curve, label=None if column else encoder, **style)
        axes.set_xscale("log")
        axes.set(ylim=(0, 103), title=words, xlabel="results looked at")
        axes.title.set_fontsize(9)
        axes.grid(axis="y")
    grid[0].set_ylabel("recall, %")
    figure.legend(loc="outside right upper")
    return headed(figure, result, _title(result, "Recall by the number of results,"))


def examples(result: Retrieval) -> Figure:
    """Two columns of pictures, each with the caption that every encoder finds nearest to it."""
    rows, shown = result.wanted_pictures(), result.encoders[:MOST_LINES]
    table = result.table[result.table["row_id"].isin(rows)].set_index(["row_id", "encoder"])
    height = 0.3 + 0.3 * len(shown)
    figure = beside_pictures(rows, result.pictures, height, lambda axes, row: _said(axes, table.loc[row], shown))
    first = result.encoders[0]
    n = result.claim(first, claims.recall(claims.CAPTIONS, 1))
    n_right = int(table.xs(first, level="encoder")["is_own"].sum())
    title = (
        f"The nearest caption, of pictures drawn at random so that {first}'s is their own for {n_right} of {len(rows)}"
    )
    return headed(figure, result, f"{title} (of all {n['n']}: {percent(n['value'])} %)")


def _said(axes: Axes, table: Any, encoders: tuple[str, ...]) -> None:
    axes.set(xlim=(0, 1), ylim=(max(len(encoders) + 0.5, 4.5), 0))
    for y, encoder in enumerate(encoders):
        one = table.loc[encoder]
        colour, sign = (RIGHT, "✓") if one["is_own"] else (WRONG, "✗")
        said = textwrap.shorten(one["nearest"], LINE, placeholder=" …")
        axes.text(0, y + 0.35, sign, va="center", color=colour, fontsize=9)
        axes.text(0.045, y + 0.35, encoder, va="center", color=INK, fontsize=8)
        axes.text(0.045, y + 0.72, said, va="center", color=colour, fontsize=7.5)
