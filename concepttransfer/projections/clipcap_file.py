"""ClipCap's released `.pt` files: what they are is read off their keys and shapes, for they say nothing themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import BadInputError, MismatchError
from . import build_projection
from .base import Projection
from .released import CLIPCAP, read_released, some, system_of, tensors

HEADS = 8
"""Of the published transformer's attention: the number leaves no trace in a file."""
MAPPER, GPT = "clip_project.", "gpt."
_OLD_BUFFERS = re.compile(r"transformer\.h\.\d+\.attn\.(masked_)?bias")
_LAYER = re.compile(r"transformer\.layers\.(\d+)\.")


@dataclass(frozen=True)
class Architecture:
    """What a mapper is.

    Attributes:
        kind: `mlp` or `transformer`.
        dim: width of the feature that it reads.
        d_model: width of its language model's word vectors.
        prompt_tokens: k, the prefix length.
        options: of a transformer: layers, heads, clip_tokens, mlp_ratio.
    """

    kind: str
    dim: int
    d_model: int
    prompt_tokens: int
    options: Mapping[str, Any]

    def empty(self) -> Projection:
        """A projection of this architecture, without weights."""
        shape = {"dim": self.dim, "d_model": self.d_model, "prompt_tokens": self.prompt_tokens}
        return build_projection(self.kind, **shape, **self.options)


@dataclass(frozen=True, eq=False, kw_only=True)
class ClipCapFile(Architecture):
    """What a released file holds.

    Attributes:
        file: where it was read.
        mapper: its tensors, by the names that our projection of this kind has.
        language_model: GPT-2's tensors by transformers' names, old buffers left out; None: the mapper alone.
    """

    file: Path
    mapper: Mapping[str, Tensor]
    language_model: Mapping[str, Tensor] | None

    def projection(self) -> Projection:
        """The mapper in float32, in evaluation mode."""
        made = self.empty()
        made.load_state_dict({name: value.float() for name, value in self.mapper.items()})
        return made.eval().requires_grad_(False)


def read_clipcap(file: Path, *, d_model: int | None = None, heads: int = HEADS) -> ClipCapFile:
    """Read a released file; nothing in it is executed.

    Args:
        file: a `.pt`: the whole model's state dict, or the mapper's alone.
        d_model: width of the language model, which the file of an MLP alone does not tell.
        heads: of a transformer's attention.

    Raises:
        BadInputError: it is damaged, lacks or has too many tensors, or is of another system.
        MismatchError: its language model is not `d_model` wide.
    """
    return understood(read_released(Path(file)), Path(file), d_model=d_model, heads=heads)


def understood(
    state: Mapping[str, object], file: Path, *, d_model: int | None = None, heads: int = HEADS
) -> ClipCapFile:
    """The same of a file that was read: see `read_clipcap`."""
    if (system := system_of(state)) != CLIPCAP:
        looks = f"it looks like {system}'s" if system else "no known system has such"
        raise BadInputError(
            f"{file} is no file of ClipCap: {looks} ({some(state)}).\n"
            "ClipCap's hold clip_project.model.0.weight (MLP) or clip_project.prefix_const (transformer)."
        )
    read = tensors(state, file)
    whole = any(name.startswith(MAPPER) for name in read)
    mapper = _below(MAPPER, read) if whole else {n: v for n, v in read.items() if not n.startswith(GPT)}
    gpt = {n: v for n, v in _below(GPT, read).items() if not _OLD_BUFFERS.fullmatch(n)} or None
    if strange := [name for name in read if whole and not name.startswith((MAPPER, GPT))]:
        raise BadInputError(f"{file} holds tensors that ClipCap's files do not have: {some(strange)}.")
    width = _width(gpt, d_model, file)
    found = _transformer(mapper, file, width, heads) if "prefix_const" in mapper else _mlp(mapper, file, width)
    if d_model is not None and found.d_model != d_model:
        raise MismatchError(
            f"{file.name} is for a language model {found.d_model} wide; this one is {d_model} wide.\n"
            "Name the language model that it was released for (hf:gpt2)."
        )
    return ClipCapFile(**vars(found), file=file, mapper=mapper, language_model=gpt)


