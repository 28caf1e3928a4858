"""The sections of many results, drawn by several processes: drawing takes longest of all that a report does."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..processes import usable_cores
from ..progress import progress
from .gather import Broken, Saved
from .sections import Fits, Section, fitted, section

if TYPE_CHECKING:
    import pandas as pd

MANY = 4
"""So many results are drawn by several processes."""

Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]
Curves = tuple[str, "pd.DataFrame", Sequence[str], str]
"""A study, the loss curves of its fits, its encoders in order, and the address of the section."""
Every = tuple[list[Section | Broken], list[Fits]]


def every_section(named: Sequence[tuple[Saved, str]], out: Path, curves: Sequence[Curves], *, quiet: bool) -> Every:
    """The section of each result under its address, or why there is none; and that of each study's fits. In order."""
    work: list[Callable[[], Any]] = [partial(_section, one, out) for one in named]
    work += [partial(fitted, *one, out) for one in curves]
    made = []
    with progress(len(work), "draw figures", unit="section", quiet=quiet, even=False) as bar, _mapping(len(work)) as do:
        for one in do(_call, work):
            made.append(one)
            bar.update()
    return made[: len(named)], made[len(named) :]


def _call(work: Callable[[], Any]) -> Any:
    return work()


def _section(named: tuple[Saved, str], out: Path) -> Section | Broken:
    saved, slug = named
    try:
        return section(saved, slug, out)
    except Exception as error:
        return Broken.by(saved.name, error, saved.folder)


@contextmanager
def _mapping(n: int) -> Iterator[Map]:
    """A `map` over processes for many results; they are forked, for which the main module need not be importable."""
    can_fork = "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"
    if n < MANY or usable_cores() < 2 or not can_fork:
        yield map
        return
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(min(n, usable_cores()), mp_context=context, initializer=_deaf) as pool:
        try:
            yield pool.map
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _deaf() -> None:
    """A process that draws leaves ctrl-C to the one that began it, and tells nobody of its own signals."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
