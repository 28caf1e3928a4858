"""How a study makes `Splits`: from the data sets that its `splits:` names, else from the pictures of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..probing.splits import Part, Splits, split_rows
from . import pipeline
from .selection import Selection

if TYPE_CHECKING:
    from ..transfer import Transfer
    from .study import Study


def splits(study: Study, encoders: Sequence[str], selection: Selection) -> list[Splits]:
    """Train, validation and test features of each encoder; of a tuned encoder one for each seed of its fits."""
    return [
        splits_of(study, name, selection, transfer)
        for name in encoders
        for transfer in (pipeline.transfers(study, name) if study.encoder_spec(name).train else (None,))
    ]


def splits_of(study: Study, name: str, selection: Selection, transfer: Transfer | None) -> Splits:
    """Those of one encoder; `transfer` is the fit of a tuned one."""
    names = study.spec.splits.get(selection.name)
    seed = transfer.seed if transfer else 0
    if names is None:
        features = pipeline.features(study, name, selection, transfer)
        there = set(features.row_ids)
        truth = {row: concept for row, concept in selection.concepts.truth.items() if row in there}
        train, validation, test = (Part(features, tuple(rows)) for rows in split_rows(truth))
        how = "its pictures split 60:20:20 within each class, by a hash of their ids"
        return Splits(name, selection.name, study.name, train, validation, test, truth, how, seed)
    three = [study.select(names.train)[0], study.select(names.validation)[0], selection]
    parts = [_part(study, name, one, transfer) for one in three]
    truth = {row: concept for one in three for row, concept in one.concepts.truth.items()}
    how = f"trained on `{names.train}`, tuned on `{names.validation}`, tested on `{selection.name}`"
    return Splits(name, selection.name, study.name, parts[0], parts[1], parts[2], truth, how, seed)


def _part(study: Study, name: str, selection: Selection, transfer: Transfer | None) -> Part:
    features = pipeline.features(study, name, selection, transfer)
    return Part(features, features.row_ids)
