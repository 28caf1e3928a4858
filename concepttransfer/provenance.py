"""Where a result comes from: versions, machine, revision, date, and the ids of everything it was computed from."""

from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path, PureWindowsPath
from typing import Any

LIBRARIES = (
    "accelerate",
    "matplotlib",
    "nltk",
    "numpy",
    "open_clip_torch",
    "pandas",
    "pillow",
    "pycocoevalcap",
    "safetensors",
    "scikit-learn",
    "scipy",
    "spacy",
    "timm",
    "torch",
    "torchvision",
    "transformers",
    "umap-learn",
)
"""The libraries whose version can change a number or a picture."""

_LOCATION = re.compile(r"^(?P<scheme>file://|[\w.-]+:(?!//))?(?P<path>/.*/.*|~/.*)$")
_WINDOWS = re.compile(r"^([A-Za-z]:[\\/]|\\\\)")


def provenance(*, device: str | None = None, seeds: Sequence[int] = (), **ids: Any) -> dict[str, Any]:
    """What has to be known to make a result again, without anything private: no path, no user's or machine's name.

    Versions are read from the installed packages' metadata; no library is imported for it.

    Args:
        device: what the models ran on, such as `cuda:0`; None: what torch would use, if it is loaded at all.
        seeds: the seeds behind the result.
        ids: what it was computed from: study, manifest, transfers, captions, options, ... Locations are cut to their
            last part.
    """
    return {
        "concepttransfer": version("concepttransfer"),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": device_name(device),
        "cores": os.cpu_count(),
        "libraries": {name: found for name in LIBRARIES if (found := version(name))},
        "git": revision(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seeds": [int(seed) for seed in seeds],
        **{name: without_locations(value) for name, value in ids.items()},
    }


def version(library: str) -> str | None:
    """The version of an installed library, None if it is not installed."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def device_name(device: str | None = None) -> str:
    """`cpu`, or the name of the accelerator. Asks torch only if it is loaded already."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "cuda"):
        return device or "cpu"
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if str(device).startswith("cuda") and torch.cuda.is_available():
        return f"{device} ({torch.cuda.get_device_name(torch.device(device))})"
    return str(device)


def revision(folder: Path | None = None) -> dict[str, Any] | None:
    """The git revision of the repository around `folder` (by default the working folder), and whether it was changed.

    None without a repository or without git.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    return {"revision": commit, "changed": bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))}


def _git(folder: Path | None, *arguments: str) -> str | None:
    command = ["git", "-c", "core.fsmonitor=false", *arguments]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def without_locations(value: Any) -> Any:
    """`value` with every absolute path in it cut to its last part: where something lay is private and tells nothing."""
    if isinstance(value, Path):
        return value.name
    if isinstance(value, str):
        return _without_location(value)
    if isinstance(value, Mapping):
        return {str(key): without_locations(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_locations(item) for item in value]
    return value


def _without_location(text: str) -> str:
    if _WINDOWS.match(text):
        return PureWindowsPath(text).name
    if found := _LOCATION.match(text):
        return (found["scheme"] or "") + Path(found["path"]).name
    return text
