"""The benchmarks by name. Each is a module with `run(size)`, a `FULL` size and a `TINY` one."""

from __future__ import annotations

import importlib

from benchmarks.measure import NotHere
from benchmarks.record import Measurement

NAMES = ("fitting", "token_losses", "captioning", "encoding", "wu_palmer", "linear_probe", "growth", "gpt_j")


def measured(name: str, size: str) -> list[Measurement] | str:
    """What one benchmark measures at the size `FULL` or `TINY`, or why it cannot be run here."""
    module = importlib.import_module(f"benchmarks.{name}")
    try:
        found: list[Measurement] = module.run(getattr(module, size))
    except NotHere as reason:
        return str(reason)
    return found
