"""Zero-shot against linear probes in words: the sentence and the small table that are read first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from concepttransfer.result.wording import MICROWORLD, beside, is_microworld, percent
from concepttransfer.statistics.claims import is_random

from .._zero_shot.words import left_out
from . import claims

if TYPE_CHECKING:
    from ..zero_shot_probe import ZeroShotProbe


def points(claim: pd.Series[Any]) -> str:
    """A difference of shares in points, with its interval: `+5.1 points (95 % interval +1.0 to +9.2)`."""
    interval = f" (95 % interval {signed(claim['low'])} to {signed(claim['high'])})" if pd.notna(claim["low"]) else ""
    return f"{signed(claim['value'])} points{interval}"


def signed(share: float) -> str:
    """A share in points with its sign."""
    return f"{100 * share:+.1f}"


def sentence(result: ZeroShotProbe) -> str:
    """For each zero-shot encoder its accuracy, differences from all probes, and where its own probe equals it."""
    parts = [_of_encoder(result, encoder) for encoder in result.zero_shot]
    start = MICROWORLD if is_microworld(result) else ""
    return f"{start}{'; '.join(parts)}.{left_out(result)}"


def answer(result: ZeroShotProbe) -> str:
    """The first encoder that learnt: zero-shot against its own probe and the best other one, and over data sets."""
    encoder = _first(result.zero_shot)
    zero = result.claim(encoder, claims.ZERO_SHOT)
    own = result.claim(encoder, claims.ZERO_SHOT, against=claims.against(encoder))
    start = MICROWORLD if is_microworld(result) else ""
    said = (
        f"{start}{encoder} names {percent(zero['value'])} % of {zero['n']:,} pictures zero-shot {beside(zero, percent)}"
    )
    said += f", {points(own)} from a linear probe on its own features"
    said += _crossing(result, encoder, encoder) + "."
    others = [one for one in result.encoders if one != encoder and not is_random(one)]
    if others:
        best = max(others, key=lambda one: result.claim(one, claims.PROBE)["value"])
        difference = result.claim(encoder, claims.ZERO_SHOT, against=claims.against(best))
        said += f" The best probe on another encoder is that on {best}: zero-shot is {points(difference)} from it."
    if len(result.data) > 1:
        above = sum(result.difference(encoder, encoder, on)["value"] > 0 for on in result.data)
        said += f" Zero-shot is above its own probe on {above} of {len(result.data)} data sets."
    return said + left_out(result)


def _first(encoders: tuple[str, ...]) -> str:
    return next((one for one in encoders if not is_random(one)), encoders[0])


def _of_encoder(result: ZeroShotProbe, encoder: str) -> str:
    """Its probes, and those of the encoders that learnt; a random control's own only."""
    zero = result.claim(encoder, claims.ZERO_SHOT)
    said = f"{encoder} names {percent(zero['value'])} % of {zero['n']} pictures zero-shot {beside(zero, percent)}"
    for probed in result.encoders:
        if probed != encoder and (is_random(probed) or is_random(encoder)):
            continue
        probe = result.claim(probed, claims.PROBE)
        difference = result.claim(encoder, claims.ZERO_SHOT, against=claims.against(probed))
        own = "its own features" if probed == encoder else probed
        said += f"; {points(difference)} from a probe on {own}, which reads {percent(probe['value'])} %"
        said += _crossing(result, encoder, probed)
    return said


def _crossing(result: ZeroShotProbe, encoder: str, probed: str) -> str:
    found = result.crossing(encoder, probed)
    return f", equal with {found} training pictures of a class" if found else ""


def headline(result: ZeroShotProbe) -> pd.DataFrame:
    """A row a zero-shot encoder and probe, for the data asked about."""
    rows = [_row(result, a, b) for a in result.zero_shot for b in result.encoders]
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def _row(result: ZeroShotProbe, encoder: str, probed: str) -> dict[str, Any]:
    zero, probe = result.claim(encoder, claims.ZERO_SHOT), result.claim(probed, claims.PROBE)
    return {
        "zero-shot": encoder,
        "probe on": probed,
        "pictures": int(zero["n"]),
        "zero-shot, %": round(100 * zero["value"], 1),
        "probe, %": round(100 * probe["value"], 1),
        "chance, %": round(100 * probe["chance"], 1),
        "difference": points(result.claim(encoder, claims.ZERO_SHOT, against=claims.against(probed))),
        "equal with pictures of a class": result.crossing(encoder, probed) or None,
    }
