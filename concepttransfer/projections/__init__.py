"""Projections: from an encoder's features to a language model's soft prompts. One kind a file."""

from __future__ import annotations

from typing import Any

from ..errors import UnknownNameError
from .base import Projection
from .linear import Linear

KINDS: dict[str, type[Linear]] = {Linear.kind: Linear}

__all__ = ["KINDS", "Linear", "Projection", "build_projection"]


def build_projection(kind: str, **shape: Any) -> Projection:
    """An empty projection of a kind, to be filled by `start` or `load_state_dict`.

    Args:
        kind: `linear`.
        shape: `dim`, `d_model`, `prompt_tokens` and `dropout`.

    Raises:
        UnknownNameError: there is no such kind.
    """
    if kind not in KINDS:
        raise UnknownNameError("projection", kind, KINDS)
    return KINDS[kind](**shape)
