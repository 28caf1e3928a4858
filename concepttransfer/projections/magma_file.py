"""MAGMA's released checkpoints: which parts they hold is read off their keys, for they say nothing themselves.

A checkpoint is what DeepSpeed writes (`mp_rank_00_model_states.pt`: the weights lie under `module`), or these weights
alone (`model.pt`). Names of projection, layer norm, encoder and adapters follow from the modules of the released code
(magma.py, image_prefix.py, adapters.py). Those of its GPT-J are known of transformers' GPT-J and GPT-Neo only, since
the pinned fork in which it was trained could not be read: names that are neither's are refused and told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..errors import BadInputError, MismatchError
from ..language_models.adapter_spec import AdapterSpec, Where
from .released import read_released, some, system_of, tensors

MAGMA = "MAGMA"
PREFIX, ENCODER, LM = "image_prefix.", "image_prefix.enc.", "lm."
TWICE = {"transformer.": "lm.transformer.h.", "word_embedding.": "lm.transformer.wte."}
"""The released class holds some modules under a second name as well."""
_ADAPTER = re.compile(r"transformer\.h\.(\d+)\.(mlp|attn)\.(1\.)?(?:adapter\.(\d)\.(weight|bias)|(adapter_scale))")
_WRAPPED = re.compile(r"\.(mlp\.0|mlp\.module|attn\.attn_block|attn\.module|attn\.attention)\.")
_BUFFER = re.compile(r"\.attn\.((masked_)?bias|embed_positions|scale_attn)$")
_NEO = {".mlp.c_fc.": ".mlp.fc_in.", ".mlp.c_proj.": ".mlp.fc_out."}
_PLACES: dict[str, Where] = {"attn": "attention", "mlp": "mlp"}
_LAYERS = {2: {"0": "down", "2": "up"}, 3: {"0": "norm", "1": "down", "3": "up"}}
"""What stands where in an adapter's list of layers, by the number of its last one; the activation has no weights."""


@dataclass(frozen=True, eq=False)
class MagmaFile:
    """What a released checkpoint holds.

    Attributes:
        file: where it was read.
        projection: `weight [d_model, dim]`, `bias`, and of a layer norm on the prompt `norm.weight`, `norm.bias`.
        encoder: of the image tower, by the names of OpenAI's CLIP; empty: it was not saved.
        spec: of its adapters; None: it has none.
        adapters: their tensors, by the names that ours have.
        language_model: the rest of GPT-J, by the names of transformers.
    """

    file: Path
    projection: Mapping[str, Tensor]
    encoder: Mapping[str, Tensor]
    spec: AdapterSpec | None
    adapters: Mapping[str, Tensor]
    language_model: Mapping[str, Tensor]


def read_magma(file: Path) -> MagmaFile:
    """Read a checkpoint; nothing in it is executed.

    Raises:
        BadInputError: it is damaged, holds tensors that MAGMA does not have or lacks some, or is of another system.
    """
    return understood(read_released(Path(file)), Path(file))


def understood(state: Mapping[str, object], file: Path) -> MagmaFile:
    """The same of a file that was read: see `read_magma`."""
    if (system := system_of(state)) != MAGMA:
        looks = f"it looks like {system}'s" if system else "no known system has such"
        raise BadInputError(f"{file} is no checkpoint of MAGMA: {looks} ({some(state)}).")
    inside = state.get("module")
    named = {str(key): value for key, value in inside.items()} if isinstance(inside, Mapping) else dict(state)
    read = tensors({key.removeprefix("module."): value for key, value in named.items()}, file)
    read = _each_once(read, file)
    if strange := [name for name in read if not name.startswith((PREFIX, LM))]:
        raise BadInputError(f"{file} holds tensors that MAGMA's checkpoints do not have: {some(strange)}.")
    lm = _below(LM, read)
    adapters = {name: value for name, value in lm.items() if _ADAPTER.fullmatch(name)}
    rest = {_plain(name): value for name, value in lm.items() if name not in adapters}
    rest = {name: value for name, value in rest.items() if not _BUFFER.search(name)}
    spec = _spec(adapters, lm, file) if adapters else None
    renamed = {_ours(name, spec.layer_norm): value.float() for name, value in adapters.items()} if spec else {}
    return MagmaFile(file, _projection(_below(PREFIX, read), file), _below(ENCODER, read), spec, renamed, rest)


def check_language_model(released: MagmaFile, base: Mapping[str, Tensor]) -> None:
    """See that a checkpoint's language model is the frozen one: in its dtype, word for word that both have.

    Args:
        released: what `read_magma` read.
        base: parameters of the language model by transformers' names, tied ones once.

    Raises:
        BadInputError: the checkpoint lacks some, or has others.
        MismatchError: its weights are others: it is of another model, or freezing did not freeze it.
    """
    read = released.language_model
    if lacking := [name for name in base if name not in read]:
        raise BadInputError(f"The language model in {released.file} lacks {some(lacking)}. It holds: {some(read)}.")
    if strange := [name for name in read if name not in base and not name.startswith("lm_head.")]:
        raise BadInputError(f"The language model in {released.file} has {some(strange)}, which the study's has not.")
    for name, own in base.items():
        theirs, rows = read[name], min(len(read[name]), len(own))  # its table of words was cut or grown by one
        same_shape = theirs.shape == own.shape or (name.endswith(("wte.weight", "lm_head.weight", "lm_head.bias")))
        if not (same_shape and torch.equal(theirs[:rows], own[:rows].to("cpu", theirs.dtype))):
            raise MismatchError(
                f"`{name}` of the language model in {released.file} is not that of the study's language model. A "
                "Transfer holds adapters or a tuned language model, not both: name the model that it was fitted into; "
                "if it is that one, its weights were trained although they were to be frozen."
            )


