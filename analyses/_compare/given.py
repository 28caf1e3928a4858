"""Which of the results given are compared, and what forbids it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError
from concepttransfer.result import Result
from concepttransfer.result.wording import is_microworld

LONGEST = 60
"""Characters of a value that an error shows."""


@dataclass(frozen=True)
class System:
    """One encoder of one study, and the result that is about it.

    Attributes:
        name: the encoder; `study/encoder` where there are several studies.
        study: the study's name.
        encoder: its name in the study.
        result: that measured it.
    """

    name: str
    study: str
    encoder: str
    result: Result

    @property
    def supervision(self) -> str | None:
        """What language its weights learnt from, where the study says so."""
        found: str | None = self.result.provenance.get("supervision", {}).get(self.encoder)
        return found

    @property
    def cost(self) -> dict[str, Any]:
        """What one of its fits cost, as the result knows it: `trained` parameters, `samples` seen, `seconds`."""
        return dict(self.result.provenance.get("costs", {}).get(self.encoder, {}))


def compared(results: Sequence[Result], kind: str) -> list[Result]:
    """The results that are compared with each other: of one kind, about the same pictures, measured alike.

    Raises:
        EmptyDataError: there is none.
        BadInputError: there are several kinds and none is named, or their rows cannot be paired.
        MismatchError: they are about different pictures, or their numbers rest on different things.
    """
    if not results:
        raise EmptyDataError("There are no results to compare. Make some: concepttransfer awa-errors --encoder all")
    kinds = list(dict.fromkeys(one.kind for one in results))
    if not kind and len(kinds) > 1:
        raise BadInputError(f"There are results of several kinds: {', '.join(kinds)}. Name the one to compare: `kind`.")
    mine = [one for one in results if one.kind == (kind or kinds[0])]
    if not mine:
        raise EmptyDataError(f"There is no `{kind}` result; those given are of the kind {', '.join(kinds)}.")
    first = mine[0]
    if not any(one.paired for one in mine):
        raise BadInputError(f"A result of the kind `{first.kind}` {first.unpaired}; it cannot be compared row by row.")
    for one in mine[1:]:
        _refuse_other_pictures(first, one)
        _refuse_other_measurement(first, one)
    return mine


def systems_of(results: Sequence[Result], studies: Sequence[str]) -> list[System]:
    """Each encoder of each study once, in the order given; of an encoder measured twice the newest result."""
    newest: dict[tuple[str, str], Result] = {}
    for one in results:
        for encoder in one.encoders:
            there = newest.get((one.study, encoder))
            if there is None or _date(one) > _date(there):
                newest[one.study, encoder] = one
    return [
        System(encoder if len(studies) == 1 else f"{study}/{encoder}", study, encoder, result)
        for (study, encoder), result in newest.items()
    ]


def refuse_one(systems: Sequence[System]) -> None:
    """Stop where there is nothing to compare with.

    Raises:
        EmptyDataError: there is one encoder.
    """
    if len(systems) == 1:
        only = systems[0]
        raise EmptyDataError(
            f"There is one encoder, `{only.name}`, and nothing to compare it with. Measure another one: "
            f"concepttransfer {only.result.kind} --study {only.study} --encoder NAME"
        )


def described(result: Result) -> str:
    """A result as errors name it: its first encoders, and its study."""
    named = [f"`{name}`" for name in result.encoders[:3]]
    more = f" and {len(result.encoders) - 3} more" if len(result.encoders) > 3 else ""
    return f"{', '.join(named)}{more} of study `{result.study}`"


def data_of(result: Result) -> str:
    """The name of the data that a result is about."""
    return str(result.provenance.get("on") or next(iter(result.estimates["on"].dropna()), ""))


def _date(result: Result) -> str:
    return str(result.provenance.get("date", ""))


def _refuse_other_pictures(first: Result, other: Result) -> None:
    names = f"{described(first)} is about `{data_of(first)}`, {described(other)} about `{data_of(other)}`"
    if is_microworld(first) != is_microworld(other):
        drawn, photographed = (first, other) if is_microworld(first) else (other, first)
        raise MismatchError(
            f"{described(drawn)} is about the drawn pictures of the microworld, {described(photographed)} about other "
            "ones. A comparison needs the same pictures: name one of the two with --study."
        )
    ids = [one.provenance.get("manifest") for one in (first, other)]
    if None not in ids and ids[0] != ids[1]:
        counts = [one.provenance.get("rows") or one.table["row_id"].nunique() for one in (first, other)]
        raise MismatchError(
            f"{names}: not the same pictures ({counts[0]} and {counts[1]} rows, listed in other manifests). Name one "
            "of the data with --on, name the folders, or measure both on the same: --build."
        )
    if data_of(first) != data_of(other) and None in ids:
        raise MismatchError(f"{names}: not the same pictures. Name one of the data with --on.")


def _refuse_other_measurement(first: Result, other: Result) -> None:
    for key in first.alike:
        values = [_at(one.provenance, key) for one in (first, other)]
        if values[0] != values[1]:
            what = key.rpartition(".")[2].replace("_", " ")
            raise MismatchError(
                f"{described(first)} and {described(other)} were not measured alike: {what} {_said(values[0])} and "
                f"{_said(values[1])}. Such numbers are not to be compared. Make one of them again as the other."
            )


def _at(provenance: Mapping[str, Any], key: str) -> Any:
    found: Any = provenance
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _said(value: Any) -> str:
    text = "(none)" if value is None else f"`{value}`"
    return text if len(text) <= LONGEST else "of its own"
