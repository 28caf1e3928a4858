"""An encoder read elsewhere, by name: `beit@layer:6` is the study's `beit` at layer 6, `beit@layers` at all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..encoders.spec import EncoderSpec
from ..errors import BadInputError, UnknownNameError
from ..statistics.claims import AT, layer_of, stem

if TYPE_CHECKING:
    from .study import Study

EVERY = "layers"
"""What stands after the `@` for all layers."""
PLACES = ("pooled", "patch_tokens", "last_map", "projected", "layer:N")


def read_at(name: str, encoders: Mapping[str, EncoderSpec], study: str) -> EncoderSpec:
    """What a study says of an encoder; after `@`, with other features: any that `features:` of an encoder may be.

    Raises:
        UnknownNameError: the study has no such encoder, or there are no such features.
        BadInputError: its fit trains it, for the features that the study says.
    """
    known, _, place = name.partition(AT)
    if known not in encoders:
        raise UnknownNameError("encoder", known, encoders, where=f"study `{study}`")
    spec = encoders[known]
    if AT not in name or place == spec.features:
        return spec
    if spec.train:
        message = f"`{known}` is trained with its projection for its `{spec.features}`, so it has no other features. "
        raise BadInputError(f"{message}Describe one with `features: {place}` in the study.")
    try:
        return EncoderSpec.model_validate(spec.model_dump() | {"features": place} | _prompts(spec, place))
    except ValueError:
        raise UnknownNameError("features", place, [*PLACES, EVERY], where=f"`{known}`") from None


def _prompts(spec: EncoderSpec, place: str) -> dict[str, int | None]:
    """Several soft prompts are made from one feature; tokens are a prompt each."""
    return {} if place in ("pooled", "projected") else {"prompt_tokens": None}


def named(study: Study, names: Sequence[str]) -> list[str]:
    """The encoders that names mean, each checked, each once: `all` is every one, `beit@layers` all layers of `beit`.

    Raises:
        UnknownNameError: the study has no such encoder, or it has no such layer.
    """
    listed = study.encoders if "all" in names else names
    return list(dict.fromkeys(one for name in listed for one in _each(study, name)))


def _each(study: Study, name: str) -> list[str]:
    if name.endswith(AT + EVERY):
        return _layers(study, name)
    study.encoder_spec(name)
    if (layer := layer_of(name)) is None:
        return [name]
    known = _layers(study, name)
    if not -len(known) <= layer < len(known):
        raise UnknownNameError("layer", name, known, where=f"study `{study.name}`")
    return [known[layer]]


def _layers(study: Study, name: str) -> list[str]:
    known = stem(name)
    read = {"init": "random", "weights": None, "train": False, "prompt_tokens": None, "seed": 0}
    found = _of_network(study.encoder_spec(known).model_copy(update=read).model_dump_json(), study.root)
    if not found:
        raise BadInputError(f"The layers of `{known}` cannot be read. Name it as it is: --encoder {known}")
    return [f"{known}{AT}{place}" for place in found]


@cache
def _of_network(written: str, root: Path) -> list[str]:
    """The layers that can be read, found on the network without its weights."""
    from ..encoders import library_module
    from ..encoders.hub import quietly

    spec: EncoderSpec = EncoderSpec.model_validate_json(written)
    with quietly():
        built = library_module(spec.model).build(spec, root)
    return [place for place in built.readouts if place.startswith("layer:")]
