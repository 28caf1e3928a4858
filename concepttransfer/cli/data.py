"""`concepttransfer data`: which data sets there are, where they come from, whether they are here; and one's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from concepttransfer.errors import MissingResourceError

from .options import paragraphs
from .show import say, show_json, show_rows, size

if TYPE_CHECKING:
    from concepttransfer.data.add import Added
    from concepttransfer.data.descriptions import DataFile, DataManifest
    from concepttransfer.data.own_classes import Proposal

app = typer.Typer(
    no_args_is_help=True,
    help="List, show, check and fetch data sets, and make one of your own pictures.",
    epilog="Begin with: concepttransfer data list\n\nYour own pictures: concepttransfer data add my_pictures",
)
Named = Annotated[str, typer.Argument(help="A data set's name (see `data list`), or the yaml of one of your own.")]
Folder = Annotated[
    Path | None, typer.Option(help="Where the data are or go; default: where a study expects them.", file_okay=True)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
SHOWN = 40
"""So many classes are listed on the screen; the csv has all."""


def _command(name: str | None = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command, its docstring broken by the screen."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        return app.command(name, help=paragraphs(inspect.getdoc(function) or ""))(function)

    return register


@_command("list")
def list_data(json: Json = False) -> None:
    """List the data sets that are described: what they are for, where they belong, and whether they are there.

    Example: concepttransfer data list
    """
    from concepttransfer.data.descriptions import available, describe

    uses = _uses()
    rows = [
        (name, about.title, uses.get(name, "-"), about.folder, _state(Path(about.folder), about))
        for name in available()
        for about in [describe(name)]
    ]
    columns = ["data set", "what it is", "what for", "expected in", "there"]
    if json:
        show_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    show_rows(columns, rows)
    say("More of one: concepttransfer data show NAME. To get it: concepttransfer data fetch NAME.")


@_command()
def show(name: Named, folder: Folder = None, json: Json = False) -> None:
    """Show all that is known of a data set: source, licence, citation, files, layout, and its entry in a study.

    Example: concepttransfer data show awa2
    """
    import yaml

    about, place = _open(name, folder)
    if json:
        show_json({**about.model_dump(mode="json"), "expected in": str(place)})
        return
    say(f"{about.title}\n")
    told = {"page": about.url, "licence": about.licence, "cite": about.citation, "expected in": str(place)}
    told |= {"holds": ", ".join(f"{n:,} {what}" for what, n in about.counts.items())}
    _facts({key: value for key, value in told.items() if value})
    if about.splits:
        show_rows(["split", "holds"], list(about.splits.items()), title="\nSplits")
    if about.files:
        say("\nFiles to fetch")
    for file in about.files:
        say(f"{file.name}: {_marks(file)}\n  {file.url}")
    layout = [(entry.pattern, entry.what, entry.count, "optional" if entry.optional else "") for entry in about.layout]
    show_rows(["below the folder", "what", "files", ""], layout, title="\nLayout")
    if about.notes:
        say(f"\n{about.notes.strip()}")
    written = yaml.safe_dump({about.name: about.data}, default_flow_style=None, sort_keys=False, width=110).rstrip()
    say("\nIn a study, under `data:`\n" + "\n".join(f"  {line}" for line in written.splitlines()))


@_command()
def verify(name: Named, folder: Folder = None, json: Json = False) -> None:
    """Check that a data set lies as its reader expects it; say what to put where. Exit status 1 if something lacks.

    Example: concepttransfer data verify awa2 --folder /data/AwA2
    """
    about, place = _open(name, folder)
    if not _verified(about, place, as_json=json):
        raise typer.Exit(1)


@_command()
def fetch(
    name: Named,
    folder: Folder = None,
    optional: Annotated[bool, typer.Option("--optional", help="Also what the data can be read without.")] = False,
    keep_archives: Annotated[
        bool, typer.Option("--keep-archives", help="Keep archives that have been unpacked.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no server: say what to put where.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars.")] = False,
) -> None:
    """Download what is missing of a data set, check it and unpack it.

    It goes on where it was cut: give the same command again. What is there already is not fetched again. Without a
    network it says which file to get from where and where to put it; then the same command checks and unpacks it.

    Example: concepttransfer data fetch awa2 --folder /data/awa2
    """
    from concepttransfer.data.fetch import fetch as fetch_data
    from concepttransfer.language_models.identity import offline as is_offline

    about, place = _open(name, folder)
    if not about.files:
        raise MissingResourceError(
            f"{about.title} cannot be fetched by plain addresses. {about.notes}\nSee {about.url}"
        )
    steps = fetch_data(
        about, place, optional=optional, keep_archives=keep_archives, offline=offline or is_offline(), quiet=quiet
    )
    for done in steps:
        say(f"{done.name}: {done.done} (checked: {done.checked})")
    if not _verified(about, place, as_json=False):
        say(about.notes.strip())
        raise typer.Exit(1)


@_command()
def add(
    pictures: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder or zip with a folder for each class.")],
    names: Annotated[
        Path | None, typer.Option(help="The csv of classes; default: NAME.csv here.", dir_okay=False)
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call the data; default: as the folder.")] = None,
    split: Annotated[str | None, typer.Option(help="Only what lies below the folder of this name.")] = None,
    json: Json = False,
) -> None:
    """Make a data set of your own pictures: a folder for each class, such as pets/brown_bear/1.jpg or pets/n02132136.

    It writes NAME.csv with a line for each class: its words and the WordNet noun that they mean. Correct what is marked
    CHECK or OPEN (a synset, or - to leave the class out), then give the same command again: your lines stay. When none
    is open it writes NAME.yaml, which is data for every command:

    Example: concepttransfer data add pets; concepttransfer awa-errors --on pets.yaml --encoder beit
    """
    from concepttransfer.data.add import add_classes

    added = add_classes(pictures, name=name, table=names, split=split)
    if json:
        show_json(
            {
                "table": str(added.table),
                "manifest": str(added.manifest) if added.manifest else None,
                "classes": [{**vars(one.row), "alternatives": one.alternatives} for one in added.proposals],
            }
        )
    else:
        _show_added(added, pictures)
    if added.manifest is None:
        raise typer.Exit(1)


def _show_added(added: Added, pictures: Path) -> None:
    say(f"{len(added.proposals):,} classes, {added.n_pictures:,} pictures in {pictures}. Their words: {added.table}")
    _show_classes(added.open, "\nOPEN: give a synset such as dog.n.01, or other words, or - to leave the class out")
    _show_classes(added.doubtful, "\nCHECK: right? Then delete the line's `how`. Wrong? Give it another synset")
    if added.manifest is None:
        say(f"\n{len(added.open)} still open. Correct {added.table}, then give the same command again.")
        return
    say(f"\nWrote {added.manifest}. Use it: concepttransfer awa-errors --on {added.manifest} --encoder beit")


def _show_classes(proposals: list[Proposal], title: str) -> None:
    from concepttransfer.data.own_classes import definition

    if not proposals:
        return

    def told(synset: str) -> str:
        return f"{synset}: {definition(synset)}" if ".n." in synset else synset

    rows = [
        (one.row.label, told(one.row.synset), "; ".join(map(told, one.alternatives[:3])), one.row.pictures)
        for one in proposals[:SHOWN]
    ]
    say(title)
    show_rows(["class", "proposed", "or", "pictures"], rows)
    if len(proposals) > SHOWN:
        say(f"... and {len(proposals) - SHOWN} more in the table.")


def _verified(about: DataManifest, place: Path, *, as_json: bool) -> bool:
    """Print what a layout's check found; is all that is needed there?"""
    from concepttransfer.data.layout import check_layout

    findings = check_layout(place, about)
    if as_json:
        show_json([vars(finding) for finding in findings])
    else:
        rows = [("ok" if one.ok else "MISSING", one.wanted, one.found) for one in findings]
        say(f"{about.title}, in {place}")
        show_rows(["", "wanted", "found"], rows)
        for advice in dict.fromkeys(one.advice for one in findings if one.advice):
            say(f"-> {advice}")
    return all(finding.ok for finding in findings)


