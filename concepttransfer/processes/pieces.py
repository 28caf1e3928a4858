"""Work in pieces that any number of processes share through a folder: each piece is done by one of them at a time.

Which pieces there are is decided before any split, so the outcome does not depend on who does them. A process takes a
piece by locking a file; the lock is freed when the process ends, however it ends, and another one takes the piece. No
process has to know how many others there are, so processes of one `accelerate launch`, tasks of a SLURM array and the
same command in several terminals, now or later, all work on what is missing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LockedError
from .rank import place

if TYPE_CHECKING:
    from filelock import BaseFileLock

POLL = 0.5
"""Seconds between two looks at what others have done, while there is nothing else to do."""


class Pieces:
    """The pieces of one job, each one a file that is there when it is done. On leaving, what is held is given back.

    Attributes:
        missing: numbers of the pieces that were not there when last looked.
    """

    def __init__(self, folder: Path, names: Sequence[str], is_done: Callable[[int], bool]) -> None:
        """Look at nothing yet.

        Args:
            folder: which all processes see; it is there.
            names: of the pieces' files in it.
            is_done: whether a piece, given by its number, is whole.
        """
        self.folder, self.names, self.is_done = folder, names, is_done
        self.missing = list(range(len(names)))
        self._locks: dict[int, BaseFileLock] = {}

    def look(self) -> list[int]:
        """The pieces that were done since the last look, by this process or another one."""
        there = {entry.name for entry in os.scandir(self.folder)}
        found = [number for number in self.missing if self.names[number] in there and self.is_done(number)]
        gone = set(found)
        self.missing = [number for number in self.missing if number not in gone]
        return found

    def take(self) -> Iterator[int]:
        """Take missing pieces that are free, one after another, those of this process's own place first."""
        for number in self._order():
            if number in self._locks or not (lock := _locked(self._lock_path(number))):
                continue
            self._locks[number] = lock
            if self.is_done(number):  # since the last look
                self.release(number)
            else:
                yield number

    def release(self, number: int) -> None:
        """Give back a piece, done or not."""
        self._locks.pop(number).release()

    def __enter__(self) -> Pieces:
        return self

    def __exit__(self, *error: object) -> None:
        for number in list(self._locks):
            self.release(number)

    def wait(self) -> None:
        """Let a moment pass in which others may finish or free a piece."""
        time.sleep(POLL)

    def _order(self) -> list[int]:
        """The missing pieces: every n-th, from one's own on; then what others would do last."""
        mine, n = place()
        return sorted(self.missing, key=lambda k: ((k - mine) % n, k if (k - mine) % n == 0 else -k))

    def _lock_path(self, number: int) -> Path:
        return self.folder / f".{self.names[number]}.lock"


def clean(folder: Path) -> None:
    """Remove the locks of pieces that are all done."""
    for path in folder.glob(".*.lock"):
        path.unlink(missing_ok=True)


def in_work(folder: Path) -> bool:
    """Does another process hold a piece of the work on this folder?"""
    locks = [_locked(path) for path in folder.glob(".*.lock")]
    for lock in locks:
        if lock:
            lock.release()
    return not all(locks)


def remove(folder: Path) -> None:
    """Remove a folder of pieces, so that they are made anew.

    Raises:
        LockedError: another process is at work on it.
    """
    if folder.exists():
        if in_work(folder):
            raise LockedError(f"Another process is writing {folder}. Wait until it has ended, or leave out --force.")
        shutil.rmtree(folder)


def _locked(path: Path) -> BaseFileLock | None:
    """The lock, now held by this process; None if another one holds it."""
    import filelock

    lock = filelock.FileLock(path, timeout=0)
    with contextlib.suppress(filelock.Timeout):
        lock.acquire()
        return lock
    return None
