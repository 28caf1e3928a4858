"""Readers: one format a file, each gives a `Manifest`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from .. import plugins
from ..errors import BadInputError, UnknownNameError
from ..manifest import Manifest

READERS = {
    "awa2": "concepttransfer.data.awa2:awa2",
    "captions_table": "concepttransfer.data.captions_table:captions_table",
    "coco": "concepttransfer.data.coco:coco",
    "hub": "concepttransfer.data.hub:hub",
    "image_folder": "concepttransfer.data.image_folder:image_folder",
    "karpathy": "concepttransfer.data.karpathy:karpathy",
    "magma_folder": "concepttransfer.data.magma_folder:magma_folder",
    "microworld": "concepttransfer.microworld.data:microworld_manifest",
    "microworld_entailment": "concepttransfer.microworld.entailment_data:microworld_entailment",
    "microworld_news": "concepttransfer.microworld.news_data:microworld_news",
    "microworld_questions": "concepttransfer.microworld.questions_data:microworld_questions",
    "webdataset": "concepttransfer.data.webdataset:webdataset",
    "nocaps": "concepttransfer.data.nocaps:nocaps",
    "snli": "concepttransfer.data.snli:snli",
    "snli_ve": "concepttransfer.data.snli:snli_ve",
    "text_folder": "concepttransfer.data.text_folder:text_folder",
    "visual_news": "concepttransfer.data.visual_news:visual_news",
    "vqa2": "concepttransfer.data.vqa2:vqa2",
    "vqa_e": "concepttransfer.data.vqa_e:vqa_e",
}
SHARED_KEYS = ("reader", "names", "holdout_per_class", "subset", "limit")

__all__ = ["READERS", "read_data", "readers"]


def read_data(spec: Mapping[str, Any], root: Path) -> Manifest:
    """Read one data set as a study describes it, such as `{reader: image_folder, pictures: photos.zip, split: val}`.

    Whatever the reader, `names: words.csv` gives each class a word and each of its rows the text `WORD.`;
    `holdout_per_class: 5` with `subset: fit` or `subset: dev` splits every class; `limit: 100` keeps so many rows.

    Args:
        spec: `reader`, what that reader needs, and what is said above. Without a reader, `image_folder`.
        root: what relative paths are relative to.

    Raises:
        UnknownNameError: there is no such reader, or the reader has no such key.
        BadInputError: a key that the reader needs is missing.
        ConceptTransferError: whatever the reader finds wrong with the data.
    """
    from .names import hold_out, with_names

    reader = _reader(str(spec.get("reader", "image_folder")))
    manifest = reader(**_arguments(reader, spec, root))
    if names := spec.get("names"):
        manifest = with_names(manifest, root / Path(names).expanduser())
    if per_class := spec.get("holdout_per_class"):
        manifest = hold_out(manifest, int(per_class), str(spec.get("subset", "fit")))
    elif "subset" in spec:
        raise BadInputError("`subset` needs `holdout_per_class`: how many rows of each class are `dev`.")
    return manifest.limit(spec.get("limit"))


@cache
def readers() -> Mapping[str, str]:
    """Every reader, ours and those of plug-ins (`concepttransfer.readers`), by name: `module:function`.

    Raises:
        ConceptTransferError: two of one name.
    """
    return READERS | {name: entry.value for name, entry in plugins.declared(plugins.READERS, READERS).items()}


def _reader(name: str) -> Callable[..., Manifest]:
    if name not in readers():
        raise UnknownNameError("reader", name, readers())
    if name not in READERS:
        theirs: Callable[..., Manifest] = plugins.loaded(plugins.READERS, name, readers()[name])
        return theirs
    module, function = READERS[name].split(":")
    found: Callable[..., Manifest] = getattr(import_module(module), function)
    return found


def _arguments(reader: Callable[..., Manifest], spec: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """What the reader is called with: paths under the root, and nothing that it does not know."""
    parameters = inspect.signature(reader).parameters
    given = {key: value for key, value in spec.items() if key not in SHARED_KEYS}
    where = f"data with reader `{spec.get('reader', 'image_folder')}`"
    for key in given:
        if key not in parameters:
            raise UnknownNameError("key", key, [*parameters, *SHARED_KEYS], where=where)
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in given:
            raise BadInputError(f"There is no `{key}` in {where}. It says what to read.")
    paths = {key for key, parameter in parameters.items() if "Path" in str(parameter.annotation)}
    return {
        key: root / Path(str(value)).expanduser() if key in paths and value is not None else value
        for key, value in given.items()
    }