def _open(name: str, folder: Path | None) -> tuple[DataManifest, Path]:
    """A data set's manifest, and where its data are: as told, or where a study would look."""
    from concepttransfer.data.descriptions import describe, read_description

    if Path(name).suffix in (".yaml", ".yml"):
        about = read_description(Path(name))
        return about, folder or Path(name).parent / about.folder
    about = describe(name)
    return about, folder or Path(about.folder)


def _state(folder: Path, about: DataManifest) -> str:
    from concepttransfer.data.layout import check_layout

    if not folder.exists():
        return "no"
    findings = check_layout(folder, about)
    lacking = sum(not finding.ok for finding in findings)
    return f"lacks {lacking} thing{'s' * (lacking != 1)}" if lacking else "yes"


def _uses() -> dict[str, str]:
    """What each data set is for in the studies that come with the package."""
    from concepttransfer.study.file import packaged_studies, read_study

    found: dict[str, list[str]] = {}
    for study, path in packaged_studies().items():
        spec = read_study(path)[0]
        for name in spec.fitted_on:
            found.setdefault(name, []).append(f"{study}: fit")
        for role, names in spec.evaluate.items():
            for name in names:
                found.setdefault(name, []).append(f"{study}: {role}")
    return {name: ", ".join(uses) for name, uses in found.items()}


def _marks(file: DataFile) -> str:
    kinds = [kind for kind in ("sha256", "md5") if getattr(file, kind)]
    told = [size(file.bytes) if file.bytes else "size not told"]
    told.append(f"{' and '.join(kinds)} known" if kinds else "no checksum published")
    return ", ".join([*told, *(["optional"] if file.optional else [])])


def _facts(facts: dict[str, str]) -> None:
    show_rows(["", ""], list(facts.items()))
