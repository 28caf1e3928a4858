"""What other packages add, by entry points: found without importing; a broken one is an error when it is asked for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from .errors import ConceptTransferError


@dataclass(frozen=True)
class Group:
    """One kind of thing that a package can add.

    Attributes:
        name: of the entry points' group.
        one, many: such a thing and several, as they are told.
        taken: what a reserved name is already.
    """

    name: str
    one: str
    many: str
    taken: str


ANALYSES = Group("concepttransfer.analyses", "analysis", "analyses", "a command")
ENCODERS = Group("concepttransfer.encoders", "encoder library", "encoder libraries", "a library of concepttransfer")
PROJECTIONS = Group("concepttransfer.projections", "projection", "projections", "a projection of concepttransfer")
READERS = Group("concepttransfer.readers", "reader", "readers", "a reader of concepttransfer")
STUDIES = Group("concepttransfer.studies", "folder of studies", "folders of studies", "that of concepttransfer")
GROUPS = (ANALYSES, ENCODERS, PROJECTIONS, READERS, STUDIES)


def declared(group: Group, reserved: Collection[str] = ()) -> dict[str, EntryPoint]:
    """What is installed of a group, by name, in the order of names; nothing is imported.

    Args:
        group: of which entry points.
        reserved: names that are taken.

    Raises:
        ConceptTransferError: two packages declare one name, or one declares a reserved name.
    """
    found: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=group.name), key=lambda one: one.name):
        if entry.name in reserved:
            message = f"`{entry.value}` names its {group.one} `{entry.name}`, which is {group.taken}. "
            raise ConceptTransferError(message + "Give it another name.")
        if entry.name in found and found[entry.name].value != entry.value:
            message = f"Two {group.many} are named `{entry.name}`: {found[entry.name].value} and {entry.value}. "
            raise ConceptTransferError(message + "Uninstall one, or rename it in its entry points.")
        found[entry.name] = entry
    return found


def loaded(group: Group, name: str, value: str) -> Any:
    """What an entry point names: `package.module`, or `package.module:attribute`.

    Raises:
        ConceptTransferError: it cannot be imported, whatever the reason.
    """
    module, _, attribute = value.partition(":")
    try:
        found = import_module(module)
        return getattr(found, attribute) if attribute else found
    except Exception as error:
        raise broken(group, name, value, error) from error


def broken(group: Group, name: str, value: str, error: Exception) -> ConceptTransferError:
    """The error that says that a plug-in cannot be used, and why."""
    return ConceptTransferError(f"The {group.one} `{name}` ({value}) is broken: {type(error).__name__}: {error}")


def is_ours(entry: EntryPoint) -> bool:
    """Whether an entry point is one of concepttransfer's own."""
    return entry.value.startswith("concepttransfer.")


def any_installed() -> bool:
    """Whether another package adds anything."""
    return any(not is_ours(entry) for group in GROUPS for entry in entry_points(group=group.name))


def package_of(entry: EntryPoint) -> str:
    """The installed package that declares an entry point, with its version: `my-encoders 1.2`; else where it points."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
