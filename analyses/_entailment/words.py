"""Entailment in words: the sentence and the small table that are read first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from concepttransfer.answering import BLIND
from concepttransfer.data.entailment import LABELS
from concepttransfer.result import ranking
from concepttransfer.result.ranking import Ranked
from concepttransfer.result.wording import MICROWORLD, is_microworld, percent

from .._visual_questions.words import after, capital, points
from . import estimates as est
from .hypothesis_only import HYPOTHESIS_ONLY

if TYPE_CHECKING:
    from ..entailment import Entailment


def sentence(result: Entailment) -> str:
    """For each encoder: accuracy with fewest and most shots beside chance; then what sees no premise; then the rest."""
    claim = result.accuracy(result.systems[0], result.shots[0])
    start = MICROWORLD if is_microworld(result) else ""
    of = f"of {claim['n']} pairs with {claim['n_clusters']} premises"
    parts = [_of_system(result, system) for system in (result.encoders or result.systems)]
    said = [f"{start}{of}, {'; '.join(parts)}.", _without_premise(result)]
    if none := result.unanswered():
        said.append(f"No label could be read from {percent(none)} % of the answers, which count as wrong.")
    if left := result.provenance["pairs_left_out"]:
        said.append(f"{left} pairs were left out: a picture could not be read.")
    return capital(" ".join(filter(None, said)))


def answer(result: Entailment) -> str:
    """Whose pictures tell entailment best and worst, and what is told without any premise."""
    if not result.encoders:
        return sentence(result)
    shots = result.shots[0]
    ranked = Ranked(f"pairs judged right {after(shots)}", percent, " %", lambda e: result.accuracy(e, shots))
    return f"{ranking.answer(result, ranked, rows='pairs')} {_without_premise(result)}"


def _without_premise(result: Entailment) -> str:
    shots = result.shots[0]
    words = percent(result.accuracy(HYPOTHESIS_ONLY, shots)["value"])
    told = [f"a bag of the hypothesis' words {words} %"]
    if BLIND in result.systems:
        told.append(f"the language model without any picture {percent(result.accuracy(BLIND, shots)['value'])} %")
    told.append(f"always the commonest label {percent(result.commonest())} %")
    return f"Without the premise: {', '.join(told)}."


def _of_system(result: Entailment, system: str) -> str:
    shown = dict.fromkeys((result.shots[0], result.shots[-1]))
    parts = [_with_shots(result, system, shots) for shots in shown]
    seeds = result.accuracy(system, result.shots[0])["n_seeds"]
    return f"{system} judges{f' (mean of {seeds} seeds)' if seeds > 1 else ''} {' and '.join(parts)}"


def _with_shots(result: Entailment, system: str, shots: int) -> str:
    claim, blind = result.accuracy(system, shots), result.accuracy(system, shots, against=BLIND)
    interval = f"95 % interval {percent(claim['low'])} to {percent(claim['high'])}, " if pd.notna(claim["low"]) else ""
    said = f"{percent(claim['value'])} % right {after(shots)} ({interval}chance {percent(claim['chance'])}"
    if pd.notna(blind["value"]):
        said += f"; {points(blind['value'])} points against blind{_interval(blind)}"
    return said + ")"


def _interval(claim: pd.Series[Any]) -> str:
    return f", {points(claim['low'])} to {points(claim['high'])}" if pd.notna(claim["low"]) else ""


def headline(result: Entailment) -> pd.DataFrame:
    """A row a system with fewest and with most shots; the commonest label stands last."""
    systems = (*result.encoders, *(system for system in result.systems if system not in result.encoders))
    rows = [
        _row(result, system, shots)
        for system in systems
        for shots in dict.fromkeys((result.shots[0], result.shots[-1]))
        if system != HYPOTHESIS_ONLY or shots == result.shots[0]
    ]
    rows.append({"encoder": "commonest label", "accuracy, %": round(100 * result.commonest(), 1)})
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def _row(result: Entailment, system: str, shots: int) -> dict[str, Any]:
    level, blind = result.accuracy(system, shots), result.accuracy(system, shots, against=BLIND)
    recalls = {
        f"{label}, %": round(100 * float(result.accuracy(system, shots, group=est.GOLD + label)["value"]), 1)
        for label in LABELS
    }
    return {
        "encoder": system,
        "shots": str(shots),
        "pairs": str(level["n"]),
        "premises": str(level["n_clusters"]),
        "accuracy, %": round(100 * float(level["value"]), 1),
        "95 % interval": f"{percent(level['low'])} to {percent(level['high'])}" if pd.notna(level["low"]) else None,
        "chance, %": round(100 * float(level["chance"]), 1),
        **recalls,
        "against blind, points": f"{points(blind['value'])}{_interval(blind)}" if pd.notna(blind["value"]) else None,
    }
