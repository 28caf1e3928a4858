"""A step between features and projection that makes a text's features stand where its picture's would (CLOSE)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .spec import FeatureAdapterSpec

if TYPE_CHECKING:
    from .adapters import FeatureAdapter, fit_adapter

__all__ = ["FeatureAdapter", "FeatureAdapterSpec", "fit_adapter"]


def __getattr__(name: str) -> Any:
    """The adapters themselves need torch, which is loaded when they are first asked for."""
    if name not in __all__:
        message = f"module `concepttransfer.feature_adapters` has no attribute `{name}`"
        raise AttributeError(message)
    from . import adapters

    return getattr(adapters, name)
