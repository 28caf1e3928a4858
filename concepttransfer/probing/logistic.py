"""The arithmetic of `probing`: many ridge problems over the same rows, and L-BFGS on all of them in step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..statistics import Floats

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MEMORY = 10
"""Pairs of steps and gradients that L-BFGS keeps."""
ARMIJO, CURVATURE, TRIES = 1e-4, 0.9, 12
"""The Wolfe conditions, and how many lengths of a step are tried."""
UNLIKELY = -60.0
"""The least log probability in a gradient: below it, products become denormal numbers, on which processors are slow."""
SMALL = 1e-4
"""A mean loss below which gains are compared with it, not with the objective: there every row is fitted."""
RANK = {"torch.float32": 1e-7, "torch.float64": 1e-12}
"""Principal axes with less than this share of the largest variance are rounding, and left out."""


class Problems:
    """Ridge problems over the same rows: parameters [r + 1, P, C], P problems of C logits, the last row biases.

    Multinomial: a problem a strength, C classes. Binary: a problem a strength and target, C = 1.
    """

    def __init__(
        self, x: Any, y: Any, strengths: Floats, n_classes: int | None, dtype: torch.dtype, device: torch.device
    ) -> None:
        import torch

        self.k, self.dtype, self.device = len(strengths), dtype, device
        values = torch.as_tensor(np.ascontiguousarray(x), dtype=dtype, device=device)
        self.mean = values.double().mean(0)
        centred = values - self.mean.to(dtype)
        self.axes, variances = _principal(centred)
        ones = torch.ones(len(values), 1, dtype=dtype, device=device)
        self.rows = torch.cat([centred @ self.axes.to(dtype), ones], 1)
        self.binary = y.ndim == 2
        self.m: int = y.shape[1] if self.binary else 1
        self.c: int = 1 if self.binary else int(n_classes or 0)
        self.y = torch.as_tensor(y, device=device).to(dtype if self.binary else torch.int64)
        self.ridge = torch.as_tensor(np.repeat(strengths, self.m), dtype=torch.float64, device=device)
        bound = torch.cat([variances, torch.full((1,), float(len(values)), dtype=torch.float64, device=device)])
        free = torch.cat([torch.ones_like(variances), torch.zeros(1, dtype=torch.float64, device=device)])
        penalty = free[:, None] * self.ridge
        self.scale = (bound[:, None] * (0.25 if self.binary else 0.5) + penalty).rsqrt()
        self.penalty = (penalty * self.scale**2).to(dtype)
        self.scale = self.scale.to(dtype)

    @property
    def n_problems(self) -> int:
        """P."""
        return self.k * self.m

    def logits(self, parameters: Tensor, which: Tensor) -> Tensor:
        """[n, p, C] of the problems `which`, from scaled parameters [r + 1, p, C]."""
        flat = (parameters * self.scale[:, which, None]).flatten(1)
        return (self.rows @ flat).view(-1, len(which), self.c)

    def gradient(self, parameters: Tensor, residuals: Tensor, which: Tensor) -> Tensor:
        """[r + 1, p, C] from probabilities less truth [n, p, C]."""
        steep: Tensor = (self.rows.T @ residuals.flatten(1)).view(-1, len(which), self.c)
        return steep * self.scale[:, which, None] + self.penalty[:, which, None] * parameters

    def losses(self, logits: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
        """Sums of log losses [p] in float64, and probabilities less truth [n, p, C]."""
        import torch

        if self.binary:
            y = self.y[:, which % self.m, None]
            loss = torch.nn.functional.softplus(logits) - y * logits
            return loss.sum((0, 2), dtype=torch.float64), torch.sigmoid(logits) - y
        at = self.y[:, None, None].expand(-1, logits.shape[1], 1)
        log_p = torch.log_softmax(logits, 2)
        loss = -log_p.gather(2, at).sum((0, 2), dtype=torch.float64)
        residuals = log_p.clamp_min_(UNLIKELY).exp_()
        residuals.scatter_add_(2, at, torch.full_like(at, -1, dtype=self.dtype))
        return loss, residuals

    def inward(self, weights: Floats, biases: Floats) -> Tensor:
        """Scaled parameters [r + 1, P, C] of weights [dim, width] and biases [width]: where all strengths begin."""
        import torch

        w = torch.as_tensor(weights, dtype=torch.float64, device=self.device)
        b = torch.as_tensor(biases, dtype=torch.float64, device=self.device) + self.mean @ w
        one = torch.cat([self.axes.T @ w, b[None]]).reshape(-1, self.m, self.c)
        return one.repeat(1, self.k, 1).to(self.dtype) / self.scale[:, :, None]

    def outward(self, parameters: Tensor) -> tuple[Floats, Floats]:
        """Weights [k, dim, width] and biases [k, width] in the units of the features."""
        found = (parameters * self.scale[:, :, None]).double()
        weights, biases = self.axes @ found[:-1].flatten(1), found[-1].flatten()
        biases = biases - self.mean @ weights
        weights = weights.view(-1, self.k, self.m * self.c).transpose(0, 1)
        return weights.cpu().numpy(), biases.reshape(self.k, -1).cpu().numpy()


def _principal(centred: Tensor) -> tuple[Tensor, Tensor]:
    """Axes [dim, r] and sums of squares [r] along them, in float64; those of variance nought are left out."""
    import torch

    n, dim = centred.shape
    wide = dim > n
    gram = (centred @ centred.T if wide else centred.T @ centred).double()
    variances, axes = torch.linalg.eigh(gram)
    kept = variances > RANK[str(centred.dtype)] * variances[-1].clamp_min(1e-300)
    variances, axes = variances[kept], axes[:, kept]
    if wide:
        axes = centred.T.double() @ axes / variances.sqrt()
    return axes, variances


def minimise(problems: Problems, start: Tensor | None, tolerance: float, max_steps: int) -> tuple[Tensor, Floats, int]:
    """L-BFGS on all problems at once; one that is done leaves the batch.

    Returns:
        parameters [r + 1, P, C], objectives [k, m], and how many steps the longest took.
    """
    import torch

    shape = (problems.rows.shape[1], problems.n_problems, problems.c)
    found = torch.zeros(shape, dtype=problems.dtype, device=problems.device) if start is None else start
    values = torch.zeros(problems.n_problems, dtype=torch.float64, device=problems.device)
    state = _State(problems, found)
    n_steps = 0
    while n_steps < max_steps:
        n_steps += 1
        done = state.step(tolerance)
        if bool(done.any()):
            found[:, state.which[done]], values[state.which[done]] = state.at[:, done], state.value[done]
            state.keep(~done)
            if len(state.which) == 0:
                break
    if len(state.which):
        found[:, state.which], values[state.which] = state.at, state.value
    return found, values.reshape(problems.k, problems.m).cpu().numpy(), n_steps


class _State:
    """Where the problems that are still at work stand, and the last pairs of steps and gradients."""

    def __init__(self, problems: Problems, start: Tensor) -> None:
        import torch

        self.problems = problems
        self.which = torch.arange(problems.n_problems, device=problems.device)
        self.at = start.clone()
        self.logits = problems.logits(self.at, self.which)
        loss, residuals = problems.losses(self.logits, self.which)
        self.value = loss + self._ridge(self.at, self.at) / 2
        self.slope = problems.gradient(self.at, residuals, self.which)
        self.calm = torch.zeros(len(self.which), dtype=torch.bool, device=problems.device)
        self.pairs: list[tuple[Tensor, Tensor, Tensor]] = []

    def _ridge(self, a: Tensor, b: Tensor) -> Tensor:
        """The penalty's bilinear form [p], in float64."""
        return (self.problems.penalty[:, self.which, None] * a * b).double().sum((0, 2))

    def keep(self, kept: Tensor) -> None:
        """Go on with these problems only."""
        self.which, self.value, self.calm = self.which[kept], self.value[kept], self.calm[kept]
        self.at, self.slope, self.logits = self.at[:, kept], self.slope[:, kept], self.logits[:, kept]
        self.pairs = [(s[:, kept], y[:, kept], r[kept]) for s, y, r in self.pairs]

    def step(self, tolerance: float) -> Tensor:
        """One step of each; tells which are done [p]."""
        direction = self._direction()
        towards = _dot(self.slope, direction)
        length, value, residuals, logits = self._search(direction, towards)
        better = value < self.value
        length = length * better
        moved = direction * length.to(direction.dtype)[None, :, None]
        self.at = self.at + moved
        self.logits = logits
        slope = self.problems.gradient(self.at, residuals, self.which)
        slope[:, ~better] = self.slope[:, ~better]
        self._remember(moved, slope - self.slope)
        floor = SMALL * len(self.problems.rows)
        gain = (-towards).clamp_min(0)
        calm = gain <= tolerance * value.clamp_min(floor)
        done = (calm & self.calm) | ~better
        self.calm, self.slope = calm, slope
        self.value = value.where(better, self.value)
        return done

    def _direction(self) -> Tensor:
        """Minus the inverse Hessian's estimate times the gradient. Nocedal & Wright 2006, algorithm 7.4."""
        q, kept = self.slope.clone(), []
        for s, y, r in reversed(self.pairs):
            a = r * _dot(s, q)
            q -= a.to(q.dtype)[None, :, None] * y
            kept.append(a)
        if self.pairs:
            s, y, r = self.pairs[-1]
            scale = (1 / (r * _dot(y, y)).clamp_min(1e-300)).where(r > 0, r.new_ones(()))
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

        change = self.problems.logits(direction, self.which)
        linear, square = self._ridge(self.at, direction), self._ridge(direction, direction)
        base = self._ridge(self.at, self.at) / 2
        low, high = torch.zeros_like(towards), torch.full_like(towards, torch.inf)
        low_slope, high_slope = towards, torch.zeros_like(towards)
        length = torch.ones_like(towards)
        for _ in range(TRIES):
            logits = torch.addcmul(self.logits, change, length.to(change.dtype)[None, :, None])
            loss, residuals = self.problems.losses(logits, self.which)
            value = loss + base + length * linear + length**2 * square / 2
            slope = (residuals * change).sum((0, 2), dtype=torch.float64) + linear + length * square
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
    return (a * b).double().sum((0, 2))
