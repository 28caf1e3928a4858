"""What the fits behind captions trained: which parts, how many parameters, on how many captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from concepttransfer.captioning import Captions
from concepttransfer.errors import MismatchError
from concepttransfer.statistics.claims import is_random
from concepttransfer.transfer import Transfer
from concepttransfer.transfer_files import ENCODER, LANGUAGE_MODEL

BLIND = "blind"
COLUMNS = {
    "encoder": "string",
    "trains": "string",
    "parameters": "int64",
    "captions_seen": "Int64",
    "seconds": "float64",
    "seeds": "int64",
}


@dataclass(frozen=True)
class Fit:
    """One system's fits, one a seed.

    Attributes:
        encoder: its name in the study.
        trains: the parts that were trained, in words.
        parameters: how many numbers these are.
        captions_seen: steps times batch; None: it was fitted elsewhere.
        seconds: of one fit, the mean over seeds; NaN: not known.
        seeds: how many.
    """

    encoder: str
    trains: str
    parameters: int
    captions_seen: int | None
    seconds: float
    seeds: int


def fits_of(captions: Sequence[Captions], transfers: Sequence[Transfer]) -> list[Fit]:
    """Of each system whose captions are given, in their order.

    Raises:
        MismatchError: captions whose Transfer is not among those given.
    """
    ids = {one.id for one in transfers}
    for one in captions:
        if one.meta.get("transfer_id") not in ids:
            raise MismatchError(
                f"The captions of {one.encoder} (seed {one.seed}) are by a Transfer that was not given. Give all those "
                "that made the captions."
            )
    made_by = {one.meta["transfer_id"]: one.encoder for one in captions}
    names = dict.fromkeys(one.encoder for one in captions)
    return [_fit(name, [one for one in transfers if made_by.get(one.id) == name]) for name in names]


def table(fits: Sequence[Fit]) -> pd.DataFrame:
    """A row a system."""
    return pd.DataFrame([vars(one) for one in fits]).reindex(columns=list(COLUMNS))


def is_blind(encoder: str) -> bool:
    """Whether a system never saw a picture, by its name: `blind`, `blind-magma` or `magma-blind`."""
    return BLIND in encoder.split("-")


def least(fits: pd.DataFrame) -> str | None:
    """The system with the fewest trained parameters among those that see with an encoder that learnt; the first of
    several; None: there is none.
    """
    seeing = fits[[not (is_blind(name) or is_random(name)) for name in fits["encoder"]]]
    return None if seeing.empty else str(seeing["encoder"].iloc[int(seeing["parameters"].to_numpy().argmin())])


def _fit(encoder: str, transfers: Sequence[Transfer]) -> Fit:
    first, seconds = transfers[0], [one.seconds for one in transfers if one.seconds is not None]
    recipe: dict[str, Any] = first.meta.get("recipe") or {}
    return Fit(
        encoder=encoder,
        trains=", ".join(_parts(first)),
        parameters=first.n_trained,
        captions_seen=recipe["steps"] * recipe["batch_size"] if {"steps", "batch_size"} <= set(recipe) else None,
        seconds=sum(seconds) / len(seconds) if seconds else float("nan"),
        seeds=len(transfers),
    )


def _parts(transfer: Transfer) -> list[str]:
    kind = "linear map" if transfer.kind == "linear" else f"{transfer.kind} mapper"
    parts = [kind, *(["encoder"] if ENCODER in transfer.hashes else [])]
    if transfer.adapters is not None:
        return [*parts, f"adapters in {' and '.join(transfer.adapters['where'])}"]
    return [*parts, *(["language model"] if LANGUAGE_MODEL in transfer.hashes else [])]
