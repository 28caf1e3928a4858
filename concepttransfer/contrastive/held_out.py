"""How well do pictures and captions that were held out find each other?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..training.batch_plan import Indices
from .gradient import ContrastiveGradient
from .loss import contrastive_loss


@dataclass(frozen=True)
class HeldOut:
    """Pairs held out, each picture with its first caption, all in one batch.

    Attributes:
        loss: in nats; `ln(n)` at chance.
        to_text: whether each picture's own caption is the nearest, `[n]`.
        to_picture: whether each caption's own picture is the nearest, `[n]`.
    """

    loss: float
    to_text: NDArray[np.bool_]
    to_picture: NDArray[np.bool_]

    def summary(self) -> dict[str, Any]:
        """Loss, and recall at 1 both ways with its 95 % interval over pairs (Wilson); its chance level is `1 / n`."""
        from scipy.stats import binomtest

        n = len(self.to_text)
        found: dict[str, Any] = {"n": n, "chance": 1 / n, "loss": self.loss}
        for name, right in (("to_text", self.to_text), ("to_picture", self.to_picture)):
            interval = binomtest(int(right.sum()), n).proportion_ci(method="wilson")
            found |= {name: float(right.mean()), f"{name}_interval": [float(interval.low), float(interval.high)]}
        return found


@torch.no_grad()
def measure(gradient: ContrastiveGradient, rows: Indices) -> HeldOut:
    """Embed the rows in evaluation mode and let them find each other; the towers are in training mode again after."""
    module = gradient.module
    module.eval()
    try:
        parts = [rows[start : start + gradient.micro_batch] for start in range(0, len(rows), gradient.micro_batch)]
        found = [gradient.embed(loaded) for part in parts if len(loaded := gradient.pairs.shown(part))]
        both = torch.cat(found)
        loss, to_text = contrastive_loss(both[:, 0], both[:, 1], module.logit_scale.exp())
        return HeldOut(loss.item(), _bools(to_text), _bools((both[:, 1] @ both[:, 0].T).argmax(1) == _own(both)))
    finally:
        module.train()


def _own(values: Tensor) -> Tensor:
    return torch.arange(len(values), device=values.device)


def _bools(values: Tensor) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = values.cpu().numpy()
    return found
