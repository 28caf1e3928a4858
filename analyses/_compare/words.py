"""A comparison in words: who differs, who can be ranked, and the trend with supervision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from concepttransfer.encoders.spec import RUNGS
from concepttransfer.result.ranking import SURE
from concepttransfer.result.wording import MICROWORLD, beside, is_microworld, two

from .costs import COSTS, beside_costs, costs_known
from .ladder import EVERY, LEARNT, SUPERVISION, about_of, of_study

if TYPE_CHECKING:
    from ..compare import Comparison

UNKNOWN = "The study says of no encoder what language its weights learnt from (`supervision:`), so there is no ladder"


def number(value: float) -> str:
    """Three decimals."""
    return f"{value:.3f}"


def ranks(level: pd.Series[Any]) -> str:
    """`rank 1`, `ranks 2 to 4`, or nothing where none can be told."""
    if pd.isna(level["rank_low"]):
        return ""
    low, high = int(level["rank_low"]), int(level["rank_high"])
    return f"rank {low}" if low == high else f"ranks {low} to {high}"


def in_order(result: Comparison, measure: str) -> list[str]:
    """The systems compared, the highest first; those without a value last."""
    return sorted(
        result.compared, key=lambda system: -np.nan_to_num(result.level(system, measure)["value"], nan=-np.inf)
    )


def sentence(result: Comparison) -> str:
    """For the main measure each system with its ranks; what cannot be ranked; the trend; what printed values are."""
    measure = result.measures[0]
    each = "; ".join(_level(result, system, measure) for system in in_order(result, measure))
    said = f"{_start(result)}{_differ(result, measure)}: {each}. {_unranked(result, measure)}"
    return f"{said} {_ladder(result, measure)}{_printed(result)}{_left_out(result)}"


def answer(result: Comparison) -> str:
    """How many pairs differ, the first and the last, and the trend."""
    measure = result.measures[0]
    ordered = in_order(result, measure)
    first, last = (_level(result, system, measure) for system in (ordered[0], ordered[-1]))
    return f"{_start(result)}{_differ(result, measure)}. First: {first}. Last: {last}. {_ladder(result, measure)}"


def _start(result: Comparison) -> str:
    return MICROWORLD if is_microworld(result) else ""


def _differ(result: Comparison, measure: str) -> str:
    e = result.estimates
    pairs = e[(e["measure"] == result.provenance["between"][measure]) & (e["against"] != SUPERVISION)]
    told = int((pairs["q"] < SURE).sum())
    of = "the only pair" if len(pairs) == 1 else f"{told} of {len(pairs)} pairs"
    verb = "differ" if len(pairs) > 1 else "differs" if told else "does not differ"
    rows = f"{result.provenance['n_rows']:,} rows of `{result.provenance['on']}`"
    return f"by `{measure}`, {of} of {len(result.compared)} encoders {verb} (q < {SURE}) on the same {rows}"


def _level(result: Comparison, system: str, measure: str) -> str:
    level = result.level(system, measure)
    if pd.isna(level["value"]):
        return f"{system} has no value"
    named = f", {ranks(level)}" if ranks(level) else ""
    return f"{system} {number(level['value'])} {beside(level, number)}{named}"


def _unranked(result: Comparison, measure: str) -> str:
    levels = [result.level(system, measure) for system in result.compared]
    if all(pd.isna(level["rank_low"]) for level in levels):
        return "Nothing can be ranked: too few rows for a p."
    n = sum(bool(level["rank_low"] != level["rank_high"]) for level in levels)
    if n == 0:
        return "Every encoder can be ranked."
    return f"{n} of {len(levels)} cannot be ranked: encoders whose ranks overlap cannot be told apart."


def _ladder(result: Comparison, measure: str) -> str:
    said = []
    for system, words in ((EVERY, "encoders"), (LEARNT, "encoders without random weights")):
        for study in studies_of(result):
            claim = trend_of(result, system, study, measure, result.level(result.compared[0], measure))
            if pd.notna(claim["value"]):
                p = f", p {claim['p']:.2g}" if pd.notna(claim["p"]) else ", too few for a p"
                of = f" of {study}" if len(studies_of(result)) > 1 else ""
                said.append(f"{two(claim['value'])} over {claim['n']} {words}{of}{p}")
    if said:
        return f"Kendall's tau with supervision by language ({', '.join(RUNGS)}; chance 0) is {' and '.join(said)}."
    if result.table["supervision"].isna().all():
        return f"{UNKNOWN}."
    return "There is no trend with supervision: all encoders stand on one rung."


def studies_of(result: Comparison) -> list[str]:
    """The studies compared, in the order given."""
    return list(dict.fromkeys(result.table["study"]))


def trend_of(result: Comparison, system: str, study: str, measure: str, level: pd.Series[Any]) -> pd.Series[Any]:
    """The trend of one study in the measure that a row of the table is about; all NaN: none."""
    named = system if len(studies_of(result)) == 1 else of_study(system, study)
    return result.claim(named, measure, against=SUPERVISION, group=about_of(level["kind"], level["on"], level["group"]))


def _printed(result: Comparison) -> str:
    n, doubtful = int(result.table["published"].notna().sum()), int(result.table["doubt"].fillna("").ne("").sum())
    if not n:
        return ""
    return f" Beside {n} values stands what the paper printed{f' ({doubtful} doubtful)' if doubtful else ''}."


def _left_out(result: Comparison) -> str:
    n = result.provenance["rows_left_out"]
    return f" {n} rows are not in all results and are left out." if n else ""


def headline(result: Comparison) -> pd.DataFrame:
    """A row a system, by the main measure from the highest to the lowest."""
    rows = [_row(result, system) for system in in_order(result, result.measures[0])]
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def _row(result: Comparison, system: str) -> dict[str, Any]:
    first = result.level(system, result.measures[0])
    row: dict[str, Any] = {
        "encoder": system,
        "supervision": first["supervision"] if pd.notna(first["supervision"]) else None,
    }
    if costs_known(result):
        row |= {words: _cost(result.cost(system, name)) for name, words in COSTS.items()}
        row |= {"n": first["n"], "seeds": first["n_seeds"]}
    for measure in result.measures:
        row |= _measured(result.level(system, measure), measure)
    for kind, measure in beside_costs(result):
        row |= _measured(result.level(system, measure, kind), measure)
    return row


def _measured(level: pd.Series[Any], measure: str) -> dict[str, Any]:
    """A value with 95 % interval and chance; its ranks; what was printed."""
    doubt = "?" if pd.notna(level["doubt"]) and level["doubt"] else ""
    return {
        measure: _short(level) if pd.notna(level["value"]) else None,
        f"{measure}: rank": ranks(level).removeprefix("ranks ").removeprefix("rank ") or None,
        f"{measure}: published": f"{level['published']:.3g}{doubt}" if pd.notna(level["published"]) else None,
    }


def _short(level: pd.Series[Any]) -> str:
    """As elsewhere, but for the words `95 % interval`: there are many columns."""
    return f"{number(level['value'])} {beside(level, number).replace('95 % interval ', '')}"


def _cost(value: float) -> int | str:
    return "not known" if np.isnan(value) else round(value)
