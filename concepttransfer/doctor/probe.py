"""Imports the heavy libraries for real and says as JSON what came of it. Run as a program, so that no crash reaches us.

An import that fails in one library can leave others half-imported, and a library built against other CUDA libraries can
end the process: neither may happen to the program that asks.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

USED = {
    "torch": "",
    "torchvision": "",
    "transformers": "AutoModelForCausalLM",
    "timm": "create_model",
    "open_clip": "create_model",
    "accelerate": "Accelerator",
}
"""The libraries in the order in which they need each other, and a name whose use loads what they load lazily."""


def use(library: str, name: str) -> str:
    """Import a library and take a name from it; what goes wrong, in one line, or nothing."""
    try:
        module = importlib.import_module(library)
        if name:
            getattr(module, name)
        if library == "torchvision":
            _use_torchvision()
    except BaseException as error:  # whatever a broken library does
        return f"{type(error).__name__}: {error}".strip().split("\n")[0]
    return ""


def _use_torchvision() -> None:
    """Call one of its compiled operators: where these do not fit torch, importing may still succeed."""
    import torch

    nms = importlib.import_module("torchvision.ops").nms
    nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.ones(1), 0.5)


def devices() -> dict[str, Any]:
    """What torch can compute on, with the memory of each in bytes."""
    import torch

    gpus = []
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        about = torch.cuda.get_device_properties(number)
        gpus.append({"name": about.name, "memory": about.total_memory, "bf16": torch.cuda.is_bf16_supported()})
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else None
    mps = torch.backends.mps.is_available()
    return {"gpus": gpus, "mps": mps, "cuda": torch.version.cuda, "cores": cores, "memory": memory}


if __name__ == "__main__":
    errors = {library: use(library, name) for library, name in USED.items()}
    sys.stdout.write("\n" + json.dumps({"errors": errors, "devices": None if errors["torch"] else devices()}))
