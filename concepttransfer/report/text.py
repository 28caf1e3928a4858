"""Words and numbers for people: what a model or a file said, made safe to print, and figures of a sensible length."""

from __future__ import annotations

import inspect
import math
import re
from typing import Any

MISSING = "–"

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "_": r"\_",
        "#": r"\#",
        "$": r"\$",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "[": "{[}",
        "]": "{]}",
        MISSING: "--",
        "−": "$-$",
    }
)


def printable(text: str) -> str:
    """`text` with a replacement sign for each character that no page may hold: controls and halves of characters."""
    return _UNPRINTABLE.sub("\ufffd", text)


def latex(text: str) -> str:
    """`text` as LaTeX that prints exactly it, on one line."""
    return " ".join(_UNPRINTABLE.sub("", text).split()).translate(_LATEX)


def label(name: str) -> str:
    """A column's name as a heading."""
    return name.replace("_", " ")


def number(value: Any, decimals: int | None) -> str:
    """A number with so many decimals (None: three significant digits); a true minus sign; missing ones as a dash."""
    value = float(value)
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return (f"{value:.3g}" if decimals is None else f"{value:.{decimals}f}").replace("-", "−")


def probability(value: Any) -> str:
    """A p or q to three decimals, small ones as `<0.001`."""
    value = float(value)
    return "<0.001" if value < 0.001 else number(value, 3)


def size(n_bytes: int) -> str:
    """A file's size in words."""
    return (
        f"{n_bytes} B" if n_bytes < 1000 else f"{n_bytes / 1000:.0f} kB" if n_bytes < 1e6 else f"{n_bytes / 1e6:.1f} MB"
    )


def paragraphs(doc: str | None) -> list[tuple[bool, str]]:
    """A docstring's paragraphs: is it laid out by hand (keep its lines), and its text."""
    found = re.split(r"\n\s*\n", inspect.cleandoc(doc or ""))
    by_hand = [any(line[:1].isspace() for line in text.splitlines()) for text in found]
    return [
        (hand, text if hand else " ".join(text.split()))
        for hand, text in zip(by_hand, found, strict=True)
        if text.strip()
    ]
