"""Which of the processes that run this command together is this one? As `accelerate launch` or a scheduler tells."""

from __future__ import annotations

import os

_sharing = 1
"""How many processes that were started by one command share this machine's cores with this one, itself included."""


def count() -> int:
    """How many processes run this command together (`WORLD_SIZE`); 1 for a command started by itself."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def index() -> int:
    """Which of them this one is, from 0 (`RANK`)."""
    return int(os.environ.get("RANK", "0"))


def is_main() -> bool:
    """Is this the process that prints, and that writes what only one may write?"""
    return index() == 0


def device_index() -> int:
    """Which of this machine's devices belongs to this process (`LOCAL_RANK`)."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def usable_cores() -> int:
    """How many processor cores this process may use: its share of those that it and its neighbours are given."""
    given = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(given // (int(os.environ.get("LOCAL_WORLD_SIZE", "1")) * _sharing), 1)


def share_cores(n: int) -> None:
    """From now on this process is one of `n` helpers of a command, and uses its share of the cores."""
    global _sharing
    _sharing = n


def place() -> tuple[int, int]:
    """Where this process begins in work that several share: its number and how many there are.

    A task of a SLURM array is a command by itself, but begins elsewhere than its neighbours.
    """
    tasks = int(os.environ.get("SLURM_ARRAY_TASK_COUNT", "1"))
    if count() > 1 or tasks < 2:
        return index(), count()
    first = int(os.environ.get("SLURM_ARRAY_TASK_MIN", "0"))
    return (int(os.environ.get("SLURM_ARRAY_TASK_ID", "0")) - first) % tasks, tasks
