"""Figures of caption scores: the scores beside chance, how much captions vary, examples. They only draw."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from concepttransfer.result.figures import INK, MUTED, colours, looks, show_picture, titled
from concepttransfer.statistics.claims import is_random

from . import measures as m
from .diversity import REFERENCES
from .words import hundred, mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..caption_scores import CaptionScores

DRAWN = (m.BLEU[3], m.ROUGE, m.CIDER, m.METEOR, m.NLTK_METEOR, m.SPICE, m.CLIPSCORE, m.REFCLIPSCORE)
COLUMNS = 3
PICTURE, TEXT, LINE = 1.35, 4.15, 66
MOST_LINES = 8


def scores(result: CaptionScores) -> Figure:
    """A panel a score, a line an encoder (and domain): value, 95 % interval, chance."""
    drawn = [measure for measure in DRAWN if measure in result.measures]
    lines = [(encoder, group) for encoder in result.encoders for group in result.groups]
    names = [encoder if group == result.groups[0] else f"  {group}" for encoder, group in lines]
    figure, panels = _panels(len(drawn), names)
    for axes, measure in zip(panels, drawn, strict=True):
        for y, (encoder, group) in enumerate(lines):
            _score(axes, result, (encoder, measure, group), y)
        axes.set_title(f"{measure} × 100")
        _room(axes)
    n = result.claim(result.encoders[0], m.ROUGE)["n"]
    return titled(figure, result, f"Scores of captions of {n} pictures (grey tick, chance: shuffled over pictures)")


def _panels(n: int, names: list[str]) -> tuple[Figure, list[Axes]]:
    """So many panels with a line for each name, names at the left of each row of panels."""
    from matplotlib.figure import Figure

    columns, height = min(COLUMNS, n), -(-n // COLUMNS)
    figure = Figure(figsize=(1.6 + 2.5 * columns, 0.6 + height * (0.75 + 0.26 * len(names))))
    grid = figure.subplots(height, columns, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= n:
            axes.set_axis_off()
            continue
        axes.set_yticks(range(len(names)), names if place % columns == 0 else [""] * len(names))
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.locator_params(axis="x", nbins=5)
    return figure, list(grid.flat)[:n]


def _score(axes: Axes, result: CaptionScores, about: tuple[str, str, str], y: int) -> None:
    encoder, measure, group = about
    claim = result.claim(encoder, measure, group=group)
    if pd.isna(claim["value"]):
        return
    look = looks(result)[encoder]
    whole = group == result.groups[0]
    axes.plot([100 * claim["low"], 100 * claim["high"]], [y, y], color=look.colour, lw=1.4)
    axes.plot(100 * claim["value"], y, **look.point, ms=6 if whole else 4, mew=1.3)
    axes.plot([100 * claim["chance"]] * 2, [y - 0.3, y + 0.3], color=MUTED, lw=1.4)
    right = np.nanmax([100 * claim["high"], 100 * claim["value"], 100 * claim["chance"]])
    words = hundred(claim["value"]) + mark(result, encoder, measure)
    axes.annotate(words, (right, y), (6, 0), textcoords="offset points", va="center", color=INK, fontsize=8)


def _room(axes: Axes) -> None:
    """From 0, or from below it where something is, with room for the numbers at the right."""
    low, high = axes.get_xlim()
    axes.set_xlim(min(0, low), high + 0.22 * (high - min(0, low)))


def variety(result: CaptionScores) -> Figure:
    """A panel a measure, a line an encoder; people's captions are the grey line."""
    drawn = [measure for measure in m.DIVERSITY if measure in result.measures]
    figure, panels = _panels(len(drawn), list(result.encoders))
    for axes, measure in zip(panels, drawn, strict=True):
        for y, encoder in enumerate(result.encoders):
            claim = result.claim(encoder, measure)
            if pd.notna(claim["value"]):
                _bar(axes, claim, colours(result)[encoder], y, fill=not is_random(encoder))
        references = result.claim(REFERENCES, measure)["value"]
        if pd.notna(references):
            axes.axvline(references, color=MUTED, lw=1.4)
        axes.set_title(measure)
        _room(axes)
    n = result.claim(result.encoders[0], m.ROUGE)["n"]
    level = "; no chance level: hollow, random controls" if any(map(is_random, result.encoders)) else ""
    return titled(figure, result, f"How much captions of {n} pictures vary (grey line: one reference of each{level})")


def _bar(axes: Axes, claim: pd.Series[Any], colour: str, y: int, *, fill: bool) -> None:
    axes.barh(y, claim["value"], height=0.55, color=colour if fill else "white", edgecolor=colour, lw=1.2, alpha=0.8)
    axes.plot([claim["low"], claim["high"]], [y, y], color=INK, lw=1.2)
    right = np.nanmax([claim["value"], claim["high"]])
    words = f"{claim['value']:.0f}" if claim["value"] >= 20 else f"{claim['value']:.2f}"
    said = axes.annotate(words, (right, y), (5, 0), textcoords="offset points", va="center", color=INK, fontsize=8)
    said.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.0})


def sheet(result: CaptionScores) -> Figure:
    """Two columns of pictures, each with a reference and what every encoder's first seed said of it."""
    from matplotlib.figure import Figure

    rows = result.wanted_pictures()
    table = result.table[result.table["row_id"].isin(rows)]
    table = table.sort_values("seed", kind="stable").drop_duplicates(["row_id", "encoder"])
    encoders = result.encoders[:MOST_LINES]
    tall = max(PICTURE, 0.35 + 0.24 * (len(encoders) + 1))
    height = -(-max(len(rows), 1) // 2)
    figure = Figure(figsize=(2 * (PICTURE + TEXT), 0.7 + tall * height))
    grid = figure.subplots(height, 4, squeeze=False, width_ratios=(PICTURE, TEXT, PICTURE, TEXT))
    for axes in grid.flat:
        axes.set_axis_off()
    for place, row in enumerate(rows):
        line, column = place % height, 2 * (place // height)
        show_picture(grid[line, column], result.pictures.get(row))
        said = table[table["row_id"] == row].set_index("encoder")
        _said(grid[line, column + 1], said, encoders, result.provenance["references"].get(row, []))
    measure = m.CIDER if m.CIDER in result.measures else m.ROUGE
    claim = result.claim(encoders[0], measure)
    of_all = f"all {claim['n']}: {measure} {hundred(claim['value'])}, chance {hundred(claim['chance'])}"
    return titled(figure, result, f"Examples, from {encoders[0]}'s lowest score of a picture to its highest ({of_all})")


def _said(axes: Axes, table: Any, encoders: tuple[str, ...], references: list[str]) -> None:
    axes.set(xlim=(0, 1), ylim=(max(len(encoders) + 1.2, 5.5), 0))
    shown = textwrap.shorten(references[0], LINE, placeholder=" …") if references else ""
    axes.text(0, 0.5, shown, va="center", color=MUTED, fontsize=8, style="italic")
    for y, encoder in enumerate(encoders, start=1):
        one = table.loc[encoder]
        caption = textwrap.shorten(str(one["caption"]), LINE - len(encoder), placeholder=" …") or "(nothing)"
        score = f" ({hundred(one['cider_d'])})" if pd.notna(one["cider_d"]) else ""
        axes.text(0, y + 0.5, f"{encoder}: {caption}{score}", va="center", color=INK, fontsize=8)
