"""The arithmetic of logistic regression: many ridge problems over the same rows, their losses and their curvature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..statistics import Floats
from .rotation import Rotated

if TYPE_CHECKING:
    from torch import Tensor

UNLIKELY = -60.0
"""The least log probability in a gradient: below it, products become denormal numbers, on which processors are slow."""
AT_A_TIME = {"cpu": 2**19, "cuda": 2**26}
"""Logits whose losses are computed at a time: those that a processor's cache holds, or enough for a GPU."""
RAREST = 1e-7
"""The least share of rows that a class is taken to have where a fit begins: its bias is the logarithm of that."""
FLATTEST = 1e-2
"""Curvatures below this share of a problem's largest count as this share: a step there would be too long."""


class Problems:
    """Ridge problems over the same rows: parameters [r + 1, P, C], P problems of C logits, the last row biases.

    Multinomial: a problem a strength, C classes. Binary: a problem a strength and target, C = 1.

    Args:
        rotated: the rows.
        y: [n] codes of classes, or [n, m] of 0 and 1.
        strengths: [k] of the ridge; P is k, or k * m.
        n_classes: of a multinomial problem.
    """

    def __init__(self, rotated: Rotated, y: Any, strengths: Floats, n_classes: int | None) -> None:
        import torch

        self.rotated, self.n_rows = rotated, len(rotated.rows)
        self.k, self.dtype, self.device = len(strengths), rotated.rows.dtype, rotated.rows.device
        self.binary = y.ndim == 2
        self.m: int = y.shape[1] if self.binary else 1
        self.c: int = 1 if self.binary else int(n_classes or 0)
        self.y = torch.as_tensor(y, device=self.device).to(self.dtype if self.binary else torch.int64)
        self.ridge = torch.as_tensor(np.repeat(strengths, self.m), dtype=torch.float64, device=self.device)
        n = rotated.variances.new_full((1,), float(self.n_rows))
        self.spread = torch.cat([rotated.variances, n])
        self.free = torch.cat([torch.ones_like(rotated.variances), torch.zeros_like(n)])[:, None]

    @property
    def n_problems(self) -> int:
        """P."""
        return self.k * self.m

    def penalty(self, which: Tensor) -> Tensor:
        """The ridge of each parameter [r + 1, p, 1] of the problems `which`; biases have none."""
        return (self.free * self.ridge[which]).to(self.dtype)[:, :, None]

    def logits(self, parameters: Tensor, some: Tensor | None = None) -> Tensor:
        """[n, p, C] from parameters [r + 1, p, C]; of some rows only where their places are given."""
        return self.rotated.logits(parameters.flatten(1), some).view(-1, *parameters.shape[1:])

    def steepness(self, residuals: Tensor) -> Tensor:
        """The gradient of the losses [r + 1, p, C] from probabilities less truth [n, p, C]."""
        return self.rotated.gather(residuals.flatten(1)).reshape(-1, *residuals.shape[1:])

    def origin(self) -> Tensor:
        """Parameters [r + 1, m, C] without weights, with the biases of how often each class, or a 1, occurs."""
        import torch

        often = self.y.sum(0) if self.binary else torch.bincount(self.y, minlength=self.c)
        share = (often.double() / self.n_rows).clamp(RAREST, 1 - RAREST)
        biases = torch.logit(share)[:, None] if self.binary else (share.log() - share.log().mean())[None]
        at = torch.zeros(len(self.spread), self.m, self.c, dtype=self.dtype, device=self.device)
        at[-1] = biases.to(self.dtype)
        return at

    def without_weights(self) -> Tensor:
        """The losses [m] there."""
        import torch

        first = torch.arange(self.m, device=self.device)
        return self.losses(self.origin()[-1].expand(self.n_rows, -1, -1), self.targets(first))[0]

    def targets(self, which: Tensor) -> Tensor:
        """What is true of each row [n, p, 1]: its class, or 0 or 1."""
        return self.y[:, which % self.m, None] if self.binary else self.y[:, None, None].expand(-1, len(which), 1)

    def losses(self, logits: Tensor, targets: Tensor, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Sums of log losses [p] in float64, and probabilities less truth, of logits [n, p, C] of some rows."""
        import torch

        if self.binary:
            loss = torch.nn.functional.softplus(logits).sub_(logits * targets)
            return loss.sum((0, 2)).double(), torch.sigmoid(logits, out=out).sub_(targets)
        log_p = torch.log_softmax(logits, 2)
        loss = -log_p.gather(2, targets).sum((0, 2), dtype=torch.float64)
        residuals = torch.exp(log_p.clamp_min_(UNLIKELY), out=out)
        return loss, residuals.scatter_add_(2, targets, torch.full_like(targets, -1, dtype=self.dtype))

    def judge(self, logits: Tensor, change: Tensor, length: Tensor, targets: Tensor) -> Judged:
        """What comes of steps of these lengths [p] from `logits` along `change`, both [n, p, C]."""
        import torch

        n, p, c = change.shape
        loss, slope = torch.zeros(2, p, dtype=torch.float64, device=self.device)
        reached, residuals = torch.empty_like(change), torch.empty_like(change)
        by = length.to(self.dtype)[None, :, None]
        size = max(1, AT_A_TIME.get(self.device.type, AT_A_TIME["cuda"]) // (p * c))
        for part in (slice(start, start + size) for start in range(0, n, size)):
            torch.addcmul(logits[part], change[part], by, out=reached[part])
            loss += self.losses(reached[part], targets[part], residuals[part])[0]
            slope += (residuals[part] * change[part]).sum((0, 2))
        return reached, residuals, loss, slope

    def bends(self, residuals: Tensor, targets: Tensor) -> Tensor:
        """How the losses bend by the logits, the mean over rows: [p, C, C]."""
        import torch

        if self.binary:
            p = residuals + targets
            return (p - p * p).mean(0).double()[:, :, None]
        p = residuals.scatter_add(2, targets, torch.ones_like(targets, dtype=self.dtype)).transpose(0, 1)
        return torch.diag_embed(p.mean(1)).double() - (p.transpose(1, 2) @ p).double() / self.n_rows


Judged = tuple["Tensor", "Tensor", "Tensor", "Tensor"]
"""Logits and probabilities less truth, both [n, p, C]; sums of losses and their slopes along the step, both [p]."""


class Curvature:
    """The Hessian as a Kronecker product: the rows' sums of squares times the classes' mean curvature, plus the ridge.

    It is exact where all weights are nought, and near the truth where a row's place has little to do with how sure its
    class is (Martens & Grosse 2015, section 3, for the layers of a network). On the principal axes of both factors it
    is a diagonal, whatever the ridge.

    Args:
        problems: whose Hessian it is.
        mean: [p, C, C] of the classes, over the rows.
        ridge: [p] of each.
    """

    def __init__(self, problems: Problems, mean: Tensor, ridge: Tensor) -> None:
        import torch

        bends, turn = torch.linalg.eigh(mean)
        bends = torch.maximum(bends, FLATTEST * bends[:, -1:].clamp_min(1e-12))
        diagonal = problems.spread[:, None, None] * bends + (problems.free * ridge)[:, :, None]
        self.diagonal, self.turn = diagonal.to(problems.dtype), turn.to(problems.dtype)

    def solve(self, slope: Tensor) -> Tensor:
        """The inverse times parameters [r + 1, p, C]."""
        turned = (slope.transpose(0, 1) @ self.turn).transpose(0, 1) / self.diagonal
        found: Tensor = (turned.transpose(0, 1) @ self.turn.transpose(1, 2)).transpose(0, 1)
        return found

    def keep(self, kept: Tensor) -> None:
        """Go on with these problems only."""
        self.diagonal, self.turn = self.diagonal[:, kept], self.turn[kept]
