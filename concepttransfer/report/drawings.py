"""A figure on the page, and the same figure as files for print: laid out once, drawn as SVG, PNG and PDF."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .svg import LAID_OUT, inline_svg, prepare, rasterize, settle
from .tables import Download
from .text import size

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

PAGE_INCHES = 7.2
"""The width of a page's text: a wider figure is printed at this width."""
DPI = 300
MOST_IN_A_FILE = 20_000
"""Marks up to which a file is all vectors: it may be larger than the figure is on the page."""


@dataclass(frozen=True)
class Drawn:
    """A figure on the page: its caption, the drawing and its files, or why there is none."""

    caption: str
    svg: str
    failure: str = ""
    files: tuple[Download, ...] = ()


def drawn(
    make: Callable[[], Figure], name: str, *, caption: str, title: str, key: str, folder: Path, page: Path
) -> Drawn:
    """Draw a figure; one that cannot be drawn is said to be so, and the rest of the page does not suffer.

    Args:
        make: gives the figure.
        name: of its files.
        caption: below it.
        title: for those who cannot see it.
        key: makes ids unique in the page.
        folder: of its files.
        page: the folder that their addresses start from.
    """
    try:
        figure = make()
        prepare(figure)
        box = settle(figure)
        files = print_files(figure, box, folder, name, page=page)
        return Drawn(caption, inline_svg(figure, key=key, title=title, description=caption, box=box), "", files)
    except Exception as error:
        return Drawn(caption, "", f"The figure `{name}` could not be drawn: {type(error).__name__}: {error}")


def print_files(figure: Figure, box: Bbox, folder: Path, name: str, *, page: Path) -> tuple[Download, ...]:
    """Write `NAME.png`, 300 dots an inch at the width of a page or less, and `NAME.pdf`; gives links from `page`."""
    import matplotlib

    from ..result.figures import style

    folder.mkdir(parents=True, exist_ok=True)
    rasterize(figure, MOST_IN_A_FILE)
    sharp = DPI * min(1.0, PAGE_INCHES / box.width)
    how: dict[str, dict[str, Any]] = {
        "png": {"dpi": sharp, "pil_kwargs": {"dpi": (DPI, DPI), "compress_level": 1}},
        "pdf": {"dpi": DPI, "metadata": {"CreationDate": None}},
    }
    with warnings.catch_warnings(), style(), matplotlib.rc_context(LAID_OUT | {"pdf.fonttype": 42}):
        warnings.filterwarnings("ignore", message="Glyph|.*missing from.*font")
        for kind, options in how.items():
            figure.savefig(folder / f"{name}.{kind}", format=kind, bbox_inches=box, facecolor="white", **options)
    files = [(kind.upper(), folder / f"{name}.{kind}") for kind in how]
    return tuple(Download(k, quote(f.relative_to(page).as_posix()), size(f.stat().st_size)) for k, f in files)
