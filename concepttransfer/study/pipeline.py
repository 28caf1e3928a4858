"""The stages of a study in their order: encode, fit, caption, analyse. Each asks the cache first."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadInputError, ConceptTransferError, MissingResourceError
from ..processes.peers import main_first
from ..processes.pieces import remove
from ..storage import cache_folder, read_json
from . import imports, keys, rates
from .selection import Selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..captioning import Captions
    from ..encoders.base import Encoder
    from ..feature_adapters import FeatureAdapter
    from ..features import Features
    from ..manifest import Manifest
    from ..transfer import Transfer
    from .study import Study

DISK_SHARE = 0.25
"""`features: auto` stores training features that take at most this share of the free disk."""


def features(study: Study, name: str, selection: Selection, transfer: Transfer | None = None) -> Features:
    """Features of one data set, from the cache or encoded now; `transfer` is the fit of a tuned encoder."""
    made = _features(study, name, selection, transfer)
    return replace(made, encoder=name, on=selection.name, study=study.name)


def _features(study: Study, name: str, selection: Selection, transfer: Transfer | None) -> Features:
    from ..features import Features, encode

    _fetch(study, name)
    key = keys.features(study, name, selection, transfer)
    folder = place("features", key, forced="encode" in study.settings.force)
    with contextlib.suppress(MissingResourceError, BadInputError):  # a broken store is mended by encoding again
        return Features.load(folder)
    encoder = load_encoder(study, name, transfer)
    with rates.measured("encode", study, name, len(selection.manifest)):
        return encode(
            selection.manifest,
            encoder,
            folder,
            key=key,
            batch_size=study.settings.batch_size or 64,
            quiet=study.settings.quiet,
        )


def _fetch(study: Study, name: str) -> None:
    """Have the weights on this machine before keys are made of them: a download must not change a key."""
    from ..encoders import fetch

    fetch(study.encoder_spec(name), study.root)


def load_encoder(study: Study, name: str, transfer: Transfer | None = None) -> Encoder:
    """The encoder ready to run on the study's device; a tuned one as its fit left it."""
    from ..encoders import load_encoder as load

    state = transfer.encoder_state() if transfer else None
    return load(study.encoder_spec(name), study.root, device=study.settings.torch_device(), state=state)


def transfers(study: Study, name: str) -> list[Transfer]:
    """One Transfer a seed: an imported one, else those that come with the study, else the cache's, else fitted now."""
    from ..transfer import Transfer

    _fetch(study, name)
    if "fit" in study.settings.force:
        imports.forget(study, name)
    elif imported := imports.find(study, name):
        return [Transfer.load(imported)]
    n_seeds = study.settings.seeds or study.spec.train.seeds
    first = study.settings.seed
    return [_transfer(study, name, seed) for seed in range(first, first + n_seeds)]


def fitted(study: Study, name: str, seed: int) -> Path | None:
    """Where a fit lies that is exactly what the study asks for, or None."""
    key = keys.fit(study, name, study.training_of(name), seed)
    if (cached := cache_folder() / "transfers" / key / "transfer.json").is_file():
        return cached.parent
    if study.spec.transfers is None:
        return None
    shipped = study.resolve(study.spec.transfers) / name / f"seed-{seed}"
    is_it = (shipped / "transfer.json").is_file() and read_json(shipped / "transfer.json").get("key") == key
    return shipped if is_it else None


def transfers_there(study: Study, name: str) -> list[Transfer]:
    """Those of `transfers` that need no fit: imported, with the study, or in the cache; one a seed, maybe none."""
    from ..transfer import Transfer

    if imported := imports.find(study, name):
        return [Transfer.load(imported)]
    n_seeds = study.settings.seeds or study.spec.train.seeds
    seeds = range(study.settings.seed, study.settings.seed + n_seeds)
    return [Transfer.load(there) for seed in seeds if (there := fitted(study, name, seed))]


def _transfer(study: Study, name: str, seed: int) -> Transfer:
    """One Transfer, from where it lies or fitted into the cache."""
    from ..transfer import Transfer

    forced = "fit" in study.settings.force
    if not forced and (there := fitted(study, name, seed)):
        return Transfer.load(there)
    folder = cache_folder() / "transfers" / keys.fit(study, name, study.training_of(name), seed)
    return fit_to(study, name, seed, folder, force=forced)


def fit_to(
    study: Study, name: str, seed: int, folder: Path, *, dtype: str = "float32", force: bool = False
) -> Transfer:
    """Fit one projection into `folder`; one that is there under the same key is kept, one that was begun goes on."""
    from ..training.fit import fit

    if force:
        _forget(folder)
    recipe, training = study.recipe(name), study.training_of(name)
    source, texts = _training_source(study, name)
    prompt = keys.training_prompt(study, name)
    asked = _questions(training.manifest, source.row_ids) if "{question}" in prompt else None
    with rates.measured("fit", study, name, recipe.steps):
        return fit(
            source,
            texts,
            study.language_model,
            recipe,
            folder,
            key=keys.fit(study, name, training, seed),
            encoder_name=name,
            seed=seed,
            prompt=prompt,
            prompt_tokens=study.encoder_spec(name).prompt_tokens,
            quiet=study.settings.quiet,
            tuned=study.encoder_spec(name).train,
            trackers=study.settings.trackers,
            dtype=dtype,
            questions=asked,
            adapter=_feature_adapter(study, name, seed, source.dim),
        )


