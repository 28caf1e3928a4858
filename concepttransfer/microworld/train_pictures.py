"""What the trainings of all image encoders share: batches of pictures, the record of the budget, the shipped file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from concepttransfer.microworld.build import Job, Made
from concepttransfer.microworld.networks import normalise
from concepttransfer.microworld.pretraining import Pictures
from concepttransfer.microworld.train_loop import (
    Optimisation,
    Progress,
    Task,
    half_precision,
    train,
    training_flops,
)
from concepttransfer.storage import write_bytes


def shifted(pixels: Tensor, shift: int, key: Sequence[int]) -> Tensor:
    """Pictures as networks read them, `[b,3,96,96]`, all moved by the same few pixels, edges repeated.

    Args:
        pixels: uint8 `[b,96,96,3]`.
        shift: at most so many pixels each way; 0: none.
        key: numbers from which the move is drawn.
    """
    pictures = normalise(pixels).contiguous(memory_format=torch.channels_last)
    if shift == 0:
        return pictures
    down, right = np.random.default_rng([*key, 1]).integers(0, 2 * shift + 1, 2)
    height, width = pictures.shape[-2:]
    wide = nn.functional.pad(pictures, (shift,) * 4, mode="replicate")
    moved = wide[:, :, down : down + height, right : right + width]
    return moved.contiguous(memory_format=torch.channels_last)


def train_on_pictures(task: Task, pictures: Pictures, how: Optimisation, job: Job) -> tuple[Progress, dict[str, Any]]:
    """Train to the end; gives the progress and what `manifest.json` says about the budget."""
    device = torch.device(job.device)
    flops = training_flops(task, device)
    done = train(task, how, job.work / "checkpoint.pt", name=job.name, device=device, quiet=job.quiet)
    facts: dict[str, Any] = {
        "pictures_id": pictures.id,
        "steps": done.step,
        "pictures_seen": done.step * how.batch_size,
        "seconds": round(done.seconds),
        "tera_flops": round(flops * done.step / 1e12),
    }
    return done, facts


def made(job: Job, shipped: nn.Module, done: Progress, facts: dict[str, Any]) -> Made:
    """Write the encoder as float16 safetensors and say what was made."""
    from safetensors.torch import save

    write_bytes(job.out / f"{job.name}.safetensors", save(half_precision(shipped)))
    facts["parameters"] = sum(weight.numel() for weight in shipped.parameters())
    return Made((f"{job.name}.safetensors",), facts, tuple(done.curve))
