"""The options that every command has, declared once."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from concepttransfer.errors import BadInputError
from concepttransfer.study import Study, load_study
from concepttransfer.study.settings import Settings

SHARED = "Options that every command has"
_option = functools.partial(typer.Option, rich_help_panel=SHARED)


@dataclass(frozen=True)
class Run:
    """What the common options of one command said."""

    study: Annotated[str, _option(help="A study's name or YAML file; see `concepttransfer studies list`.")] = (
        "microworld"
    )
    encoder: Annotated[
        list[str] | None,
        _option(
            help="An encoder of the study, or `all`; `beit@layer:6` is `beit` read at layer 6, `beit@layers` at all of "
            "them. Give it several times for several encoders."
        ),
    ] = None
    on: Annotated[
        str | None,
        _option(help="The data: a role or data set of the study, or a folder (./animals), a zip, a picture, a csv."),
    ] = None
    out: Annotated[Path | None, _option(help="Write what comes out into this folder.", file_okay=False)] = None
    seed: Annotated[int, _option(help="Of the first fit (fit), or of the resampling (analyses).", min=0)] = 0
    limit: Annotated[int | None, _option(help="Use at most so many pictures, drawn by their ids.", min=1)] = None
    force: Annotated[bool, _option("--force", help="Do this command's own stage again although it is cached.")] = False
    dry_run: Annotated[bool, _option("--dry-run", help="Say stages, times and bytes; do nothing.")] = False
    device: Annotated[
        str,
        _option(help="auto, cpu, cuda, cuda:1, mps; spread: the language model over all GPUs, then memory, then disk."),
    ] = "auto"
    dtype: Annotated[
        str | None,
        _option(help="Of the language model: float32, bfloat16, float16, 8bit, 4bit. Default: as the study says."),
    ] = None
    batch_size: Annotated[int | None, _option(help="Pictures or captions at a time.", min=1)] = None
    offline: Annotated[bool, _option("--offline", help="Ask no hub for anything.")] = False
    quiet: Annotated[bool, _option("--quiet", help="No progress bars.")] = False
    json: Annotated[bool, _option("--json", help="Print JSON instead of tables.")] = False

    def open(
        self, *, stage: str, seeds: int | None = None, seed: int | None = None, trackers: tuple[str, ...] = ()
    ) -> Study:
        """The study, set up as the options say; `--force` is about `stage`."""
        return self.opened(self.study, stage=stage, seeds=seeds, seed=seed, trackers=trackers)

    def opened(
        self,
        name: str,
        *,
        stage: str,
        seeds: int | None = None,
        seed: int | None = None,
        trackers: tuple[str, ...] = (),
    ) -> Study:
        """As `open`, for a study that the command names in another way than with --study."""
        settings = Settings(
            device=self.device,
            dtype=self.dtype,
            batch_size=self.batch_size,
            limit=self.limit,
            seed=seed or 0,
            seeds=seeds,
            force=(stage,) if self.force else (),
            offline=self.offline,
            quiet=self.quiet or self.json,
            trackers=trackers,
        )
        return load_study(name, **{f.name: getattr(settings, f.name) for f in dataclasses.fields(settings)})

    def encoders(self, study: Study) -> list[str]:
        """The encoders named, each checked.

        Raises:
            BadInputError: none was named.
            UnknownNameError: the study has none of that name.
        """
        if not self.encoder:
            message = f"Which encoder? Give --encoder with one of: {', '.join(study.encoders)}, all."
            raise BadInputError(message)
        return study.named(self.encoder)


def with_run(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command, whose first parameter is `run: Run`, the common options in its place.

    A parameter of the command's own stands for the common option of the same name.
    """
    hints = get_type_hints(function, include_extras=True)
    own = [p.replace(annotation=hints[p.name]) for p in list(inspect.signature(function).parameters.values())[1:]]
    shared_hints = get_type_hints(Run, include_extras=True)
    shared = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=shared_hints[f.name])
        for f in dataclasses.fields(Run)
        if f.name not in {p.name for p in own}
    ]
    return signed(function, [*own, *shared], own=[p.name for p in own])


def signed(
    function: Callable[..., None], parameters: list[inspect.Parameter], *, own: Sequence[str] = ()
) -> Callable[..., None]:
    """A function of these keyword parameters that calls `function(run, ...)`, in the form that typer reads.

    Parameters that are named as fields of `Run` are, unless they are the function's `own`, handed over in `run`.
    """
    names = {f.name for f in dataclasses.fields(Run)} - set(own)

    def command(**given: Any) -> None:
        run = Run(**{name: given.pop(name) for name in names})
        function(run, **given)

    command.__name__ = function.__name__
    command.__doc__ = paragraphs(inspect.getdoc(function) or "")
    keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    command.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def paragraphs(text: str) -> str:
    """A text with each paragraph in one line, so that the screen breaks it and not its source."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
