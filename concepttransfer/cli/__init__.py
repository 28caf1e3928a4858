"""The command line: `concepttransfer COMMAND`. Commands of analyses are made from their declarations."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from concepttransfer import analysis
from concepttransfer.errors import ConceptTransferError, UnknownNameError, cannot_write
from concepttransfer.processes import count
from concepttransfer.processes.peers import terminable, together

from . import cache, contrastive, data, doctor, export, microworld, report, reproduce, stages, studies, write_captions
from .options import paragraphs, with_run

EPILOG = (
    "Begin with: concepttransfer awa-errors --encoder beit\n\nThen: concepttransfer studies new my.yaml\n\n"
    "Every command explains itself with --help."
)


class Commands(typer.core.TyperGroup):
    """The fixed commands, and one for each analysis that is installed."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Fixed commands in their order, then the analyses."""
        return [*super().list_commands(ctx), *analysis.names()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A fixed command, or that of an analysis, made when it is asked for."""
        if cmd_name in analysis.names():
            from .analyses import command_of

            return command_of(cmd_name)
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: Any) -> Any:
        """Run the command, with others where it is run by several processes; ctrl-C says that nothing is lost."""
        try:
            with terminable(), together():
                return super().invoke(ctx)
        except KeyboardInterrupt as stopped:
            message = str(stopped) or "Stopped. What was finished is kept: the same command goes on from there."
            print(f"\n{message}", file=sys.stderr)  # noqa: T201
            raise SystemExit(getattr(stopped, "status", 130)) from None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command; a wrong name is answered with the nearest one."""
        if args and self.get_command(ctx, args[0]) is None:
            raise UnknownNameError("command", args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Which concepts survive when a frozen image encoder is mapped linearly into a frozen language model?",
    epilog=EPILOG,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"concepttransfer {version('concepttransfer')}")
        raise typer.Exit


@app.callback()
def concepttransfer(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Which concepts survive when a frozen image encoder is mapped linearly into a frozen language model?"""


STAGES, LOOK = "Stages", "Look around"
app.command(rich_help_panel=STAGES)(with_run(stages.encode))
app.command(rich_help_panel=STAGES)(with_run(stages.fit))
app.command(rich_help_panel=STAGES)(with_run(stages.caption))
app.command(rich_help_panel=STAGES)(with_run(stages.answer))
app.command("import-projection", rich_help_panel=STAGES)(with_run(stages.import_projection))
app.command("train-clip", rich_help_panel=STAGES)(with_run(contrastive.train_clip))
app.command(rich_help_panel=STAGES)(with_run(export.export))


app.command("reproduce", rich_help_panel="Report")(with_run(reproduce.reproduce_paper))
app.command(rich_help_panel="Report")(with_run(report.report))
app.add_typer(studies.app, name="studies", rich_help_panel=LOOK)
app.command(rich_help_panel=LOOK)(with_run(studies.encoders))
app.command(rich_help_panel=LOOK)(studies.analyses)
app.command(rich_help_panel=LOOK, help=paragraphs(doctor.doctor.__doc__ or ""))(doctor.doctor)
data.app.command("write-captions")(with_run(write_captions.write_captions))
app.add_typer(data.app, name="data", rich_help_panel=LOOK)
app.add_typer(cache.app, name="cache", rich_help_panel=LOOK)
app.add_typer(microworld.app, name="microworld", rich_help_panel=LOOK)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a user's mistake prints one sentence, a bug keeps its traceback.

    Returns:
        The exit status: 0, 1 for a mistake or where another process of the command is gone, 2 for a wrong option,
        130 after ctrl-C, 143 after SIGTERM.
    """
    try:
        app(args=list(arguments) if arguments is not None else None)
    except ConceptTransferError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except OSError as error:
        if (message := cannot_write(error)) is None:
            raise
        print(f"Error: {message}", file=sys.stderr)  # noqa: T201
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def run() -> None:
    """The `concepttransfer` program."""
    status = main()
    if status and count() > 1:  # what libraries do at the end would wait for processes that are gone
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
