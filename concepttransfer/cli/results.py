"""The command of an analysis of saved results, such as `compare`: what it finds, and what it makes with `--build`."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from concepttransfer import analysis
from concepttransfer.analysis import Of, Spec
from concepttransfer.errors import BadInputError, UnknownNameError
from concepttransfer.processes import is_main
from concepttransfer.processes.crew import helpers
from concepttransfer.provenance import provenance
from concepttransfer.report.gather import Saved
from concepttransfer.result import Result
from concepttransfer.statistics.claims import stem
from concepttransfer.study import Study, load_study
from concepttransfer.study import saved as store
from concepttransfer.study.plan import Step
from concepttransfer.study.saved import Asked
from concepttransfer.study.selection import Selection
from concepttransfer.study.several import Missing, make_missing, steps_of

from .analyses import last_stage, write
from .options import Run, signed
from .show import duration, say, show_json, show_plan, show_rows

RUNS = Path("runs")
DEFAULT_STUDY = "microworld"
MANY = 6
"""So many steps are made by several processes, each of which takes a while to begin."""


@dataclass(frozen=True)
class Wish:
    """What the command's own options say: where to look, which studies, and whether what is missing is made."""

    folders: tuple[Path, ...]
    studies: tuple[str, ...]
    build: bool
    jobs: int | None = None

    @property
    def places(self) -> list[Path]:
        """Where to look."""
        return list(self.folders) or [RUNS]

    @property
    def runs(self) -> Path:
        """Where what is made goes: the first folder named, unless that is a result itself."""
        return next((folder for folder in self.folders if not (folder / "result.json").exists()), RUNS)


@dataclass(frozen=True)
class Found:
    """The results about one data set, and the study where there is one."""

    on: str
    results: list[Result]
    study: Study | None = None


def runner(spec: Spec, of: Of, options: Sequence[inspect.Parameter]) -> Any:
    """The function behind the command of an analysis that names Results.

    Args:
        spec: its declaration.
        of: which of its options names the analysis of the Results.
        options: its own, but for the seed.
    """

    def command(
        run: Run,
        folders: Annotated[list[Path] | None, typer.Argument(help="Folders of saved results; default: runs.")] = None,
        study: Annotated[
            list[str] | None, typer.Option(help="Results of this study, by name or file. Give it several times.")
        ] = None,
        build: Annotated[
            bool, typer.Option("--build", help="Make the results that are missing: of the encoders named, or of all.")
        ] = False,
        jobs: Annotated[
            int | None,
            typer.Option(help="With --build: processes side by side. Default: on the CPU one a core, up to 4.", min=1),
        ] = None,
        **given: Any,
    ) -> None:
        seed = {"seed": run.seed} if any(option.name == "seed" for option in spec.options) else {}
        _run(spec, of, run, Wish(tuple(folders or ()), tuple(study or ()), build, jobs), given | seed)

    command.__name__ = spec.name.replace("-", "_")
    hints = get_type_hints(command, globals(), include_extras=True)
    parameters = list(inspect.signature(command).parameters.values())[1:-1]
    own = [p.replace(annotation=hints[p.name]) for p in parameters]
    return signed(command, [*own, *options, *_shared({p.name for p in (*own, *options)})], own=[p.name for p in own])


def _shared(taken: set[str]) -> list[inspect.Parameter]:
    """The options that every command has, but for those that this one has of its own."""
    hints = get_type_hints(Run, include_extras=True)
    return [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name])
        for f in dataclasses.fields(Run)
        if f.name not in taken
    ]


def _run(spec: Spec, of: Of, run: Run, wish: Wish, options: dict[str, Any]) -> None:
    given = [name for name, value in (("limit", run.limit), ("jobs", wish.jobs)) if value]
    if given and not wish.build:
        raise BadInputError(f"--{given[0]} is about results that are made, and without --build none is.")
    saved, broken = store.found_below(wish.places, may_be_none=wish.build and not wish.folders)
    for one in broken if not run.json else ():
        say(f"left out: {one.name}: {one.reason}")
    studies = tuple(_named(name) for name in wish.studies)
    asked = Asked(str(options.get(of.option) or ""), studies, tuple(run.encoder or ()), run.on)
    mine = [one for one in saved if not studies or set(one.studies) & set(studies)]
    table = wish.build and len(studies) > 1 and not asked.kind
    asked = dataclasses.replace(asked, kind=of.default if table else store.kind_of(mine, asked, of.default))
    if wish.build:
        steps, found = _built(run, wish, asked, of.beside if table else (), saved)
    else:
        steps, found = None, [Found("", store.chosen(saved, asked))]
    if run.dry_run:
        _show(steps, [result for one in found for result in one.results], asked.kind, as_json=run.json)
        return
    for each in found:
        folder = run.out / each.on if run.out and len(found) > 1 else run.out
        _finish(spec, run, each, options | {of.option: asked.kind}, folder)


def _named(name: str) -> str:
    """A study's name; one that is neither a file nor a study of the package stands for itself: results may be its."""
    try:
        return load_study(name).name
    except UnknownNameError:
        return name


