"""The figure of `prefix-length`: scores and losses over the number of soft prompts, a line a mapper. It only draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from concepttransfer.result.figures import MUTED, Look, looks, titled

from . import scores as s

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..prefix_length import PrefixLength

PANELS = ((s.RIGHT, 100.0, "named right, %"), (s.CIDER, 100.0, "CIDEr-D × 100"), (s.LOSS, 1.0, "loss, nats a token"))
APART = 0.12
"""Mappers stand so far apart about their prefix length, on the axis of powers of two."""
APART_PARTS = 0.05
"""The same of what a mapper learnt from, beside what it did not."""


def sweep(result: PrefixLength) -> Figure:
    """A panel a measure: other pictures solid, training pictures dotted, 95 % intervals, chance grey."""
    from matplotlib.figure import Figure

    panels = [panel for panel in PANELS if panel[0] in set(result.estimates["measure"])]
    figure = Figure(figsize=(2.2 + 2.6 * len(panels), 3.4))
    for axes, (measure, scale, words) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for place, (mapper, encoders) in enumerate(result.sweeps.items()):
            away = 2 ** (APART * (place - (len(result.sweeps) - 1) / 2))
            for group, dashes in ((s.TRAINING, ":"), (s.HELD_OUT if measure == s.LOSS else s.OTHERS, "-")):
                _line(axes, result, encoders, measure, group, scale, away, dashes, mapper)
        _dress(axes, result, measure, scale, words)
    _legend(figure, result)
    n = result.provenance["pictures"]
    trained = result.provenance["training_pictures"]
    of = f"{n} pictures" + (f" and {trained} that were learnt from" if trained else "")
    return titled(figure, result, f"Soft prompts a picture, and how well {of} are captioned")


def _line(
    axes: Axes,
    result: PrefixLength,
    encoders: Mapping[str, int],
    measure: str,
    group: str,
    scale: float,
    away: float,
    dashes: str,
    mapper: str,
) -> None:
    look = looks(result)[next(iter(encoders))]
    claims = {k: result.claim(encoder, measure, group=group) for encoder, k in encoders.items()}
    known = {k: claim for k, claim in claims.items() if pd.notna(claim["value"])}
    if not known:
        return
    x = np.array(list(known)) * away / (2**APART_PARTS if dashes == ":" else 1)
    values, lows, highs = (
        scale * np.array([c[e] for c in known.values()], dtype=float) for e in ("value", "low", "high")
    )
    faint = 0.6 if dashes == ":" else 1.0
    axes.plot(x, values, dashes, color=look.colour, lw=1.4, alpha=faint, zorder=2)
    axes.plot(x, values, **_point(look, dashes), zorder=3)
    axes.vlines(x, lows, highs, color=look.colour, lw=1.2, alpha=faint, zorder=2)


def _point(look: Look, dashes: str) -> dict[str, Any]:
    return look.point | {"ms": 4 if dashes == ":" else 6, "mew": 1.2, "alpha": 0.6 if dashes == ":" else 1.0}


def _dress(axes: Axes, result: PrefixLength, measure: str, scale: float, words: str) -> None:
    lengths = sorted({k for encoders in result.sweeps.values() for k in encoders.values()})
    axes.set_xscale("log", base=2)
    axes.set_xlim(lengths[0] / 1.5, lengths[-1] * 1.5)
    axes.set_xticks(lengths, [str(k) for k in lengths])
    axes.minorticks_off()
    axes.set_xlabel("soft prompts")
    axes.set_title(words)
    axes.grid(axis="y")
    levels = result.estimates[(result.estimates["measure"] == measure) & result.estimates["against"].isna()]
    if levels["chance"].notna().any():
        axes.axhline(scale * levels["chance"].mean(), color=MUTED, lw=1.2, ls=(0, (1, 2)))
        axes.set_ylim(bottom=0)


def _legend(figure: Figure, result: PrefixLength) -> None:
    from matplotlib.lines import Line2D

    made = [
        Line2D([], [], **_point(looks(result)[next(iter(encoders))], "-"), label=mapper)
        for mapper, encoders in result.sweeps.items()
    ]
    named = (("-", "other pictures", "black"), (":", "learnt from", "black"), ((0, (1, 2)), "chance", MUTED))
    made += [Line2D([], [], color=colour, ls=dashes, lw=1.4, label=label) for dashes, label, colour in named]
    figure.legend(handles=made, loc="outside right upper")
