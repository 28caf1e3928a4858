"""A projection that was fitted elsewhere, in place of a fit: where it lies, and what it says about its encoder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    """Where it lies, or None: nothing was imported."""
    folder = place(study, name)
    return folder if (folder / "transfer.json").is_file() else None


def encoder_spec(study: Study, name: str) -> EncoderSpec:
    """The encoder as the study's file has it; with an imported projection, as its released code shows it pictures."""
    written = study.spec.encoders[name]
    folder = find(study, name)
    if folder is None:
        return written
    changes = read_json(folder / "transfer.json")["meta"].get("encoder_changes", {})
    return type(written).model_validate(written.model_dump() | changes)


def import_projection(study: Study, name: str, file: Path) -> Transfer:
    """Read a released LiMBeR `proj.ckpt` for one encoder of a study; later stages use it in place of a fit.

    Raises:
        BadInputError: the file is no such projection; nothing in it was executed.
        MismatchError: it belongs to an encoder or language model of another width.
    """
    from ..encoders import load_encoder
    from ..projections.importers import import_limber, released_transform

    written = study.spec.encoders[name]
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
