"""The one loop by which every model of the microworld is trained: a number of steps, resumed where it was killed.

Everything random is drawn anew from seed and step, so that a checkpoint needs no state of a generator but torch's, and
a run that was killed and resumed gives the same bytes as one that was not (same machine, device and threads).
"""

from __future__ import annotations

import io
import math
import time
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from concepttransfer.errors import TrainingError
from concepttransfer.progress import progress
from concepttransfer.storage import write_bytes

CURVE_EVERY = 50
"""Steps that one row of the training curve averages."""
SAVE_SECONDS = 60.0
"""Seconds between two checkpoints."""


@dataclass(frozen=True)
class Optimisation:
    """AdamW with a linear warm-up and a cosine decay.

    Attributes:
        steps: optimiser steps in all.
        batch_size: examples a step.
        lr: peak learning rate.
        warmup_steps: linear rise to the peak.
        min_lr: share of the peak where the decay ends.
        weight_decay: on matrices and kernels; vectors have none.
        beta2: of AdamW; its first is 0.9.
        clip: largest norm of the gradient.
        seed: of the weights, the order of the examples and all else.
    """

    steps: int
    batch_size: int
    lr: float
    warmup_steps: int = 100
    min_lr: float = 0.01
    weight_decay: float = 0.05
    beta2: float = 0.98
    clip: float = 1.0
    seed: int = 0

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        rise = min(1.0, (step + 1) / max(1, self.warmup_steps))
        fall = 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return self.lr * rise * max(self.min_lr, fall)


class Task(Protocol):
    """What is learnt: the module with everything that has weights, and its loss on the batch of a step."""

    module: nn.Module

    def loss(self, step: int, device: torch.device) -> tuple[Tensor, float]:
        """The loss of the batch of `step`, and the share of it that was got right."""


@dataclass
class Progress:
    """How far a training has come: what a checkpoint holds beside weights.

    Attributes:
        step: steps done.
        seconds: time spent, over all runs.
        recent: loss and share right of the steps since the curve's last row.
        curve: rows of (step, loss, share right, learning rate).
    """

    step: int = 0
    seconds: float = 0.0
    recent: list[tuple[float, float]] = field(default_factory=list)
    curve: list[tuple[int, float, float, float]] = field(default_factory=list)


def train(
    task: Task,
    how: Optimisation,
    checkpoint: Path,
    *,
    name: str,
    device: torch.device,
    quiet: bool = False,
) -> Progress:
    """Train `task.module` in place for `how.steps` steps, from `checkpoint` on where there is one.

    Args:
        task: the module, on `device`, and its loss.
        how: budget and learning rates.
        checkpoint: file to resume from and to write about every `SAVE_SECONDS`; it stays when the training has ended.
        name: for the progress bar.
        device: where the module lies. bf16 autocast is used on it.
        quiet: show no progress bar.

    Raises:
        TrainingError: the loss is not finite.
    """
    optimiser = torch.optim.AdamW(_groups(task.module, how), lr=how.lr, betas=(0.9, how.beta2))
    done = _resume(checkpoint, task.module, optimiser)
    bar = progress(how.steps, f"train {name}", unit="step", quiet=quiet, initial=done.step)
    began, saved = time.monotonic() - done.seconds, time.monotonic()
    task.module.train()
    while done.step < how.steps:
        done.recent.append(_step(task, optimiser, how, done.step, device))
        done.step += 1
        done.seconds = time.monotonic() - began
        _log(done, how)
        bar.update()
        if time.monotonic() - saved >= SAVE_SECONDS or done.step == how.steps:
            _save(checkpoint, task.module, optimiser, done)
            saved = time.monotonic()
    bar.close()
    task.module.eval()
    return done


def batch_indices(step: int, batch_size: int, n: int, seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Which of `n` examples make up the batch of a step: epoch after epoch in a new order, `[batch_size]`."""
    places = np.arange(step * batch_size, (step + 1) * batch_size)
    epochs, within = places // n, places % n
    found = np.empty(batch_size, dtype=np.int64)
    for epoch in np.unique(epochs):
        found[epochs == epoch] = _order(seed, int(epoch), n)[within[epochs == epoch]]
    return found


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, n: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.random.default_rng([seed, epoch]).permutation(n)


def half_precision(module: nn.Module) -> dict[str, Tensor]:
    """The weights as they are shipped, on the CPU: float16, whole numbers as they are."""
    state = {name: value.detach().to("cpu") for name, value in module.state_dict().items()}
    return {name: (value.half() if value.is_floating_point() else value).contiguous() for name, value in state.items()}


def training_flops(task: Task, device: torch.device) -> int:
    """Floating-point operations of one step, forward and backward, of products and convolutions: as torch counts."""
    from torch.utils.flop_counter import FlopCounterMode

    kept = {name: value.clone() for name, value in task.module.state_dict().items()}
    with FlopCounterMode(display=False) as counter:
        task.loss(0, device)[0].backward()  # type: ignore[no-untyped-call]
    task.module.load_state_dict(kept)
    task.module.zero_grad(set_to_none=True)
    return int(counter.get_total_flops())


def _groups(module: nn.Module, how: Optimisation) -> list[dict[str, Any]]:
    """Weights with decay and without: vectors (biases, norms, gains) and scalars are not drawn to 0."""
    trained = [weight for weight in module.parameters() if weight.requires_grad]
    return [
        {"params": [weight for weight in trained if weight.ndim > 1], "weight_decay": how.weight_decay},
        {"params": [weight for weight in trained if weight.ndim <= 1], "weight_decay": 0.0},
    ]


def _step(
    task: Task, optimiser: torch.optim.Optimizer, how: Optimisation, step: int, device: torch.device
) -> tuple[float, float]:
    for group in optimiser.param_groups:
        group["lr"] = how.rate(step)
    with torch.autocast(device.type, torch.bfloat16):
        loss, right = task.loss(step, device)
    value = loss.item()
    if not math.isfinite(value):
        raise TrainingError(f"The loss of step {step} is {value}. Lower the learning rate in recipes.yaml.")
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(task.module.parameters(), how.clip)
    optimiser.step()
    return value, right


def _log(done: Progress, how: Optimisation) -> None:
    if len(done.recent) == CURVE_EVERY or done.step == how.steps:
        loss, right = np.mean(done.recent, axis=0)
        done.curve.append((done.step, float(loss), float(right), how.rate(done.step - 1)))
        done.recent = []


def _save(path: Path, module: nn.Module, optimiser: torch.optim.Optimizer, done: Progress) -> None:
    content = io.BytesIO()
    state = {
        "module": module.state_dict(),
        "optimiser": optimiser.state_dict(),
        "generator": torch.get_rng_state(),
        "progress": vars(done),
    }
    torch.save(state, content)
    write_bytes(path, content.getvalue())


def _resume(path: Path, module: nn.Module, optimiser: torch.optim.Optimizer) -> Progress:
    if not path.exists():
        return Progress()
    state = torch.load(path, map_location="cpu", weights_only=True)
    module.load_state_dict(state["module"])
    optimiser.load_state_dict(state["optimiser"])
    torch.set_rng_state(state["generator"])
    return Progress(**state["progress"])
