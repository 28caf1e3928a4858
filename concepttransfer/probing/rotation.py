"""Parameters along the principal axes of the features, where the curvature of a ridge problem is nearly a diagonal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import Tensor

RANK = {"torch.float32": 1e-7, "torch.float64": 1e-12}
"""Principal axes with less than this share of the largest variance are rounding, and left out."""

ROWS = 1024
"""Rows whose logits are computed at a time on a processor, where narrow products are up to half as fast again so."""
BLOCK = 256
"""Columns whose products are computed at a time."""


@dataclass(frozen=True)
class Rotated:
    """Features of n rows and their r principal axes; made once for all fits to the same rows.

    Parameters are weights along the axes and, in the last row, biases at the features' mean: [r + 1, width].

    Attributes:
        rows: [n, q + 1], the last column 1: features less their mean, or, where there are fewer rows than dimensions,
            these along the axes.
        turn: [q, r] from axes to columns of `rows`; None where these are the axes.
        mean: [dim] of the features, in float64.
        axes: [dim, r], in float64.
        variances: [r] sums of squares along them, in float64, ascending.
    """

    rows: Tensor
    turn: Tensor | None
    mean: Tensor
    axes: Tensor
    variances: Tensor

    def logits(self, parameters: Tensor, some: Tensor | None = None) -> Tensor:
        """[n, width] of parameters [r + 1, width]; of some rows only where their places are given."""
        import torch

        if self.turn is not None:
            parameters = torch.cat([self.turn @ parameters[:-1], parameters[-1:]])
        rows = self.rows if some is None else self.rows[some]
        found = torch.empty(len(rows), parameters.shape[1], dtype=rows.dtype, device=rows.device)
        size = ROWS if rows.device.type == "cpu" else len(rows)
        for part in (slice(start, start + size) for start in range(0, len(rows), size)):
            torch.mm(rows[part], parameters, out=found[part])
        return found

    def gather(self, residuals: Tensor) -> Tensor:
        """Sums [r + 1, width] over the rows of residuals [n, width], weighted by the features along the axes."""
        import torch

        found = (residuals.T @ self.rows).T  # a third faster on a processor than `rows.T @ residuals`
        return found if self.turn is None else torch.cat([self.turn.T @ found[:-1], found[-1:]])

    def inward(self, weights: Any, biases: Any) -> Tensor:
        """Parameters [r + 1, width] that give the logits of weights [dim, width] and biases [width], in float64."""
        import torch

        w = torch.as_tensor(weights, dtype=torch.float64, device=self.rows.device)
        b = torch.as_tensor(biases, dtype=torch.float64, device=self.rows.device)
        return torch.cat([self.axes.T @ w, (b + self.mean @ w)[None]])

    def outward(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Weights [dim, width] and biases [width] in the units of the features, in float64."""
        found = parameters.double()
        weights = self.axes @ found[:-1]
        return weights, found[-1] - self.mean @ weights


def rotated(x: Any, dtype: torch.dtype, device: torch.device) -> Rotated:
    """Centre features [n, dim] and find their principal axes. Rows are turned only where that makes them narrower."""
    import torch

    values = torch.as_tensor(np.ascontiguousarray(x), dtype=dtype, device=device)
    n, dim = values.shape
    mean = values.mean(0, dtype=torch.float64)
    rows = torch.ones(n, dim + 1, dtype=dtype, device=device)
    torch.sub(values, mean.to(dtype), out=rows[:, :-1])
    axes, variances = _principal(rows[:, :-1])
    turn = axes.to(dtype)
    if dim <= n:
        return Rotated(rows, turn, mean, axes, variances)
    return Rotated(torch.cat([rows[:, :-1] @ turn, rows[:, -1:]], 1), None, mean, axes, variances)


def _principal(centred: Tensor) -> tuple[Tensor, Tensor]:
    """Axes [dim, r] and sums of squares [r] along them, in float64; those of variance nought are left out."""
    import torch

    wide = centred.shape[1] > len(centred)
    variances, axes = (found.double() for found in torch.linalg.eigh(_gram(centred.T if wide else centred)))
    kept = variances > RANK[str(centred.dtype)] * variances[-1].clamp_min(1e-300)
    variances, axes = variances[kept], axes[:, kept]
    if wide:
        axes = centred.T.double() @ axes / variances.sqrt()
    return axes, variances


def _gram(x: Tensor) -> Tensor:
    """The products of all columns, `x.T @ x`; as it is symmetric, only its lower half is computed."""
    import torch

    found = torch.zeros(x.shape[1], x.shape[1], dtype=x.dtype, device=x.device)
    for start in range(0, len(found), BLOCK):
        end = start + BLOCK
        found[start:end, :end] = x[:, start:end].T @ x[:, :end]
    return found  # `eigh` reads the lower half
