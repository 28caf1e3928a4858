"""Frozen language models. Importing this loads no torch; `load_language_model` does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .identity import language_model_identity

if TYPE_CHECKING:
    from .base import LanguageModel

__all__ = ["language_model_identity", "load_language_model"]


def load_language_model(
    name: str, root: Path | str = ".", *, device: str = "cpu", dtype: str = "float32", bos: bool | None = None
) -> LanguageModel:
    """Load a frozen language model: see `language_models.loading.load_language_model`, imported when this is called."""
    from .loading import load_language_model as load

    return load(name, root, device=device, dtype=dtype, bos=bos)
