"""How well does a linear layer stitch an encoder to the language model? The validation losses of the fits there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .storage import digest

if TYPE_CHECKING:
    from .transfer import Transfer


@dataclass(frozen=True)
class StitchingLoss:
    """The last validation loss of one fit.

    Attributes:
        encoder: its name in the study.
        seed: of the fit.
        loss: negative log-likelihood of a token of held-out captions, in nats.
        n: rows held out.
    """

    encoder: str
    seed: int
    loss: float
    n: int


@dataclass(frozen=True)
class StitchingLosses:
    """Those of several encoders and seeds; `key` names the fits that they were read from."""

    losses: tuple[StitchingLoss, ...]
    key: str

    def of(self, encoder: str) -> list[StitchingLoss]:
        """Those of one encoder, a seed each."""
        return [one for one in self.losses if one.encoder == encoder]


def stitching_losses(transfers: Sequence[Transfer]) -> StitchingLosses | None:
    """Read them from the fits' histories; None where no fit measured one, as none does that was imported."""
    found = []
    for transfer in transfers:
        measured = transfer.history["validation_loss"].dropna()
        if len(measured) and np.isfinite(measured.iloc[-1]):
            rows = int(transfer.meta.get("held_out", 0))
            found.append(StitchingLoss(transfer.encoder, transfer.seed, float(measured.iloc[-1]), rows))
    return StitchingLosses(tuple(found), digest("stitching", [t.id for t in transfers])) if found else None
