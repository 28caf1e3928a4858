"""What an encoder's fits cost: how many parameters they trained, how many captions they saw, how long they took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import pipeline

if TYPE_CHECKING:
    from ..transfer import Transfer
    from .study import Study

Cost = dict[str, float | int | None]
"""`trained` parameters, `samples` (captions) seen and `seconds`, of one fit; None: not known."""


def fit_costs(study: Study, encoders: Sequence[str]) -> dict[str, Cost]:
    """The cost of one fit of each encoder whose fits are there, with the mean time of its seeds. Nothing is fitted.

    Of an imported projection nobody knows what its fit saw. A fit that came with a study does not tell its time.
    """
    fits = {name: pipeline.transfers_there(study, name) for name in encoders}
    return {name: _cost(transfers) for name, transfers in fits.items() if transfers}


def _cost(transfers: Sequence[Transfer]) -> Cost:
    first = transfers[0]
    recipe: dict[str, Any] = first.meta.get("recipe") or {}
    known = "steps" in recipe and "batch_size" in recipe
    seconds = [one.seconds for one in transfers]
    told = [one for one in seconds if one is not None]
    return {
        "trained": first.n_trained,
        "samples": int(recipe["steps"]) * int(recipe["batch_size"]) if known else None,
        "seconds": sum(told) / len(told) if len(told) == len(seconds) else None,
    }
