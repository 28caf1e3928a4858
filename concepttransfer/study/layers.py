"""An encoder read otherwise, by name: `beit@layer:6` is the study's `beit` at layer 6, `beit@layers` at all of them.

`clip@prefix:5` is `clip` with 5 soft prompts a picture, `clip@prefixes` with each of `PREFIXES`.
"""

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
PREFIX, EVERY_PREFIX = "prefix:", "prefixes"
"""What stands after the `@` for a number of soft prompts, and for each of `PREFIXES`."""
PREFIXES = (1, 2, 5, 10, 20, 40)
PLACES = ("pooled", "patch_tokens", "last_map", "projected", "layer:N")


def read_at(name: str, encoders: Mapping[str, EncoderSpec], study: str) -> EncoderSpec:
    """What a study says of an encoder; after `@`, with other features: any that `features:` of an encoder may be.

    Raises:
        UnknownNameError: the study has no such encoder, or there are no such features.
        BadInputError: its fit trains it, for the features that the study says; or a token of it is a soft prompt, so
            that there is no number of them to choose.
    """
    known, _, place = name.partition(AT)
    if known not in encoders:
        raise UnknownNameError("encoder", known, encoders, where=f"study `{study}`")
    spec = encoders[known]
    if AT not in name or place == spec.features:
        return spec
    if place.startswith(PREFIX):
        return _with_prefix(known, spec, place)
    if spec.train:
        message = f"`{known}` is trained with its projection for its `{spec.features}`, so it has no other features. "
        raise BadInputError(f"{message}Describe one with `features: {place}` in the study.")
    try:
        return EncoderSpec.model_validate(spec.model_dump() | {"features": place} | _prompts(spec, place))
    except ValueError:
        raise UnknownNameError("features", place, [*PLACES, EVERY], where=f"`{known}`") from None


def _with_prefix(known: str, spec: EncoderSpec, place: str) -> EncoderSpec:
    number = place.removeprefix(PREFIX)
    if not (number.isdecimal() and int(number)):
        raise UnknownNameError("prefix", place, [f"{PREFIX}{n}" for n in PREFIXES], where=f"`{known}`")
    if spec.prompt_tokens is None:
        raise BadInputError(
            f"Each token of `{known}` is a soft prompt: there is no number to choose. "
            "Name an encoder that has `prompt_tokens` in the study."
        )
    return spec.model_copy(update={"prompt_tokens": int(number)})


def _prompts(spec: EncoderSpec, place: str) -> dict[str, int | None]:
    """Several soft prompts are made from one feature; tokens are a prompt each."""
    return {} if place in ("pooled", "projected") else {"prompt_tokens": None}


def named(study: Study, names: Sequence[str]) -> list[str]:
    """The encoders that names mean, each checked, each once: `all` is every one, `beit@layers` all layers of `beit`.

    `clip@prefixes` is `clip` with each number of soft prompts.

    Raises:
        UnknownNameError: the study has no such encoder, or it has no such layer.
    """
    listed = study.encoders if "all" in names else names
    return list(dict.fromkeys(one for name in listed for one in _each(study, name)))


def _each(study: Study, name: str) -> list[str]:
    if name.endswith(AT + EVERY):
        return _layers(study, name)
    if name.endswith(AT + EVERY_PREFIX):
        return [_plain(study, f"{stem(name)}{AT}{PREFIX}{n}") for n in PREFIXES]
    if has_prefix(name):
        return [_plain(study, name)]
    study.encoder_spec(name)
    if (layer := layer_of(name)) is None:
        return [name]
    known = _layers(study, name)
    if not -len(known) <= layer < len(known):
        raise UnknownNameError("layer", name, known, where=f"study `{study.name}`")
    return [known[layer]]


def has_prefix(name: str) -> bool:
    """Whether a name says how many soft prompts."""
    return f"{AT}{PREFIX}" in name


def _plain(study: Study, name: str) -> str:
    """The encoder's own name, where it has just so many soft prompts in the study: one fit has one name."""
    same = study.encoder_spec(name) == study.encoder_spec(stem(name))
    return stem(name) if same else name


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
