"""The page that goes with an exported projection: what it maps, how it was fitted, what it does, how to use it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..report.text import number, size
from ..transfer_files import LANGUAGE_MODEL, PROJECTION, count
from .markdown import cell, code, plain, table

if TYPE_CHECKING:
    import pandas as pd

    from ..transfer import Transfer

_ADDRESS = re.compile(r"https?://[\w./%#?=&:@~+-]+")
METHOD = (
    "J. Merullo, L. Castricato, C. Eickhoff, E. Pavlick: Linearly Mapping from Image to Text Space. ICLR 2023, "
    "arXiv 2209.15162."
)
CURVE_ROWS = 8
"""Rows of the loss curve that the page shows; `history.csv` has them all."""


@dataclass(frozen=True)
class Finding:
    """What one saved result says of the encoder: a heading, and a row for each estimate."""

    title: str
    kind: str
    estimates: pd.DataFrame


@dataclass(frozen=True)
class Card:
    """Everything that the page says. All of it may come from outside: nothing is taken for markup.

    Attributes:
        study: the study's name.
        transfer: what is exported.
        encoder: what the study says of the encoder, by field.
        weights: of the encoder.
        language_model: as the study names it.
        prompt: the text after the picture.
        licence: of the projection.
        data: what was fitted on: name, title, licence, citation, url, its name on a hub (`hub`), ... where known.
        base_models: names on the hub of the models between which it maps.
        findings: what saved results say.
        files: bytes and sha256 of each file beside the page.
        versions: of Python and the libraries at the export.
        curve: name of the picture of the loss curve; empty: there is none.
        microworld: which parts are those of the embedded world: `encoder`, `language model`, `pictures`.
        notes: what whoever takes the folder has to know besides.
    """

    study: str
    transfer: Transfer
    encoder: Mapping[str, Any]
    weights: str
    language_model: str
    prompt: str
    licence: str
    data: Mapping[str, str]
    base_models: Sequence[str]
    findings: Sequence[Finding]
    files: Mapping[str, tuple[int, str]]
    versions: Mapping[str, str]
    curve: str = ""
    microworld: Sequence[str] = ()
    notes: Sequence[str] = ()


def model_card(card: Card) -> str:
    """The page: Markdown with a YAML header, as hubs read it."""
    parts = [_title(card), _use(card), _maps(card), _fitted(card), _found(card), _limits(card), _files(card)]
    return f"---\n{_header(card)}---\n\n" + "\n\n".join(part for part in parts if part) + "\n"


def _header(card: Card) -> str:
    import yaml

    tags = ["concepttransfer", "limber", "image-captioning", "interpretability"]
    told: dict[str, Any] = {
        "license": card.licence,
        "library_name": "concepttransfer",
        "pipeline_tag": "image-to-text",
        "tags": [*tags, "microworld"] if card.microworld else tags,
    }
    if card.base_models:
        told["base_model"] = list(card.base_models)
    if card.data.get("hub"):
        told["datasets"] = [card.data["hub"]]
    text: str = yaml.safe_dump(told, sort_keys=False, allow_unicode=True)
    return text


def _title(card: Card) -> str:
    t = card.transfer
    parts = (
        f"# {plain(t.encoder)} → {plain(card.language_model)}: a {plain(t.kind)} projection",
        f"A {'linear layer' if t.kind == 'linear' else plain(t.kind) + ' projection'} from what the image encoder "
        f"{code(card.encoder['model'])} reads in a picture to the input space of the {_language_model(card)}, "
        "which then says what is in the picture. "
        + ("It was fitted elsewhere and taken over as it is." if _imported(card) else _how_fitted(card)),
    )
    return "\n\n".join([*parts, *([_microworld(card)] if card.microworld else [])])


def _microworld(card: Card) -> str:
    drawn = " Its pictures are drawings of animals: nothing here is about photographs."
    parts = ", ".join(card.microworld)
    told = f"> **Microworld.** Of concepttransfer's embedded world, whose networks are small: {parts}."
    return told + (drawn if "pictures" in card.microworld else "")


def _language_model(card: Card) -> str:
    """The language model, and whether something of it was trained."""
    name = code(card.language_model)
    if LANGUAGE_MODEL not in card.transfer.hashes:
        return f"frozen language model {name}"
    trained = "with the adapters" if card.transfer.adapters else "with the weights"
    return f"language model {name} {trained} that lie beside this page"


def _imported(card: Card) -> bool:
    return "imported" in card.transfer.meta


def _how_fitted(card: Card) -> str:
    t = card.transfer
    parts = {
        "the encoder": bool(t.meta.get("tuned")),
        "adapters in the language model": bool(t.adapters),
        "the language model": LANGUAGE_MODEL in t.hashes and not t.adapters,
    }
    trained = " and ".join(name for name, is_trained in parts.items() if is_trained)
    what = f"Trained with it: {trained}" if trained else "Nothing else was trained"
    return f"It was fitted by captioning, with seed {t.seed}. {what}."


def _use(card: Card) -> str:
    name = shlex.quote(card.transfer.encoder)
    said = json.dumps(card.transfer.encoder, ensure_ascii=False)
    return "\n".join(
        [
            "## Use",
            "",
            "With concepttransfer installed:",
            "",
            "```bash",
            f"concepttransfer caption PHOTO.jpg --study FOLDER/study.yaml --encoder {' '.join(name.split())}",
            "```",
            "",
            "```python",
            "import concepttransfer as ct",
            "",
            'study = ct.load_study("FOLDER/study.yaml")',
            f'captions = study.captions({said}, on="PHOTO.jpg")[0]',
            "print(captions.texts())",
            "```",
            "",
            "`FOLDER` is this folder. Encoder and language model are fetched from where `study.yaml` says. In a study "
            "of your own with the same two: `concepttransfer import-projection FOLDER --study my.yaml --encoder NAME`. "
            f"{_asked(card)}",
        ]
    )


def _asked(card: Card) -> str:
    return f"After the picture stands {code(card.prompt)}." if card.prompt else "No text stands after the picture."


def _maps(card: Card) -> str:
    t = card.transfer
    fields = {key: value for key, value in card.encoder.items() if key != "model"}
    rows = [
        ("from", cell(card.encoder["model"])),
        ("its weights", cell(card.weights)),
        ("read as", ", ".join(cell(f"{key}: {value}") for key, value in fields.items())),
        ("features of a picture", f"{t.tokens} × {t.dim}"),
        ("to", cell(card.language_model)),
        ("known as", cell(t.language_model_id)),
        ("soft prompts of a picture", f"{t.soft_prompts} × {t.d_model}"),
        ("numbers learnt by the projection", f"{count(t.folder / PROJECTION):,}"),
        ("numbers learnt in all", f"{t.n_trained:,}"),
        ("feature space", cell(t.space)),
    ]
    return f"## What it maps\n\n{table(['', ''], [row for row in rows if row[1]])}"


def _fitted(card: Card) -> str:
    return "\n\n".join(part for part in ("## How it was fitted", _origin(card), _recipe(card), _curve(card)) if part)


def _origin(card: Card) -> str:
    data, meta = card.data, card.transfer.meta
    lines = [_taken_over(meta["imported"])] if _imported(card) else []
    if "rows" in meta:
        bad = len(meta.get("unreadable", {}))
        unread = f"; {bad:,} could not be read and were left out" if bad else ""
        counted = f"{meta['rows']:,} pictures, {meta.get('held_out', 0):,} more held out"
        lines.append(f"On {counted}, of {code(data.get('name', ''))}{unread}.")
    about = [f"- **{label}**: {_linked(data[key])}" for key, label in _ABOUT if data.get(key)]
    return "\n\n".join([*lines, *(["\n".join(about)] if about else [])])


def _taken_over(told: Mapping[str, Any]) -> str:
    note = f" {plain(told['note'])}" if told.get("note") else ""
    return f"Taken over from {code(told.get('file', ''))}, sha256 {code(told.get('sha256', ''))}.{note}"


_ABOUT = (("title", "data"), ("url", "from"), ("licence", "licence of the data"), ("citation", "to be cited"))


def _linked(text: str) -> str:
    return f"<{text}>" if _ADDRESS.fullmatch(text) else plain(text)


def _recipe(card: Card) -> str:
    recipe = card.transfer.meta.get("recipe")
    if not recipe:
        return ""
    told = {**recipe, "prompt": card.transfer.meta.get("prompt", ""), "precision": card.transfer.meta.get("precision")}
    unsaid = {"language_model": "frozen", "reads": "pictures", "projection": {"kind": "linear"}}
    left_out = ("data", "seeds", "features")
    kept = {k: v for k, v in told.items() if k not in left_out and v is not None and unsaid.get(k) != v}
    rows = [(cell(key), cell(json.dumps(value, ensure_ascii=False))) for key, value in sorted(kept.items())]
    return f"<details><summary>Recipe</summary>\n\n{table(['setting', 'value'], rows)}\n\n</details>"


def _curve(card: Card) -> str:
    history = card.transfer.history
    if not len(history):
        return ""
    measured = history[history["validation_loss"].notna()]
    base = measured if len(measured) else history
    at = sorted({round(i * (len(base) - 1) / (CURVE_ROWS - 1)) for i in range(CURVE_ROWS)})
    rows = [
        (f"{int(step):,}", number(loss, 3), number(validation, 3), number(rate, None))
        for step, loss, validation, rate in base.iloc[at].to_numpy()
    ]
    shown = table(["step", "loss a token (nats)", "validation loss", "learning rate"], rows)
    picture = f"![Loss a token against the step]({card.curve})\n\n" if card.curve else ""
    return f"{picture}{shown}"


def _found(card: Card) -> str:
    if not card.findings:
        return "## Results\n\nNone were named when this was exported; how well it works is not said here."
    parts = [
        "## Results",
        "Intervals are of 95 %. Where several fits were measured, the value is about all of them; this is one.",
    ]
    for finding in card.findings:
        records: Sequence[Any] = finding.estimates.to_dict("records")
        rows = [_estimate(record) for record in records]
        heads = ["on", "measure", "group", "value", "interval", "chance", "pictures", "fits"]
        parts += [f"### {plain(finding.title)}", f"{code(f'concepttransfer {finding.kind}')}", table(heads, rows)]
    return "\n\n".join(parts)


def _estimate(row: Mapping[str, Any]) -> list[str]:
    import pandas as pd

    def counted(value: Any) -> str:
        return "–" if pd.isna(value) else f"{int(value):,}"

    interval = f"{number(row['low'], 3)} to {number(row['high'], 3)}" if pd.notna(row["low"]) else "–"
    texts = [plain(row[key]) if pd.notna(row[key]) else "" for key in ("on", "measure", "group")]
    numbers = [number(row["value"], 3), interval, number(row["chance"], 3)]
    return [*texts, *numbers, counted(row["n"]), counted(row["n_seeds"])]


def _limits(card: Card) -> str:
    lines = [
        "It fits exactly this encoder, layer, transform and language model; others are refused by name and hash.",
        f"Only what {'a linear map' if card.transfer.kind == 'linear' else 'the projection'} carries comes through. "
        "The language model completes the rest by itself, so a caption may name what is not in the picture. It is made "
        "for studying representations, not for decisions about people.",
        "The licences of the encoder, the language model and the data apply besides the projection's own.",
        *(plain(note) for note in card.notes),
    ]
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in lines)


def _files(card: Card) -> str:
    rows = [(cell(name), size(n_bytes), cell(digest)) for name, (n_bytes, digest) in card.files.items()]
    versions = ", ".join(f"{plain(name)} {plain(version)}" for name, version in card.versions.items())
    t = card.transfer
    named = f"Transfer {code(t.id)}, fit {code(t.key)}, study {code(card.study)}. Exported with {versions}."
    return "\n\n".join(["## Files", table(["file", "size", "sha256"], rows), named, f"Method: {METHOD}"])
