"""Encoders by name: the prefix of `library:model` says which file builds it. Importing this loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UnknownNameError
from ..plugins import ENCODERS, declared, loaded

if TYPE_CHECKING:
    from torch import Tensor

    from .base import ModuleEncoder
    from .spec import EncoderSpec

_LIBRARIES = {
    "hf": "concepttransfer.encoders.transformers",
    "microworld": "concepttransfer.microworld.networks",
    "open_clip": "concepttransfer.encoders.open_clip",
    "plugin": "concepttransfer.encoders.plugin",
    "timm": "concepttransfer.encoders.timm",
}


@cache
def libraries() -> Mapping[str, str]:
    """Which module builds the encoders of each library: prefix -> module with `build(spec, root) -> Built`.

    Libraries of plug-ins (entry points of the group `concepttransfer.encoders`) are among them.

    Raises:
        ConceptTransferError: two of one name.
    """
    return _LIBRARIES | {name: entry.value for name, entry in declared(ENCODERS, _LIBRARIES).items()}


def library_of(model: str) -> str:
    """The library of `library:model`.

    Raises:
        UnknownNameError: no such library; the nearest is offered.
    """
    prefix, colon, _ = model.partition(":")
    if not colon or prefix not in libraries():
        raise UnknownNameError("library", prefix, libraries(), where=f"encoders (asked for by `{model}`)")
    return prefix


def library_module(model: str) -> Any:
    """The module that builds the encoder `library:model`, imported.

    Raises:
        UnknownNameError: no such library; the nearest is offered.
        ConceptTransferError: it is a plug-in's, and broken.
    """
    prefix = library_of(model)
    module = libraries()[prefix]
    return import_module(module) if prefix in _LIBRARIES else loaded(ENCODERS, prefix, module)


def load_encoder(
    spec: EncoderSpec,
    root: Path,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    state: Mapping[str, Tensor] | None = None,
    trainable: bool | None = None,
) -> ModuleEncoder:
    """Build the encoder that a study names, with its weights, ready to `encode`.

    Args:
        spec: what the study says about it.
        root: the folder against which local weights and folders are read.
        device: where it runs, such as `cpu` or `cuda:0`.
        dtype: what it computes in: `float32`, `bfloat16` or `float16`.
        state: weights that replace its own, as `encoder.module.state_dict()` gave them for a tuned encoder.
        trainable: gradients flow into it; by default where `spec.train` says so and no `state` is given.

    Raises:
        UnknownNameError: no such library, model or features.
        MissingResourceError: its weights are neither on this machine nor to be had.
        BadInputError: weights that do not fit it.
    """
    from .loading import load

    return load(spec, root, device=device, dtype=dtype, state=state, trainable=trainable)


def fetch(spec: EncoderSpec, root: Path) -> None:
    """Make sure that the weights are on this machine, so that `spec.identity` knows them by content.

    A hub's model that was not downloaded yet is known by name and revision only. Call this before keys are made from
    identities: they would change with the download. It returns at once, without torch, where nothing is missing.

    Raises:
        MissingResourceError: the weights can be neither found nor downloaded.
    """
    from .weights import is_settled

    if not is_settled(spec, root):
        from .loading import build

        build(spec, root)


__all__ = ["fetch", "libraries", "library_module", "library_of", "load_encoder"]
