"""How pictures are coloured and marked: by class, category, error or any attribute. Told apart in grey too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from concepttransfer.result.figures import PALETTE

from .groups import CATEGORY, CLASS
from .labels import ERROR, category_codes
from .said import OUTCOMES

if TYPE_CHECKING:
    from concepttransfer.statistics.resampling import Ints

    from ..embedding_map import EmbeddingMap

HAS, LACKS = "#0b4f71", "#c9b458"
OUTCOME_COLOURS = ("#0b6e99", "#e08a2e", "#b9c0c9", "#e6e9ed")
"""Of what captions may be; their lightness rises."""
COLOURS = (*PALETTE, HAS, LACKS, *OUTCOME_COLOURS)
"""All colours of pictures; a look holds the place of one of them."""
MARKERS = (
    ("o", "circle", "●"),
    ("s", "square", "■"),
    ("^", "triangle", "▲"),
    ("D", "diamond", "◆"),
    ("v", "inverted_triangle", "▼"),
    ("P", "plus", "✚"),
    ("X", "x", "✕"),
    ("*", "star", "★"),
    ("h", "hex", "⬢"),
    ("p", "asterisk", "✳"),
    ("<", "circle_cross", "⊕"),
    (">", "square_cross", "⊞"),
    ("8", "circle_x", "⊗"),
    ("H", "square_x", "⊠"),
    ("d", "diamond_cross", "◈"),
    (".", "circle_dot", "◉"),
)
"""Markers in matplotlib, in bokeh, and as a sign in words: the last two look alike."""


@dataclass(frozen=True)
class Looks:
    """How the pictures of one encoder look under one colouring.

    Attributes:
        colours: [n] place of each picture's colour in `COLOURS`.
        markers: [n] place of its marker in `MARKERS`.
        legend: name -> colour and marker, of each look that is there.
    """

    colours: Ints
    markers: Ints
    legend: dict[str, tuple[int, int]]


def colourings(result: EmbeddingMap) -> tuple[str, ...]:
    """All that the pictures of a result can be coloured by."""
    if not result.provenance["classes"]:
        return ()
    return CATEGORY, CLASS, ERROR, *result.provenance["attributes"]


def looks(result: EmbeddingMap, table: pd.DataFrame, colouring: str) -> Looks:
    """The looks of the rows of one encoder under one colouring; all alike where no class is known."""
    known = result.provenance
    if not known["classes"]:
        nothing = np.zeros(len(table), dtype=np.int64)
        return Looks(nothing, nothing, {})
    classes = pd.Index(known["classes"]).get_indexer(table["class"]).astype(np.int64)
    of_class, names = category_codes(known["categories"])
    categories = of_class[classes]
    if colouring == CATEGORY:
        return _by_code(categories, names, markers=categories)
    if colouring == CLASS:
        return _by_code(classes, known["classes"], markers=classes // len(PALETTE))
    first = len(PALETTE)
    if colouring == ERROR:
        codes = np.array([OUTCOMES.index(one) for one in table["named"]], dtype=np.int64)
        legend = {name: (first + 2 + code, 0) for code, name in enumerate(OUTCOMES) if (codes == code).any()}
        return Looks(codes + first + 2, categories % len(MARKERS), legend)
    has = result.arrays["has"][classes, known["attributes"].index(colouring)].astype(np.int64)
    legend = {f"has `{colouring}`": (first, 0), f"lacks `{colouring}`": (first + 1, 0)}
    return Looks(first + 1 - has, categories % len(MARKERS), legend)


def _by_code(codes: Ints, names: tuple[str, ...] | list[str], *, markers: Ints) -> Looks:
    colours, markers = codes % len(PALETTE), markers % len(MARKERS)
    _, first = np.unique(codes, return_index=True)
    return Looks(colours, markers, {names[codes[at]]: (int(colours[at]), int(markers[at])) for at in first})
