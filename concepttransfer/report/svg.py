"""A figure as SVG that may stand inside a page: own ids, nothing loaded, nothing run, heavy parts as pixels."""

from __future__ import annotations

import io
import re
import sys
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .text import printable

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

MOST_MARKS = 2000
"""With more marks than this, a figure's marks are drawn as pixels inside the SVG."""
HEAVY = 200
"""An artist with more marks than this is drawn as pixels first."""
PADDING = 0.04
"""Inches around a figure."""
WIDER = 0.01
"""Share of the width that is added at the right: a browser's letters are not quite as wide as matplotlib's."""

LAID_OUT: dict[Any, Any] = {"figure.autolayout": False, "figure.constrained_layout.use": False}
"""Settings of matplotlib with which a figure that was laid out stays so."""

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_DROPPED = frozenset({"metadata", "style", "script", "foreignObject"})


def inline_svg(figure: Figure, *, key: str, title: str, description: str, box: Bbox | None = None) -> str:
    """Draw `figure` as one `<svg>` element, and let go of it.

    Args:
        figure: what to draw; changed where it has more than 2,000 marks.
        key: makes every id in it unique in the page.
        title: what it shows, for those who cannot see it.
        description: the same at more length.
        box: its part that is drawn, from `settle`; None: it is laid out now.
    """
    if box is None:
        prepare(figure)
        box = settle(figure)
    rasterize(figure)
    root = ElementTree.fromstring(_drawn(figure, key, box))
    _close(figure)
    _clean(root)
    _rename(root, key)
    return _serialized(_titled(root, key, title, description))


def prepare(figure: Figure) -> None:
    """Take out of the figure's texts what no page may hold."""
    for text in figure.findobj(match=_is_text):
        text.set_text(printable(text.get_text()))  # type: ignore[attr-defined]


def settle(figure: Figure) -> Bbox:
    """Lay the figure out, once for all its files, which takes longer than any of them; gives what holds all of it."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.transforms import Bbox

    from ..result.figures import style

    with warnings.catch_warnings(), style():
        warnings.filterwarnings("ignore", message="Glyph|.*missing from.*font")
        canvas = FigureCanvasAgg(figure)
        figure.draw_without_rendering()
        with matplotlib.rc_context(LAID_OUT):
            figure.set_layout_engine(None)  # with "none" it would be drawn once more for each file
        box = figure.get_tightbbox(canvas.get_renderer())  # type: ignore[no-untyped-call]
    return Bbox.from_extents(box.x0 - PADDING, box.y0 - PADDING, box.x1 + PADDING + WIDER * box.width, box.y1 + PADDING)


def rasterize(figure: Figure, most: int = MOST_MARKS) -> int:
    """Mark what is heavy in a figure of more marks than that to be drawn as pixels; gives how many stay vectors."""
    every = [axes for outer in figure.axes for axes in (outer, *outer.child_axes)]
    marks = {artist: count for axes in every for artist in axes.get_children() if (count := _marks(artist, axes))}
    for lightest in (HEAVY, 0):
        if sum(marks.values()) <= most:
            break
        for artist in [artist for artist, count in marks.items() if count > lightest]:
            artist.set_rasterized(True)
            del marks[artist]
    return sum(marks.values())


def _marks(artist: Any, axes: Any) -> int:
    """How many shapes an artist draws; frames, texts and pictures are none."""
    from matplotlib.collections import Collection, QuadMesh
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.spines import Spine

    if isinstance(artist, QuadMesh):
        return int(artist.get_coordinates()[1:, 1:, 0].size)  # type: ignore[index,union-attr]
    if isinstance(artist, Collection):
        return max(len(artist.get_offsets()), len(artist.get_paths()))  # type: ignore[arg-type]
    if isinstance(artist, Line2D):
        return 1 if str(artist.get_marker()).strip().lower() in ("", "none") else len(artist.get_xdata())  # type: ignore[arg-type]
    return int(isinstance(artist, Patch) and not isinstance(artist, Spine) and artist is not axes.patch)


def _is_text(artist: Artist) -> bool:
    from matplotlib.text import Text

    return isinstance(artist, Text)


def _drawn(figure: Figure, key: str, box: Bbox) -> str:
    import matplotlib

    from ..result.figures import style

    page = io.StringIO()
    how: dict[Any, Any] = LAID_OUT | {"svg.fonttype": "none", "svg.hashsalt": key}
    with warnings.catch_warnings(), style(), matplotlib.rc_context(how):
        warnings.filterwarnings("ignore", message="Glyph|.*missing from.*font")
        figure.savefig(page, format="svg", transparent=True, bbox_inches=box, metadata={"Date": None})
    return printable(page.getvalue())


def _close(figure: Figure) -> None:
    """Let pyplot forget the figure, if it was made there."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(figure)


def _parents(root: ElementTree.Element) -> Iterator[tuple[ElementTree.Element, ElementTree.Element]]:
    return ((parent, child) for parent in list(root.iter()) for child in list(parent))


def _clean(root: ElementTree.Element) -> None:
    """Take out what would reach beyond the figure: page-wide styles, metadata, scripts, links elsewhere."""
    for parent, child in _parents(root):
        if child.tag.rpartition("}")[2] in _DROPPED:
            parent.remove(child)
    for element in root.iter():
        for name, value in list(element.attrib.items()):
            plain = name.rpartition("}")[2]
            if plain.startswith("on") or (plain == "href" and not value.startswith(("#", "data:image/"))):
                del element.attrib[name]


def _rename(root: ElementTree.Element, key: str) -> None:
    """Put `key` before every id and every reference to one."""
    for element in root.iter():
        for name, value in element.attrib.items():
            plain = name.rpartition("}")[2]
            if plain == "id":
                element.set(name, f"{key}-{value}")
            elif plain == "href" and value.startswith("#"):
                element.set(name, f"#{key}-{value[1:]}")
            elif "url(#" in value:
                element.set(name, _REFERENCE.sub(rf"url(#{key}-\1)", value))


def _titled(root: ElementTree.Element, key: str, title: str, description: str) -> ElementTree.Element:
    """Give the element a name for screen readers and a width that may shrink."""
    points = float(root.attrib.pop("width", "460pt").removesuffix("pt"))
    root.attrib.pop("height", None)
    root.attrib.pop("version", None)
    root.set("style", f"--natural: {points * 96 / 72:.0f}px; stroke-linejoin: round; stroke-linecap: butt")
    root.set("role", "img")
    root.set("aria-labelledby", f"{key}-title {key}-desc")
    for at, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(f"{{{_SVG}}}{tag}", {"id": f"{key}-{tag}"})
        element.text = printable(text)
        root.insert(at, element)
    return root


def _serialized(root: ElementTree.Element) -> str:
    for prefix, address in (("", _SVG), ("xlink", _XLINK)):
        ElementTree.register_namespace(prefix, address)
    text: Any = ElementTree.tostring(root, encoding="unicode")
    return str(text)
