"""Files of weights that other systems released: read without running anything in them, and told apart by their keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..errors import BadInputError

LIMBER, CLIPCAP = "LiMBeR", "ClipCap"
_SIGNS = {
    CLIPCAP: ("clip_project.", "prefix_const", "model.0.weight", "model.2.weight"),
    "MAGMA": ("lm.", "image_prefix.", "module.lm.", "module.image_prefix."),
    "CLOSE": ("_t5_model.", "adapter.lin."),
    "CLIP": ("visual.", "text_projection", "token_embedding.", "vision_model.", "text_model."),
    "a language model alone": ("transformer.", "model.layers.", "lm_head.", "gpt."),
}
"""Keys, or how they begin, by which a system's files are known; the first that fits is meant."""


def read_released(file: Path) -> Mapping[str, object]:
    """What a file of weights holds, on the CPU: most often tensors by name.

    Only tensors and plain values are read: a pickle that names anything else is refused before any of it runs.

    Raises:
        BadInputError: there is no such file, it is damaged or holds something else, or it is no mapping.
    """
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise BadInputError(
            f"There is no file {file}. Name a projection such as limber_weights/clip_linear/proj.ckpt."
        ) from None
    except Exception as error:
        raise BadInputError(
            f"{file} was not read: it holds something else than tensors, or is damaged ({_reason(error)}). Nothing "
            "in it was run. Fetch it again, or ask for the tensors alone."
        ) from error
    if not isinstance(state, dict):
        raise BadInputError(f"{file} should hold tensors by name; it holds: {type(state).__name__}.")
    return {str(key): value for key, value in state.items()}


def _reason(error: Exception) -> str:
    """What torch says, without its advice to read the file in a way that would run what is in it."""
    lines = [line.strip() for line in str(error).rpartition("WeightsUnpickler error:")[2].splitlines()]
    return next((line for line in lines if line and "weights_only" not in line), type(error).__name__)


def system_of(state: Mapping[str, object]) -> str | None:
    """Which system's file this looks like: `LiMBeR`, `ClipCap`, `MAGMA`, `CLOSE`, ...; None: no known one's."""
    if set(state) == {"weight", "bias"}:
        return LIMBER
    inside = state.get("module")
    if isinstance(inside, Mapping):
        return system_of({f"module.{key}": value for key, value in inside.items()})
    for system, signs in _SIGNS.items():
        if any(key.startswith(signs) for key in state):
            return system
    return None


def tensors(state: Mapping[str, object], file: Path) -> dict[str, Tensor]:
    """The values as tensors of their own dtype.

    Raises:
        BadInputError: one is no tensor.
    """
    kept = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    if wrong := sorted(state.keys() - kept.keys()):
        raise BadInputError(f"{file} should hold tensors; `{wrong[0]}` is {type(state[wrong[0]]).__name__}.")
    return kept


def some(names: Iterable[str], most: int = 4) -> str:
    """The first few names, and how many there are besides."""
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
