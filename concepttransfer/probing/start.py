"""Where fits of many strengths begin: at the best of many scaled solutions by least squares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .logistic import Curvature, Problems

if TYPE_CHECKING:
    from torch import Tensor

ROWS = 2048
"""Rows on which the candidates are compared."""
RIDGES = tuple(10 ** (-step / 2) for step in range(11))
"""Ridges of the candidates, beside the problems' own: as shares of the largest curvature."""
SCALES = tuple(2**step for step in range(6))
"""What each candidate is multiplied by: it is one step of Newton's, and separable classes need many."""


def begin(problems: Problems) -> Tensor:
    """Parameters [r + 1, P, C] where each problem begins.

    One step of Newton's from nought is a ridge regression. At a weak strength it learns the features' smallest
    variances by heart, and undoing that takes many steps: a stronger ridge, scaled, is a better start. So each problem
    takes that of the candidates which has the least objective. They share all products, and few rows judge them.
    """
    import torch

    k, m = problems.k, problems.m
    first = torch.arange(m, device=problems.device)
    origin = problems.origin()
    targets = problems.targets(first)
    _, residuals = problems.losses(origin[-1].expand(problems.n_rows, -1, -1), targets)
    bends, slope = problems.bends(residuals, targets), problems.steepness(residuals)
    ridges = _ridges(problems, bends)
    n = len(ridges)
    candidates = Curvature(problems, bends.repeat(n, 1, 1), ridges.repeat_interleave(m))
    moves = -candidates.solve(slope.repeat(1, n, 1))
    losses = _losses(problems, origin, moves)
    sizes = moves[:-1].square().sum((0, 2), dtype=torch.float64)
    scales = torch.tensor(SCALES, dtype=torch.float64, device=problems.device)
    costs = problems.ridge.view(k, 1, 1, m) / 2 * scales[:, None, None].square() * sizes.view(n, m)
    best = (losses + costs).flatten(1, 2).argmin(1)
    chosen = (best % n) * m + first
    return origin.repeat(1, k, 1) + moves[:, chosen.flatten()] * scales[best // n].flatten().to(moves.dtype)[:, None]


def _ridges(problems: Problems, bends: Tensor) -> Tensor:
    """Of the candidates."""
    import torch

    most = problems.spread[:-1].max() if len(problems.spread) > 1 else problems.spread[-1]
    shares = torch.tensor(RIDGES, dtype=torch.float64, device=problems.device)
    found: Tensor = torch.cat([shares * most * bends.diagonal(dim1=1, dim2=2).max(), problems.ridge])
    return found


def _losses(problems: Problems, origin: Tensor, moves: Tensor) -> Tensor:
    """Sums of losses over all rows [scales, n, m], estimated from some."""
    import torch

    draw = torch.randperm(problems.n_rows, generator=torch.Generator().manual_seed(0))
    some = draw[:ROWS].to(problems.device)
    which = torch.arange(moves.shape[1], device=problems.device) % problems.m
    change = problems.logits(moves, some)
    logits = [origin[-1][which] + scale * change for scale in SCALES]
    targets = problems.targets(torch.arange(problems.m, device=problems.device))[some]
    targets = targets.repeat(1, moves.shape[1] // problems.m, 1)
    losses = torch.stack([problems.losses(one, targets)[0] for one in logits])
    return losses.view(len(SCALES), -1, problems.m) * (problems.n_rows / len(some))
