"""How every figure looks, in a notebook and in the report: one style, a colour an encoder, text drawn as it is."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..statistics.claims import is_random, layer_of, learnt, stem

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
PALETTE = ("#19438a", "#a85018", "#6d9e6e", "#864061", "#4ac9f3", "#c3a303", "#1d1259", "#f8a2b9", "#4a3525", "#867da6")
"""Colours of systems. Any two of the first six differ by at least 28 (CIE 1976) to those who see red and green alike,
and by at least 7 in lightness, so that they stay apart in grey; marker and dashes tell them apart as well."""
MARKERS = ("o", "s", "^", "D", "v", "p", "<", ">", "d", "h")
Say = Callable[["Axes", str], None]
DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (3, 1.5)), (0, (6, 2, 1.5, 2)), (0, (1.2, 1.2)), (0, (9, 3, 3, 3)))
"""Of lines, as matplotlib takes them."""
LIGHTEST = 0.65
"""White in the colour of the first of several layers of one encoder."""
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
    """Give logarithmic axes plain numbers, and let notebooks show the figure.

    With text drawn as it is, `$10^3$` would stand there in full; and a notebook shows by itself only what pyplot made.
    """
    from functools import partial

    from matplotlib.ticker import FuncFormatter, LogFormatter, NullFormatter

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if isinstance(axis.get_major_formatter(), LogFormatter):
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                axis.set_minor_formatter(NullFormatter())
    figure._repr_png_ = partial(_png, figure)  # type: ignore[attr-defined]
    return figure


def _png(figure: Figure) -> bytes:
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=STYLE["figure.dpi"])
    return held.getvalue()


def titled(figure: Figure, result: Result, title: str) -> Figure:
    """Head a figure, and say below it when it is about the embedded world."""
    from .wording import is_microworld

    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    if is_microworld(result):
        said = "microworld: tiny models that learnt from drawings"
        figure.supxlabel(said, x=0.01, ha="left", fontsize=8, color=MUTED)
    return figure


@dataclass(frozen=True)
class Look:
    """How an encoder is drawn: always in this colour, with this marker and these dashes; a random control hollow."""

    colour: str
    marker: str
    dashes: Any
    fill: str

    @property
    def point(self) -> dict[str, Any]:
        """What `plot` takes to draw its markers, and no line."""
        return {"color": self.colour, "marker": self.marker, "mfc": self.fill, "ls": "none"}


def looks_of(encoders: Sequence[str], palette: Sequence[str] = ()) -> dict[str, Look]:
    """The look of each encoder by its place in `palette`, the encoders of the study in their order.

    A random control has colour and marker of the encoder it stands beside, and is hollow. Of one encoder read at
    several layers the first is lightest.
    """
    kinds = list(dict.fromkeys(_kind(encoder) for encoder in [*palette, *encoders]))
    return {one: _look(kinds.index(_kind(one)), is_random(one), _lightness(one, encoders)) for one in encoders}


def _kind(encoder: str) -> str:
    return stem(learnt(encoder))


def _look(place: int, hollow: bool, lightness: float) -> Look:
    from matplotlib.colors import to_hex, to_rgb

    full, dashes = PALETTE[place % len(PALETTE)], DASHES[place % len(DASHES)]
    red, green, blue = (channel + lightness * (1 - channel) for channel in to_rgb(full))
    colour = to_hex((red, green, blue)) if lightness else full
    return Look(colour, MARKERS[place % len(MARKERS)], dashes, "white" if hollow else colour)


def _lightness(encoder: str, encoders: Sequence[str]) -> float:
    """How much white is in it: of the layers of one encoder the last has none and the first `LIGHTEST`."""
    layers = sorted({n for one in encoders if stem(one) == stem(encoder) and (n := layer_of(one)) is not None})
    own = layer_of(encoder)
    return 0.0 if own is None or len(layers) < 2 else LIGHTEST * (1 - layers.index(own) / (len(layers) - 1))


def looks(result: Result) -> dict[str, Look]:
    """The look of each encoder of a result, the same in every figure of a study."""
    return looks_of(result.encoders, result.provenance.get("palette", ()))


def colours(result: Result) -> dict[str, str]:
    """A colour for each encoder of a result, the same in every figure of a study: by its place in the study.

    A random control has that of the encoder it stands beside; draw it hollow. `provenance["palette"]` lists the
    encoders of the study; without it those of the result are counted.
    """
    return {encoder: look.colour for encoder, look in looks(result).items()}


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


def beside_pictures(rows: Sequence[str], pictures: Mapping[str, bytes], height: float, say: Say) -> Figure:
    """Two columns of pictures, each with something beside it.

    Args:
        rows: ids of the pictures, in order.
        pictures: thumbnails of those that were kept.
        height: of a picture with its text, in inches; at least a picture's.
        say: writes what stands beside the picture of a row into axes of its own.
    """
    from matplotlib.figure import Figure

    n = -(-max(len(rows), 1) // 2)
    figure = Figure(figsize=(2 * (PICTURE + TEXT), 0.7 + max(PICTURE, height) * n))
    grid = figure.subplots(n, 4, squeeze=False, width_ratios=(PICTURE, TEXT, PICTURE, TEXT))
    for axes in grid.flat:
        axes.set_axis_off()
    for place, row in enumerate(rows):
        line, column = place % n, 2 * (place // n)
        show_picture(grid[line, column], pictures.get(row))
        say(grid[line, column + 1], row)
    return figure
