"""How a study makes `ProbedSets`: of the data asked about, and of those that `--also` or the role `shifted` names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import BadInputError
from ..probing.probed_sets import ProbedSet, ProbedSets
from ..probing.splits import Part, Splits
from . import pipeline, towers
from .splits import splits_of

if TYPE_CHECKING:
    from ..transfer import Transfer
    from .selection import Selection
    from .study import Study

SHIFTED = "shifted"
"""The role of data of the same classes that look otherwise."""
OWN, SHARED = "own", "projected"


def probed_sets(
    study: Study,
    encoders: Sequence[str],
    selection: Selection,
    *,
    also: str = "",
    reads: str = SHARED,
    templates: str = "",
) -> list[ProbedSets]:
    """Every encoder on the data asked about and on others; of a tuned one its first fit.

    What a data set's probe learns from is what the study's `splits:` names for it; where it names nothing, what that of
    the data asked about learns from. Of encoders of one CLIP the first is the zero-shot classifier; the others
    are probed where they read their own features, and left out where all read its shared space.

    Args:
        study: whose encoders and data they are.
        encoders: by name.
        selection: the data asked about.
        also: names of other data sets, with commas; empty: those of the role `shifted`, where there is one.
        reads: what a probe reads of an encoder that reads texts: its space of pictures and texts (`projected`), or its
            `own` features, as the study says.
        templates: of class names; see `class_texts`.

    Raises:
        BadInputError: no encoder is left.
    """
    others = _others(study, selection, also)
    seen = [name for name in encoders if not study.encoder_spec(name).blind]
    left_out = {name: f"`{name}` sees no picture" for name in encoders if name not in seen}
    lacks = {name: towers.lack_of_texts(study, name) for name in seen}
    left_out |= {name: lack for name, lack in lacks.items() if lack}
    made: dict[str, ProbedSets] = {}
    spoken: dict[str, str] = {}
    for name in seen:
        if not lacks[name]:
            there = spoken.setdefault(towers.text_spec(study, name).identity(study.root), name)
            if there != name and reads == SHARED:
                left_out[name] = f"the same CLIP as `{there}`"
                continue
        has_texts = name in spoken.values()
        read = towers.projected(study, name) if has_texts and reads == SHARED else name
        sets = _sets(study, (name, read), [selection, *others], templates, has_texts=has_texts)
        made[name] = ProbedSets(name, study.name, sets, study.encoder_spec(read).features.replace("_", " "), left_out)
    if not made:
        raise BadInputError("Encoders that see no picture have nothing to be probed. Name another one.")
    return list(made.values())


def _others(study: Study, selection: Selection, also: str) -> list[Selection]:
    wanted = [name.strip() for name in also.split(",") if name.strip()] or study.spec.evaluate.get(SHIFTED, [])
    found = [one for name in wanted for one in study.select(name)]
    return [one for one in found if one.name != selection.name]


def _sets(
    study: Study, names: tuple[str, str], selections: Sequence[Selection], templates: str, *, has_texts: bool
) -> tuple[ProbedSet, ...]:
    """`names` are the encoder's, and that under which its probe reads it."""
    name, read = names
    transfer = pipeline.transfers(study, name)[0] if study.encoder_spec(name).train else None
    first = splits_of(study, read, selections[0], transfer)
    found = []
    for selection in selections:
        own = first if selection is selections[0] else _beside(study, read, selection, transfer, first)
        texts = towers.class_texts(study, [name], selection, templates=templates)[0] if has_texts else None
        found.append(ProbedSet(selection.concepts.names, replace(own, encoder=name), texts))
    return tuple(found)


def _beside(study: Study, name: str, selection: Selection, transfer: Transfer | None, first: Splits) -> Splits:
    """Splits of another data set: its own where the study names them, else those of the first, tested on it."""
    if selection.name in study.spec.splits:
        return splits_of(study, name, selection, transfer)
    features = pipeline.features(study, name, selection, transfer)
    learnt = {
        row: first.truth[row] for part in (first.train, first.validation) for row in part.row_ids if row in first.truth
    }
    return replace(
        first,
        on=selection.name,
        test=Part(features, features.row_ids),
        truth=learnt | dict(selection.concepts.truth),
        how=f"{first.how}; then tested on `{selection.name}`",
    )
