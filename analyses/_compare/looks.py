"""How systems are drawn: those of one study as everywhere in that study; of several, a colour a study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concepttransfer.result.figures import DASHES, MARKERS, PALETTE, Look, looks
from concepttransfer.statistics.claims import is_random, learnt

if TYPE_CHECKING:
    from ..compare import Comparison


def looks_of(result: Comparison) -> dict[str, Look]:
    """The look of each system. Of several studies the colour is that of the study, the marker that of its encoder.

    A random control is hollow, beside the marker of the encoder whose control it is.
    """
    systems = list(dict.fromkeys(result.table["encoder"]))
    studies = dict(zip(result.table["encoder"], result.table["study"], strict=True))
    named = list(dict.fromkeys(studies.values()))
    if len(named) < 2:
        return looks(result)
    kinds = {study: list(dict.fromkeys(learnt(one) for one in systems if studies[one] == study)) for study in named}
    found = {}
    for system in systems:
        place, own = named.index(studies[system]), kinds[studies[system]].index(learnt(system))
        colour = PALETTE[place % len(PALETTE)]
        fill = "white" if is_random(system) else colour
        found[system] = Look(colour, MARKERS[own % len(MARKERS)], DASHES[place % len(DASHES)], fill)
    return found
