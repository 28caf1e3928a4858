"""A projection that was fitted elsewhere, in place of a fit: where it lies, and what it says about its encoder."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MismatchError
from ..storage import cache_folder, read_json
from . import keys

if TYPE_CHECKING:
    from ..encoders.spec import EncoderSpec
    from ..transfer import Transfer
    from .study import Study


def place(study: Study, name: str) -> Path:
    """Where an imported projection of this encoder and language model lies, whether it is there or not."""
    return cache_folder() / "transfers" / keys.imported(study, name)


def find(study: Study, name: str) -> Path | None:
    """Where it lies, in the cache or, with a study that was exported, beside its file; None: there is none."""
    folder = place(study, name)
    if (folder / "transfer.json").is_file():
        return folder
    beside = None if study.spec.transfers is None else study.resolve(study.spec.transfers) / "transfer.json"
    if beside is not None and beside.is_file() and read_json(beside).get("encoder") == name:
        return beside.parent
    return None


def encoder_spec(study: Study, name: str) -> EncoderSpec:
    """The encoder as the study's file has it; with an imported projection, as its released code shows it pictures."""
    written = study.written_spec(name)
    folder = find(study, name)
    if folder is None:
        return written
    changes = read_json(folder / "transfer.json")["meta"].get("encoder_changes", {})
    return type(written).model_validate(written.model_dump() | changes)


def import_projection(study: Study, name: str, file: Path) -> Transfer:
    """Read a projection for one encoder of a study; later stages use it in place of a fit.

    Args:
        study: whose encoder and language model it belongs to.
        name: of the encoder.
        file: a released LiMBeR `proj.ckpt`, ClipCap `.pt` or MAGMA checkpoint, told apart by their keys; or the folder
            of a Transfer, such as `export` writes.

    Raises:
        BadInputError: the file is no such projection; nothing in it was executed.
        MissingResourceError: the folder holds no Transfer.
        MismatchError: it belongs to an encoder or language model of another width, or a Transfer to another one.
    """
    if file.is_dir():
        return _take_over(study, name, file)
    from ..encoders import load_encoder
    from ..projections.importers import import_limber, released_transform
    from ..projections.released import CLIPCAP, read_released, system_of

    state = read_released(file)
    if (system := system_of(state)) == CLIPCAP:
        return _take_clipcap(study, name, file, state)
    if system == "MAGMA":
        return _take_magma(study, name, file, state)
    written = study.written_spec(name)
    changes = released_transform(written.model)
    encoder = load_encoder(type(written).model_validate(written.model_dump() | changes), study.root)
    return import_limber(
        file,
        place(study, name),
        key=keys.imported(study, name),
        encoder=name,
        space=encoder.space,
        encoder_identity=encoder.id,
        tokens=encoder.tokens,
        dim=encoder.dim,
        language_model_id=study.language_model_identity,
        d_model=_width(study),
        changes=changes,
    )


def _take_clipcap(study: Study, name: str, file: Path, state: Mapping[str, object]) -> Transfer:
    """A released ClipCap file, whose GPT-2 is compared with the study's language model."""
    from ..encoders import load_encoder
    from ..language_models.loading import load_language_model
    from ..projections.clipcap_file import HEADS, understood
    from ..projections.import_clipcap import import_clipcap

    heads = study.recipe(name).projection.options.get("heads", HEADS)
    released = understood(state, file, d_model=_width(study), heads=heads)
    encoder = load_encoder(study.written_spec(name), study.root)
    frozen = released.language_model is None
    return import_clipcap(
        released,
        place(study, name),
        key=keys.imported(study, name),
        encoder=name,
        space=encoder.space,
        encoder_identity=encoder.id,
        tokens=encoder.tokens,
        dim=encoder.dim,
        language_model_id=study.language_model_identity,
        base=None if frozen else load_language_model(study.spec.language_model, study.root).module,
    )


def _take_magma(study: Study, name: str, file: Path, state: Mapping[str, object]) -> Transfer:
    """A released MAGMA checkpoint, whose GPT-J must be the study's language model."""
    from ..encoders import load_encoder
    from ..language_models.loading import load_language_model
    from ..projections.import_magma import import_magma
    from ..projections.magma_file import understood

    spec = study.written_spec(name)
    encoder = load_encoder(spec, study.root)
    return import_magma(
        understood(state, file),
        place(study, name),
        key=keys.imported(study, name),
        encoder=name,
        space=encoder.space,
        encoder_identity=encoder.id,
        encoder_own=encoder.module.state_dict() if spec.train else None,
        tokens=encoder.tokens,
        dim=encoder.dim,
        language_model_id=study.language_model_identity,
        base=load_language_model(study.spec.language_model, study.root).module,
    )


def _take_over(study: Study, name: str, folder: Path) -> Transfer:
    """Copy a Transfer that was fitted on the same features into the same language model, in whatever dtype it is."""
    from ..encoders import fetch
    from ..language_models.identity import without_bits
    from ..transfer import Transfer

    transfer = Transfer.load(folder)
    written = study.written_spec(name)
    changes = transfer.meta.get("encoder_changes", {})
    spec = type(written).model_validate(written.model_dump() | changes)
    fetch(spec, study.root)
    own, wanted = spec.identity(study.root), study.language_model_identity
    if transfer.encoder_identity != own and not (spec.train and transfer.encoder_identity.startswith(f"{own}+")):
        raise MismatchError(
            f"{folder} was fitted on `{transfer.encoder_identity}`; `{name}` of study `{study.name}` is `{own}`.\n"
            "Weights, layer and transform must be the same: describe the encoder as the study.yaml in that folder does."
        )
    if without_bits(transfer.language_model_id) == without_bits(wanted):
        transfer = dataclasses.replace(transfer, language_model_id=wanted)
    transfer.check_language_model(wanted, transfer.d_model, study=study.name)
    origin = {"file": folder.resolve().name, "sha256": transfer.hashes["projection.safetensors"]}
    meta = {**transfer.meta, "imported": {**transfer.meta.get("imported", {}), **origin}}
    taken = dataclasses.replace(transfer, key=keys.imported(study, name), encoder=name, meta=meta)
    return taken.copy(place(study, name), dtype="float32")


def forget(study: Study, name: str) -> None:
    """Leave the imported projection out from now on."""
    shutil.rmtree(place(study, name), ignore_errors=True)


def _width(study: Study) -> int:
    """How wide the language model's word vectors are, read from its configuration without its weights."""
    from transformers import AutoConfig

    from ..language_models.identity import locate, offline

    source = locate(study.spec.language_model, study.root)
    how: dict[str, Any] = {"revision": source.revision} if source.revision else {}
    text = AutoConfig.from_pretrained(source.path, local_files_only=offline(), **how).get_text_config()
    return int(getattr(text, "word_embed_proj_dim", None) or text.hidden_size)
