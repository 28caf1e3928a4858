"""What was said of each picture, and whether it names the thing that is there: for colours, and for who points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from concepttransfer.captioning import Captions

RIGHT, WRONG, NONE, UNSAID = "right", "wrong", "none named", "no caption"
OUTCOMES = (RIGHT, WRONG, NONE, UNSAID)
"""What a caption may be, in the order of legends."""


def captions_of(captions: Sequence[Captions] | None, encoder: str) -> Mapping[str, str]:
    """The captions of an encoder's first fit, by row; none where there are no captions of it."""
    mine = sorted((one for one in captions or () if one.encoder == encoder), key=lambda one: one.seed)
    return mine[0].texts() if mine else {}


def outcome(said: Sequence[str] | None, truth: str) -> str:
    """Do the concepts that a caption names hold the right one? As `awa-errors` judges it. None: there is no caption."""
    if said is None:
        return UNSAID
    return RIGHT if truth in said else WRONG if said else NONE
