"""How every figure looks, in a notebook and in the report: one style, a colour an encoder, text drawn as it is."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .claims import RANDOM

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .result import Result

INK = "#20252b"
"""Text."""
MUTED = "#6b7480"
"""Axes, chance levels, what stands back."""
FAINT = "#dfe3e8"
"""Grids and empty cells."""
PALETTE = ("#0b6e99", "#c8553d", "#4f8a3c", "#8a5a9e", "#c9922b", "#3f7f7a", "#b0467f", "#5b6cb8", "#7d6b57", "#96a13a")
"""Colours of systems, told apart also by those who see red and green alike: their lightness differs."""
SEQUENTIAL = "YlGnBu"
"""The colour map of shares and counts."""
RIGHT, WRONG = "#2f7d4f", "#b23a2e"
"""Of what a caption says; a tick or a cross stands beside it."""
PICTURE, TEXT = 1.35, 4.15
"""Inches of a thumbnail, and of the words beside it, on a sheet of examples."""
MOST_LINES = 10
"""Encoders beside a picture on such a sheet."""

STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.dpi": 110,
    "figure.figsize": (6.4, 3.6),
    "figure.facecolor": "white",
    "figure.titlesize": 11,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "image.cmap": SEQUENTIAL,
    "image.interpolation": "antialiased",
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "savefig.dpi": 160,
    "text.color": INK,
    "text.parse_math": False,
    "text.usetex": False,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 8.5,
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Draw in the project's style inside the block, and leave matplotlib as it was."""
    import matplotlib
    from cycler import cycler

    settings: Any = {**STYLE, "axes.prop_cycle": cycler(color=PALETTE)}
    with matplotlib.rc_context(settings):
        yield


def finish(figure: Figure) -> Figure:
    """Give logarithmic axes plain numbers: with text drawn as it is, `$10^3$` would stand there in full."""
    from matplotlib.ticker import FuncFormatter, LogFormatter, NullFormatter

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if isinstance(axis.get_major_formatter(), LogFormatter):
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                axis.set_minor_formatter(NullFormatter())
    return figure


def titled(figure: Figure, result: Result, title: str) -> Figure:
    """Head a figure, and say below it when it is about the embedded world."""
    from .wording import is_microworld

    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    if is_microworld(result):
        said = "microworld: tiny models that learnt from drawings"
        figure.supxlabel(said, x=0.01, ha="left", fontsize=8, color=MUTED)
    return figure


def colours(result: Result) -> dict[str, str]:
    """A colour for each encoder of a result, the same in every figure of a study: by its place in the study.

    A random control has that of the encoder it stands beside; draw it hollow. `provenance["palette"]` lists the
    encoders of the study; without it those of the result are counted.
    """
    listed = [*result.provenance.get("palette", ()), *result.encoders]
    kinds = list(dict.fromkeys(encoder.removesuffix(RANDOM) for encoder in listed))
    places = {encoder: kinds.index(encoder.removesuffix(RANDOM)) for encoder in result.encoders}
    return {encoder: PALETTE[place % len(PALETTE)] for encoder, place in places.items()}


def show_picture(axes: Axes, content: bytes | None) -> None:
    """Draw a thumbnail, or say that there is none."""
    if content is None:
        axes.text(0.5, 0.5, "picture\nnot kept", ha="center", va="center", color=MUTED, fontsize=8)
        axes.set(xlim=(0, 1), ylim=(0, 1))
        return
    import numpy as np
    from PIL import Image

    axes.imshow(np.asarray(Image.open(io.BytesIO(content)).convert("RGB")), interpolation="antialiased")
    axes.set_anchor("N")
