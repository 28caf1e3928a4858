"""`concepttransfer report`: saved results on one page; with `--all` what is missing is run first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from concepttransfer.errors import BadInputError
from concepttransfer.processes import is_main
from concepttransfer.study import Study
from concepttransfer.study.every import Outcome, Task, tasks
from concepttransfer.study.plan import Step, plan

from .analyses import last_stage
from .options import Run
from .show import duration, say, show_json, show_plan, show_rows

OUT = Path("runs/report")
ONLY_WITH_ALL = ("encoder", "on", "limit", "force", "dry_run")
STAGES = {"encode": 0, "caption": 1, "answer": 2}


def report(
    run: Run,
    folders: Annotated[list[Path] | None, typer.Argument(help="Folders of saved results; default: runs.")] = None,
    study: Annotated[
        str | None, typer.Option(help="Only results of this study (its name or file); default: of all that are saved.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Run every analysis of the study that has no result yet; then make the page.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            help="With --all: processes that work side by side. Default: on the CPU one a core, up to 4; else 1.", min=1
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the page goes.", file_okay=False)] = OUT,
) -> None:
    """Gather saved results into one page, with every table and figure as files beside it.

    With --all, every installed analysis that the study has data for is run first, for all its encoders or those named.
    Results are saved below runs/, as the analyses' own commands save them; those that are there already and would come
    out the same are reused, so the same command goes on where it was stopped. --force computes them again.

    Everything about a study: concepttransfer report --study microworld --all

    A first look: concepttransfer report --all --encoder beit --limit 200
    """
    if every:
        _whole(run, study or "microworld", folders, out, jobs)
        return
    if given := [*(name for name in ONLY_WITH_ALL if getattr(run, name)), *(["jobs"] if jobs else [])]:
        flag = f"--{given[0].replace('_', '-')}"
        raise BadInputError(f"{flag} is about what is run. Give --all, or name folders of saved results.")
    from concepttransfer.report import build

    name = run.opened(study, stage="report").name if study else None
    page = build(folders or [Path("runs")], out, study=name, quiet=run.quiet or run.json)
    show_json({"report": str(page)}) if run.json else say(f"Report: {page}")


def _whole(run: Run, name: str, folders: Sequence[Path] | None, out: Path, jobs: int | None) -> None:
    if folders:
        raise BadInputError("With --all results are saved below runs/ and read from there. Leave the folders out.")
    study = run.opened(name, stage="report")
    if run.dry_run:
        _plan(study, run)
        return
    from concepttransfer.report import report_study

    made = report_study(
        study,
        encoders=run.encoder or ["all"],
        on=run.on,
        out=out,
        seed=run.seed,
        force=run.force,
        jobs=jobs,
        told=(lambda outcome: None) if run.json else _tell,
    )
    if run.json:
        outcomes = [vars(one) | {"folder": one.folder and str(one.folder)} for one in made.outcomes]
        show_json({"report": str(made.page), "analyses": outcomes})
    elif is_main():
        say(f"Report: {made.page}")
    if any(outcome.how == "failed" for outcome in made.outcomes):
        raise typer.Exit(1)


def _tell(outcome: Outcome) -> None:
    """One line for each analysis, above the progress bars."""
    from tqdm import tqdm

    said = f"{outcome.name}: {outcome.how}"
    said += f" ({outcome.reason})" if outcome.reason else f" in {duration(outcome.seconds)}"
    with tqdm.external_write_mode():
        say(said)


def _plan(study: Study, run: Run) -> None:
    """What `--all` would do: the analyses, then the stages under them."""
    named = study.named(run.encoder or ["all"])
    todo, left = tasks(study, named, on=run.on)
    steps = _steps(study, study.with_twins(named), todo)
    rows = [(task.name, "saved; kept if it would come out the same" if _there(task) else "missing") for task in todo]
    rows += [(outcome.name, f"left out: {outcome.reason}") for outcome in left]
    if run.json:
        show_json({"analyses": [{"analysis": a, "state": b} for a, b in rows], "steps": [vars(step) for step in steps]})
        return
    show_rows(["analysis", "state"], rows)
    say("")
    show_plan(steps, as_json=False)


def _there(task: Task) -> bool:
    return (task.folder / "result.json").is_file()


def _steps(study: Study, encoders: Sequence[str], todo: Sequence[Task]) -> list[Step]:
    """The stages of all analyses, each once."""
    wanted = {(last_stage(task.spec), task.selection.name): task.selection for task in todo}
    steps: dict[tuple[str, str, str], Step] = {}
    for (stage, _), selection in sorted(wanted.items(), key=lambda item: STAGES[item[0][0]]):
        for step in plan(study, encoders, [selection], until=stage):
            steps.setdefault((step.stage, step.encoder, step.what), step)
    return list(steps.values())