def _built(
    run: Run, wish: Wish, asked: Asked, beside: Sequence[str], saved: Sequence[Saved]
) -> tuple[list[Step], list[Found]]:
    """For each data set the results of all studies, and the steps that are missing; made, but for --dry-run."""
    stage = last_stage(analysis.get(asked.kind))
    studies = [run.opened(name, stage=stage) for name in wish.studies or (DEFAULT_STUDY,)]
    _refuse_unknown(studies, asked.encoders)
    each = {study: _of(study, asked.encoders) for study in studies}
    data = {study: _selections(study, analysis.get(asked.kind), run.on) for study in studies}
    wanted = [
        Missing(study, analysis.get(kind), selection, each[study])
        for study in studies
        for selection in data[study]
        for kind in (asked.kind, *(name for name in beside if _is_about(study, name, selection, run.on)))
    ]
    missing = [less for one in wanted if (less := one.without(() if run.force else saved)) is not None]
    steps = steps_of(missing, [last_stage(one.spec) for one in missing])
    if missing and not run.dry_run:
        jobs = wish.jobs or (helpers(run.device) if len(steps) >= MANY else 1)
        if not run.json:
            _announce(missing, steps, jobs)
        make_missing(missing, wish.runs, jobs=jobs, quiet=run.quiet or run.json)
        saved, _ = store.found_below([*wish.places, *({wish.runs} - set(wish.places))])
    names: dict[str, str] = {}
    by_data: dict[str, list[Result]] = {}
    for study in studies:
        mine = dataclasses.replace(asked, encoders=each[study])
        for selection in data[study]:
            kept = (store.cut(one, each[study]) for one in store.saved_of(study, asked.kind, saved, selection))
            results = by_data.setdefault(names.setdefault(selection.manifest.id, selection.name), [])
            results += [one for one in kept if one is not None]
            results += _others(study, mine, saved, selection)
    return steps, [Found(on, found, studies[0] if len(studies) == 1 else None) for on, found in by_data.items()]


def _is_about(study: Study, kind: str, selection: Selection, on: str | None) -> bool:
    """Whether an analysis beside the one compared can be run, and its role's data are the same pictures."""
    if kind not in analysis.names():
        return False
    role = analysis.get(kind).roles[0]
    if on is None and role not in study.spec.evaluate:
        return False
    return any(one.manifest.id == selection.manifest.id for one in study.select(on or role, role=role))


def _announce(missing: Sequence[Missing], steps: Sequence[Step], jobs: int) -> None:
    """What will be made, and how long the steps before the analyses will take."""
    named = ", ".join(dict.fromkeys(f"{one.spec.name} of {one.study.name}" for one in missing))
    if not steps:
        say(f"To be made: {named}, from what is cached.")
        return
    known = [step.seconds for step in steps if step.seconds is not None]
    fits = sum(step.stage == "fit" for step in steps)
    time = f", about {duration(sum(known) / jobs)} with {jobs} side by side" if known else ""
    unknown = len(steps) - len(known)
    more = f"; {unknown} of these steps were never measured on this machine" if unknown else ""
    say(f"To be made: {named}. It takes {fits} fits and {len(steps) - fits} other steps{time}{more}.")


def _of(study: Study, encoders: Sequence[str]) -> tuple[str, ...]:
    """The encoders named that the study has, with their random controls; all where none is named."""
    named = [name for name in encoders if stem(name) in study.encoders]
    return tuple(study.with_twins(named if encoders and "all" not in encoders else ["all"]))


def _refuse_unknown(studies: Sequence[Study], encoders: Sequence[str]) -> None:
    known = {name for study in studies for name in study.encoders}
    for name in encoders:
        if stem(name) not in known and name != "all":
            where = ", ".join(f"`{study.name}`" for study in studies)
            raise UnknownNameError("encoder", name, known, where=f"study {where}")


def _selections(study: Study, of: Spec, on: str | None) -> list[Selection]:
    role = of.roles[0]
    if on is None and role not in study.spec.evaluate:
        raise BadInputError(f"Study `{study.name}` names no data for the role `{role}`. Give some with --on.")
    return study.select(on or role, role=role)


def _others(study: Study, asked: Asked, saved: Sequence[Saved], selection: Selection) -> Iterator[Result]:
    """Saved results of other analyses of the study about the same pictures: they stand on the ladder."""
    for kind in dict.fromkeys(one.spec.name for one in saved if one.spec.name != asked.kind):
        for result in store.saved_of(study, kind, saved, selection):
            if (cut := store.cut(result, asked.encoders)) is not None:
                yield cut


def _show(steps: Sequence[Step] | None, results: Sequence[Result], kind: str, *, as_json: bool) -> None:
    """What would be made, where anything may be, and what is there."""
    rows = [(one.kind, one.study, ", ".join(one.encoders), one.provenance.get("date", "")) for one in results]
    columns = ["saved result", "study", "encoders", "date"]
    if as_json:
        listed = [dict(zip(columns, row, strict=True)) for row in rows]
        show_json(listed if steps is None else {"steps": [vars(step) for step in steps], "results": listed})
        return
    if steps is not None:
        show_plan(steps, as_json=False)
    show_rows(columns, rows, title=f"What is there to be compared, by `{kind}`")


def _finish(spec: Spec, run: Run, found: Found, options: dict[str, Any], folder: Path | None) -> None:
    """Run the analysis on the results, save what it gives with where it came from, and show it."""
    result = spec.function(found.results, **options)
    source = provenance(
        device=run.device,
        seeds=sorted({seed for one in found.results for seed in one.seeds}),
        analysis=spec.name,
        options=options,
        inputs=[one.key for one in found.results],
    )
    result = result.with_provenance(**source)
    if is_main():
        write(result, folder or _default_folder(spec, result), run, study=found.study)


def _default_folder(spec: Spec, result: Result) -> Path:
    """`runs/compare/STUDY-DATA-ENCODERS-of-KIND`."""
    about, names = result.provenance, result.encoders
    who = "+".join(names) if len(names) <= 4 else f"{len(names)}-encoders"
    name = f"{result.study}-{about['on']}-{who}-of-{about['of']}"
    return RUNS / spec.name / name.replace("/", "-").replace(", ", "+")
