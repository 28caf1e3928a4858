"""The table of a comparison: how high every system is in every measure, on which rung, and between which ranks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from concepttransfer.result import Result

from .claims import Compared
from .given import System, data_of, systems_of
from .printed import printed

COLUMNS = {
    "kind": "string",
    "on": "string",
    "group": "string",
    "measure": "string",
    "study": "string",
    "encoder": "string",
    "supervision": "string",
    "value": "float64",
    "low": "float64",
    "high": "float64",
    "chance": "float64",
    "n": "Int64",
    "n_seeds": "Int64",
    "rank_low": "Int64",
    "rank_high": "Int64",
    "published": "float64",
    "doubt": "string",
}
_TAKEN = ("measure", "group", "value", "low", "high", "chance", "n", "n_seeds")


def others_of(results: Sequence[Result], studies: Sequence[str]) -> list[System]:
    """The systems of results that only stand on the ladder: for each analysis and data name those of one manifest.

    Of several manifests under one name (a trial with few pictures) the one with most encoders, then with most rows.
    """
    by_data: dict[tuple[str, str], dict[Any, list[Result]]] = {}
    for one in results:
        manifests = by_data.setdefault((one.kind, data_of(one)), {})
        manifests.setdefault(one.provenance.get("manifest"), []).append(one)
    found = []
    for manifests in by_data.values():
        every = [systems_of(some, studies) for some in manifests.values()]
        found += sorted(every, key=_size)[-1]
    return found


def _size(systems: Sequence[System]) -> tuple[int, int]:
    """How many encoders, and how many rows, some systems of one manifest have."""
    return len(systems), int(systems[0].result.provenance.get("rows", 0))


def table_of(systems: Sequence[System], others: Sequence[System], done: Sequence[Compared]) -> pd.DataFrame:
    """A row a system and measure: of the systems compared with ranks and printed values, then of the others."""
    rows = [row | _ranks(row, done) for system in systems for row in _with_printed(system)]
    rows += [row for system in others for row in _levels(system)]
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS))


def _levels(system: System) -> Iterator[dict[str, Any]]:
    levels = system.result.levels()
    about = {
        "kind": system.result.kind,
        "on": data_of(system.result),
        "study": system.study,
        "encoder": system.name,
        "supervision": system.supervision,
    }
    for level in levels[levels["system"] == system.encoder].to_dict("records"):
        yield about | {name: level[name] for name in _TAKEN}


def _with_printed(system: System) -> Iterator[dict[str, Any]]:
    """The levels, each with what was printed; what was printed of other groups of rows comes after them."""
    known = {(row["measure"], row["group"]): row for row in printed(system)}
    about: dict[str, Any] = {}
    for row in _levels(system):
        about = row
        yield row | known.pop((row["measure"], row["group"]), {})
    for (measure, group), row in known.items():
        claim = system.result.claim(system.encoder, measure, group=group)
        yield about | {name: claim[name] for name in _TAKEN} | row


def _ranks(row: dict[str, Any], done: Sequence[Compared]) -> dict[str, Any]:
    for one in done:
        if one.rows.paired.measure == row["measure"] and {c.group for c in one.claims} == {row["group"]}:
            place = one.rows.systems.index(row["encoder"])
            if one.best[place] > 0:
                return {"rank_low": int(one.best[place]), "rank_high": int(one.worst[place])}
    return {}


def chances(systems: Sequence[System], measure: str) -> tuple[list[float], str]:
    """The level of each system by chance, and the group of rows under which it stands."""
    levels = [_of(system, measure) for system in systems]
    return [float(level["chance"]) for level in levels], next(
        (str(level["group"]) for level in levels if pd.notna(level["group"])), ""
    )


def _of(system: System, measure: str) -> Any:
    levels = system.result.levels()
    found = levels[(levels["system"] == system.encoder) & (levels["measure"] == measure)]
    return found.iloc[0] if len(found) else pd.Series({"chance": np.nan, "group": None})
