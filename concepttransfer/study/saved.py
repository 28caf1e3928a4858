"""Saved results of one analysis: which there are, which are missing for some encoders, and how these are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .. import analysis
from ..errors import BadInputError, ConceptTransferError, MissingResourceError, suggestion
from ..report.gather import Broken, Saved, gather
from ..result.files import about
from ..statistics.claims import is_control
from .every import default_folder
from .run_analysis import run_analysis

if TYPE_CHECKING:
    from ..result import Result
    from .selection import Selection
    from .study import Study


@dataclass(frozen=True)
class Asked:
    """Which saved results are asked for; what is empty or None stands for any.

    Attributes:
        kind: the analysis.
        studies: names of studies.
        encoders: of these studies; their random controls come with them where they are there.
        on: the name of the data.
    """

    kind: str = ""
    studies: tuple[str, ...] = ()
    encoders: tuple[str, ...] = ()
    on: str | None = None


def found_below(folders: Sequence[Path], *, may_be_none: bool = False) -> tuple[list[Saved], list[Broken]]:
    """All results at or below some folders but those that are about results, and those that could not be read.

    Raises:
        BadInputError: a folder is not there, or there is no result, and `may_be_none` is not said.
    """
    there = [folder for folder in folders if folder.is_dir()] if may_be_none else list(folders)
    try:
        saved, broken = gather(there)
    except BadInputError:
        if may_be_none:
            return [], []
        raise
    return [one for one in saved if one.spec.of is None], broken


def kind_of(saved: Sequence[Saved], asked: Asked, default: str) -> str:
    """The analysis whose results are compared: the one named, else the only one saved, else `default`.

    Raises:
        UnknownNameError: no such analysis.
        BadInputError: results of several analyses are saved, and none is named; or it is about results itself.
    """
    kinds = Counter(one.spec.name for one in saved)
    if asked.kind:
        if analysis.get(asked.kind).of:
            raise BadInputError(f"`{asked.kind}` is about results of other analyses. Name one of those with --kind.")
        return asked.kind
    if len(kinds) > 1:
        listed = ", ".join(f"{kind} ({n})" for kind, n in kinds.items())
        raise BadInputError(f"There are results of several analyses: {listed}. Name one: --kind {next(iter(kinds))}")
    return next(iter(kinds), default)


def chosen(saved: Sequence[Saved], asked: Asked) -> list[Result]:
    """The results asked for, each cut to the encoders asked for; of every kind, for the ladder takes all.

    Raises:
        MissingResourceError: no result of the kind is left, or none about one of the encoders.
    """
    left = [one for one in saved if not asked.studies or set(one.studies) & set(asked.studies)]
    same = [one for one in left if asked.on is None or asked.on in one.data]
    mine = [one for one in same if one.spec.name == asked.kind]
    there = {encoder for one in mine for encoder in one.result.encoders}
    lacking = [encoder for encoder in asked.encoders if encoder not in there and encoder != "all"]
    if not mine or lacking:
        raise MissingResourceError(_missing(asked, lacking, sorted(there), [one.name for one in left]))
    others = [one for one in (left if asked.on is None else same) if one.spec.name != asked.kind]
    results = [cut(one.result, asked.encoders) for one in (*mine, *others)]
    return [result for result in results if result is not None]


def built(study: Study, spec: analysis.Spec, encoders: Sequence[str], selection: Selection, runs: Path) -> Result:
    """Make the result of some encoders, save it below `runs` with its fits, and give it.

    A result of the same name about other pictures (all of them, where this one is about a few) is not replaced.
    """
    result = run_analysis(study, spec, encoders, selection, {})
    folder = default_folder(study, spec.name, selection.name, encoders, runs)
    if _is_of_other_pictures(folder, selection.manifest.id):
        folder = folder.with_name(f"{folder.name}-{selection.manifest.id[:8]}")
    result.save(folder)
    study.save_fits(result, folder)
    return result


def saved_of(study: Study, kind: str, saved: Sequence[Saved], selection: Selection) -> list[Result]:
    """The saved results of one analysis of a study about exactly these pictures."""
    results = [one.result for one in saved if one.spec.name == kind and study.name in one.studies]
    return [one for one in results if one.provenance.get("manifest") == selection.manifest.id]


def missing_of(wanted: Sequence[str], results: Sequence[Result]) -> list[str]:
    """The encoders that no result is about."""
    there = {encoder for one in results for encoder in one.encoders}
    return [encoder for encoder in wanted if encoder not in there]


def cut(result: Result, encoders: Sequence[str]) -> Result | None:
    """A result with what is about these encoders and their random controls; None where nothing is."""
    if not encoders or "all" in encoders or set(result.encoders) <= set(encoders):
        return result
    kept = [one for one in result.encoders if one in encoders or any(is_control(one, name) for name in encoders)]
    others = set(result.encoders) - set(kept)
    if not kept:
        return None
    table = result.table[~result.table["encoder"].isin(others)] if "encoder" in result.table else result.table
    estimates = result.estimates
    about = estimates["system"].isin(others) | estimates["against"].isin(others)
    return replace(result, table=table.reset_index(drop=True), estimates=estimates[~about].reset_index(drop=True))


def _missing(asked: Asked, lacking: Sequence[str], there: Sequence[str], names: Sequence[str]) -> str:
    on = f" on `{asked.on}`" if asked.on else ""
    of = f" of study {', '.join(f'`{name}`' for name in asked.studies)}" if asked.studies else ""
    study = f" --study {asked.studies[0]}" if asked.studies else ""
    where = f" --on {asked.on}" if asked.on else ""
    encoders = "".join(f" --encoder {name}" for name in (lacking or asked.encoders)) or " --encoder all"
    what = f"{', '.join(f'`{name}`' for name in lacking)}" if lacking else "any encoder"
    near = suggestion(lacking[0], there) if lacking else ""
    has = f"{near} There are: {', '.join(there)}." if there else f" Saved: {', '.join(names[:6])}." if names else ""
    return (
        f"No saved `{asked.kind}` result is about {what}{of}{on}.{has} Make it: concepttransfer {asked.kind}"
        f"{study}{encoders}{where}, or give --build."
    )


def _is_of_other_pictures(folder: Path, manifest: str) -> bool:
    try:
        return bool(about(folder)["provenance"].get("manifest") != manifest)
    except ConceptTransferError:
        return False