def _each_once(read: Mapping[str, Tensor], file: Path) -> dict[str, Tensor]:
    kept = dict(read)
    for name, value in read.items():
        for second, first in TWICE.items():
            if name.startswith(second) and (same := read.get(first + name.removeprefix(second))) is not None:
                if same.data_ptr() != value.data_ptr() and not torch.equal(same, value):
                    raise BadInputError(f"{file}: {name} and {first}{name.removeprefix(second)} should be the same.")
                kept.pop(name)
    return kept


def _projection(prefix: Mapping[str, Tensor], file: Path) -> dict[str, Tensor]:
    names = {"proj.weight": "weight", "proj.bias": "bias", "ln.weight": "norm.weight", "ln.bias": "norm.bias"}
    found = {names[name]: value.float() for name, value in prefix.items() if name in names}
    known = (*names, *(name for name in prefix if name.startswith("enc.")))
    if strange := [name for name in prefix if name not in known]:
        raise BadInputError(f"{file} holds {some(PREFIX + name for name in strange)}, which MAGMA does not have.")
    if not {"weight", "bias"} <= found.keys() or ("norm.weight" in found) != ("norm.bias" in found):
        raise BadInputError(f"{file} is truncated: of the projection it holds {some(found) or 'nothing'}.")
    weight, widths = found["weight"], {len(value) for value in found.values()}
    if weight.ndim != 2 or len(widths) > 1:
        shapes = {name: list(value.shape) for name, value in found.items()}
        raise BadInputError(f"{file} should hold a projection [d_model, dim] with bias; it holds {shapes}.")
    return found


def _spec(adapters: Mapping[str, Tensor], lm: Mapping[str, Tensor], file: Path) -> AdapterSpec:
    """What all adapters of a file have in common; ours are alike in all layers and blocks."""
    matches = [match for name in adapters if (match := _ADAPTER.fullmatch(name))]
    blocks = {(match[1], match[2]) for match in matches}
    depth, places = 1 + max(int(layer) for layer, _ in blocks), {place for _, place in blocks}
    lacking = [f"transformer.h.{n}.{place}" for n in range(depth) for place in places if (str(n), place) not in blocks]
    kinds = {_kind(match, lm) for match in matches}
    last = {max(int(m[4]) for m in matches if (m[1], m[2]) == block and m[4]) for block in blocks}
    ratios = {
        value.shape[1] // value.shape[0]
        for name, value in adapters.items()
        if (m := _ADAPTER.fullmatch(name)) and m[5] == "weight" and value.ndim == 2 and int(m[4]) < max(last)
    }
    if lacking or len(kinds) != 1 or len(last) != 1 or len(ratios) != 1 or not last <= _LAYERS.keys():
        what = f"lacking are {some(lacking)}" if lacking else f"{sorted(kinds)}, down-sampling {sorted(ratios)}"
        raise BadInputError(f"The adapters in {file} are not the same in all layers and blocks: {what}.")
    where = tuple(place for key, place in _PLACES.items() if key in places)
    layer_norm = last == {3}
    return AdapterSpec.model_validate(
        {"where": where, "kind": kinds.pop(), "downsample": ratios.pop(), "layer_norm": layer_norm}
    )


def _kind(match: re.Match[str], lm: Mapping[str, Tensor]) -> str:
    block = f"transformer.h.{match[1]}.{match[2]}"
    if match[3] or any(name.startswith(f"{block}.attn_block.") for name in lm):
        return "sequential"
    return "scaled_parallel" if f"{block}.adapter_scale" in lm else "parallel"


def _ours(name: str, layer_norm: bool) -> str:
    """`layers.0.mlp.down.weight` of `transformer.h.0.mlp.1.adapter.0.weight`."""
    match = _ADAPTER.fullmatch(name)
    if match is None:
        raise ValueError(name)
    at = f"layers.{match[1]}.{_PLACES[match[2]]}"
    return f"{at}.scale" if match[6] else f"{at}.{_LAYERS[3 if layer_norm else 2].get(match[4])}.{match[5]}"


def _plain(name: str) -> str:
    """The name in transformers' GPT-J of a tensor that adapters, or GPT-Neo's classes, were put around."""
    while (shorter := _WRAPPED.sub(lambda found: f".{found[1].partition('.')[0]}.", name)) != name:
        name = shorter
    for neo, gptj in _NEO.items():
        name = name.replace(neo, gptj)
    return name


def _below(prefix: str, read: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in read.items() if name.startswith(prefix)}
