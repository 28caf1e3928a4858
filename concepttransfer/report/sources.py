"""Where the results of a page come from: what holds for all of them, said once, and what differs."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .gather import Saved

LEFT_OUT = frozenset({"examples", "models", "options", "palette", "references", "title"})
"""Said elsewhere on the page, or there for the figures."""
LONGEST = 300
"""Of a value; longer ones are cut, and are whole in `result.json`."""
MOST = 8
"""So many ids of a list are shown."""

_DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{28,}\b")


@dataclass(frozen=True)
class Sources:
    """Provenance of all results.

    Attributes:
        common: key -> value, where it is the same for all.
        own: (slug, title, key -> value): what else each result says.
    """

    common: dict[str, str]
    own: tuple[tuple[str, str, dict[str, str]], ...]


def sources(shown: Sequence[tuple[str, Saved]]) -> Sources:
    """Read the provenance of results, each with its address in the page."""
    said = [{key: said_of(value) for key, value in _flat(one.result.provenance).items()} for _, one in shown]
    keys = [key for key in said[0] if all(one.get(key) == said[0][key] for one in said)] if len(said) > 1 else []
    common = {key: said[0][key] for key in keys}
    own = [
        (slug, one.spec.title, {"saved as": one.name} | {key: text for key, text in about.items() if key not in common})
        for (slug, one), about in zip(shown, said, strict=True)
    ]
    return Sources(common, tuple(own))


def _flat(provenance: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in provenance.items() if key not in LEFT_OUT and value not in (None, "")}


def said_of(value: Any) -> str:
    """A value in words: long digests by their start, long lists by their first members."""
    text = _DIGEST.sub(r"\1…", _words(value))
    return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0] + " … (whole in result.json)"


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        more = f" and {len(value) - MOST} more" if len(value) > 2 * MOST else ""
        shown = value[:MOST] if more else value
        return (", ".join(_words(item) for item in shown) or "none") + more
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
