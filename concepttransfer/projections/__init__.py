"""Projections: from features to a language model's soft prompts. One kind a file; importing this loads no torch."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import UnknownNameError
from ..plugins import PROJECTIONS, declared, loaded

if TYPE_CHECKING:
    from .base import Projection
    from .linear import Linear

__all__ = ["Linear", "Projection", "build_projection", "kinds"]

_OURS = {
    "linear": "concepttransfer.projections.linear:Linear",
    "mlp": "concepttransfer.projections.mlp:MLP",
    "transformer": "concepttransfer.projections.transformer:TransformerMapper",
}
_SHAPE = ("self", "dim", "d_model", "prompt_tokens", "dropout")


@cache
def kinds() -> Mapping[str, str]:
    """Where each kind of projection is written, `module:class`: ours, and those of plug-ins. Imports none.

    Raises:
        ConceptTransferError: two of one name.
    """
    return _OURS | {name: entry.value for name, entry in declared(PROJECTIONS, _OURS).items()}


def build_projection(
    kind: str, *, dim: int, d_model: int, prompt_tokens: int | None = None, **options: Any
) -> Projection:
    """An empty projection of a kind, to be filled by `start` or `load_state_dict`.

    Args:
        kind: `linear`, `mlp`, `transformer`, or a plug-in's.
        dim: width of a feature token.
        d_model: width of the language model's word vectors.
        prompt_tokens: k soft prompts from one pooled feature; None: one soft prompt a token.
        options: `dropout`, and the kind's own.

    Raises:
        UnknownNameError: there is no such kind, or it has no such option.
        ConceptTransferError: the plug-in that has it cannot be imported, or an option's value makes no sense.
    """
    made = _class_of(kind)
    known = [name for name in inspect.signature(made.__init__).parameters if name not in _SHAPE]
    if unknown := [name for name in options if name not in (*known, "dropout")]:
        raise UnknownNameError("option", unknown[0], known, where=f"projection `{kind}`")
    return made(dim, d_model, prompt_tokens, **options)


def _class_of(kind: str) -> type[Projection]:
    if kind not in kinds():
        raise UnknownNameError("projection", kind, kinds())
    found: type[Projection] = loaded(PROJECTIONS, kind, kinds()[kind])
    return found


def __getattr__(name: str) -> Any:
    if name == "Linear":
        return import_module(".linear", __name__).Linear
    if name == "Projection":
        return import_module(".base", __name__).Projection
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
