"""Writes one fitted projection as a folder with a model card, ready for a hub."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadInputError, ConceptTransferError
from ..provenance import version, without_locations
from ..storage import file_digest, new_folder, read_json, write_bytes, write_json, write_text
from ..transfer_files import FEATURE_ADAPTER, TRAINED
from .model_card import Card, Finding, model_card

if TYPE_CHECKING:
    from ..study import Study
    from ..transfer import Transfer

CARD, STUDY, CURVE, TRANSFER = "README.md", "study.yaml", "training.png", "transfer.json"
FILES = (CARD, STUDY, CURVE, TRANSFER, "history.csv", *TRAINED, FEATURE_ADAPTER)
"""All that an export writes."""

LIBRARIES = ("concepttransfer", "torch", "transformers", "timm", "open_clip_torch", "safetensors")
"""Whose versions the card tells."""


def export(
    study: Study, encoder: str, folder: Path | str, *, licence: str = "other", results: Sequence[Path] = ()
) -> Path:
    """Write the Transfer of one encoder and seed (`study.settings.seed`), fitted first if it is not there.

    The folder holds the Transfer as `Transfer.load` reads it, `study.yaml` that names its encoder and language model,
    the loss curve, and a model card. It is written whole, in place of an earlier export.

    Args:
        study: where the encoder, the language model and the fit are described.
        encoder: its name there.
        folder: a new or empty one, or an earlier export.
        licence: of the projection, as hubs abbreviate it, such as `mit` or `cc-by-4.0`.
        results: folders of saved results; what they say about this encoder goes into the card.

    Raises:
        BadInputError: the folder holds something else, or a result says nothing about this encoder.
    """
    from ..study import pipeline

    folder = Path(folder).expanduser().absolute()
    _refuse_to_replace(folder)
    findings = [finding for result in results for finding in _findings(result, study.name, encoder)]
    transfer = pipeline.transfers(study.replace(seeds=1), encoder)[0]
    with new_folder(folder) as new:
        _copy(transfer, new)
        _draw(transfer, new / CURVE)
        write_text(new / STUDY, _study_yaml(study, encoder, transfer))
        written = sorted(path for path in new.iterdir() if path.name in FILES)
        files = {path.name: (path.stat().st_size, file_digest(path)) for path in written}
        write_text(new / CARD, model_card(_card(study, encoder, transfer, licence, findings, files)))
    return folder


def _refuse_to_replace(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise BadInputError(f"{folder} is a file. Name a folder for the export.")
    there = sorted(path.name for path in folder.iterdir())
    other = [name for name in there if name not in FILES]
    if there and (other or TRANSFER not in there):
        held = f"{(other or there)[0]}" + (f" and {len(there) - 1} more" if len(there) > 1 else "")
        raise BadInputError(f"{folder} holds {held}, which no export wrote. Name a new folder, or empty this one.")


def _copy(transfer: Transfer, new: Path) -> None:
    """The Transfer's files; why a picture could not be read is cut to its kind, for it may name a place."""
    about = read_json(transfer.folder / TRANSFER)
    unreadable = about["meta"].get("unreadable", {})
    about["meta"]["unreadable"] = {row: str(reason).split(":")[0] for row, reason in unreadable.items()}
    about["meta"] = without_locations(about["meta"])
    write_json(new / TRANSFER, about)
    for name in ("history.csv", *transfer.hashes):
        write_bytes(new / name, (transfer.folder / name).read_bytes())


def _draw(transfer: Transfer, path: Path) -> None:
    history = transfer.history
    if len(history):
        from ..report.fits import draw

        held = io.BytesIO()
        curve = history.assign(encoder=transfer.encoder, seed=transfer.seed)
        draw(curve).savefig(held, format="png", dpi=120, metadata={"Software": None})
        write_bytes(path, held.getvalue())


