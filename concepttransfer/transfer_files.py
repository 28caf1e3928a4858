"""The files of a Transfer: their names, and tensors and loss curves as bytes."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import BadInputError

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from torch import Tensor

PROJECTION, ENCODER = "projection.safetensors", "encoder.safetensors"
LANGUAGE_MODEL, FEATURE_ADAPTER = "language_model.safetensors", "feature_adapter.safetensors"
TRAINED = (PROJECTION, ENCODER, LANGUAGE_MODEL)
COSTS = "costs.json"
HISTORY = ("step", "loss", "validation_loss", "lr")


def count(path: Path) -> int:
    """How many numbers a file of weights holds, what is counted or averaged left out; nothing is loaded."""
    from safetensors import safe_open

    with safe_open(path, "np") as file:  # torch is not needed for shapes
        names = [name for name in file.keys() if not is_statistic(name)]  # noqa: SIM118
        return sum(math.prod(file.get_slice(name).get_shape()) for name in names)


def is_statistic(name: str) -> bool:
    """Is a tensor of a saved state something that is counted or averaged, not trained?"""
    return name.rpartition(".")[2] in ("running_mean", "running_var", "num_batches_tracked")


def cast(tensors: Mapping[str, Tensor], dtype: str) -> dict[str, Tensor]:
    """The tensors on the CPU, each with memory of its own, floating ones in `dtype`."""
    import torch

    if dtype not in ("float32", "float16"):
        raise BadInputError(f"A Transfer is saved as float32 or float16; `{dtype}` was asked for.")
    to: torch.dtype = getattr(torch, dtype)
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    return {name: v.to(to if v.is_floating_point() else v.dtype, copy=True) for name, v in plain.items()}


def packed(tensors: Mapping[str, Tensor], dtype: str) -> bytes:
    """Tensors as safetensors, floating ones in `dtype`."""
    from safetensors.torch import save

    packed: bytes = save(cast(tensors, dtype))
    return packed


def state_mark(state: Mapping[str, Tensor] | None, dtype: str) -> str:
    """What `load_encoder` will append to id and space of an encoder with this state, once it was saved in `dtype`."""
    if state is None:
        return ""
    from .encoders.loading import state_digest

    return f"+{state_digest(cast(cast(state, dtype), 'float32'))[:16]}"


def table(history: pd.DataFrame | None) -> bytes:
    """A loss curve as csv; None: without a row."""
    import pandas as pd

    table = history if history is not None else pd.DataFrame({name: [] for name in HISTORY})
    text = io.StringIO()
    table[list(HISTORY)].to_csv(text, index=False, float_format="%.7g", lineterminator="\n")
    return text.getvalue().encode()
