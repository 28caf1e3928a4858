"""A fitted projection as a folder that others can use: `folder` writes it, `model_card` tells what it is."""

from __future__ import annotations

from .folder import FILES, export

__all__ = ["FILES", "export"]
