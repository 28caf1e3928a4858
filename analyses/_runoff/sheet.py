"""The sheet of captions word by word: the more the picture asked for a word, the bolder and darker. It only draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from concepttransfer.result.figures import INK, MOST_LINES, MUTED, PICTURE, WRONG, show_picture, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..runoff import Runoff

ASKED = 1.0
"""Nats from which on a word counts as asked for by the picture: nearly three times as likely."""
TEXT, SIZE, LEAD = 3.7, 8.5, 13.5
"""Inches of the words; points of a letter and from one line to the next."""
ABSENT_MARK = "✗"
Placed = tuple[float, str, float, str]
"""Where a word begins in points, what is written, its gain in nats, and what it names."""


def sheet(result: Runoff) -> Figure:
    """A picture and, for each encoder, its first seed's caption."""
    from matplotlib.figure import Figure

    rows, encoders = result.wanted_pictures(), result.encoders[:MOST_LINES]
    laid = [[_laid(result.provenance["examples"][row][encoder]) for encoder in encoders] for row in rows]
    height = -(-max(len(rows), 1) // 2)
    tall = max([PICTURE, *((sum(max(len(lines), 1) for lines in one) + 0.5) * LEAD / 72 for one in laid)])
    names = 0.15 + max(width(encoder, False) for encoder in encoders) / 72
    widths = (PICTURE, names + TEXT) * 2
    figure = Figure(figsize=(sum(widths), 0.9 + (tall + 0.08) * height))
    grid = figure.subplots(height, 4, squeeze=False, width_ratios=widths)
    for axes in grid.flat:
        axes.set_axis_off()
    for place, row in enumerate(rows):
        line, column = place % height, 2 * (place // height)
        show_picture(grid[line, column], result.pictures.get(row))
        _captions(grid[line, column + 1], figure, names, dict(zip(encoders, laid[place], strict=True)))
    title = f"What the picture asked for, from {encoders[0]}'s largest gain to its smallest\n"
    legend = f"bold: a nat or more likelier than with a blank picture; underlined: no likelier; {ABSENT_MARK} not there"
    return titled(figure, result, title + legend)


def _laid(words: Sequence[Sequence[Any]]) -> list[list[Placed]]:
    """Words in lines."""
    lines: list[list[Placed]] = [[]]
    at, before = 0.0, ""
    for word, gain, names in words:
        written = f"{ABSENT_MARK}{word}" if names == "not there" != before else str(word)
        before = names
        wide = width(written, gain >= ASKED)
        if lines[-1] and at + wide > TEXT * 72:
            lines.append([])
            at = 0.0
        lines[-1].append((at, written, float(gain), str(names)))
        at += wide + width(" ", bold=False)
    return lines


@lru_cache(maxsize=4096)
def width(text: str, bold: bool) -> float:
    """Points that a text takes; unknown characters are as wide as the box that stands for them."""
    import warnings

    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal", size=SIZE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


def _captions(axes: Axes, figure: Figure, names: float, laid: Mapping[str, Sequence[Sequence[Placed]]]) -> None:
    """Lines of words, placed in points from the upper left corner, `names` inches behind those of the encoders."""
    from matplotlib.transforms import ScaledTranslation

    upper_left: Any = axes.transAxes
    corner = figure.dpi_scale_trans + ScaledTranslation(0, 1, upper_left)
    y = LEAD
    for encoder, lines in laid.items():
        axes.text(0, -y / 72, encoder, transform=corner, color=MUTED, fontsize=8)
        for line in lines:
            for word in line:
                _word(axes, corner, y, names, *word)
            y += LEAD
        if not any(lines):
            axes.text(names, -(y - LEAD) / 72, "(nothing)", transform=corner, color=MUTED, fontsize=8)


def _word(axes: Axes, corner: Any, y: float, start: float, at: float, text: str, gain: float, of: str) -> None:
    from matplotlib.lines import Line2D

    bold, x = gain >= ASKED, start + at / 72
    colour = WRONG if of == "not there" else INK if gain > 0 else MUTED
    axes.text(x, -y / 72, text, transform=corner, color=colour, fontsize=SIZE, weight="bold" if bold else "normal")
    if gain <= 0:
        under = -(y + 2.2) / 72
        end = x + width(text, bold) / 72
        axes.add_artist(Line2D([x, end], [under, under], transform=corner, color=colour, lw=0.9, clip_on=False))