def _study_yaml(study: Study, encoder: str, transfer: Transfer) -> str:
    """A study of this one encoder, which takes the Transfer beside it in place of a fit."""
    import yaml

    from ..language_models.identity import without_bits

    spec, bits = study.spec, transfer.language_model_id.removeprefix(without_bits(transfer.language_model_id))
    values: dict[str, Any] = {
        "name": spec.name,
        "title": spec.title,
        "language_model": spec.language_model,
        "prompt": spec.prompt,
        "encoders": {
            encoder: study.encoder_spec(encoder).model_dump(mode="json", exclude_defaults=True, exclude={"recipe"})
        },
        "data": {name: spec.data.get(name, {}) for name in study.recipe(encoder).data_sets},
        "train": study.recipe(encoder).model_dump(mode="json", exclude_defaults=True),
        "decoding": spec.decoding.model_dump(mode="json", exclude_defaults=True),
        **({"dtype": bits.lstrip("+")} if bits else {}),
    }
    told = {key: value for key, value in without_locations(values).items() if value not in ("", {})}
    head = "# One exported projection: `transfers: .` takes the one beside this file. README.md tells the rest.\n"
    return head + str(yaml.safe_dump({**told, "transfers": "."}, sort_keys=False, allow_unicode=True, width=120))


def _card(
    study: Study,
    encoder: str,
    transfer: Transfer,
    licence: str,
    findings: Sequence[Finding],
    files: dict[str, tuple[int, str]],
) -> Card:
    spec = study.encoder_spec(encoder)
    names = [spec.model, study.spec.language_model]
    reads = {"model": spec.model, "features": spec.features, **spec.model_dump(mode="json", exclude_defaults=True)}
    return Card(
        study=study.name,
        transfer=transfer,
        encoder=without_locations(reads),
        weights=spec.weights_id(study.root),
        language_model=str(without_locations(study.spec.language_model)),
        prompt=study.spec.prompt,
        licence=licence,
        data=_data(study, transfer),
        base_models=[hub for name in reversed(names) if (hub := _on_hub(name, study.root))],
        findings=findings,
        files=files,
        versions={name: found for name in LIBRARIES if (found := version(name))},
        curve=CURVE if CURVE in files else "",
        microworld=_microworld(study, encoder),
        notes=_notes(study, encoder),
    )


def _microworld(study: Study, encoder: str) -> list[str]:
    """Which parts are those of the embedded world."""
    data = [study.spec.data.get(name, {}) for name in study.recipe(encoder).data_sets]
    parts = {
        "encoder": study.encoder_spec(encoder).model.startswith("microworld:"),
        "language model": study.spec.language_model.startswith("microworld:"),
        "pictures": any(entry.get("reader") == "microworld" for entry in data),
    }
    return [part for part, is_it in parts.items() if is_it]


def _notes(study: Study, encoder: str) -> list[str]:
    """What whoever takes the folder has to put beside it."""
    spec, notes = study.encoder_spec(encoder), []
    local = [spec.model, study.spec.language_model]
    for name in (name for name in local if name.startswith("hf:") and not _on_hub(name, study.root)):
        where = without_locations(name)
        notes.append(f"{where} is a folder of whoever exported this: put yours beside study.yaml, or name it there.")
    if spec.weights:
        notes.append(f"The encoder's weights are a file, {Path(spec.weights).name}: name yours in study.yaml.")
    return notes


def _data(study: Study, transfer: Transfer) -> dict[str, str]:
    """What the training data say of themselves, where they are at hand; of those of another study the name alone."""
    if "imported" in transfer.meta:
        name = transfer.meta.get("recipe", {}).get("data")
        return {"name": str(name)} if name else {}
    training = study.training_of(transfer.encoder)
    source = without_locations(training.manifest.source)
    hub = training.entry.get("dataset")  # a study's own names mean nothing on a hub
    named = {"name": training.name} | ({"hub": str(hub)} if hub else {})
    return {key: str(value) for key, value in source.items()} | named


def _on_hub(name: str, root: Path) -> str:
    """`org/name` of a model of the Hugging Face hub, else nothing."""
    from ..language_models.identity import locate

    if not name.startswith("hf:"):
        return ""
    try:
        return locate(name, root).hub
    except ConceptTransferError:  # a folder, though not of a language model
        return ""


def _findings(folder: Path, study: str, encoder: str) -> list[Finding]:
    from ..report.gather import gather

    saved, _ = gather([folder])
    found = []
    for one in saved:
        claims = one.result.estimates
        mine = claims[(claims["system"] == encoder) & (claims["study"] == study)]
        levels = mine[mine["against"].isna()]
        if len(levels):
            found.append(Finding(one.spec.title, one.spec.name, levels))
    if not found:
        raise BadInputError(f"{folder} says nothing about `{encoder}` of study `{study}`. Name a result that does.")
    return found
