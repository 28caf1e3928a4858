"""L-BFGS on many problems in step, started from a Hessian that is nearly right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..statistics import Floats
from .logistic import Curvature, Problems
from .start import begin

if TYPE_CHECKING:
    from torch import Tensor

MEMORY = 10
"""Pairs of steps and gradients that L-BFGS keeps."""
ARMIJO, CURVATURE, TRIES = 1e-4, 0.5, 12
"""The Wolfe conditions, and how many lengths of a step are tried."""
LEAVING = 0.05
"""Problems that are done leave the batch when they are this share of it; until then they go on, which is no harm."""


def minimise(problems: Problems, start: Tensor | None, tolerance: float, max_steps: int) -> tuple[Tensor, Floats, int]:
    """L-BFGS on all problems at once; one that is done leaves the batch.

    Args:
        problems: what to minimise.
        start: [r + 1, m, C], where all strengths begin; None: at the best of several solutions by least squares, or
            without weights where problems are binary: of these there are many, and comparing costs more than it saves.
        tolerance: a problem is done when what is left to gain, as its curvature says, is less than this share of what
            was gained over no weights.
        max_steps: when to stop at the latest.

    Returns:
        parameters [r + 1, P, C], objectives [k, m], and how many steps the longest took.
    """
    import torch

    if start is None and problems.binary:
        start = problems.origin()
    state = _State(problems, begin(problems) if start is None else start.to(problems.dtype).repeat(1, problems.k, 1))
    found = torch.empty_like(state.at)
    values = torch.empty_like(state.value)
    done = state.done(tolerance)
    for n_steps in range(max_steps + 1):
        if int(done.sum()) >= LEAVING * len(done):
            found[:, state.which[done]], values[state.which[done]] = state.at[:, done], state.value[done]
            state.keep(~done)
        if len(state.which) == 0 or n_steps == max_steps:
            break
        done = ~state.step() | state.done(tolerance)
    found[:, state.which], values[state.which] = state.at, state.value
    return found, values.reshape(problems.k, problems.m).cpu().numpy(), n_steps


class _State:
    """Where the problems that are still at work stand, and the last pairs of steps and gradients."""

    def __init__(self, problems: Problems, start: Tensor) -> None:
        import torch

        self.problems, self.at = problems, start
        self.nought = problems.without_weights()
        self.which = torch.arange(problems.n_problems, device=problems.device)
        self.penalty, self.targets = problems.penalty(self.which), problems.targets(self.which)
        logits = problems.logits(start)
        self.logits, residuals, loss, _ = problems.judge(logits, logits, torch.zeros_like(problems.ridge), self.targets)
        self.value = loss + _dot(self.penalty * start, start) / 2
        self.pairs: list[tuple[Tensor, Tensor, Tensor]] = []
        self.slope: Tensor
        self.curvature: Curvature
        self._bend(residuals)

    def keep(self, kept: Tensor) -> None:
        """Go on with these problems only."""
        self.which, self.value = self.which[kept], self.value[kept]
        self.at, self.slope, self.logits = self.at[:, kept], self.slope[:, kept], self.logits[:, kept]
        self.penalty, self.targets = self.penalty[:, kept], self.targets[:, kept]
        self.pairs = [(s[:, kept], y[:, kept], r[kept]) for s, y, r in self.pairs]
        self.curvature.keep(kept)

    def done(self, tolerance: float) -> Tensor:
        """Which have no more than this share of what they gained left to gain, by Newton's estimate [p]."""
        left = _dot(self.slope, self.curvature.solve(self.slope)) / 2
        return left <= tolerance * (self.nought[self.which % self.problems.m] - self.value).clamp_min(0)

    def step(self) -> Tensor:
        """One step of each; tells which have become better [p]."""
        direction, before = self._direction(), self.slope
        length, value, residuals, logits = self._search(direction, _dot(before, direction))
        better = value < self.value
        moved = direction * (length * better).to(direction.dtype)[None, :, None]
        self.at, self.logits, self.value = self.at + moved, logits, value.where(better, self.value)
        self._bend(residuals)
        self._remember(moved, self.slope - before)
        return better

    def _bend(self, residuals: Tensor) -> None:
        """The gradient and the curvature where each stands."""
        problems = self.problems
        self.slope = problems.steepness(residuals) + self.penalty * self.at
        self.curvature = Curvature(problems, problems.bends(residuals, self.targets), problems.ridge[self.which])

    def _direction(self) -> Tensor:
        """Minus the inverse Hessian's estimate times the gradient. Nocedal & Wright 2006, algorithm 7.4."""
        q, kept = self.slope.clone(), []
        for s, y, r in reversed(self.pairs):
            a = r * _dot(s, q)
            q -= a.to(q.dtype)[None, :, None] * y
            kept.append(a)
        q = self.curvature.solve(q)
        if self.pairs:
            s, y, r = self.pairs[-1]
            scale = (1 / (r * _dot(y, self.curvature.solve(y))).clamp_min(1e-300)).where(r > 0, r.new_ones(()))
            q *= scale.to(q.dtype)[None, :, None]
        for (s, y, r), a in zip(self.pairs, reversed(kept), strict=True):
            q += (a - r * _dot(y, q)).to(q.dtype)[None, :, None] * s
        return -q

    def _remember(self, moved: Tensor, bent: Tensor) -> None:
        """Keep a pair where the curvature along it is positive; elsewhere it counts for nothing."""
        import torch

        along = _dot(moved, bent)
        is_sound = along > 1e-10 * (_dot(moved, moved) * _dot(bent, bent)).sqrt()
        self.pairs.append((moved, bent, torch.where(is_sound, 1 / along, torch.zeros_like(along))))
        self.pairs = self.pairs[-MEMORY:]

    def _search(self, direction: Tensor, towards: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """A step length each that meets the Wolfe conditions: bracketed, then by the secant of the slope."""
        import torch

        change = self.problems.logits(direction)
        linear, square = _dot(self.penalty * self.at, direction), _dot(self.penalty * direction, direction)
        base = _dot(self.penalty * self.at, self.at) / 2
        low, high = torch.zeros_like(towards), torch.full_like(towards, torch.inf)
        low_slope, high_slope = towards, torch.zeros_like(towards)
        length = torch.ones_like(towards)
        for _ in range(TRIES):
            logits, residuals, loss, steep = self.problems.judge(self.logits, change, length, self.targets)
            value = loss + base + length * linear + length**2 * square / 2
            slope = steep + linear + length * square
            rounding = 2e-7 * self.value.abs() if change.dtype == torch.float32 else 0.0
            far = (value > self.value + ARMIJO * length * towards + rounding) | (slope > -CURVATURE * towards)
            short = ~far & (slope < CURVATURE * towards)
            if not bool((far | short).any()):
                break
            high, high_slope = length.where(far, high), slope.where(far, high_slope)
            low, low_slope = length.where(short, low), slope.where(short, low_slope)
            between = low - low_slope * (high - low) / (high_slope - low_slope)
            width = high - low
            between = torch.where(high_slope > 0, between, low + width / 2).clamp(low + 0.1 * width, high - 0.1 * width)
            length = torch.where(far | short, between.where(high.isfinite(), 3 * length), length)
        return length, value, residuals, logits


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """[p] over parameters, in float64."""
    return (a * b).sum((0, 2)).double()
