"""One declaration becomes a command, a call and a section; a wrong one is told."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import pytest

from concepttransfer import analysis, plugins
from concepttransfer.analysis import On, spec_of
from concepttransfer.concepts import ConceptSet
from concepttransfer.errors import ConceptTransferError, UnknownNameError
from concepttransfer.result import Result

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True, eq=False)
class Nothing(Result):
    """A result of nothing."""

    kind: ClassVar[str] = "nothing"


@analysis.analysis("nothing", title="Is there anything?")
def nothing(
    animals: Annotated[ConceptSet, On("animals")],
    many: Annotated[list[ConceptSet], On("animals")],
    *,
    how: Literal["a", "b"] = "a",
    n: int = 3,
) -> Nothing:
    """Say nothing."""
    raise ConceptTransferError


def test_a_spec_is_read_from_the_signature():
    spec = spec_of(nothing)
    assert (spec.name, spec.title, spec.doc, spec.result_type) == (
        "nothing",
        "Is there anything?",
        "Say nothing.",
        Nothing,
    )
    assert [(a.name, a.kind, a.many, a.role) for a in spec.artifacts] == [
        ("animals", ConceptSet, False, "animals"),
        ("many", ConceptSet, True, "animals"),
    ]
    assert [(o.name, o.kind, o.default, o.choices) for o in spec.options] == [
        ("how", str, "a", ("a", "b")),
        ("n", int, 3, ()),
    ]


def test_a_declaration_without_role_or_default_is_told():
    def no_role(animals: ConceptSet) -> Nothing: ...

    def no_default(animals: Annotated[ConceptSet, On("animals")], *, n: int) -> Nothing: ...

    with pytest.raises(TypeError, match="needs a role"):
        spec_of(analysis.analysis("x", title="X")(no_role))
    with pytest.raises(TypeError, match="needs a default"):
        spec_of(analysis.analysis("x", title="X")(no_default))


def entries(monkeypatch, *found):
    monkeypatch.setattr(plugins, "entry_points", lambda group: [EntryPoint(n, v, group) for n, v in found])
    analysis._entries.cache_clear()


@pytest.fixture(autouse=True)
def fresh():
    analysis._entries.cache_clear()
    yield
    analysis._entries.cache_clear()


def test_two_of_one_name_are_an_error(monkeypatch):
    entries(monkeypatch, ("same", "a:x"), ("same", "b:x"))
    with pytest.raises(ConceptTransferError, match="Two analyses are named `same`: a:x and b:x"):
        analysis.names()


def test_names_of_commands_are_reserved(monkeypatch):
    entries(monkeypatch, ("fit", "a:x"))
    with pytest.raises(ConceptTransferError, match="which is a command"):
        analysis.names()


def test_a_broken_plug_in_is_listed_and_an_error_only_when_asked_for(monkeypatch):
    entries(
        monkeypatch,
        ("bad", "no_such_module_anywhere:x"),
        ("awa-errors", "concepttransfer.analyses.awa_errors:awa_errors"),
    )
    found = analysis.available()
    assert isinstance(found["bad"], ConceptTransferError)
    assert found["awa-errors"].name == "awa-errors"
    with pytest.raises(ConceptTransferError, match=r"`bad` .* is broken: ModuleNotFoundError"):
        analysis.get("bad")
    with pytest.raises(UnknownNameError, match="Did you mean `awa-errors`"):
        analysis.get("awa-eror")


def test_every_reserved_name_is_a_command_or_will_be():
    from typer.main import get_command

    from concepttransfer.cli import app

    commands = set(get_command(app).commands)
    assert commands <= analysis.RESERVED


def test_installed_entry_points_match_the_files():
    declared = set()
    for path in (ROOT / "analyses").glob("[!_]*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and any(
                isinstance(d, ast.Call) and getattr(d.func, "id", "") == "analysis" for d in node.decorator_list
            ):
                declared.add(f"concepttransfer.analyses.{path.stem}:{node.name}")
    ours = {e.value for e in entry_points(group=analysis.GROUP) if e.value.startswith("concepttransfer.")}
    assert declared == ours, "install again: new entry points are not seen by an editable install until then"


@pytest.mark.parametrize("name", analysis.names())
def test_every_analysis_keeps_the_contract(name):
    spec = analysis.get(name)
    assert spec.doc
    assert issubclass(spec.result_type, Result)
    assert spec.result_type.kind == name
    assert spec.title.endswith("?")
    assert (ROOT / "docs" / f"{name}.md").is_file()
    assert all(f"{option.name}:" in spec.doc for option in spec.options), "the docstring explains each option"
