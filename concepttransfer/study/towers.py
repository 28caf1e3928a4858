"""What a study makes of its CLIPs: pictures and texts of both towers, each read once and kept in the store."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..concepts.class_texts import ClassTexts, class_sentences
from ..errors import BadInputError, EmptyDataError, UnknownNameError
from ..features.captioned import Captioned
from ..language.prompt_templates import templates as templates_of
from ..language.prompt_templates import templates_for
from ..manifest import Manifest, Row
from ..statistics.claims import AT, stem
from . import pipeline
from .read_texts import Read, read_texts

if TYPE_CHECKING:
    from ..encoders.spec import EncoderSpec
    from ..features import Features
    from .selection import Selection
    from .study import Study

logger = logging.getLogger(__name__)
PROJECTED = "projected"
SHARED = frozenset({"Captioned", "ClassTexts", "PairedTowers"})
"""Artifacts that hold features of the space shared with texts."""


def projected(study: Study, name: str) -> str:
    """The encoder's name in the space that it shares with texts: `clip@projected` for a `clip` read elsewhere."""
    return name if study.encoder_spec(name).features == PROJECTED else f"{stem(name)}{AT}{PROJECTED}"


def with_texts(study: Study, encoders: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Those of some encoders that read texts too, and the others with the reason; told where some are left out.

    Raises:
        BadInputError: none of them does; those of the study that do are named.
    """
    reasons = {name: lack for name in encoders if (lack := lack_of_texts(study, name))}
    kept: dict[str, str] = {}
    for name in encoders:
        if name not in reasons and (same := kept.setdefault(text_spec(study, name).identity(study.root), name)) != name:
            reasons[name] = f"the same CLIP as `{same}`"
    if kept:
        if reasons:
            logger.warning("Left out: %s.", "; ".join(f"{name} ({reason})" for name, reason in reasons.items()))
        return list(kept.values()), reasons
    there = [name for name in study.encoders if not lack_of_texts(study, name)]
    asked = "; ".join(f"`{name}`: {reason}" for name, reason in reasons.items())
    remedy = f"Name one that does: {', '.join(there)}" if there else "Add a CLIP to it, as open_clip:ViT-B-32/openai"
    raise BadInputError(f"No encoder named can be asked about texts ({asked}). {remedy} (study `{study.name}`).")


def lack_of_texts(study: Study, name: str) -> str:
    """Why an encoder cannot be asked about texts; empty: it can."""
    spec = study.encoder_spec(name)
    if spec.train:
        return f"`{name}` was trained with its projection, and texts were not"
    if spec.blind:
        return f"`{name}` sees no picture"
    text = spec.model_copy(update={"features": PROJECTED, "modality": "text", "weights": None, "init": "random"})
    return "" if _has_text_tower(text.model_dump_json(), study.root) else "no text tower"


@cache
def _has_text_tower(written: str, root: Path) -> bool:
    """Found on the network, without its weights."""
    from ..encoders import library_of
    from ..encoders.loading import build
    from ..encoders.spec import EncoderSpec

    spec = EncoderSpec.model_validate_json(written)
    if library_of(spec.model) in ("timm", "open_clip"):
        return library_of(spec.model) == "open_clip"
    try:
        build(spec, root)
    except (BadInputError, UnknownNameError):
        return False
    return True


def pictures(study: Study, name: str, selection: Selection) -> Features:
    """An encoder's pictures of one data set in the space shared with texts."""
    return pipeline.features(study, projected(study, name), selection)


def text_spec(study: Study, name: str) -> EncoderSpec:
    """The text tower that belongs to an encoder."""
    return study.encoder_spec(projected(study, name)).model_copy(update={"modality": "text", "grid": None})


def texts(study: Study, name: str, manifest: Manifest) -> Read:
    """All texts of a manifest, as the text tower that belongs to an encoder reads them."""
    from ..encoders import fetch

    spec = text_spec(study, name)
    fetch(spec, study.root)
    return read_texts(study, spec, manifest)


def text_manifest(name: str, written: Mapping[str, Iterable[str]]) -> Manifest:
    """Texts by their owner, as rows of a manifest."""
    return Manifest(name, tuple(Row(owner, texts=tuple(said)) for owner, said in written.items()))


def class_texts(
    study: Study, encoders: Sequence[str], selection: Selection, *, templates: str = ""
) -> list[ClassTexts]:
    """Each CLIP's pictures of a data set beside the names of its classes; other encoders are left out, and told.

    Args:
        study: whose encoders they are.
        encoders: by name.
        selection: the data, whose concepts are named.
        templates: a list of ours or a file; empty: what fits the model.

    Raises:
        BadInputError: no encoder reads texts, or the classes cannot be named.
    """
    kept, left_out = with_texts(study, encoders)
    return [_class_texts(study, name, selection, templates, left_out) for name in kept]


def _class_texts(
    study: Study, name: str, selection: Selection, templates: str, left_out: Mapping[str, str]
) -> ClassTexts:
    concepts = selection.concepts
    chosen = templates_of(templates or templates_for(study.encoder_spec(name).model))
    written = class_sentences(concepts, chosen)
    read, n_cut, scale = texts(study, name, text_manifest(f"names of {concepts.name}", written))
    return ClassTexts(
        encoder=name,
        on=selection.name,
        study=study.name,
        pictures=pictures(study, name, selection),
        texts=read,
        scale=scale,
        n_cut=n_cut,
        left_out=left_out,
        names=concepts.names,
        templates=chosen.sentences,
        list_name=chosen.name,
    )


def captioned(study: Study, encoders: Sequence[str], selection: Selection) -> list[Captioned]:
    """Each CLIP's pictures of a data set and their captions; other encoders are left out, and told.

    Raises:
        BadInputError: no encoder reads texts.
        EmptyDataError: the data have no captions, or no pictures.
    """
    kept, left_out = with_texts(study, encoders)
    if selection.manifest.pictures is None or not any(selection.manifest.texts):
        raise EmptyDataError(f"`{selection.name}` lacks pictures or captions. Name data that have both with --on.")
    found = []
    for name in kept:
        read, n_cut, scale = texts(study, name, selection.manifest)
        seen = pictures(study, name, selection)
        found.append(Captioned(name, selection.name, study.name, seen, read, scale, n_cut, left_out))
    return found


def read_as(study: Study, kinds: Iterable[str], encoders: Sequence[str]) -> list[str]:
    """The names under which an analysis of artifacts of these kinds reads encoders, such as `clip@projected`.

    Raises:
        BadInputError: it asks about texts, and no encoder reads any.
    """
    if SHARED.isdisjoint(kinds):
        return list(encoders)
    return [projected(study, name) for name in with_texts(study, encoders)[0]]
