"""Under `accelerate launch` there are several processes: which device is ours, and who goes first."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


def count() -> int:
    """How many processes run this command together; 1 without `accelerate launch`."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def device_index() -> int:
    """Which of this machine's devices belongs to this process."""
    return int(os.environ.get("LOCAL_RANK", "0"))


@contextlib.contextmanager
def main_first() -> Iterator[None]:
    """Let the main process do the block first; the others follow and find what it made."""
    if count() == 1:
        yield
        return
    from accelerate import PartialState

    with PartialState().main_process_first():
        yield
