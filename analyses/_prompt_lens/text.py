"""Prompt-lens in words: the sentence and the small table that are read first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from concepttransfer.result import ranking
from concepttransfer.result.ranking import Ranked
from concepttransfer.result.wording import MICROWORLD, beside, is_microworld, percent, signed, two

from . import estimates as est

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..prompt_lens import PromptLens


def sentence(result: PromptLens) -> str:
    """For each encoder what its prompts are read as, how near they are to words, and what cutting them loses; notes."""
    start = MICROWORLD if is_microworld(result) else ""
    parts = "; ".join(_of_encoder(result, encoder) for encoder in result.encoders)
    return f"{start}{parts}.{''.join(_notes(result))}"


def answer(result: PromptLens) -> str:
    """Whose prompts lie near words that name the class; where no class is known, how near to any word."""
    if pd.notna(result.claim(result.encoders[0], est.CLASS, group=est.NEAREST)["value"]):
        words = "pictures whose class the words nearest to the prompt name"
        ranked = Ranked(words, percent, " %", lambda one: result.claim(one, est.CLASS, group=est.NEAREST))
    else:
        words = "cosine of prompts with the nearest word"
        ranked = Ranked(words, two, "", lambda one: result.claim(one, est.NEAR, group=est.VECTORS))
    return ranking.answer(result, ranked)


def _of_encoder(result: PromptLens, encoder: str) -> str:
    near, length = (result.claim(encoder, m, group=est.VECTORS) for m in (est.NEAR, est.LENGTH))
    seeds = f" (mean of {near['n_seeds']} seeds)" if near["n_seeds"] > 1 else ""
    said = [
        f"{encoder}'s soft prompts of {near['n']} pictures{seeds} are {length['value']:.1f} times as long as words and "
        f"have a cosine of {two(near['value'])} with the nearest one {beside(near, two)}"
    ]
    named = result.claim(encoder, est.CLASS, group=est.NEAREST)
    if pd.notna(named["value"]):
        best, claim = _best_layer(result, encoder)
        said.append(
            f"their nearest words name the class of {percent(named['value'])} % of the pictures "
            f"{beside(named, percent)}, the logit lens behind {best} that of {percent(claim['value'])} % "
            f"{beside(claim, percent)}"
        )
    lost = result.claim(encoder, est.LOST, group=est.CUTS)
    if pd.notna(lost["value"]):
        every = result.claim(encoder, est.LOST_ALL, group=est.CUTS)
        without = f", and without all of them {signed(every['value'])}" if pd.notna(every["value"]) else ""
        said.append(
            f"without one position a caption loses {signed(lost['value'])} nats {beside(lost, signed)}{without}"
        )
    return ", ".join(said)


def _best_layer(result: PromptLens, encoder: str) -> tuple[str, pd.Series[Any]]:
    """The layer that reads most above chance."""
    groups = [est.layer(number) for number in range(result.n_layers + 1)]
    claims = {group: result.claim(encoder, est.CLASS, group=group) for group in groups}
    best = max(groups, key=lambda group: float(claims[group]["value"] - claims[group]["chance"]))
    return best, claims[best]


def _notes(result: PromptLens) -> list[str]:
    about = result.provenance
    notes = []
    if about["positions_read"] < about["positions"]:
        notes.append(f" Of {about['positions']} positions {about['positions_read']} were read.")
    if not about["classes"]:
        notes.append(" The classes of the pictures are not known.")
    elif not (result.estimates.loc[result.estimates["measure"] == est.CLASS, "value"] > 0).any():
        notes.append(
            " No class was read anywhere: the language model may write their names in pieces of a letter or two."
        )
    if not about["references"] and not about["classes"]:
        notes.append(" They have no references either, so that it is not known what a reading should say.")
    return notes


def headline(result: PromptLens) -> pd.DataFrame:
    """A row an encoder: shares in per cent, cosines, lengths and nats, each beside chance where there is one."""
    frame = pd.DataFrame([_row(result, encoder) for encoder in result.encoders])
    return frame.dropna(axis="columns", how="all")


def _row(result: PromptLens, encoder: str) -> dict[str, Any]:
    n = result.claim(encoder, est.NEAR, group=est.VECTORS)["n"]
    last = est.layer(result.n_layers)
    return {
        "encoder": encoder,
        "pictures": n,
        "class in nearest words, % (chance)": _beside(result, encoder, est.CLASS, est.NEAREST, percent),
        "in the last layer, % (chance)": _beside(result, encoder, est.CLASS, last, percent),
        "nearest words true, % (chance)": _beside(result, encoder, est.TRUE, est.NEAREST, percent),
        "length (word: 1)": _value(result, encoder, est.LENGTH, est.VECTORS, two),
        "cosine to nearest (chance)": _beside(result, encoder, est.NEAR, est.VECTORS, two),
        "one position cut, nats": _value(result, encoder, est.LOST, est.CUTS, signed),
        "all cut, nats": _value(result, encoder, est.LOST_ALL, est.CUTS, signed),
    }


def _value(result: PromptLens, encoder: str, measure: str, group: str, show: Callable[[float], str]) -> str | None:
    claim = result.claim(encoder, measure, group=group)
    return show(claim["value"]) if pd.notna(claim["value"]) else None


def _beside(result: PromptLens, encoder: str, measure: str, group: str, show: Callable[[float], str]) -> str | None:
    claim = result.claim(encoder, measure, group=group)
    return f"{show(claim['value'])} ({show(claim['chance'])})" if pd.notna(claim["value"]) else None
