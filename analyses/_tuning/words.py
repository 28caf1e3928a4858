"""Tuning in words: what each system trains and reaches, and what more training is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from concepttransfer.result.ranking import SURE
from concepttransfer.result.wording import MICROWORLD, beside, is_microworld
from concepttransfer.statistics.claims import is_random

from .fits import is_blind

if TYPE_CHECKING:
    from ..tuning import Tuning


def number(value: float) -> str:
    """Three decimals."""
    return f"{value:.3f}"


def count(n: int) -> str:
    """A number of parameters in short: `41 thousand`, `2.3 million`."""
    for size, word in ((10**9, "billion"), (10**6, "million"), (10**3, "thousand")):
        if n >= size:
            return f"{n / size:.3g} {word}"
    return str(n)


def sentence(result: Tuning) -> str:
    """Each system, by rising number of trained parameters: what it trains, the main measure; n."""
    measure = result.measures[0]
    each = "; ".join(_level(result, row, measure) for row in by_parameters(result).to_dict("records"))
    claim = result.claim(result.encoders[0], measure)
    seeds = f", {int(claim['n_seeds'])} seeds" if claim["n_seeds"] > 1 else ""
    said = f"{_start(result)}{measure} by what is trained: {each}. n = {int(claim['n']):,} pictures{seeds}."
    return f"{said}{_buys(result, measure)}{_sees(result, measure)}"


def answer(result: Tuning) -> str:
    """What the best has over the least trained, and what that one has over a blind one."""
    measure = result.measures[0]
    claim = result.claim(result.encoders[0], measure)
    start, n = _start(result), f"n = {int(claim['n']):,} pictures."
    least = result.least
    if least is None:
        return f"{start}nothing that sees with a learnt encoder was fitted. {n}"
    row = result.table[result.table["encoder"] == least].to_dict("records")[0]
    return f"{start}{measure}: {_level(result, row, measure)}.{_buys(result, measure)}{_sees(result, measure)} {n}"


def headline(result: Tuning) -> pd.DataFrame:
    """A row a system, by rising number of trained parameters."""
    return pd.DataFrame([_row(result, row) for row in by_parameters(result).to_dict("records")])


def by_parameters(result: Tuning) -> pd.DataFrame:
    """The table, those that train fewest first, in their order where they train as many."""
    return result.table.sort_values("parameters", kind="stable")


def _start(result: Tuning) -> str:
    return MICROWORLD if is_microworld(result) else ""


def _level(result: Tuning, row: dict[Any, Any], measure: str) -> str:
    claim = result.claim(row["encoder"], measure)
    trained = f"{row['trains']}: {count(row['parameters'])} parameters"
    return f"{row['encoder']} ({trained}) {number(claim['value'])} {beside(claim, number)}"


def _buys(result: Tuning, measure: str) -> str:
    """What the highest of those that train more has over the one that trains least."""
    least, table = result.least, result.table
    if least is None:
        return ""
    fewest = int(table.loc[table["encoder"] == least, "parameters"].iloc[0])
    more = [row["encoder"] for row in table.to_dict("records") if row["parameters"] > fewest]
    more = [name for name in more if not (is_blind(name) or is_random(name))]
    if not more:
        return " Nothing that trains more parameters was fitted."
    best = max(more, key=lambda name: result.claim(name, measure)["value"])
    times = int(table.loc[table["encoder"] == best, "parameters"].iloc[0]) / fewest
    return f" {best}, which trains {times:.3g} times as many parameters, has {over(result, best, measure, least)}."


def _sees(result: Tuning, measure: str) -> str:
    """What the one that trains least has over each blind one."""
    least, blind = result.least, [name for name in result.encoders if is_blind(name)]
    if least is None or not blind:
        return ""
    return " " + " ".join(f"{least} has {over(result, least, measure, name)}." for name in blind)


def over(result: Tuning, system: str, measure: str, other: str) -> str:
    """`.204 more than linear (95 % interval .150 to .258, q < 0.05)`."""
    claim, sign = result.difference(system, measure, other)
    value, ends = sign * claim["value"], sorted(sign * claim[end] for end in ("low", "high"))
    if pd.isna(value):
        return f"nothing to compare with {other}"
    sure = "no p" if pd.isna(claim["q"]) else f"q {'<' if claim['q'] < SURE else '≥'} {SURE}"
    interval = "" if pd.isna(ends[0]) else f"95 % interval of the difference {number(ends[0])} to {number(ends[1])}, "
    return f"{number(abs(value))} {'more' if value >= 0 else 'less'} than {other} ({interval}{sure})"


def _row(result: Tuning, row: dict[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"encoder": row["encoder"], "trains": row["trains"]}
    found["parameters"] = f"{row['parameters']:,}"
    found["captions seen"] = "–" if pd.isna(row["captions_seen"]) else f"{row['captions_seen']:,}"
    found["seconds a fit"] = "–" if pd.isna(row["seconds"]) else f"{row['seconds']:.0f}"
    for measure in result.measures:
        claim = result.claim(row["encoder"], measure)
        found[measure] = f"{number(claim['value'])} ({number(claim['chance'])})"
        found[f"{measure}, 95 % interval"] = f"{number(claim['low'])} to {number(claim['high'])}"
        if result.least is not None:
            found[f"{measure}, over {result.least}"] = _over_least(result, row["encoder"], measure)
    return found


def _over_least(result: Tuning, encoder: str, measure: str) -> str:
    if encoder == result.least:
        return "–"
    claim, sign = result.difference(encoder, measure, str(result.least))
    return f"{sign * claim['value']:+.3f}{'' if pd.isna(claim['q']) or claim['q'] >= SURE else ' *'}"
