"""Put all that was gathered on one page: sections, figures, tables, definitions, provenance."""

from __future__ import annotations

import base64
import datetime
import hashlib
import inspect
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import storage
from ..errors import BadInputError
from ..provenance import version
from . import fits
from .gather import Broken, Saved, gather, refuse_nothing
from .svg import inline_svg
from .tables import MEANINGS, Table, downloads, table
from .text import paragraphs, printable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

ROWS_SHOWN = 100
"""So many measured rows are shown; the files beside the page hold all."""
ESTIMATES_SHOWN = 1000


@dataclass(frozen=True)
class Drawn:
    """A figure on the page: its caption and the drawing, or why there is none."""

    caption: str
    svg: str
    failure: str = ""


@dataclass(frozen=True)
class Section:
    """One result on the page.

    Attributes:
        slug: its address in the page and its folder of tables.
        title: the question that the analysis answers.
        about: label -> what the result is about: analysis, study, data, date.
        microworld: it was measured in the embedded world.
        summary: the sentence that the result says of itself.
        headline: the few numbers that matter.
        figures: all its figures.
        folded: the other tables.
        definitions: paragraphs: laid out by hand, and text.
        provenance: key -> value as text.
    """

    slug: str
    title: str
    about: dict[str, str]
    microworld: bool
    summary: str
    headline: Table
    figures: tuple[Drawn, ...]
    folded: tuple[Table, ...]
    definitions: tuple[tuple[bool, str], ...]
    provenance: dict[str, str]


@dataclass(frozen=True)
class Fits:
    """The loss curves of one study."""

    slug: str
    study: str
    figure: Drawn
    table: Table


def build(folders: Sequence[Path] = (Path("runs"),), out: Path = Path("runs/report")) -> Path:
    """Gather the results below `folders` into `out/index.html`, with their tables in `out/tables`; gives the page.

    Raises:
        BadInputError: there is no result below the folders, or none that can be shown.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise BadInputError(f"{out} is a file; a report is a folder. Name another one with --out.")
    saved, broken = gather([Path(folder) for folder in folders])
    sections, slugs = list[Section](), set[str]()
    for one in saved:
        try:
            sections.append(_section(one, _slug(one.name, slugs), out))
        except Exception as error:
            broken.append(Broken.by(one.name, error, one.folder))
    refuse_nothing(sections, broken)
    curves, unread = fits.curves(saved)
    fitted = [_fits(study, frame, _slug(f"fits {study}", slugs), out) for study, frame in curves.items()]
    page = out / "index.html"
    storage.write_text(page, printable(_render(sections, fitted, [*broken, *unread])))
    return page


def _slug(name: str, taken: set[str]) -> str:
    """A short name for addresses and folders that no other section has."""
    stem = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "result"
    slug = next(s for i in range(1, len(taken) + 2) if (s := stem if i == 1 else f"{stem}-{i}") not in taken)
    taken.add(slug)
    return slug


def _section(saved: Saved, slug: str, out: Path) -> Section:
    result, spec = saved.result, saved.spec
    about = {
        "Analysis": spec.name,
        "Study": ", ".join(saved.studies),
        "Data": ", ".join(saved.data),
        "Saved as": saved.name,
    }
    about["Date"] = str(result.provenance.get("date", ""))[:10]
    headline, estimates = result.headline(), result.estimates
    folder = out / "tables" / slug

    def laid_out(frame: pd.DataFrame, name: str, caption: str, most: int) -> Table:
        return table(frame, caption, most=most, downloads=downloads(frame, folder, name, page=out))

    folded = [] if headline.equals(estimates) else [laid_out(estimates, "estimates", "All estimates", ESTIMATES_SHOWN)]
    folded.append(laid_out(result.to_frame(), "table", "Every measured row", ROWS_SHOWN))
    return Section(
        slug=slug,
        title=spec.title,
        about={name: text for name, text in about.items() if text},
        microworld=saved.is_microworld,
        summary=result.summary(),
        headline=laid_out(headline, "headline", "The main numbers", ESTIMATES_SHOWN),
        figures=tuple(_drawn(saved, name, f"{slug}-{name}") for name in result.figures),
        folded=tuple(folded),
        definitions=tuple(paragraphs(spec.doc) + paragraphs(type(result).__doc__)),
        provenance={key: _said(value) for key, value in result.provenance.items()},
    )


def _drawn(saved: Saved, name: str, key: str) -> Drawn:
    """A figure that cannot be drawn is said to be so; the rest of the page does not suffer."""
    method = getattr(type(saved.result), "plot_" + name.replace("-", "_"))
    caption = next((text for _, text in paragraphs(inspect.getdoc(method))), name.replace("-", " "))
    try:
        figure = saved.result.plot(name)
        return Drawn(caption, inline_svg(figure, key=key, title=f"{saved.spec.title} {name}", description=caption))
    except Exception as error:
        return Drawn(caption, "", f"The figure `{name}` could not be drawn: {type(error).__name__}: {error}")


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_said(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(_said(item) for item in value) or "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _fits(study: str, frame: pd.DataFrame, slug: str, out: Path) -> Fits:
    ends = fits.final(frame)
    files = downloads(ends, out / "tables" / slug, "fits", page=out)
    shown = table(ends, "How each fit ended", most=ESTIMATES_SHOWN, downloads=files)
    caption = f"Training loss of each fit of {study}, smoothed; one line a seed. Dashed: loss on rows held out."
    drawn: Figure = fits.draw(frame)
    return Fits(
        slug, study, Drawn(caption, inline_svg(drawn, key=slug, title="Loss curves", description=caption)), shown
    )


def _render(sections: Sequence[Section], fitted: Sequence[Fits], broken: Sequence[Broken]) -> str:
    import jinja2
    from markupsafe import Markup

    here = files(__package__)
    script = (here / "sort.js").read_text(encoding="utf-8")
    surroundings = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    surroundings.filters["code"] = _code
    page = surroundings.from_string((here / "page.jinja").read_text(encoding="utf-8"))
    now = datetime.datetime.now(datetime.UTC)
    return page.render(
        sections=sections,
        fits=fitted,
        broken=broken,
        n_microworld=sum(section.microworld for section in sections),
        meanings=MEANINGS,
        style=Markup((here / "style.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        version=version("concepttransfer") or "",
        date=f"{now:%d %B %Y, %H:%M} UTC".lstrip("0"),
        safe=Markup,
    )


def _code(text: str) -> Any:
    """`text` escaped, with what stands between backticks as code."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))
