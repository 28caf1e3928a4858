"""From a spec to a running encoder: build, weights, random draw, tuned state, freeze."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import BadInputError, MissingResourceError
from . import library_module
from .base import Built, ModuleEncoder
from .hub import quietly
from .random_weights import draw
from .spec import EncoderSpec


def load(
    spec: EncoderSpec,
    root: Path,
    *,
    device: str,
    dtype: str,
    state: Mapping[str, Tensor] | None,
    trainable: bool | None,
) -> ModuleEncoder:
    """What `concepttransfer.encoders.load_encoder` does."""
    built = build(spec, root)
    if state is not None:
        fill(built.module, state, "the tuned weights")
    tuned = "" if state is None else f"+{state_digest(state)[:16]}"
    encoder = ModuleEncoder(
        built,
        features=spec.features,
        id=spec.identity(root) + tuned,
        space=spec.space(root) + tuned,
        weights_hash=spec.weights_id(root) + tuned,
        grid=spec.grid,
        normalize=spec.normalize,
        blind=spec.blind,
        trainable=spec.train and state is None if trainable is None else trainable,
    )
    return encoder.to(device, dtype)


def build(spec: EncoderSpec, root: Path) -> Built:
    """The network with the weights that the spec names. The random numbers of the caller are left as they were."""
    library = library_module(spec.model)
    with torch.random.fork_rng(devices=[]), quietly():
        built: Built = library.build(spec, root)
    if built.modality != spec.modality:
        raise BadInputError(f"`{spec.model}` reads {built.modality}s; the study wants a {spec.modality} encoder.")
    if spec.init == "pretrained" and spec.weights is not None:
        fill(built.module, read_weights(root / spec.weights), spec.weights)
    for name in built.unused:
        parent, _, leaf = name.rpartition(".")
        setattr(built.module.get_submodule(parent), leaf, None)
    if spec.init == "random":
        draw(built.module, spec.seed)
    return built


def read_weights(path: Path) -> dict[str, Tensor]:
    """A safetensors file, or a state dict saved by torch (bare, or under `state_dict` or `model`), read safely.

    Raises:
        MissingResourceError: there is no such file.
        BadInputError: it holds something other than weights, or code.
    """
    if not path.is_file():
        raise MissingResourceError(f"No weights at {path}. Put the file there, or change `weights:` of the encoder.")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # safetensors, zip and pickle each raise errors of their own
        raise _unreadable(path, f"{type(error).__name__}: {error}".split("\n")[0]) from error
    for wrapper in ("state_dict", "model"):
        state = state.get(wrapper, state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise _unreadable(path, "it is no state dict")
    return state


def fill(module: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Put weights into a network; each must be there, with its shape, and nothing else (old files count no batches).

    Raises:
        BadInputError: the names or shapes differ.
    """
    wanted = module.state_dict()
    needed = [name for name in wanted if not name.endswith("num_batches_tracked")]
    faults = [f"lacks {n}" for n in needed if n not in state] + [f"has {n}" for n in state if n not in wanted]
    faults += [
        f"{n} is {list(state[n].shape)}, wanted {list(w.shape)}"
        for n, w in wanted.items()
        if n in state and state[n].shape != w.shape
    ]
    if faults:
        message = f"{source} does not fit the network: {'; '.join(faults[:3])} ({len(faults)} differences). "
        raise BadInputError(message + "Check the model's name and `arguments:`.")
    module.load_state_dict(dict(state))


def state_digest(state: Mapping[str, Tensor]) -> str:
    """sha256 (hexadecimal) of weights: names, dtypes, shapes and bytes, whatever their order."""
    total = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        total.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def _unreadable(path: Path, why: str) -> BadInputError:
    return BadInputError(
        f"{path} cannot be read as weights: {why}. Wanted is a safetensors file, or a state dict of tensors only."
    )
