"""What was asked, for the head of the page: the studies, their encoders as figures draw them, and the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..result.figures import Look, looks_of
from .gather import Saved

_SHAPES = {
    "o": '<circle cx="8" cy="8" r="5"/>',
    "s": '<path d="M3 3h10v10h-10z"/>',
    "^": '<path d="M8 2.5 13.5 13h-11z"/>',
    "D": '<path d="M8 1.5 14.5 8 8 14.5 1.5 8z"/>',
    "v": '<path d="M8 13.5 13.5 3h-11z"/>',
    "p": '<path d="M8 2.2 13.7 6.3 11.5 13h-7L2.3 6.3z"/>',
    "d": '<path d="M8 1.5 12 8 8 14.5 4 8z"/>',
    "<": '<path d="M2.5 8 13 2.5v11z"/>',
    ">": '<path d="M13.5 8 3 2.5v11z"/>',
    "h": '<path d="M8 2 13.2 5v6L8 14 2.8 11V5z"/>',
}
"""The markers of figures, 16 units wide."""


@dataclass(frozen=True)
class Drawing:
    """One encoder: its name, its marker as SVG, and what it is."""

    name: str
    marker: str
    model: str


@dataclass(frozen=True)
class Asked:
    """One study on the page.

    Attributes:
        study: its name.
        title: what its file says of it.
        encoders: with the marker that every figure draws.
        facts: label -> what is known: language model, prompt, data with their rows.
    """

    study: str
    title: str
    encoders: tuple[Drawing, ...]
    facts: dict[str, str]


def asked(shown: Sequence[Saved]) -> list[Asked]:
    """The studies that results on the page are about, in their order."""
    by_study: dict[str, list[dict[str, Any]]] = {}
    for one in shown:
        about = one.result.provenance
        if isinstance(about.get("models"), dict):
            by_study.setdefault(str(about.get("study", "")), []).append(about)
    return [_asked(study, abouts) for study, abouts in by_study.items()]


def _asked(study: str, abouts: Sequence[dict[str, Any]]) -> Asked:
    models = {name: str(model) for about in abouts for name, model in about["models"].items()}
    palette = [str(name) for about in abouts[:1] for name in about.get("palette", ())]
    ordered = sorted(models, key=lambda name: palette.index(name) if name in palette else len(palette))
    looks = looks_of(ordered, palette)
    data = dict.fromkeys(f"{about['on']} ({about['rows']:,} rows)" for about in abouts if "rows" in about)
    facts = {
        "Data": ", ".join(data),
        "Language model": ", ".join(dict.fromkeys(str(about.get("language_model", "")) for about in abouts)),
        "Prompt": ", ".join(dict.fromkeys(f"“{about['prompt']}”" for about in abouts if about.get("prompt"))),
    }
    encoders = tuple(Drawing(name, marker(looks[name]), models[name]) for name in ordered)
    titles = (str(about.get("title", "")) for about in abouts)
    return Asked(study, next(titles, ""), encoders, {name: text for name, text in facts.items() if text})


def marker(look: Look) -> str:
    """An encoder's marker as an `<svg>` that stands in a line of text. Nothing in it comes from data."""
    return (
        f'<svg class="marker" viewBox="0 0 16 16" aria-hidden="true" fill="{look.fill}" stroke="{look.colour}" '
        f'stroke-width="1.6">{_SHAPES[look.marker]}</svg>'
    )
