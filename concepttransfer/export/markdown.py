"""Texts from anywhere, written so that Markdown shows exactly what they say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from ..report.text import printable

_ACTIVE = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$])")


def plain(value: Any) -> str:
    """A text that Markdown shows exactly as it is, on one line."""
    return _ACTIVE.sub(r"\\\1", " ".join(printable(str(value)).split()))


def code(value: Any) -> str:
    """A text as code on one line."""
    text = " ".join(printable(str(value)).split())
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence, blank = "`" * (longest + 1), " " if text[:1] == "`" or text[-1:] == "`" else ""
    return f"{fence}{blank}{text}{blank}{fence}" if text else ""


def cell(value: Any) -> str:
    """A text as code in a table."""
    return code(value).replace("|", r"\|")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *rows))
