"""The map that one can point at: one source of points, whose columns a choice of encoder and colour exchanges."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from concepttransfer.result.explorer import Choice, Explorer
from concepttransfer.result.figures import FAINT, PALETTE
from concepttransfer.result.files import picture_suffix
from concepttransfer.result.wording import two
from concepttransfer.statistics.claims import is_random

from .groups import CATEGORY, CLASS
from .labels import ERROR
from .looks import COLOURS, HAS, LACKS, MARKERS, colourings, looks
from .maps import scaled

if TYPE_CHECKING:
    from ..embedding_map import EmbeddingMap

MOST_POINTS = 2000
"""So many pictures at most are in the page: the first rows, whose classes are in balance."""
NOTHING = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
"""A picture of nothing, where a thumbnail was not kept."""
DOT = MARKERS[0][2]
KINDS = {".png": "image/png", ".jpg": "image/jpeg"}
TOOLTIP = """<div style="display: flex; gap: 8px; max-width: 320px; font: 12px/1.4 sans-serif">
<img src="@picture" alt="" width="64" style="align-self: flex-start">
<span><b>@label</b><br>@caption<br><i>@row</i></span></div>"""


def explorer(result: EmbeddingMap) -> Explorer:
    """All encoders in one figure: choose one of them, and what the colours say."""
    source = _source(result)
    ways = colourings(result)
    known = [one for one in ways if one in (CATEGORY, CLASS, ERROR)]
    choices = [Choice("encoder", "Encoder", {"": result.encoders})]
    columns = {"x": ["x|{encoder}"], "y": ["y|{encoder}"], "caption": ["caption|{encoder}"]}
    if ways:
        choices.append(Choice("colour", "Colour", {"": known, "attribute": [a for a in ways if a not in known]}))
        columns |= {"look": ["look|{colour}|{encoder}", "look|{colour}"], "marker": ["marker|{colour}", "marker"]}
    n = len(source.data["row"])
    of = f" of {result.provenance['pictures']}" if n < result.provenance["pictures"] else ""
    caption = (
        f"{n}{of} pictures by UMAP. Point at one to see it; drag to move, turn the wheel over the map to come nearer."
    )
    return Explorer(
        model=_figure(source),
        caption=caption + " Distances between groups mean little: the numbers here are measured among the features.",
        source=source,
        choices=tuple(choices),
        columns=columns,
        legends=_legends(result, ways),
        legend="{colour}",
        notes=_notes(result, ways),
        note="{encoder}|{colour}" if ways else "",
    )


def _tables(result: EmbeddingMap) -> dict[str, pd.DataFrame]:
    """The first rows of each encoder; the same pictures for all."""
    every = {encoder: result.table[result.table["encoder"] == encoder] for encoder in result.encoders}
    return {encoder: table.iloc[:MOST_POINTS] for encoder, table in every.items()}


def _source(result: EmbeddingMap) -> Any:
    from bokeh.models import ColumnDataSource

    tables = _tables(result)
    first = next(iter(tables.values()))
    data: dict[str, Any] = {
        "row": _words(first["row_id"]),
        "label": _words(first["class"], "class not known"),
        "picture": [_address(result.pictures.get(row)) for row in first["row_id"]],
    }
    for encoder, table in tables.items():
        whole = result.table[result.table["encoder"] == encoder][["x", "y"]].to_numpy()
        x, y = scaled(whole)[: len(table)].T
        data |= {f"x|{encoder}": x.astype(np.float32), f"y|{encoder}": y.astype(np.float32)}
        data[f"caption|{encoder}"] = _words(table["caption"], "")
    data |= _looks(result, tables)
    encoder = result.encoders[0]
    shown = {"x": f"x|{encoder}", "y": f"y|{encoder}", "caption": f"caption|{encoder}"}
    data |= {column: data[name] for column, name in shown.items()}
    return ColumnDataSource(data)


def _looks(result: EmbeddingMap, tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Columns of looks: an error differs between encoders, all else between classes only."""
    first = next(iter(tables.values()))
    ways = colourings(result)
    found = {way: looks(result, first, way) for way in ways or (CATEGORY,)}
    data: dict[str, Any] = {f"look|{way}": one.colours.astype(np.uint8) for way, one in found.items() if way != ERROR}
    if ERROR in ways:
        each = {encoder: looks(result, table, ERROR) for encoder, table in tables.items()}
        data |= {f"look|{ERROR}|{encoder}": one.colours.astype(np.uint8) for encoder, one in each.items()}
    for way in (CLASS, CATEGORY):
        if way in found:
            data[f"marker|{way}"] = [MARKERS[marker][1] for marker in found[way].markers]
    return data | {"look": data[f"look|{CATEGORY}"], "marker": data[f"marker|{CATEGORY}"]}


