"""Prefix lengths in words: the sentence and the small table that are read first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from concepttransfer.result.wording import MICROWORLD, beside, is_microworld, percent

from . import scores as s

if TYPE_CHECKING:
    from ..prefix_length import PrefixLength


def main_measure(result: PrefixLength) -> str:
    """By which length is judged: names right, where classes are known, else CIDEr-D."""
    return s.RIGHT if s.RIGHT in set(result.estimates["measure"]) else s.CIDER


def sentence(result: PrefixLength) -> str:
    """For each mapper the best length on other pictures, beside the same fits on pictures that they learnt from."""
    start = MICROWORLD if is_microworld(result) else ""
    said = "; ".join(_of_mapper(result, mapper) for mapper in result.sweeps)
    n = result.provenance["pictures"]
    return f"{start}of {n} pictures: {said}."


def answer(result: PrefixLength) -> str:
    """The best length of the first few mappers."""
    start = MICROWORLD if is_microworld(result) else ""
    said = "; ".join(_of_mapper(result, mapper, short=True) for mapper in list(result.sweeps)[:3])
    more = f"; and {len(result.sweeps) - 3} more mappers" if len(result.sweeps) > 3 else ""
    text = f"{start}{said}{more}. n = {result.provenance['pictures']} pictures."
    return text[:1].upper() + text[1:]


def best(result: PrefixLength, mapper: str) -> str:
    """The encoder of a mapper that scores highest on other pictures."""
    measure = main_measure(result)
    return max(result.sweeps[mapper], key=lambda one: float(result.claim(one, measure)["value"]))


def _of_mapper(result: PrefixLength, mapper: str, *, short: bool = False) -> str:
    measure, encoders = main_measure(result), result.sweeps[mapper]
    one = best(result, mapper)
    claim, unit = result.claim(one, measure), " % named right" if measure == s.RIGHT else " CIDEr-D × 100"
    among = f", the best of {', '.join(map(str, encoders.values()))}," if len(encoders) > 1 else ""
    said = f"{mapper} with {encoders[one]} soft prompts{among} has {percent(claim['value'])}{unit} "
    said += beside(claim, percent)
    learnt = result.claim(one, measure, group=s.TRAINING)
    if short or pd.isna(learnt["value"]):
        return said
    return f"{said}, and {percent(learnt['value'])} {beside(learnt, percent)} of {learnt['n']} that it learnt from"


def headline(result: PrefixLength) -> pd.DataFrame:
    """A row a mapper and length: scores on other and on training pictures, beside chance, and losses."""
    rows = [_row(result, mapper, one, k) for mapper, each in result.sweeps.items() for one, k in each.items()]
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def _row(result: PrefixLength, mapper: str, encoder: str, k: int) -> dict[str, Any]:
    mine = result.table[result.table["encoder"] == encoder]
    row: dict[str, Any] = {"encoder": mapper, "soft prompts": k, "trained": int(mine["parameters"].iloc[0])}
    for measure, words in ((s.RIGHT, "named right, %"), (s.CIDER, "CIDEr-D × 100")):
        for group in (s.OTHERS, s.TRAINING):
            claim = result.claim(encoder, measure, group=group)
            known = pd.notna(claim["value"])
            row[f"{words}, {group}"] = f"{percent(claim['value'])} ({percent(claim['chance'])})" if known else None
    for group in (s.HELD_OUT, s.TRAINING):
        loss = result.claim(encoder, s.LOSS, group=group)["value"]
        row[f"loss, {group}"] = f"{loss:.3f}" if pd.notna(loss) else None
    return row
