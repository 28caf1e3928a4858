"""Which language model a name means, where it lies, and the string that identifies its weights. Loads no torch."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInputError, MissingResourceError
from ..storage import cache_folder, digest, file_digest, write_text
from .placement import QUANTISED

MICROWORLD = "microworld:language_model"
WEIGHTS = (r"model.*\.safetensors", r"pytorch_model.*\.bin")
TOKENIZER = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model", "vocab.txt")
OTHER_FILES = (
    "config.json",
    *TOKENIZER,
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_LARGE = 64 << 20


@dataclass(frozen=True)
class Source:
    """Where a language model comes from: a folder on this machine, or a name on the hub.

    Attributes:
        name: as the user wrote it.
        short: the last part of the name, for people.
        folder: on this machine; None: on the hub.
        hub: `org/name` on the hub; empty for a folder.
        revision: branch, tag or commit on the hub.
    """

    name: str
    short: str
    folder: Path | None = None
    hub: str = ""
    revision: str | None = None

    @property
    def path(self) -> str:
        """What the library is asked for."""
        return str(self.folder) if self.folder else self.hub


def locate(name: str, root: Path | str = ".") -> Source:
    """Find what a name means.

    Args:
        name: `hf:org/name` or `hf:org/name@revision` on the hub, `hf:folder` or `folder` relative to `root`, or
            `microworld:language_model`.
        root: the folder that relative names start from.

    Raises:
        MissingResourceError: a folder that is not there, or not a whole model.
        BadInputError: a name of no known form.
    """
    if name == MICROWORLD:
        folder = Path(__file__).parents[1] / "microworld" / "weights" / "language_model"
        if not folder.is_dir():
            wanted = "Install concepttransfer again, or make it: concepttransfer microworld build language-model"
            raise MissingResourceError(f"The microworld's language model is not in {folder}. {wanted}")
        return Source(name, "microworld", _whole(name, folder))
    rest = name.removeprefix("hf:")
    folder = Path(root).expanduser() / Path(rest).expanduser()
    if rest and folder.is_dir():
        return Source(name, folder.resolve().name, _whole(name, folder))
    hub, _, revision = rest.partition("@")
    if name.startswith("hf:") and _HUB_NAME.fullmatch(hub):
        return Source(name, hub.split("/")[-1], hub=hub, revision=revision or None)
    if re.match(r"[a-z_]+:", rest):
        raise BadInputError(f"`{name}` names no language model. Write hf:org/name, a folder, or {MICROWORLD}.")
    raise MissingResourceError(
        f"Language model `{name}`: there is no folder {folder}. Put config.json, model.safetensors and tokenizer.json "
        "there, or name a model of the hub as hf:org/name."
    )


def _whole(name: str, folder: Path) -> Path:
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    wanted = {
        "config.json": "config.json" in there,
        "weights (model.safetensors)": bool(weight_files(there)),
        "a tokenizer (tokenizer.json)": any(file in there for file in TOKENIZER),
    }
    if missing := [what for what, found in wanted.items() if not found]:
        raise MissingResourceError(f"Language model `{name}` lacks {', '.join(missing)}. Put it into {folder}.")
    return folder


def weight_files(names: Iterable[str]) -> list[str]:
    """Which of a folder's files hold the weights: safetensors where there are any, else PyTorch's own format."""
    names = sorted(names)
    for pattern in WEIGHTS:
        if found := [name for name in names if re.fullmatch(pattern, name)]:
            return found
    return []


def language_model_identity(name: str, root: Path | str = ".", dtype: str = "auto") -> str:
    """The string by which everything that was computed with a language model knows it, such as `gpt-j-6b@1f0c...`.

    It is the sha256 of weights, configuration and tokenizer: of the files in a folder, of the blobs in the hub's cache
    on this machine, or as the hub states it. A model that is neither here nor can be asked for is known by its name.
    Weights of 8 or 4 bit are other weights (`gpt-j-6b@1f0c...+8bit`); float32, bfloat16 and float16 are the same ones,
    rounded.

    Raises:
        MissingResourceError: a folder that is not there, or not a whole model.
        BadInputError: a name of no known form.
    """
    source, bits = locate(name, root), f"+{dtype}" if dtype in QUANTISED else ""
    files = _folder_files(source.folder) if source.folder else _hub_files(source)
    if files is None:
        return f"{source.short}@{digest(source.hub, source.revision)[:16]}{bits}"
    kept = {file: files[file] for file in (*weight_files(files), *OTHER_FILES) if file in files}
    return f"{source.short}@{digest(kept)[:16]}{bits}"


def without_bits(identity: str) -> str:
    """The identity of the same language model in the dtype that it was published in."""
    for dtype in QUANTISED:
        identity = identity.removesuffix(f"+{dtype}")
    return identity


def _folder_files(folder: Path) -> Mapping[str, str]:
    names = {path.name for path in folder.iterdir()}
    return {name: _content(folder / name) for name in (*weight_files(names), *OTHER_FILES) if name in names}


def _content(path: Path) -> str:
    """sha256 of a file; that of a large one is remembered as long as its size and time stay."""
    state = path.stat()
    if state.st_size < _LARGE:
        return file_digest(path)
    known = cache_folder() / "digests" / digest(str(path.resolve()), state.st_size, state.st_mtime_ns)
    if not known.is_file():
        write_text(known, file_digest(path))
    return known.read_text()


def offline() -> bool:
    """Has the user forbidden the network? The hub's library asks this only when it is imported, we each time."""
    said = (os.environ.get(name, "").lower() for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return any(value in ("1", "on", "yes", "true") for value in said)


def _hub_files(source: Source) -> Mapping[str, str] | None:
    """The blob that each file of a hub model is, from the cache, else from the hub, or None."""
    for ask in (_cached_files,) if offline() else (_cached_files, _stated_files):
        try:
            files = ask(source)
        except Exception:  # whatever the reason, this way of asking gives no answer
            continue
        if weight_files(files):
            return files
    return None


def _cached_files(source: Source) -> Mapping[str, str]:
    from huggingface_hub import snapshot_download

    folder = Path(snapshot_download(source.hub, revision=source.revision, local_files_only=True))
    return {path.name: path.resolve().name for path in folder.iterdir() if path.is_symlink()}


def _stated_files(source: Source) -> Mapping[str, str]:
    from huggingface_hub import HfApi

    siblings = HfApi().model_info(source.hub, revision=source.revision, files_metadata=True, timeout=10).siblings or []
    return {file.rfilename: file.lfs.sha256 if file.lfs else str(file.blob_id) for file in siblings}
