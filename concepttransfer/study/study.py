"""A study: encoders, a language model, data and a recipe. What is missing is built, in order; the rest is reused."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadInputError, ConceptTransferError, MissingResourceError, UnknownNameError
from ..statistics.claims import stem
from ..storage import write_text
from . import imports, layers, pipeline
from .file import StudySpec, find_study, read_study
from .packaged import is_packaged
from .run_analysis import run_analysis
from .selection import Selection, select, training_data
from .settings import Settings

if TYPE_CHECKING:
    from ..answering import Answers
    from ..captioning import Captions
    from ..concepts import ConceptSet
    from ..encoders.spec import EncoderSpec
    from ..features import Features
    from ..manifest import Manifest
    from ..result import Result
    from ..training.recipe import Recipe
    from ..transfer import Transfer


def load_study(name: str | Path = "microworld", **settings: Any) -> Study:
    """Load a study by its name or its file, with settings such as `limit=500`.

    Raises:
        UnknownNameError: no study has this name.
        StudyError: the file has mistakes; all are listed with their lines.
    """
    path = find_study(name)
    spec, families = read_study(path)
    return Study(spec, families, _root(spec, path), Settings(**settings))


def _root(spec: StudySpec, path: Path) -> Path:
    """Where relative paths start: the study's `root`, or its folder; for one of a package the working folder."""
    if spec.root is None:
        return Path.cwd() if is_packaged(path) else path.resolve().parent
    expanded = os.path.expandvars(spec.root)
    if "$" in expanded or not (path.parent / expanded).is_dir():
        message = f"Study `{spec.name}` reads its data below {spec.root}, which is no folder. Set it, or edit `root:`."
        raise MissingResourceError(message)
    return (path.parent / expanded).resolve()


