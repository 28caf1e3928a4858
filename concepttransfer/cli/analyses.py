"""One command for each analysis, made from its declaration."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

from concepttransfer import analysis
from concepttransfer.analysis import Option, Spec
from concepttransfer.errors import ConceptTransferError
from concepttransfer.processes import is_main
from concepttransfer.result import Result
from concepttransfer.study import Study
from concepttransfer.study.every import default_folder
from concepttransfer.study.pipeline import transfers_there
from concepttransfer.study.plan import Step, plan
from concepttransfer.study.selection import Selection
from concepttransfer.study.towers import read_as

from .options import Run, paragraphs, signed
from .show import say, show_frame, show_json, show_plan

PANEL = "Analyses"
WITHOUT_FITS = frozenset(
    {"Captioned", "ClassNames", "ClassTexts", "ConceptSet", "Features", "Manifest", "PairedTowers", "ProbedSets"}
    | {"Splits", "StitchingLosses"}
)
"""Artifacts for which pictures are encoded and nothing is fitted."""


def command_of(name: str) -> Any:
    """The command of one analysis; of a broken one a command that says what is wrong with it."""
    app = typer.Typer(add_completion=False)
    try:
        spec = analysis.get(name)
    except ConceptTransferError as error:
        app.command(name, help=f"(broken) {error}", rich_help_panel=PANEL)(_raiser(error))
        return typer.main.get_command(app)
    if spec.of:
        from .results import runner

        run_it = runner(spec, spec.of, [_parameter(option, spec) for option in spec.options if option.name != "seed"])
    else:
        run_it = signed(_runner(spec), _parameters(spec))
    app.command(name, help=f"{spec.title}\n\n{_prose(spec)}", short_help=spec.title, rich_help_panel=PANEL)(run_it)
    return typer.main.get_command(app)


def _prose(spec: Spec) -> str:
    """The docstring without its sections (options explain themselves), a paragraph a line."""
    return paragraphs(spec.doc.split("\n\nArgs:")[0])


def _raiser(error: ConceptTransferError) -> Any:
    def broken() -> None:
        raise error

    return broken


def _parameters(spec: Spec) -> list[inspect.Parameter]:
    """The analysis's options, then the common ones; a common name that the analysis has too is given once."""
    hints = get_type_hints(Run, include_extras=True)
    shared = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name])
        for f in dataclasses.fields(Run)
    ]
    taken = {p.name for p in shared}
    return [_parameter(option, spec) for option in spec.options if option.name not in taken] + shared


def _parameter(option: Option, spec: Spec) -> inspect.Parameter:
    kind: Any = Literal[option.choices] if option.choices else option.kind
    annotation = Annotated[kind, typer.Option(help=_option_help(spec, option.name))]
    return inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=annotation)


def _option_help(spec: Spec, name: str) -> str:
    """What the docstring's `Args:` says about one option, in one line."""
    found: list[str] = []
    for line in spec.doc.splitlines():
        text = line.strip()
        if text.startswith(f"{name}:"):
            found = [text.removeprefix(f"{name}:").strip()]
        elif found and line.startswith("        "):
            found.append(text)
        elif found:
            break
    return " ".join(found)


def _runner(spec: Spec) -> Any:
    def run_analysis(run: Run, **options: Any) -> None:
        if any(option.name == "seed" for option in spec.options):
            options["seed"] = run.seed
        stage = last_stage(spec)
        study = run.open(stage=stage)
        encoders = run.encoders(study)
        if run.dry_run:
            selections = study.select(run.on or spec.roles[0], role=spec.roles[0])
            named = read_as(study, [a.kind.__name__ for a in spec.artifacts], study.with_twins(encoders))
            steps = plan(study, named, selections, until=stage) + optional_steps(study, spec, named, selections)
            show_plan(steps, as_json=run.json)
            return
        results = study.analyze_each(spec.name, encoders=encoders, on=run.on, **options)
        if not is_main():
            return
        for on, result in results.items():
            folder = run.out or default_folder(study, spec.name, on, encoders)
            write(result, folder / on if run.out and len(results) > 1 else folder, run, study=study)

    run_analysis.__name__ = spec.name.replace("-", "_")
    return run_analysis


def optional_steps(study: Study, spec: Spec, encoders: Sequence[str], selections: Sequence[Selection]) -> list[Step]:
    """The captions that an analysis can do without, of first fits that are there: nothing is fitted for it."""
    if not any(artifact.optional and artifact.kind.__name__ == "Captions" for artifact in spec.artifacts):
        return []
    there = [name for name in encoders if transfers_there(study, name)]
    steps = [step for step in plan(study, there, selections, until="caption") if step.stage == "caption"]
    return [step for step in steps if step.what.endswith(f"seed {study.settings.seed}")]


def last_stage(spec: Spec) -> str:
    """The stage that makes what the analysis reads: its own for `--force`, and the last one of `--dry-run`."""
    kinds = {artifact.kind.__name__ for artifact in spec.artifacts if not artifact.optional}
    for kind, stage in (("Answers", "answer"), ("TokenScores", "score"), ("PromptReadings", "read")):
        if kind in kinds:
            return stage
    return "encode" if kinds <= WITHOUT_FITS else "caption"


def write(result: Result, folder: Path, run: Run, *, study: Study | None = None) -> None:
    """Save the result, with the fits of its study, and its report; print table, sentence and path."""
    from concepttransfer.report import build

    result.save(folder)
    if study is not None:
        study.save_fits(result, folder)
    page = build([folder], folder / "report")
    if run.json:
        show_json(
            {
                "summary": result.summary(),
                "estimates": result.estimates.to_dict(orient="records"),
                "folder": str(folder),
                "report": str(page),
            }
        )
        return
    show_frame(result.headline())
    say("")
    say(result.summary())
    say(f"Report: {page}")
