"""Which weights an encoder has, by content and without loading any: part of its identity. Torch-free."""

from __future__ import annotations

import contextlib
import importlib.metadata
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MissingResourceError, UnknownNameError
from ..plugins import ENCODERS, declared, package_of
from ..storage import cache_folder, digest, file_digest, read_json, write_json

if TYPE_CHECKING:
    from .spec import EncoderSpec

_DISTRIBUTIONS = {"timm": "timm", "open_clip": "open_clip_torch", "hf": "transformers"}
_READ = ("config.json", "preprocessor_config.json", "processor_config.json", "open_clip_config.json")
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")


def weights_id(spec: EncoderSpec, root: Path) -> str:
    """Names the weights of an encoder: their sha256 where they are on this machine, else `name@revision`.

    A model of a hub that was not downloaded yet is known by its name and revision alone; `load_encoder` downloads it,
    and from then on (also in `Encoder.id`) its files' hashes stand here.

    Raises:
        MissingResourceError: a local file, or a file of the microworld, is not there.
        UnknownNameError: the microworld has no such encoder.
    """
    library, _, name = spec.model.partition(":")
    if spec.init == "random":
        return f"random:{spec.seed}"
    if spec.weights is not None:
        return f"sha256:{_existing(root / spec.weights)}"
    if library == "microworld":
        return _microworld(name, spec.modality)
    if library == "plugin":
        return _plugin(spec.arguments.values(), root)
    if library not in _DISTRIBUTIONS:
        return _of_a_package(library, name, spec.arguments.values(), root)
    folder = root / name.removeprefix("local-dir:")
    if (library == "hf" or name.startswith("local-dir:")) and folder.is_dir():
        return f"sha256:{_folder_digest(folder)}"
    revision = spec.revision or "main"
    downloaded = snapshot(hub_repository(library, name), revision)
    return f"sha256:{_folder_digest(downloaded)}" if downloaded else f"{name}@{revision}"


def is_settled(spec: EncoderSpec, root: Path) -> bool:
    """Is `weights_id` what it will still be after loading?"""
    library, _, name = spec.model.partition(":")
    if not weights_id(spec, root).endswith(f"@{spec.revision or 'main'}"):
        return True
    return hub_repository(library, name) == ""


def known_digest(path: Path) -> str:
    """sha256 (hexadecimal) of a file, remembered in the cache folder by path, size and time of change."""
    path = path.resolve()
    stat = path.stat()
    note = cache_folder() / "digests" / f"{digest(str(path))}.json"
    mark = [str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino]
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        held = read_json(note)
        if held["file"] == mark:
            return str(held["sha256"])
    found = file_digest(path)
    with contextlib.suppress(OSError):
        write_json(note, {"file": mark, "sha256": found})
    return found


def hub_repository(library: str, name: str) -> str | None:
    """The repository of a hub that holds a model: None if it is not known yet, empty if there is none.

    Which repository `timm:nf_resnet50` means is timm's to say, and asking it would load torch: builders note the
    answer with `remember_repository`, for the installed version.
    """
    if library == "hf":
        return name
    if name.startswith("hf-hub:"):
        return name.removeprefix("hf-hub:")
    with contextlib.suppress(OSError, ValueError, KeyError):
        return str(read_json(_repository_note(library, name))["repository"])
    return None


def remember_repository(library: str, name: str, repository: str) -> None:
    """Note which repository the installed version of a library means by a model's name."""
    with contextlib.suppress(OSError):
        write_json(_repository_note(library, name), {"library": library, "name": name, "repository": repository})


def _repository_note(library: str, name: str) -> Path:
    version = importlib.metadata.version(_DISTRIBUTIONS[library])
    return cache_folder() / "hub" / f"{digest(library, name, version)}.json"


def snapshot(repository: str | None, revision: str) -> Path | None:
    """The folder of a downloaded revision, if it holds weights; None where it does not."""
    if not repository:
        return None
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    place = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repository, repo_type="model")
    with contextlib.suppress(OSError):
        revision = (place / "refs" / revision).read_text().strip()
    folder = place / "snapshots" / revision
    return folder if folder.is_dir() and any(_weight_files(folder)) else None


def _weight_files(folder: Path) -> list[Path]:
    """The weights of a folder in the form that is read: safetensors before pickled ones."""
    files = sorted(path for path in folder.iterdir() if path.suffix in _WEIGHTS and path.is_file())
    return [path for path in files if path.suffix == ".safetensors"] or files


def _folder_digest(folder: Path) -> str:
    files = [folder / name for name in _READ if (folder / name).is_file()] + _weight_files(folder)
    return digest([(path.name, _content(path)) for path in files])


def _content(path: Path) -> str:
    """A file's hash; a hub's cache names its files by it (sha256 of large files, git's sha1 of small ones)."""
    blob = path.resolve().name
    return blob if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", blob) else known_digest(path)


def _microworld(name: str, modality: str) -> str:
    from ..microworld import WEIGHTS

    path = WEIGHTS / f"{name}.safetensors"
    if not path.is_file():
        known = [file.stem for file in WEIGHTS.glob("*.safetensors")]
        if known:
            raise UnknownNameError("encoder", name, known, where="the microworld")
        raise MissingResourceError(
            f"No weights of the microworld in {WEIGHTS}. Make them: concepttransfer microworld build"
        )
    files = [path] + ([WEIGHTS / "language_model" / "tokenizer.json"] if modality == "text" else [])
    return f"sha256:{digest([_existing(file) for file in files])}"


def _plugin(arguments: Iterable[Any], root: Path) -> str:
    """Hashes of the files that a plug-in's arguments name; its code is known by name alone."""
    texts = sorted(str(value) for value in arguments if isinstance(value, str | Path))
    files = [root / text for text in texts if text and (root / text).is_file()]
    return f"sha256:{digest([known_digest(file) for file in files])}" if files else "plugin"


def _of_a_package(library: str, name: str, arguments: Iterable[Any], root: Path) -> str:
    """The package that brings a library, with its version; a folder of the model's name, and files of the arguments."""
    own = [f"sha256:{_folder_digest(root / name)}"] if name and (root / name).is_dir() else []
    return ", ".join([_package(library), *own, _plugin([name, *arguments], root)])


@cache
def _package(library: str) -> str:
    entry = declared(ENCODERS).get(library)
    return package_of(entry) if entry else library


def _existing(path: Path) -> str:
    if not path.is_file():
        raise MissingResourceError(f"No weights at {path}. Put the file there, or change `weights:` of the encoder.")
    return known_digest(path)
