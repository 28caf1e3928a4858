"""Declare, find and describe analyses. Imports none: they are found by entry points, ours and anybody's."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint
from typing import Any, TypeVar

from .errors import UnknownNameError
from .plugins import ANALYSES, broken, declared

if typing.TYPE_CHECKING:
    from .result import Result

GROUP = ANALYSES.name
RESERVED = frozenset(
    {"encode", "fit", "caption", "answer", "import-projection", "report", "studies", "cache", "encoders", "analyses"}
    | {"microworld", "data", "doctor", "reproduce", "export", "train-clip"}
)
ORDER = (
    *("awa-errors", "concept-recall", "caption-scores", "visual-questions", "entailment", "linear-probe"),
    *("zero-shot", "retrieval", "zero-shot-probe", "robustness"),
    *("similarity", "embedding-map", "modality-gap", "sensitivity", "prefix-length", "tuning"),
    *("prompt-lens", "runoff", "compare"),
)
"""Our analyses in the order in which they are read; others follow by name."""
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class On:
    """Marks an artifact with the role of the data that it is about, such as `On("animals")`."""

    role: str


@dataclass(frozen=True)
class Of:
    """Marks Results with the option that names their analysis: `Annotated[list[Result], Of("kind")]`.

    Attributes:
        option: the option's name.
        default: the analysis where the option is empty.
        beside: analyses whose Results are made too where several studies are asked for and the option is empty.
    """

    option: str
    default: str = "awa-errors"
    beside: tuple[str, ...] = ()

    def kind(self, options: Mapping[str, Any]) -> str:
        """The analysis that some options name."""
        return str(options.get(self.option) or self.default)


@dataclass(frozen=True)
class Artifact:
    """One positional parameter of an analysis.

    Attributes:
        name: the parameter's name.
        kind: the artifact's type, such as `Captions`.
        many: a list: one for each encoder named, over the same rows.
        role: the role of its data in a study's `evaluate:`; empty for Results, whose data are those of their analysis.
        of: of Results: which option names their analysis.
        optional: the analysis runs without it: `X | None`.
    """

    name: str
    kind: type
    many: bool
    role: str
    optional: bool = False
    of: Of | None = None


@dataclass(frozen=True)
class Option:
    """One keyword-only parameter of an analysis: a flag of the same name in kebab-case, with the same default.

    Attributes:
        name: the parameter's name.
        kind: `int`, `float`, `str` or `bool`.
        default: its default.
        choices: the values allowed, where it is a `Literal`.
    """

    name: str
    kind: type
    default: Any
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Spec:
    """What the command line, the Study and the report need to know about one analysis."""

    name: str
    title: str
    function: Callable[..., Result]
    artifacts: tuple[Artifact, ...]
    options: tuple[Option, ...]
    result_type: type[Result]

    @property
    def doc(self) -> str:
        """The docstring, which is also `--help`."""
        return inspect.getdoc(self.function) or ""

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles of the data it asks for, each once, in order."""
        return self.roles_with({})

    def roles_with(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        """As `roles`; Results that these options name have the roles of their analysis."""
        each = (get(a.of.kind(options)).roles if a.of else (a.role,) for a in self.artifacts)
        return tuple(dict.fromkeys(role for roles in each for role in roles))

    @property
    def of(self) -> Of | None:
        """Of an analysis of Results: which option names theirs."""
        return next((artifact.of for artifact in self.artifacts if artifact.of), None)


def analysis(name: str, *, title: str) -> Callable[[F], F]:
    """Declare a plain function an analysis. It stays that function; its `Spec` is read from its signature when needed.

    Positional parameters are artifacts, `Annotated[list[Captions], On("animals")]`; keyword-only ones are options.
    """

    def mark(function: F) -> F:
        function.analysis_name = name  # type: ignore[attr-defined]
        function.analysis_title = title  # type: ignore[attr-defined]
        return function

    return mark


def spec_of(function: Callable[..., Any]) -> Spec:
    """Read the `Spec` of a function declared by `@analysis`.

    Raises:
        TypeError: the declaration is wrong: an artifact without a role, an option without a default.
    """
    name, title = function.analysis_name, function.analysis_title  # type: ignore[attr-defined]
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters.values()
    options = tuple(_option(name, p, hints[p.name]) for p in parameters if p.kind is p.KEYWORD_ONLY)
    artifacts = tuple(_artifact(name, p.name, hints[p.name]) for p in parameters if p.kind is not p.KEYWORD_ONLY)
    return Spec(name, title, function, artifacts, options, hints["return"])


def _artifact(analysis_name: str, name: str, hint: Any) -> Artifact:
    marks = getattr(hint, "__metadata__", ())
    roles = [m.role for m in marks if isinstance(m, On)]
    of = next((m for m in marks if isinstance(m, Of)), None)
    if not roles and of is None:
        message = f"{analysis_name}: artifact `{name}` needs a role: Annotated[{hint}, On('animals')]"
        raise TypeError(message)
    kind = typing.get_args(hint)[0]
    if optional := isinstance(kind, types.UnionType) and type(None) in typing.get_args(kind):
        kind = next(one for one in typing.get_args(kind) if one is not type(None))
    many = typing.get_origin(kind) is list
    return Artifact(name, typing.get_args(kind)[0] if many else kind, many, next(iter(roles), ""), optional, of)


def _option(analysis_name: str, parameter: inspect.Parameter, hint: Any) -> Option:
    if parameter.default is parameter.empty:
        message = f"{analysis_name}: option `{parameter.name}` needs a default, the same for command and call"
        raise TypeError(message)
    choices = typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else ()
    kind = type(parameter.default) if choices or not isinstance(hint, type) else hint
    return Option(parameter.name, kind, parameter.default, choices)


@cache
def _entries() -> dict[str, EntryPoint]:
    """The installed entry points by name.

    Raises:
        ConceptTransferError: two packages declare one name, or one declares a reserved name.
    """
    return declared(ANALYSES, RESERVED)


def available() -> dict[str, Spec | Exception]:
    """Every analysis installed, by name: its Spec, or the error with which it failed to import."""
    found: dict[str, Spec | Exception] = {}
    for name in sorted(_entries()):
        try:
            found[name] = get(name)
        except Exception as error:
            found[name] = error
    return found


def names() -> tuple[str, ...]:
    """The names of all analyses installed, without importing them."""
    return tuple(sorted(_entries()))


def place(name: str) -> tuple[int, str]:
    """A key that sorts names of analyses as they are read."""
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)


def get(name: str) -> Spec:
    """The Spec of one analysis.

    Raises:
        UnknownNameError: there is no such analysis; the nearest name is offered.
        ConceptTransferError: it is there, but fails to import.
    """
    if name not in _entries():
        raise UnknownNameError("analysis", name, _entries())
    entry = _entries()[name]
    try:
        function = entry.load()
        return spec_of(function)
    except Exception as error:
        raise broken(ANALYSES, name, entry.value, error) from error
