"""Pictures of a data set and all their captions by one CLIP, and nothing else: what retrieval asks for."""

from __future__ import annotations

from dataclasses import dataclass

from .pairs import PairedTowers


@dataclass(frozen=True, eq=False)
class Captioned(PairedTowers):
    """`PairedTowers` without other pairs to fit adapters on, so that none is encoded."""
