"""The figure of encoders read at several layers: a map a pair of encoders, layer by layer. It only draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from concepttransfer.result.figures import INK, SEQUENTIAL, titled
from concepttransfer.result.wording import two
from concepttransfer.statistics.claims import AT, layer_of, stem

from . import measures as m

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..similarity import Similarity

MOST = 13
"""Layers along a side that are named and whose values are written; of more, every second or fourth is named."""
DARK = 0.55
"""Above this share of the scale numbers are white."""
OWN = "own"
"""The name of the features that the study reads of an encoder, beside its layers."""


def stems_of(encoders: tuple[str, ...]) -> dict[str, list[str]]:
    """Encoders by what they are without their layer, each in the order of its layers; its own features last."""
    found: dict[str, list[str]] = {}
    for encoder in encoders:
        found.setdefault(stem(encoder), []).append(encoder)
    return {one: sorted(names, key=_depth) for one, names in found.items()}


def has_layers(encoders: tuple[str, ...]) -> bool:
    """Whether an encoder is read at several places."""
    return any(len(names) > 1 for names in stems_of(encoders).values())


def layers(result: Similarity) -> Figure:
    """Debiased CKA of every layer with every other: a map a pair of encoders, one with itself on the diagonal."""
    from matplotlib.figure import Figure

    stems = stems_of(result.encoders)
    n, most = len(stems), max(map(len, stems.values()))
    side = min(4.2, 0.75 + 0.34 * most)
    figure = Figure(figsize=(1.0 + side * n, 1.4 + side * n))
    grid = figure.subplots(n, n, squeeze=False)
    for row, own in enumerate(stems):
        for column, other in enumerate(stems):
            if column > row:
                grid[row, column].set_axis_off()
                continue
            _map(grid[row, column], result, stems[own], stems[other])
            grid[row, column].set_ylabel(f"layer of {own}" if column == 0 else "")
            grid[row, column].set_xlabel(f"layer of {other}" if row == n - 1 else "")
    table = result.table[(result.table["rows"] == "pictures") & (result.table["measure"] == m.CKA)]
    chance = f"chance {two(table['chance'].mean())}, 95 % of permutations {two(table['null_low'].min())} to "
    title = (
        f"Debiased CKA by layer, of {result.provenance['pictures']} pictures\n({chance}{two(table['null_high'].max())})"
    )
    return titled(figure, result, title)


def _map(axes: Axes, result: Similarity, rows: list[str], columns: list[str]) -> None:
    values = [[_value(result, one, other) for other in columns] for one in rows]
    axes.imshow(np.array(values), cmap=SEQUENTIAL, vmin=0, vmax=1, interpolation="nearest")
    for (row, column), value in np.ndenumerate(np.array(values)):
        if max(len(rows), len(columns)) <= MOST and np.isfinite(value):
            said = "1" if rows[row] == columns[column] else two(value)
            axes.text(column, row, said, ha="center", va="center", fontsize=6.4, color="white" if value > DARK else INK)
    for axis, names in ((axes.yaxis, rows), (axes.xaxis, columns)):
        every = -(-len(names) // MOST)
        axis.set_ticks(range(0, len(names), every), [_short(name) for name in names[::every]])
    axes.tick_params(length=0, labelsize=7.5)
    axes.spines[:].set_visible(False)


def _value(result: Similarity, one: str, other: str) -> float:
    return 1.0 if one == other else float(result.between(one, m.CKA, other)["value"])


def _depth(encoder: str) -> tuple[float, str]:
    layer = layer_of(encoder)
    return (np.inf, encoder) if layer is None else (layer, encoder)


def _short(encoder: str) -> str:
    layer = layer_of(encoder)
    return str(layer) if layer is not None else encoder.partition(AT)[2] or OWN
