"""Run one analysis of a study: give it the artifacts that it names, then provenance, pictures and fits."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConceptTransferError
from ..progress import progress
from ..provenance import provenance
from ..result import Result
from ..result.files import about
from .artifacts import make
from .fit_costs import fit_costs
from .result_key import result_key
from .selection import Selection

if TYPE_CHECKING:
    from ..analysis import Spec
    from .study import Study


FITTED = frozenset({"Answers", "Captions", "PromptReadings", "TokenScores", "Transfer"})
"""Artifacts behind which there are fits."""


def run_analysis(
    study: Study, spec: Spec, encoders: Sequence[str], selection: Selection, options: dict[str, Any]
) -> Result:
    """Build what the analysis names, call it, and add where everything came from.

    Returns:
        The result, with thumbnails of the pictures that its figures show.
    """
    return Prepared(study, spec, encoders, selection, options).run()


class Prepared:
    """One analysis with the artifacts that it names, built: what it would give is known by `key` before it is run."""

    def __init__(
        self,
        study: Study,
        spec: Spec,
        encoders: Sequence[str],
        selection: Selection,
        options: dict[str, Any],
        runs: Path | None = None,
    ) -> None:
        """Build the artifacts; Results that are saved below `runs` already are read.

        Raises:
            ConceptTransferError: something that they need is missing.
        """
        self.study, self.spec, self.encoders, self.selection = study, spec, encoders, selection
        self.options = {option.name: option.default for option in spec.options} | options
        self.artifacts = [make(study, one, encoders, selection, self.options, runs) for one in spec.artifacts]
        self.inputs = [i for artifact in self.artifacts if artifact is not None for i in _ids(artifact)]

    @cached_property
    def key(self) -> str:
        """Names the result: another one where anything that changes a number is another."""
        return result_key(self.study, self.spec, self.encoders, self.selection, self.options, self.inputs)

    def saved_below(self, folder: Path) -> Result | None:
        """What `run` would give, where it is saved in some folder below this one; else None."""
        found = (saved_result(path.parent, self.key) for path in sorted(folder.glob("*/result.json")))
        return next((result for result in found if result is not None), None)

    def run(self) -> Result:
        """The result, with provenance and thumbnails."""
        result = self.spec.function(*self.artifacts, **self.options)
        result = result.with_provenance(**self._source())
        return result.with_pictures(_thumbnails(self.selection, result, quiet=self.study.settings.quiet))

    @property
    def _needs_fits(self) -> bool:
        return any(one.kind.__name__ in FITTED and not one.optional for one in self.spec.artifacts)

    def _source(self) -> dict[str, Any]:
        study, selection = self.study, self.selection
        listed = [artifact for artifact in self.artifacts if isinstance(artifact, list)]
        return provenance(
            device=study.settings.device,
            seeds=sorted({seed for made in listed for one in made for seed in _seeds(one)}),
            study=study.name,
            title=study.spec.title,
            on=selection.name,
            analysis=self.spec.name,
            encoders=list(self.encoders),
            palette=list(study.encoders),
            models={name: _described(study, name) for name in self.encoders},
            supervision={name: rung for name in self.encoders if (rung := study.encoder_spec(name).rung)},
            paper=study.spec.paper,
            costs=fit_costs(study, self.encoders) if self._needs_fits else {},
            options=self.options,
            language_model=study.spec.language_model,
            prompt=study.spec.prompt,
            manifest=selection.manifest.id,
            rows=len(selection.manifest),
            inputs=self.inputs,
            licence=selection.manifest.source.get("licence", ""),
            key=self.key,
        )


def saved_result(folder: Path, key: str) -> Result | None:
    """The result in a folder, if it is whole and has this key."""
    try:
        return Result.load(folder) if about(folder)["provenance"].get("key") == key else None
    except (ConceptTransferError, OSError, ValueError):
        return None


def _described(study: Study, name: str) -> str:
    """An encoder in a few words: its model, what is read of it, and whether its weights were learnt."""
    spec = study.encoder_spec(name)
    learnt = "random weights" if spec.init == "random" else "tuned with the projection" if spec.train else ""
    return ", ".join(part for part in (spec.model, spec.features.replace("_", " "), learnt) if part)


def _seeds(made: Any) -> Sequence[int]:
    return [made.seed] if hasattr(made, "seed") else getattr(made, "seeds", ())


def _ids(artifact: Any) -> list[str]:
    listed = artifact if isinstance(artifact, list) else [artifact]
    return [str(getattr(one, "key", None) or getattr(one, "id", "")) for one in listed]


def _thumbnails(selection: Selection, result: Result, *, quiet: bool) -> dict[str, bytes]:
    """Small pictures of the rows that the result's figures show."""
    side, kind = result.thumbnails
    at = {row_id: i for i, row_id in enumerate(selection.manifest.ids)}
    wanted, found = result.wanted_pictures(), {}
    with progress(len(wanted), "make thumbnails", unit="picture", quiet=quiet) as bar:
        for row_id in wanted:
            picture = selection.manifest.read(at[row_id])
            picture.thumbnail((side, side))
            held = io.BytesIO()
            picture.save(held, format=kind, optimize=True, **({"quality": 85} if kind == "JPEG" else {}))
            found[row_id] = held.getvalue()
            bar.update()
    return found
