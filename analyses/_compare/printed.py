"""What the paper of a study printed, beside what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from concepttransfer.reproduce.published import Paper, PublishedTable, papers, read_paper

from .given import System, data_of


def paper_of(system: System) -> Paper | None:
    """The paper whose tables the study fills; a study without one is compared with nothing printed."""
    named = system.result.provenance.get("paper") or system.study
    return read_paper(named) if named in papers() else None


def printed(system: System) -> Iterator[dict[str, Any]]:
    """A row for each printed value of the system in a table of the result's analysis, about the same data.

    Yields:
        measure, group (as `estimates` names it), published (in our unit) and doubt: why it should not be taken at its
        word; empty where nothing speaks against it.
    """
    paper, result = paper_of(system), system.result
    for table in paper.tables.values() if paper else ():
        if table.analysis != result.kind:
            continue
        for column in table.columns:
            value = table.value(system.encoder, column)
            if column.data == data_of(result) and value is not None:
                yield {
                    "measure": column.measure,
                    "group": column.group or result.main_group or "all",
                    "published": value / column.scale,
                    "doubt": " ".join(
                        filter(None, (table.doubt(system.encoder, column), _other_options(table, system)))
                    ),
                }


def _other_options(table: PublishedTable, system: System) -> str:
    """Where the table was made with other options than the result."""
    given = {**system.result.provenance.get("options", {}), **system.result.provenance}
    other = [f"{name} {value}" for name, value in table.options.items() if given.get(name) != value]
    return f"Printed with {', '.join(other)}; measured with other options." if other else ""
