"""Libraries that really import, devices that torch can use, and a cache that can be written."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..amounts import size
from ..provenance import version
from ..storage import CACHE_VARIABLE, cache_folder
from .finding import Finding

PROBE = Path(__file__).with_name("probe.py")
DISTRIBUTIONS = {"open_clip": "open_clip_torch"}
TIMEOUT = 300.0
PAIR = "pip install --force-reinstall torch torchvision"
_BROKEN_PAIR = ("torchvision::nms", "undefined symbol", "could not load", "couldn't load", "libcud", "libtorch")
_LOW_DISK = 2_000_000_000


def examine() -> Iterator[Finding]:
    """Python, each library as another process really imports it, and the devices that torch finds there."""
    yield Finding.ok(
        "libraries", "concepttransfer", f"{version('concepttransfer')}, Python {platform.python_version()}"
    )
    answer = probe()
    if isinstance(answer, str):
        yield Finding.missing("libraries", "torch", f"importing it ends the process: {answer}", PAIR)
        return
    for library, error in answer["errors"].items():
        yield _library(library, error, torch_works=not answer["errors"]["torch"])
    if answer["devices"] is not None:
        yield from _devices(answer["devices"])


def probe() -> dict[str, Any] | str:
    """What importing the libraries gave, in a process of its own; the reason as a string where that process died."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-W", "ignore", str(PROBE)]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=TIMEOUT, cwd=tempfile.gettempdir()
        )
    except subprocess.TimeoutExpired:
        return f"it took more than {TIMEOUT:.0f} s"
    try:
        answer: dict[str, Any] = json.loads(done.stdout.strip().split("\n")[-1])
    except ValueError:
        return f"exit status {done.returncode}; {(done.stderr.strip().splitlines() or ['it said nothing'])[-1]}"
    return answer


def _library(library: str, error: str, *, torch_works: bool) -> Finding:
    name = DISTRIBUTIONS.get(library, library)
    found = version(name) or "not installed"
    if not error:
        return Finding.ok("libraries", library, found)
    what = f"{found}, but: {error}"
    if library == "torchvision" and torch_works and _is_broken_pair(error):
        torch = version("torch") or ""
        what = f"{found} does not fit torch {torch}: {error}. timm, open_clip and transformers need it"
        return Finding.missing("libraries", library, what, f"One build for both, from one place: {PAIR}")
    if library == "torch":
        return Finding.missing("libraries", library, what, PAIR)
    if not torch_works or "torchvision" in error:
        return Finding.missing("libraries", library, what, "It needs torch and torchvision: mend these first.")
    return Finding.missing("libraries", library, what, f"pip install --upgrade {name}")


def _is_broken_pair(error: str) -> bool:
    return any(sign in error.lower() for sign in _BROKEN_PAIR)


def _devices(found: Mapping[str, Any]) -> Iterator[Finding]:
    memory = f", {size(found['memory'])}" if found["memory"] else ""
    yield Finding.ok("devices", "processor", f"{found['cores']} cores{memory}")
    for number, gpu in enumerate(found["gpus"]):
        told = f"{gpu['name']}, {size(gpu['memory'])}{', bfloat16' if gpu['bf16'] else ''}"
        yield Finding.ok("devices", f"cuda:{number}", told)
    if found["mps"]:
        yield Finding.ok("devices", "mps", "Apple's")
    if not found["gpus"] and (card := _card_of_the_driver()):
        why = f"torch is built for CUDA {found['cuda']}" if found["cuda"] else "torch is a build for the CPU alone"
        remedy = "Bring the driver up to date, or install the torch that fits it (pytorch.org tells which)."
        yield Finding.warning("devices", "cuda", f"{card} is there, but torch cannot use it; {why}", remedy)


def _card_of_the_driver() -> str:
    """The first graphics card that NVIDIA's driver knows; nothing without one."""
    if shutil.which("nvidia-smi") is None:
        return ""
    try:
        told = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.partition("(")[0].strip() if told.returncode == 0 else ""


def examine_cache() -> Iterator[Finding]:
    """Where the cache is, how large, whether it can be written, and how much disk is free there."""
    from ..study.plan import folder_size

    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        free, held = shutil.disk_usage(folder).free, folder_size(folder)
    except OSError as error:
        found = f"{folder} cannot be written ({error.strerror})"
        yield Finding.missing("cache", "folder", found, f"export {CACHE_VARIABLE}=FOLDER, one that you may write")
        return
    told = f"{folder}, {size(held)} held, {size(free)} free"
    if free < _LOW_DISK:
        remedy = f"concepttransfer cache clear, or export {CACHE_VARIABLE}=FOLDER on another disk"
        yield Finding.warning("cache", "folder", told, remedy)
    else:
        yield Finding.ok("cache", "folder", told)
