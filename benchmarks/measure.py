"""Time and memory of two ways of doing the same work."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PAIRS = 3
"""How often each side runs, by turns. The pair with the median ratio counts."""

REAL = Path(os.environ.get("CONCEPTTRANSFER_REAL", Path(__file__).parents[2] / "shared" / "real"))
"""Real photographs and weights: see docs/real-run.md."""


class NotHere(Exception):
    """This machine lacks what a benchmark needs; it is left out and named."""


class NotTheSame(Exception):
    """The two sides gave different results, so that their times cannot be compared."""


@dataclass(frozen=True)
class Sides:
    """The same work done in two ways.

    Attributes:
        ours, baseline: do all of the work, and give what came of it.
        same: whether two such outcomes are equal, up to rounding.
    """

    ours: Callable[[], Any]
    baseline: Callable[[], Any]
    same: Callable[[Any, Any], bool]


Prepare = Callable[[Any, Path], Sides]
"""From a size and an empty folder to both sides; it can be imported by another process."""


@dataclass(frozen=True)
class Seconds:
    """Of the pair of runs whose ratio is the median."""

    ours: float
    baseline: float


@dataclass(frozen=True)
class Megabytes:
    """Anonymous memory of a process and all below it, each side in a fresh process.

    Attributes:
        ours, baseline: the peak, in MB (10^6 bytes).
        ours_above, baseline_above: how much of it came after everything was loaded.
    """

    ours: float
    baseline: float
    ours_above: float
    baseline_above: float


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that it takes, and what comes of it."""
    gc.collect()
    start = time.perf_counter()
    outcome = work()
    return time.perf_counter() - start, outcome


def seconds(sides: Sides, pairs: int = PAIRS) -> Seconds:
    """Run both sides by turns in this process, so that whatever else the machine does falls on both.

    Raises:
        NotTheSame: their outcomes differ.
    """
    found = []
    for _ in range(pairs):
        (ours, our_outcome), (baseline, usual_outcome) = timed(sides.ours), timed(sides.baseline)
        if not sides.same(our_outcome, usual_outcome):
            raise NotTheSame("Ours and the baseline gave different results.")
        found.append(Seconds(ours, baseline))
    return sorted(found, key=lambda pair: pair.ours / pair.baseline)[len(found) // 2]


def megabytes(prepare: Prepare, size: Any) -> Megabytes:
    """Peak anonymous memory of each side."""
    (ours, ours_before), (baseline, baseline_before) = (in_child(_peak, prepare, size, s) for s in ("ours", "baseline"))
    return Megabytes(ours, baseline, ours - ours_before, baseline - baseline_before)


def in_child(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _peak(prepare: Prepare, size: Any, side: str) -> tuple[float, float]:
    """Peak memory while one side runs, and memory before it did."""
    with TemporaryDirectory() as folder:
        work = getattr(prepare(size, Path(folder)), side)
        gc.collect()
        before = anonymous()
        with peak_memory() as highest:
            work()
    return highest(), before


@contextlib.contextmanager
def peak_memory(interval: float = 0.005) -> Iterator[Callable[[], float]]:
    """Watch the anonymous memory of this process and all below it; gives what tells the peak, in MB."""
    found, done = [anonymous()], threading.Event()

    def watch() -> None:
        while not done.wait(interval):
            found[0] = max(found[0], anonymous())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: found[0]
    finally:
        done.set()
        watcher.join()
        found[0] = max(found[0], anonymous())


def anonymous() -> float:
    """Anonymous memory of this process and all below it, shared pages counted once, in MB."""
    return sum(_anonymous_kb(pid) for pid in _family(os.getpid())) * 1024 / 1e6


def _family(pid: int) -> list[int]:
    below: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            below += map(int, (task / "children").read_text().split())
    return [pid, *(one for child in below for one in _family(child))]


def _anonymous_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended meanwhile
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss_Anon:"))
