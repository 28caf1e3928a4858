"""`concepttransfer doctor`: is everything here that a run needs?"""

from __future__ import annotations

from typing import Annotated

import typer

from .show import say, show_json, show_rows


def doctor(
    study: Annotated[
        str | None, typer.Option(help="Also look at this study's weights, data, memory and disk: a name or YAML file.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Look whether everything is here that a run needs, and say the remedy for what is not. Exit status 1 then.

    Libraries are really imported, devices asked, the cache written to, WordNet, tagger and Java looked for. With
    --study also: which of its weights and data are here, and how much memory and disk it takes. Nothing is downloaded.

    Example: concepttransfer doctor --study limber
    """
    from concepttransfer.doctor import State, examine
    from concepttransfer.study import load_study

    opened = load_study(study, quiet=True, offline=True) if study else None
    found = examine(opened, quiet=quiet or json)
    if json:
        show_json([vars(finding) for finding in found])
    else:
        rows = [(one.area, one.what, one.state.upper() if one.remedy else one.state, one.found) for one in found]
        show_rows(["part", "what", "state", "found"], rows)
        for remedy in dict.fromkeys(one.remedy for one in found if one.remedy):
            say(f"-> {', '.join(one.what for one in found if one.remedy == remedy)}: {remedy}")
        n = {state: sum(one.state is state for one in found) for state in State}
        say(f"{n[State.OK]} ok, {n[State.WARNING]} warnings, {n[State.MISSING]} missing.")
    if any(one.state is State.MISSING for one in found):
        raise typer.Exit(1)