def _training_source(study: Study, name: str) -> tuple[Any, list[tuple[str, ...]]]:
    """The features to fit on, from the store or encoded in the loop, and the texts of the same rows."""
    from ..training.sources import OnlineFeatures, StoredFeatures, TextFeatures

    training, recipe = study.training_of(name), study.recipe(name)
    manifest = training.manifest
    if not any(manifest.texts):
        message = f"`{training.name}` has no texts to fit on. Name data with captions under `train: data:`."
        raise ConceptTransferError(message)
    if recipe.reads != "pictures":
        if study.encoder_spec(name).blind:
            raise BadInputError(f"`{name}` is blind, so it reads no texts either. Say `reads: pictures` in its recipe.")
        kept = manifest.take([row for row, texts in zip(manifest.ids, manifest.texts, strict=True) if texts])
        from ..data.premises import with_premises
        from .text_features import text_features

        spoken = text_features(study, name, training.with_manifest(with_premises(manifest)))
        return TextFeatures(spoken, kept.ids, other=recipe.reads == "other_texts"), list(kept.texts)
    if _is_online(study, name):
        encoder = load_encoder(study, name)
        tuned = study.encoder_spec(name).train
        return OnlineFeatures(encoder, manifest, tuned=tuned), list(manifest.texts)
    stored = features(study, name, training)
    return StoredFeatures(stored), list(manifest.take(stored.row_ids).texts)


def _questions(manifest: Manifest, row_ids: Sequence[str]) -> list[str]:
    """What some rows ask, or what is given with them, in this order."""
    from ..answering.few_shot import question_of

    return [question_of(row) for row in manifest.take(row_ids).rows]


def _feature_adapter(study: Study, name: str, seed: int, dim: int) -> FeatureAdapter | None:
    """What is done to texts' features in an encoder's fit, fitted on the pairs that the study names; None: nothing."""
    spec = study.recipe(name).feature_adapter
    if spec is None:
        return None
    if not study.encoder_spec(name).normalize:
        raise BadInputError(
            f"The feature adapter of `{name}` gives features of length 1, and its pictures' have any length. Say "
            "`normalize: true` of the encoder."
        )
    from ..feature_adapters import fit_adapter
    from .text_features import text_features

    if spec.paired is None:
        return fit_adapter(spec, None, None, seed, dim=dim)
    paired = study.select(spec.paired)[0]
    seen, read = features(study, name, paired), text_features(study, name, paired)
    at = {row: number for number, row in enumerate(seen.row_ids)}
    pairs = [(at[row], n) for n, text in enumerate(read.row_ids) if (row := text.rpartition("#")[0]) in at]
    of_picture, of_text = zip(*pairs, strict=True)
    pictures, texts = seen.values[list(of_picture)][:, 0], read.values[list(of_text)][:, 0]
    return fit_adapter(spec, pictures, texts, seed, space=read.space)


def _is_online(study: Study, name: str) -> bool:
    """Are training features encoded in the loop? Always for a tuned encoder; else as the recipe and the disk say."""
    wanted = study.recipe(name).features
    if study.encoder_spec(name).train or wanted == "online":
        return True
    if wanted == "store":
        return False
    root = cache_folder()
    root.mkdir(parents=True, exist_ok=True)
    return expected_bytes(study, name, study.training_of(name)) > DISK_SHARE * shutil.disk_usage(root).free


def expected_bytes(study: Study, name: str, selection: Selection) -> int:
    """How much disk the features of a data set take. Loads the encoder, to know its tokens and width."""
    encoder = load_encoder(study, name)
    return 2 * len(selection.manifest) * encoder.tokens * encoder.dim


def captions(study: Study, name: str, selection: Selection) -> list[Captions]:
    """What the language model says of each picture, one `Captions` a seed."""
    return [captions_of(study, name, selection, transfer) for transfer in transfers(study, name)]


def captions_there(study: Study, name: str, selection: Selection) -> list[Captions]:
    """Those of the encoder's first fit, if that is there, made where they are missing; nothing is fitted."""
    return [captions_of(study, name, selection, transfer) for transfer in transfers_there(study, name)[:1]]


def captions_of(study: Study, name: str, selection: Selection, transfer: Transfer) -> Captions:
    """What the language model says of each picture by one fit, from the cache or asked now."""
    from ..captioning import Captions, caption

    key = keys.captions(study, name, selection, transfer)
    folder = place("captions", key, forced="caption" in study.settings.force)
    if (folder / "index.json").is_file():
        return replace(Captions.load(folder), encoder=name, on=selection.name, study=study.name)
    tuned = transfer if study.encoder_spec(name).train else None
    stored = features(study, name, selection, tuned)
    language_model = study.language_model
    asked = _questions(selection.manifest, stored.row_ids) if "{question}" in study.spec.prompt else None
    with rates.measured("caption", study, name, len(selection.manifest)):
        return caption(
            stored,
            transfer,
            language_model,
            folder,
            prompt=study.spec.prompt,
            decoding=study.spec.decoding,
            key=key,
            encoder=name,
            seed=transfer.seed,
            manifest_id=selection.manifest.id,
            on=selection.name,
            study=study.name,
            batch_size=study.settings.batch_size or 64,
            quiet=study.settings.quiet,
            questions=asked,
        )


def place(kind: str, key: str, *, forced: bool) -> Path:
    """Where an artifact of this key lies or will lie; what is there is removed where it was asked to be made again."""
    folder = cache_folder() / kind / key
    if forced:
        _forget(folder)
    return folder


def _forget(folder: Path) -> None:
    """Remove what is to be made again: once, where several processes are at it."""
    with main_first() as is_done:
        if not is_done:
            remove(folder)
