"""Saved results become one page that needs nothing else: no network, no model, no torch."""

from __future__ import annotations

from .page import build

__all__ = ["build"]
