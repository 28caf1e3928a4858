"""Answers to questions in words: the sentence and the small table that are read first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from concepttransfer.answering import BLIND
from concepttransfer.result import ranking
from concepttransfer.result.ranking import Ranked
from concepttransfer.result.wording import MICROWORLD, is_microworld, percent

if TYPE_CHECKING:
    from ..visual_questions import VisualQuestions

READS_TRUTH = "Answers are cut to as many words as the longest true answer has, which reads the truth."


def sentence(result: VisualQuestions) -> str:
    """For each encoder: accuracy with fewest and most shots, beside chance and the blind; then what was left out."""
    claim = result.accuracy(result.systems[0], result.shots[0])
    start = MICROWORLD if is_microworld(result) else ""
    of = f"of {claim['n']} questions about {claim['n_clusters']} pictures"
    parts = [_of_system(result, system) for system in (result.encoders or result.systems)]
    said = [f"{start}{of}, {'; '.join(parts)}."]
    if BLIND in result.systems and result.encoders:
        levels = [f"{percent(result.accuracy(BLIND, n)['value'])} % {after(n)}" for n in result.shots]
        said.append(f"Without any picture: {', '.join(levels)}.")
    said.append(f"The commonest answer to each type of question: {percent(result.commonest())} %.")
    if result.provenance["truncate"] == "gt-longest":
        said.append(READS_TRUTH)
    if left := result.provenance["questions_left_out"]:
        said.append(f"{left} questions were left out: a picture could not be read, or nobody answered them.")
    return capital(" ".join(said))


def answer(result: VisualQuestions) -> str:
    """With whose pictures most and fewest questions are answered right after most examples, and without any picture."""
    shots = result.shots[-1]
    ranked = Ranked(f"questions answered right {after(shots)}", percent, " %", lambda e: result.accuracy(e, shots))
    said = ranking.answer(result, ranked, rows="questions") if result.encoders else sentence(result)
    if BLIND not in result.systems or not result.encoders:
        return said
    return f"{said} Without any picture: {percent(result.accuracy(BLIND, shots)['value'])} %."


def _of_system(result: VisualQuestions, system: str) -> str:
    shown = dict.fromkeys((result.shots[0], result.shots[-1]))
    parts = [_with_shots(result, system, shots) for shots in shown]
    seeds = result.accuracy(system, result.shots[0])["n_seeds"]
    return f"{system} answers{f' (mean of {seeds} seeds)' if seeds > 1 else ''} {' and '.join(parts)}"


def _with_shots(result: VisualQuestions, system: str, shots: int) -> str:
    claim, blind = result.accuracy(system, shots), result.accuracy(system, shots, against=BLIND)
    interval = f"95 % interval {percent(claim['low'])} to {percent(claim['high'])}, " if pd.notna(claim["low"]) else ""
    said = f"{percent(claim['value'])} % right {after(shots)} ({interval}chance {percent(claim['chance'])}"
    if pd.notna(blind["value"]):
        said += f"; {points(blind['value'])} points against blind{_interval(blind)}"
    whole = result.accuracy(system, shots, whole=True)["value"]
    if round(100 * whole, 1) != round(100 * claim["value"], 1):
        said += f"; whole texts {percent(whole)} %"
    return said + ")"


def _interval(claim: pd.Series[Any]) -> str:
    return f", {points(claim['low'])} to {points(claim['high'])}" if pd.notna(claim["low"]) else ""


def after(shots: int) -> str:
    """So many shots in words."""
    return "without examples" if shots == 0 else f"after {shots} example{'s' * (shots > 1)}"


def points(share: float) -> str:
    """Percentage points with their sign and one decimal; what rounds to nothing has none."""
    return f"{100 * share:+.1f}" if round(100 * share, 1) else "0.0"


def capital(text: str) -> str:
    """The text with a capital at its start."""
    return text[:1].upper() + text[1:]


def headline(result: VisualQuestions) -> pd.DataFrame:
    """A row a system with fewest and with most shots; the commonest answer, which needs neither, stands last."""
    systems = (*result.encoders, *(system for system in result.systems if system == BLIND))
    shown = dict.fromkeys((result.shots[0], result.shots[-1]))
    rows = [_row(result, system, shots) for system in systems for shots in shown]
    rows.append({"encoder": "commonest answer", "accuracy, %": _percent(result.commonest())})
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def _row(result: VisualQuestions, system: str, shots: int) -> dict[str, Any]:
    level, blind = result.accuracy(system, shots), result.accuracy(system, shots, against=BLIND)
    whole = result.accuracy(system, shots, whole=True)["value"]
    interval = f"{percent(level['low'])} to {percent(level['high'])}"
    return {
        "encoder": system,
        "shots": str(shots),
        "questions": str(level["n"]),
        "pictures": str(level["n_clusters"]),
        "accuracy, %": _percent(level["value"]),
        "95 % interval": interval if pd.notna(level["low"]) else None,
        "chance, %": _percent(level["chance"]),
        "against blind, points": f"{points(blind['value'])}{_interval(blind)}" if pd.notna(blind["value"]) else None,
        "whole text, %": _percent(whole) if _is_cut(result) else None,
    }


def _is_cut(result: VisualQuestions) -> bool:
    """Whether the truncation changes any accuracy."""
    return not result.table["accuracy"].equals(result.table["whole"])


def _percent(share: float) -> float:
    return round(100 * share, 1)