def _width(gpt: Mapping[str, Tensor] | None, d_model: int | None, file: Path) -> int | None:
    if gpt is None:
        return d_model
    if (words := gpt.get("transformer.wte.weight")) is None or words.ndim != 2:
        raise _truncated(file, ["gpt.transformer.wte.weight"])
    return int(words.shape[1])


def _mlp(mapper: Mapping[str, Tensor], file: Path, d_model: int | None) -> Architecture:
    first, last = _matrix(mapper, "model.0.weight", file), _matrix(mapper, "model.2.weight", file)
    if d_model is None:
        raise BadInputError(
            f"{file} holds an MLP alone, which does not tell how wide its language model is. Say d_model (768: GPT-2)."
        )
    if last.shape[0] % d_model:
        raise MismatchError(
            f"{file.name} gives {last.shape[0]} numbers, which are no whole vectors of a language model {d_model} wide."
            "\nName the language model that it was released for (hf:gpt2)."
        )
    found = Architecture("mlp", int(first.shape[1]), d_model, int(last.shape[0]) // d_model, {})
    _compare(found, mapper, file)
    return found


def _transformer(mapper: Mapping[str, Tensor], file: Path, d_model: int | None, heads: int) -> Architecture:
    constants, linear = _matrix(mapper, "prefix_const", file), _matrix(mapper, "linear.weight", file)
    hidden = _matrix(mapper, "transformer.layers.0.mlp.fc1.weight", file)
    k, width = (int(n) for n in constants.shape)
    if d_model is not None and width != d_model:
        raise MismatchError(
            f"The constants in {file.name} are {width} wide; the language model is {d_model} wide.\n"
            "Name the language model that it was released for (hf:gpt2)."
        )
    layers = {int(match[1]) for name in mapper if (match := _LAYER.match(name))}
    if lacking := sorted(set(range(len(layers))) - layers):
        raise _truncated(file, [f"transformer.layers.{number}" for number in lacking])
    options = {
        "layers": len(layers),
        "heads": heads,
        "clip_tokens": int(linear.shape[0]) // width,
        "mlp_ratio": int(hidden.shape[0]) / width,
    }
    found = Architecture("transformer", int(linear.shape[1]), width, k, options)
    _compare(found, mapper, file)
    return found


def _matrix(mapper: Mapping[str, Tensor], name: str, file: Path) -> Tensor:
    if name not in mapper:
        raise _truncated(file, [name])
    if mapper[name].ndim != 2:
        raise BadInputError(f"{file}: {name} should be a matrix; its shape is {list(mapper[name].shape)}.")
    return mapper[name]


def _compare(found: Architecture, mapper: Mapping[str, Tensor], file: Path) -> None:
    """See that names and shapes are just those of the architecture that was inferred."""
    with torch.device("meta"):
        wanted = found.empty().state_dict()
    if lacking := [name for name in wanted if name not in mapper]:
        raise _truncated(file, lacking)
    if strange := [name for name in mapper if name not in wanted]:
        raise BadInputError(f"{file} holds tensors that ClipCap's {found.kind} does not have: {some(strange)}.")
    for name, tensor in wanted.items():
        if mapper[name].shape != tensor.shape:
            raise BadInputError(
                f"{file}: {name} should be {list(tensor.shape)} beside the others; it is {list(mapper[name].shape)}."
            )


def _truncated(file: Path, lacking: list[str]) -> BadInputError:
    return BadInputError(f"{file} is truncated or of another architecture: it lacks {some(lacking)}. Fetch it again.")


def _below(prefix: str, read: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in read.items() if name.startswith(prefix)}
