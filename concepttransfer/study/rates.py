"""How quick each stage was on this machine, remembered so that `--dry-run` can say how long the next one takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..processes import count, is_main
from ..storage import cache_folder, digest, read_json, write_json

if TYPE_CHECKING:
    from .study import Study

FILE = "rates.json"
SHORTEST, FEWEST = 0.5, 50


def _name(stage: str, study: Study, encoder: str) -> str:
    spec = study.encoder_spec(encoder)
    together = [count()] if count() > 1 else []
    what = digest(spec.model, spec.features, study.spec.language_model, study.settings.device, *together)
    return f"{stage}:{encoder}:{what[:8]}"


@contextmanager
def measured(stage: str, study: Study, encoder: str, n: int) -> Iterator[None]:
    """Time the block, which handles `n` pictures or steps, and remember its rate if it was long enough to tell."""
    start = time.perf_counter()
    yield
    seconds = time.perf_counter() - start
    if seconds >= SHORTEST and n >= FEWEST and is_main():
        path = cache_folder() / FILE
        write_json(path, {**_all(), _name(stage, study, encoder): n / seconds})


def seconds(stage: str, study: Study, encoder: str, n: int) -> float | None:
    """How long `n` pictures or steps will take, or None where it was never measured here."""
    rate = _all().get(_name(stage, study, encoder))
    return n / rate if rate else None


def typical(stage: str, n: int) -> float | None:
    """How long `n` pictures or steps take at the middle rate of all encoders measured here; None: of none."""
    found = sorted(rate for name, rate in _all().items() if name.startswith(f"{stage}:"))
    return n / found[len(found) // 2] if found else None


def _all() -> dict[str, float]:
    try:
        found: dict[str, float] = read_json(cache_folder() / FILE)
    except (OSError, ValueError):
        return {}
    return found
