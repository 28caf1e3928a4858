"""Which devices there are, how much memory each has, and how fast it multiplies matrices."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import cache

CPU_SIZE, GPU_SIZE = 1024, 8192
REPEATS = 4


@dataclass(frozen=True)
class Device:
    """One device, or this machine's processor.

    Attributes:
        name: as the driver calls it.
        memory: bytes.
        dtype: in which the rate was measured.
        rate: floating-point operations a second of a large matrix product, measured.
    """

    name: str
    memory: int
    dtype: str
    rate: float


@cache
def devices() -> tuple[Device, ...]:
    """Every GPU, or else the processor, each with its measured matrix rate. Takes a second."""
    import torch

    if not torch.cuda.is_available():
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return (Device(f"CPU, {torch.get_num_threads()} threads", memory, "float32", matrix_rate("cpu", "float32")),)
    dtype = "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    found = []
    for number in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(number)
        found.append(Device(about.name, about.total_memory, dtype, matrix_rate(f"cuda:{number}", dtype)))
    return tuple(found)


def matrix_rate(device: str, dtype: str, size: int | None = None) -> float:
    """Floating-point operations a second of the best of a few products of two square matrices."""
    import torch

    size = size or (CPU_SIZE if device == "cpu" else GPU_SIZE)
    a = torch.ones(size, size, device=device, dtype=getattr(torch, dtype))
    best = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        b = a @ a
        float(b[0, 0])  # waits until the device has finished
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best