def _words(texts: Iterable[Any], missing: str = "") -> list[str]:
    return [missing if pd.isna(text) else str(text) for text in texts]


def _address(picture: bytes | None) -> str:
    if picture is None:
        return NOTHING
    kind = KINDS[str(picture_suffix(picture))]
    return f"data:{kind};base64,{base64.b64encode(picture).decode()}"


def _figure(source: Any) -> Any:
    from bokeh.models import HoverTool, LinearColorMapper, Range1d
    from bokeh.plotting import figure

    drawn = figure(
        width=720,
        height=560,
        sizing_mode="scale_width",
        max_width=900,
        x_range=Range1d(start=-0.03, end=1.03),
        y_range=Range1d(start=-0.03, end=1.03),
        match_aspect=True,
        tools="pan,wheel_zoom,box_zoom,reset",
        active_scroll="wheel_zoom",
        toolbar_location="right",
        background_fill_color="white",
        border_fill_color="white",
        outline_line_color=FAINT,
    )
    drawn.toolbar.logo = None
    drawn.axis.visible = False
    drawn.grid.visible = False
    colours: Any = {"field": "look", "transform": LinearColorMapper(palette=COLOURS, low=-0.5, high=len(COLOURS) - 0.5)}
    points = drawn.scatter(
        "x", "y", source=source, marker="marker", size=7, fill_color=colours, line_color=colours, fill_alpha=0.4
    )
    points.hover_glyph = points.glyph.clone(size=13, line_color="black", fill_alpha=1.0)
    drawn.add_tools(HoverTool(renderers=[points], tooltips=TOOLTIP, limit=1, attachment="horizontal"))
    return drawn


def _legends(result: EmbeddingMap, ways: tuple[str, ...]) -> dict[str, list[tuple[str, str, str]]]:
    """Colour, sign and words. Of classes there would be too many: theirs is shown where one points."""
    tables = list(_tables(result).values())
    found = {way: [(HAS, DOT, f"the class has the attribute {way}"), (LACKS, DOT, "it has not")] for way in ways}
    for way in {CATEGORY, ERROR}.intersection(ways):
        every = [looks(result, table, way).legend for table in (tables if way == ERROR else tables[:1])]
        merged = {name: look for one in every for name, look in one.items()}
        found[way] = [(COLOURS[colour], MARKERS[marker][2], name) for name, (colour, marker) in merged.items()]
    if CLASS in found:
        found[CLASS] = [(PALETTE[0], DOT, "each class has a colour and a marker: point at a picture to read its class")]
    return found


def _notes(result: EmbeddingMap, ways: tuple[str, ...]) -> dict[str, str]:
    """Beside each colouring what was measured of it, and its chance."""
    found = {}
    measured = [CLASS, CATEGORY, *result.provenance.get("attributes", ())]
    k = result.provenance["neighbours_looked_at"]
    for number, encoder in enumerate(result.encoders):
        control = ", a random control" if is_random(encoder) else ""
        for way in ways:
            if way == ERROR:
                found[f"{encoder}|{way}"] = _errors(result, encoder, control)
                continue
            value, chance = result.arrays["purity"][number, :, measured.index(way)]
            what = way if way in (CLASS, CATEGORY) else f"side of “{way}”"
            told = f": {two(value)} of the {k} nearest neighbours are of the same {what} (chance {two(chance)})"
            found[f"{encoder}|{way}"] = f"{encoder}{control}{told if np.isfinite(value) else ''}."
    return found


def _errors(result: EmbeddingMap, encoder: str, control: str) -> str:
    mine = result.table[result.table["encoder"] == encoder]["named"]
    told = ", ".join(f"{name} {(mine == name).sum()}" for name in dict.fromkeys(mine))
    return f"{encoder}{control}, what the captions of {len(mine)} pictures name: {told}."
