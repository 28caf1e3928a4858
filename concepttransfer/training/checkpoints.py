"""Where an unfinished fit stands: one file, replaced whole, from which it goes on to the same bytes."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import BadInputError
from ..storage import write_bytes

logger = logging.getLogger(__name__)


def checkpoint_path(folder: Path) -> Path:
    """The file beside the folder of the Transfer that is being made."""
    return folder.with_name(f"{folder.name}.checkpoint.safetensors")


def write_checkpoint(path: Path, fingerprint: str, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write tensors and state (JSON) of a fit; a kill at any moment leaves the old file or the new one.

    Args:
        path: the file.
        fingerprint: names the fit; a checkpoint of another fit is not resumed.
        tensors: everything that training changes.
        state: everything else, such as the step.
    """
    from safetensors.torch import save

    header = json.dumps({"fingerprint": fingerprint, **state})
    write_bytes(path, save({name: _plain(value) for name, value in tensors.items()}, metadata={"state": header}))


def read_checkpoint(path: Path, fingerprint: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """What `write_checkpoint` wrote; None where there is nothing, or something of another fit.

    Raises:
        BadInputError: the file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads(file.metadata()["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BadInputError(
            f"{path} is damaged ({error}). Delete it; the fit then starts from the beginning."
        ) from error
    if state.pop("fingerprint") != fingerprint:
        logger.warning("%s belongs to a fit with other data or another recipe and is not resumed.", path)
        return None
    return tensors, state


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimiser remembers of each parameter, by `optimizer.PLACE.NAME`."""
    remembered: dict[int, dict[str, Tensor]] = optimizer.state_dict()["state"]
    return {
        f"optimizer.{place}.{name}": value for place, entries in remembered.items() for name, value in entries.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimiser back what `optimizer_tensors` took."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, place, entry = name.split(".")
            state.setdefault(int(place), {})[entry] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _plain(value: Tensor) -> Tensor:
    return value.detach().cpu().contiguous().clone()
