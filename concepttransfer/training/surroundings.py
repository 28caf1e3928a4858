"""What every training needs around its loop: processes that fit together, a folder held by one, the same bytes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..errors import BadInputError
from ..processes import count
from ..storage import lock

if TYPE_CHECKING:
    from accelerate import Accelerator


def build_accelerator(trackers: Sequence[str] = (), logs: Path | None = None) -> Accelerator:
    """What knows this process's device and the other processes.

    Args:
        trackers: `tensorboard`, `wandb`, ... as accelerate names them.
        logs: where their files go.

    Raises:
        BadInputError: several processes were started that cannot reach each other.
    """
    from accelerate import Accelerator

    lacking = [name for name in ("LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if count() > 1 and lacking:
        raise BadInputError(
            f"{count()} processes (WORLD_SIZE) fit together only where each can reach the others; "
            f"{', '.join(lacking)} is not set. Start them with `accelerate launch`, or set it (docs/large-data.md)."
        )
    return Accelerator(log_with=list(trackers) or None, project_dir=logs if trackers else None)


@contextlib.contextmanager
def held(accelerator: Accelerator, folder: Path) -> Iterator[None]:
    """The main process holds the folder; the others wait until it does."""
    with lock(folder) if accelerator.is_main_process else contextlib.nullcontext():
        accelerator.wait_for_everyone()
        yield


@contextlib.contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """On a GPU, take the algorithms that give the same bytes twice, where there are any."""
    if device.type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
