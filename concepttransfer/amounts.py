"""Amounts as a person says them."""

from __future__ import annotations


def size(n_bytes: int | None) -> str:
    """Bytes as a person says them."""
    if n_bytes is None:
        return "not known yet"
    value = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"
