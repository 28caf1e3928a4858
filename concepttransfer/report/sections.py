"""What the page says of one result: its answer, main numbers, figures, and every table as files."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadInputError
from ..result.wording import MICROWORLD
from . import fits
from .drawings import Drawn, drawn
from .gather import Saved
from .tables import Download, Table, downloads, export, table
from .text import paragraphs, printable

if TYPE_CHECKING:
    import pandas as pd

    from ..result.live import Live

ROWS_SHOWN = 100
"""So many measured rows are shown; the files beside the page hold all."""
ESTIMATES_SHOWN = 1000


@dataclass(frozen=True)
class Section:
    """One result on the page.

    Attributes:
        slug: its address in the page and its folders of tables and figures.
        kind: the analysis.
        title: the question that the analysis answers.
        about: label -> what the result is about: analysis, study, data.
        microworld: it was measured in the embedded world.
        answer: the answer in one or two sentences.
        summary: the sentence about every encoder; empty where it is the answer.
        headline: the few numbers that matter.
        live: what answers to the reader's hand.
        exports: its tables for other programs.
        figures: all its figures.
        folded: the other tables.
    """

    slug: str
    kind: str
    title: str
    about: dict[str, str]
    microworld: bool
    answer: str
    summary: str
    headline: Table
    live: Live | None
    exports: tuple[Download, ...]
    figures: tuple[Drawn, ...]
    folded: tuple[Table, ...]


@dataclass(frozen=True)
class Argument:
    """What goes into an analysis: an artifact, or an option with its values here."""

    name: str
    meaning: str
    value: str


@dataclass(frozen=True)
class Method:
    """How one analysis is done: its docstrings, and the options that its results were made with."""

    kind: str
    title: str
    paragraphs: tuple[tuple[bool, str], ...]
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Fits:
    """The loss curves of one study."""

    slug: str
    study: str
    figure: Drawn
    table: Table


def section(saved: Saved, slug: str, out: Path) -> Section:
    """Lay out one result, and write its tables and figures below `out`."""
    result, spec = saved.result, saved.spec
    about = {"Analysis": spec.name, "Study": ", ".join(saved.studies), "Data": ", ".join(saved.data)}
    headline, estimates = result.headline(), result.estimates
    folder = out / "tables" / slug

    def laid_out(frame: pd.DataFrame, name: str, caption: str, most: int) -> Table:
        return table(frame, caption, most=most, downloads=downloads(frame, folder, name, page=out))

    folded = [] if headline.equals(estimates) else [laid_out(estimates, "estimates", "All estimates", ESTIMATES_SHOWN)]
    folded.append(laid_out(result.to_frame(), "table", "Every measured row", ROWS_SHOWN))
    answer, summary = plain(result.answer()), plain(result.summary())
    return Section(
        slug=slug,
        kind=spec.name,
        title=spec.title,
        about={name: text for name, text in about.items() if text},
        microworld=saved.is_microworld,
        answer=answer,
        summary="" if summary == answer else summary,
        headline=laid_out(headline, "headline", "The main numbers", ESTIMATES_SHOWN),
        live=_live(result.live()),
        exports=tuple(export(frame, folder, name, page=out) for name, frame in result.exports().items()),
        figures=tuple(_figure(saved, name, slug, out) for name in result.figures),
        folded=tuple(folded),
    )


def _live(live: Live | None) -> Live | None:
    """Its scripts as a browser reads them, so that their hashes are those of the page.

    Raises:
        BadInputError: a script would end before its end.
    """
    if live is None:
        return None
    scripts = tuple(printable(script.replace("\r\n", "\n")) for script in live.scripts)
    if any("</script" in script.lower() or "<!--" in script for script in scripts):
        raise BadInputError(
            "A script of its live view holds `</script` or `<!--`, which would end it early. Escape it."
        )
    return replace(live, scripts=scripts)


def plain(sentence: str) -> str:
    """A sentence without the words on the microworld: the page says them at its head and beside each section."""
    rest = sentence.removeprefix(MICROWORLD)
    return rest[:1].upper() + rest[1:]


def _figure(saved: Saved, name: str, slug: str, out: Path) -> Drawn:
    method = getattr(type(saved.result), "plot_" + name.replace("-", "_"))
    return drawn(
        partial(saved.result.plot, name),
        name,
        caption=next((text for _, text in paragraphs(method.__doc__)), name),
        title=f"{saved.spec.title} {name}",
        key=f"{slug}-{name}",
        folder=out / "figures" / slug,
        page=out,
    )


def methods(shown: Sequence[Saved]) -> list[Method]:
    """How each analysis on the page is done, once each, in the order of the page."""
    found = []
    for kind in dict.fromkeys(one.spec.name for one in shown):
        mine = [one for one in shown if one.spec.name == kind]
        spec = mine[0].spec
        parts = [part for part in paragraphs(spec.doc) if not part[1].startswith(("Args:", "Raises:"))]
        parts += paragraphs(type(mine[0].result).__doc__)
        found.append(Method(kind, spec.title, tuple(parts), _arguments(spec.doc, mine)))
    return found


def _arguments(doc: str, mine: Sequence[Saved]) -> tuple[Argument, ...]:
    """What the docstring's `Args:` says of each, and the values that options have, those by default too."""
    values: dict[str, dict[str, None]] = {}
    for one in mine:
        known = {option.name: option.default for option in one.spec.options}
        for name, value in (known | (one.result.provenance.get("options") or {})).items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            values.setdefault(name, {})[text or "none"] = None
    listed = next((text for _, text in paragraphs(doc) if text.startswith("Args:")), "")
    said = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", listed, re.MULTILINE)
    return tuple(Argument(name, " ".join(text.split()), ", ".join(values.get(name, ()))) for name, text in said)


def fitted(study: str, frame: pd.DataFrame, palette: Sequence[str], slug: str, out: Path) -> Fits:
    """The loss curves of a study, drawn and as a table."""
    ends = fits.final(frame)
    files = downloads(ends, out / "tables" / slug, "fits", page=out)
    return Fits(
        slug,
        study,
        drawn(
            partial(fits.draw, frame, palette),
            "loss-curves",
            caption=f"Training loss of each fit of {study}, smoothed; one line a seed. Points: loss on rows held out.",
            title="Loss curves",
            key=slug,
            folder=out / "figures" / slug,
            page=out,
        ),
        table(ends, "How each fit ended", most=ESTIMATES_SHOWN, downloads=files),
    )
