"""Put all that was gathered on one page: what was asked, answers, sections, methods, provenance."""

from __future__ import annotations

import base64
import datetime
import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from .. import storage
from ..errors import BadInputError
from ..provenance import version
from . import fits
from .asked import Asked, asked
from .gather import Broken, Saved, gather, refuse_nothing
from .sections import Fits, Method, Section, methods
from .several import every_section
from .sources import Sources, sources
from .tables import MEANINGS
from .text import printable


def build(
    folders: Sequence[Path] = (Path("runs"),),
    out: Path = Path("runs/report"),
    *,
    study: str | None = None,
    left_out: Sequence[Broken] = (),
    quiet: bool = True,
) -> Path:
    """Gather the results below `folders` into `out/index.html`, with tables and figures beside it; gives the page.

    Args:
        folders: of results.
        out: the folder of the page, its `tables` and its `figures`.
        study: only results about this study; None: all.
        left_out: what else could not be shown, and why.
        quiet: show no progress.

    Raises:
        BadInputError: there is no result below the folders, none about the study, or none that can be shown.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise BadInputError(f"{out} is a file; a report is a folder. Name another one with --out.")
    saved, broken = gather([Path(folder) for folder in folders], study=study)
    broken += left_out
    slugs = set[str]()
    named = [(one, _slug(name, slugs)) for one, name in zip(saved, _names(saved), strict=True)]
    curves, unread = fits.curves(saved)
    losses = [(name, frame, _palette(saved, name), _slug(f"fits {name}", slugs)) for name, frame in curves.items()]
    laid_out, drawn = every_section(named, out, losses, quiet=quiet)
    sections = [(made, one) for (one, _), made in zip(named, laid_out, strict=True) if isinstance(made, Section)]
    broken += [made for made in laid_out if isinstance(made, Broken)]
    refuse_nothing(sections, broken)
    page = out / "index.html"
    storage.write_text(page, printable(_render(sections, drawn, [*broken, *unread])))
    return page


def _palette(saved: Sequence[Saved], study: str) -> Sequence[str]:
    """The encoders of a study in its order, so that they look the same in every figure."""
    palettes = (one.result.provenance.get("palette") for one in saved if study in (one.name, ", ".join(one.studies)))
    return next((palette for palette in palettes if palette), ())


def _names(saved: Sequence[Saved]) -> list[str]:
    """Where each result lies; where that is not enough to tell them apart, behind its analysis."""
    names = [one.name for one in saved]
    return names if len(set(names)) == len(names) else [f"{one.spec.name} {one.name}" for one in saved]


def _slug(name: str, taken: set[str]) -> str:
    """A short name for addresses and folders that no other section has."""
    stem = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "result"
    slug = next(s for i in range(1, len(taken) + 2) if (s := stem if i == 1 else f"{stem}-{i}") not in taken)
    taken.add(slug)
    return slug


def _render(shown: Sequence[tuple[Section, Saved]], drawn: Sequence[Fits], broken: Sequence[Broken]) -> str:
    import jinja2
    from markupsafe import Markup

    here = files(__package__)
    sections, saved = [one for one, _ in shown], [one for _, one in shown]
    own = (here / "sort.js").read_text(encoding="utf-8")
    scripts = list(dict.fromkeys([own, *(script for one in sections if one.live for script in one.live.scripts)]))
    surroundings = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    surroundings.filters["code"] = _code
    page = surroundings.from_string((here / "page.jinja").read_text(encoding="utf-8"))
    now = datetime.datetime.now(datetime.UTC)
    studies: list[Asked] = asked(saved)
    ways: list[Method] = methods(saved)
    origin: Sources = sources([(one.slug, of) for one, of in shown])
    return page.render(
        sections=sections,
        asked=studies,
        methods=ways,
        sources=origin,
        fits=drawn,
        broken=broken,
        n_microworld=sum(one.microworld for one in sections),
        meanings=MEANINGS,
        style=Markup((here / "style.css").read_text(encoding="utf-8")),
        scripts=[Markup(script) for script in scripts],
        hashes=" ".join(f"'sha256-{_hash(script)}'" for script in scripts),
        version=version("concepttransfer") or "",
        date=f"{now:%d %B %Y, %H:%M} UTC".lstrip("0"),
        safe=Markup,
    )


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _code(text: str) -> Any:
    """`text` escaped, with what stands between backticks as code."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))
