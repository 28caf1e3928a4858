"""What a machine is, in words: never its name."""

from __future__ import annotations

import os
import platform

from concepttransfer.provenance import revision, version

LIBRARIES = ("concepttransfer", "torch", "transformers", "timm", "accelerate", "numpy", "pillow", "nltk")


def machine() -> str:
    """Cores, memory and GPU, such as `2 cores (x86_64), 25 GB, no GPU`."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{cores} cores ({platform.machine()}), {memory:.0f} GB, {gpu}"


def versions() -> dict[str, str]:
    """Versions of Python, of the libraries that matter here, and of this repository."""
    found = {"python": platform.python_version(), **{name: version(name) or "none" for name in LIBRARIES}}
    git = revision() or {"revision": "unknown", "changed": False}
    return found | {"revision": git["revision"][:10] + ("+" if git["changed"] else "")}