class Study:
    """One study, ready to run: `study.captions("beit", on="animals")` encodes and fits first where that is missing.

    Attributes:
        spec: what its file says.
        root: the folder that relative paths start from.
        settings: where and how work is done.
    """

    def __init__(self, spec: StudySpec, families: dict[str, str], root: Path, settings: Settings) -> None:
        self.spec = spec
        self.root = root
        self.settings = settings
        self._families = families

    def __getstate__(self) -> dict[str, Any]:
        """All but the language model: another process loads its own."""
        return {name: value for name, value in vars(self).items() if name != "language_model"}

    @property
    def name(self) -> str:
        """The study's name, printed beside every result."""
        return self.spec.name

    @property
    def encoders(self) -> tuple[str, ...]:
        """The names of its encoders, in the order of its file."""
        return tuple(self.spec.encoders)

    def encoder_spec(self, name: str) -> EncoderSpec:
        """What the study says about one encoder; an imported projection brings the transform it was released with.

        `beit@layer:6` is `beit` with `features: layer:6`.

        Raises:
            UnknownNameError: it has none of this name.
        """
        return imports.encoder_spec(self, name)

    def recipe(self, name: str) -> Recipe:
        """How an encoder's projection is fitted: the study's `train:` with what the encoder's `recipe:` has otherwise.

        Raises:
            UnknownNameError: it has no encoder of this name.
        """
        return self.spec.recipe(self.encoder_spec(name))

    def written_spec(self, name: str) -> EncoderSpec:
        """What its file says about one encoder, whatever projection was imported for it."""
        return layers.read_at(name, self.spec.encoders, self.name)

    def twin(self, name: str) -> str | None:
        """The random control of an encoder: the random one of its family, read at the same place; none for one.

        With another number of soft prompts than the study says there is none: a sweep takes fits enough.
        """
        if self.encoder_spec(name).init == "random" or self.encoder_spec(name).blind or layers.has_prefix(name):
            return None
        known = stem(name)
        family, place = self._families[known], name.removeprefix(known)
        random = [n for n, s in self.spec.encoders.items() if s.init == "random" and self._families[n] == family]
        return f"{random[0]}{place}" if random else None

    def named(self, names: Sequence[str]) -> list[str]:
        """The encoders that names mean, each once: `all` is every one, `beit@layers` all layers of `beit`.

        Raises:
            UnknownNameError: it has none of this name.
        """
        return layers.named(self, names)

    def with_twins(self, names: Sequence[str]) -> list[str]:
        """The encoders named, as `named` has them, with their random controls."""
        return list(dict.fromkeys(e for name in self.named(names) for e in (name, self.twin(name)) if e))

    def select(self, on: str, *, role: str | None = None) -> list[Selection]:
        """The data sets that `on` names, each read once."""
        return _selected(self, on, role)

    def manifest(self, on: str) -> Manifest:
        """The rows of one data set: a role of the study, a data set, a folder, zip, picture or table."""
        return self._one(on).manifest

    def concepts(self, on: str) -> ConceptSet:
        """What counts as right for each row of a data set."""
        return self._one(on).concepts

    def features(self, encoder: str, *, on: str) -> Features:
        """The encoder's features of a data set, encoded if they are not in the cache."""
        return pipeline.features(self, encoder, self._one(on))

    def transfers(self, encoder: str) -> list[Transfer]:
        """The fitted projections, one a seed, fitted if neither the cache nor the study's own folder holds them."""
        return pipeline.transfers(self, encoder)

    def captions(self, encoder: str, *, on: str) -> list[Captions]:
        """What the language model says of each picture, one `Captions` for each seed and data set of the role."""
        return [c for selection in self.select(on) for c in pipeline.captions(self, encoder, selection)]

    def answers(self, encoder: str, *, on: str) -> list[Answers]:
        """What the language model answers to questions, one `Answers` for each seed; `blind` is it without pictures."""
        from .answers import answers

        return [a for selection in self.select(on) for a in answers(self, encoder, selection)]

    def analyze(self, name: str, *, encoders: Sequence[str], on: str | None = None, **options: Any) -> Result:
        """Run one analysis on what it asks for, building what is missing; random controls are added.

        Args:
            name: of the analysis.
            encoders: of this study; `["all"]` means every one.
            on: replaces the data of the analysis's role.
            options: the analysis's own.

        Raises:
            UnknownNameError: no such analysis, encoder or data; the nearest name is offered.
            BadInputError: the role has several data sets; `analyze_each` gives one Result for each.
        """
        results = self.analyze_each(name, encoders=encoders, on=on, **options)
        if len(results) > 1:
            message = (
                f"`{name}` has {len(results)} data sets: {', '.join(results)}. Name one with `on`, or use analyze_each."
            )
            raise BadInputError(message)
        return next(iter(results.values()))

    def analyze_each(
        self, name: str, *, encoders: Sequence[str], on: str | None = None, **options: Any
    ) -> dict[str, Result]:
        """As `analyze`, one Result for each data set of the role, by the data set's name."""
        from .. import analysis

        spec = analysis.get(name)
        known = [option.name for option in spec.options]
        if unknown := [option for option in options if option not in known]:
            raise UnknownNameError("option", unknown[0], known, where=f"analysis `{name}`")
        roles = spec.roles_with(options)
        if len(roles) != 1:
            message = f"`{name}` asks for data of the roles {', '.join(roles)}; this version can give one role."
            raise ConceptTransferError(message)
        wanted = self.with_twins(encoders)
        role = roles[0]
        if on is None and role not in self.spec.evaluate:
            message = (
                f"Study `{self.name}` names no data for the role `{role}`, which `{name}` asks for. "
                f"Name some under `evaluate:`, or give a folder, picture or table with --on."
            )
            raise BadInputError(message)
        selections = self.select(on or role, role=role)
        return {s.name: run_analysis(self, spec, wanted, s, options) for s in selections}

    def replace(self, **changes: Any) -> Study:
        """The same study with other settings, such as `limit=500`."""
        return Study(self.spec, self._families, self.root, dataclasses.replace(self.settings, **changes))

    def with_spec(self, spec: StudySpec) -> Study:
        """The same study as if its file said `spec`."""
        return Study(spec, self._families, self.root, self.settings)

    @cached_property
    def training(self) -> Selection:
        """The data that the projections are fitted on."""
        return training_data(self.spec.train.data, self.spec, self.root)

    def training_of(self, name: str) -> Selection:
        """The data that one encoder's projection is fitted on."""
        data = self.recipe(name).data
        return self.training if data == self.spec.train.data else training_data(data, self.spec, self.root)

    def resolve(self, path: str) -> Path:
        """A path of the study's file: `microworld:NAME` is inside the package, others start from the study's root."""
        if path.startswith("microworld:"):
            from ..microworld import WEIGHTS

            return WEIGHTS / path.removeprefix("microworld:")
        return self.root / path

    @cached_property
    def language_model(self) -> Any:
        """The frozen language model, loaded when first asked for."""
        from ..language_models import load_language_model

        dtype = self.settings.torch_dtype(self.spec.dtype)
        device = self.settings.language_model_device()
        return load_language_model(self.spec.language_model, self.root, device=device, dtype=dtype)

    @cached_property
    def language_model_identity(self) -> str:
        """The language model's id, known without loading it."""
        from ..language_models import language_model_identity

        return language_model_identity(self.spec.language_model, self.root, self.settings.dtype or self.spec.dtype)

    def with_training(self, on: str | None, n: int | None) -> Study:
        """The same study, its projections fitted on other data, or on at most `n` rows."""
        changed = self.replace()
        changed.training = training_data(on or self.spec.train.data, self.spec, self.root, n)
        return changed

    def save_fits(self, result: Result, folder: Path) -> None:
        """Put the loss curves of its encoders' fits, where there are any, beside a result, in `fits/`, for reports."""
        for name in result.provenance.get("encoders", []):
            for transfer in pipeline.transfers_there(self, name):
                sizes = {key: transfer.meta.get(key) for key in ("rows", "held_out")}
                curve = transfer.history.assign(encoder=name, seed=transfer.seed, **sizes)
                write_text(folder / "fits" / f"{name}-{transfer.seed}.csv", curve.to_csv(index=False))

    def _one(self, on: str) -> Selection:
        selections = self.select(on)
        if len(selections) > 1:
            names = ", ".join(s.name for s in selections)
            message = f"`{on}` has several data sets: {names}. Name one of them."
            raise BadInputError(message)
        return selections[0]


@cache
def _selected(study: Study, on: str, role: str | None) -> list[Selection]:
    return select(on, study.spec, study.root, role=role, n=study.settings.limit)
