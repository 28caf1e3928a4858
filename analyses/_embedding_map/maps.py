"""The figure of the maps: a panel an encoder. It only draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from concepttransfer.result.figures import FAINT, titled

from .looks import COLOURS, MARKERS, Looks, looks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from concepttransfer.statistics import Floats

    from ..embedding_map import EmbeddingMap

SIDE = 2.55
NAME = 0.21
"""Inches of a panel, and of a line of the legend."""
MOST_LEGEND = 60


def maps(result: EmbeddingMap) -> Figure:
    """A panel an encoder, at most three in a line; one legend beside them."""
    from matplotlib.figure import Figure

    encoders = result.encoders
    columns = 2 if len(encoders) == 4 else min(3, len(encoders))
    lines = -(-len(encoders) // columns)
    colour = result.provenance["options"]["colour"]
    tables = {encoder: result.table[result.table["encoder"] == encoder] for encoder in encoders}
    found = {encoder: looks(result, table, colour) for encoder, table in tables.items()}
    legend = {name: look for one in found.values() for name, look in one.legend.items()}
    tall = lines * (SIDE + 0.25) + 0.8
    beside = -(-len(legend) // max(1, int(tall / NAME))) if len(legend) <= MOST_LEGEND else 0
    figure = Figure(figsize=(columns * SIDE + 1.25 * beside, tall))
    grid = figure.subplots(lines, columns, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(encoders):
            axes.set_axis_off()
            continue
        table = tables[encoders[place]]
        _panel(axes, table[["x", "y"]].to_numpy(), found[encoders[place]], encoders[place])
    if beside:
        handles = [_handle(*look) for look in legend.values()]
        names = [name.replace("`", "") for name in legend]
        figure.legend(handles, names, loc="outside right upper", ncols=beside, fontsize=7.5, handletextpad=0.2)
    n = result.provenance["pictures"]
    by = f", coloured by {colour}" if result.provenance["classes"] else ""
    return titled(figure, result, f"{n} pictures by UMAP{by}")


def scaled(places: Floats) -> Floats:
    """[n, 2] the same places within 0 and 1, with one scale for both axes and the middle in the middle."""
    low, high = places.min(0), places.max(0)
    extent = float((high - low).max()) or 1.0
    return np.asarray((places - (low + high) / 2) / extent + 0.5)


def _panel(axes: Axes, places: Floats, mine: Looks, title: str) -> None:
    places = scaled(places)
    size = float(np.clip(12000 / max(len(places), 1), 5, 40))
    for colour, marker in sorted({*zip(mine.colours.tolist(), mine.markers.tolist(), strict=True)}):
        shown = places[(mine.colours == colour) & (mine.markers == marker)]
        axes.scatter(
            shown[:, 0], shown[:, 1], s=size, marker=MARKERS[marker][0], color=COLOURS[colour], alpha=0.75, linewidths=0
        )
    axes.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), aspect="equal", xticks=[], yticks=[])
    axes.set_title(title)
    for spine in axes.spines.values():
        spine.set(visible=True, color=FAINT)


def _handle(colour: int, marker: int) -> Line2D:
    from matplotlib.lines import Line2D

    return Line2D([], [], linestyle="", marker=MARKERS[marker][0], color=COLOURS[colour], markersize=5)
