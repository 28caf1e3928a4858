"""What systems cost, and which measures of another analysis stand beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from ..compare import Comparison

COSTS = {"trained": "trained parameters", "samples": "captions seen", "seconds": "seconds of a fit"}
"""Each cost of a fit, and how it is told."""
BESIDE = (("caption-scores", "CIDEr-D"), ("caption-scores", "BLEU-4"), ("caption-scores", "CLIPScore"))
"""Measures of other analyses that say how good a system is, where their results were given too."""


def costs_known(result: Comparison) -> bool:
    """Whether anything is known of what any system cost."""
    return any(pd.notna(result.cost(system, name)) for system in result.compared for name in COSTS)


def beside_costs(result: Comparison) -> list[tuple[str, str]]:
    """Analysis and measure of what stands beside the measures compared: where costs are known, and it was measured."""
    if not costs_known(result):
        return []
    there = result.table.loc[result.table["value"].notna(), ["kind", "measure"]]
    known = set(there.itertuples(index=False, name=None))
    return [one for one in BESIDE if one in known and one[0] != result.provenance["of"]]
