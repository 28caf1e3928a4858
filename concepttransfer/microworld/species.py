"""How the fifty animals of AwA2 look: shapes, coats, markings, and which of AwA2's attributes a drawing shows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import yaml

Colour = tuple[int, int, int]

COLOUR_WORDS = ("black", "white", "blue", "brown", "gray", "orange", "red", "yellow")
"""AwA2's words for colours, in the order of its attributes."""

PALETTE: Mapping[str, Colour] = MappingProxyType(
    {
        "black": (38, 36, 40), "white": (242, 240, 234), "cream": (238, 222, 190), "pale pink": (244, 204, 196),
        "gray": (138, 140, 145), "light gray": (178, 180, 184), "dark gray": (88, 90, 96), "brown": (128, 84, 48),
        "dark brown": (84, 54, 34), "light brown": (176, 130, 84), "golden brown": (190, 128, 64),
        "red brown": (156, 84, 44), "tan": (208, 172, 120), "gold": (222, 172, 72), "orange": (228, 130, 40),
        "sandy orange": (206, 140, 74), "blue": (70, 108, 164), "blue gray": (112, 130, 152), "sky": (92, 160, 230),
        "pink": (240, 176, 170), "dark pink": (214, 130, 128),
    }
)  # fmt: skip
"""The colours of coats, as red, green and blue from 0 to 255."""

WORDS_OF: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "black": ("black",), "white": ("white",), "cream": ("white",), "pale pink": ("white",), "gray": ("gray",),
        "light gray": ("gray",), "dark gray": ("gray",), "blue gray": ("gray", "blue"), "brown": ("brown",),
        "dark brown": ("brown",), "light brown": ("brown",), "golden brown": ("brown",), "red brown": ("brown",),
        "tan": ("brown",), "gold": ("yellow",), "orange": ("orange",), "sandy orange": ("orange", "brown"),
        "blue": ("blue",),
    }
)  # fmt: skip
"""The words of AwA2 that a speaker of English would use for a colour of the palette. Pink has none."""

MARK_ATTRIBUTES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "zebra stripes": ("stripes",), "tiger stripes": ("stripes",), "back stripe": ("stripes",),
        "rings": ("stripes",), "mask": ("patches", "spots"), "dots": ("patches", "spots"),
        "rosettes": ("patches", "spots"), "spots": ("spots",), "flecks": ("spots",), "mottles": ("spots",),
        "fawn spots": ("spots",), "rump": ("patches",), "reticulation": ("patches", "spots"),
        "orca": ("patches", "spots"), "panda": ("patches", "spots"), "old spots": ("patches", "spots"),
        "patches": ("patches", "spots"), "points": ("patches",), "saddle": ("patches",), "blaze": ("patches",),
        "collar": ("patches",), "cheeks": ("patches",), "ruff": ("patches",), "silver": (), "side band": (),
        "white muzzle": (), "dark muzzle": (), "dark back": (), "dark front": (), "pale throat": (), "grooves": (),
    }
)  # fmt: skip
"""Which of AwA2's three attributes of markings each kind of marking shows."""

INCONSPICUOUS = frozenset({"flecks", "mottles", "grooves", "fawn spots", "rump", "side band", "pale throat"})
"""Markings too slight for their colour to be named."""


@dataclass(frozen=True, slots=True)
class Species:
    """The build and the coat of one animal: a line of `species.yaml`, where the units are explained."""

    name: str
    plan: str
    torso: float
    hip: float
    shoulder: float
    leg: float
    leg_width: float
    neck: float
    neck_angle: float
    neck_width: float
    head: float
    snout: float
    muzzle: float
    ear: str
    ear_size: float
    tail: str
    tail_length: float
    coat: str
    size: float
    feet: str
    fur: str
    belly: str | None = None
    legs: str | None = None
    mark: str | None = None
    marks: tuple[str, ...] = ()
    mane: str | None = None
    face: str | None = None
    head_colour: str | None = None
    ear_colour: str | None = None
    wing: str | None = None
    nose: str = "black"
    eye: str = "black"
    horns: str | None = None
    hump: float = 0.0
    build: str = "medium"
    arm: float = 0.0
    dorsal: float = 0.0
    flipper: float = 0.3
    beak: float = 0.0
    claws: bool = False
    teeth: bool = False
    tusks: bool = False
    trunk: bool = False
    spades: bool = False
    dewlap: bool = False
    beard: bool = False
    udder: bool = False
    whiskers: bool = False

    @property
    def colours(self) -> tuple[str, ...]:
        """Names in the palette of the colours that are plainly to be seen, the most conspicuous first."""
        shown = not self.marks or bool(set(self.marks) - INCONSPICUOUS)
        parts = (self.coat, self.mark if shown else None, self.mane, self.belly, self.legs, self.head_colour, self.wing)
        return tuple(dict.fromkeys(colour for colour in parts if colour is not None))

    @property
    def colour_words(self) -> tuple[str, ...]:
        """The words for these colours, whether AwA2's matrix agrees or not."""
        return tuple(dict.fromkeys(word for colour in self.colours for word in WORDS_OF.get(colour, ())))

    @property
    def drawn(self) -> frozenset[str]:
        """Names of AwA2's attributes (colours apart) that a drawing shows, whether AwA2's matrix agrees or not."""
        return frozenset(_drawn(self))


def _drawn(species: Species) -> Iterator[str]:
    """The attributes that follow from shape and coat."""
    yield from (attribute for mark in species.marks for attribute in MARK_ATTRIBUTES[mark])
    yield "hairless" if species.fur == "smooth" else "furry"
    feet = {"webbed": ("paws", "flippers"), "toes": ()}.get(species.feet, (species.feet,))
    yield from (part for part in feet if species.plan != "bat")
    yield "big" if species.size > 0.63 else "small"
    yield from (("tail",) if species.tail_length > 0.25 or species.plan in ("cetacean", "pinniped") else ())
    yield from (("horns",) if species.horns else ())
    yield from (("tusks",) if species.tusks else ())
    yield from (("claws",) if species.claws else ())
    yield from (("buckteeth",) if species.teeth else ())
    if species.plan == "quadruped":
        yield from (("longleg",) if species.leg >= 0.38 else ())
        yield from (("longneck",) if species.neck >= 0.38 else ())
        yield "bulbous" if max(species.hip, species.shoulder) >= 0.28 else "lean"


@cache
def matrix() -> Mapping[str, Mapping[str, bool]]:
    """AwA2's binary matrix: for each of the 50 classes, in AwA2's order, which of the 85 attributes it has."""
    text = (files("concepttransfer.data_manifests") / "awa2" / "attributes.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(io.StringIO(text))
    return MappingProxyType({row.pop("class"): {name: value == "1" for name, value in row.items()} for row in rows})


def _species(name: str, table: Mapping[str, Any]) -> Species:
    """One animal's line laid over its family's and the defaults."""
    line = dict(table["animals"][name])
    values: dict[str, Any] = {
        **table["defaults"],
        **table["families"].get(line.pop("family", None), {}),
        **line,
        "name": name,
    }
    values["marks"] = tuple(values.get("marks", ()))
    return Species(**values)


def _read() -> Mapping[str, Species]:
    text = (files("concepttransfer.microworld") / "species.yaml").read_text(encoding="utf-8")
    table = yaml.safe_load(text)
    return MappingProxyType({name: _species(name, table) for name in matrix()})


SPECIES: Mapping[str, Species] = _read()
"""The species by AwA2's name of the class, in AwA2's order."""

ANIMALS: tuple[str, ...] = tuple(SPECIES)
"""The names of AwA2's 50 classes, in AwA2's order."""


@cache
def visible_attributes(animal: str) -> tuple[str, ...]:
    """Attributes (colours apart) that are both drawn and true of the animal in AwA2's matrix, in AwA2's order."""
    return tuple(name for name, true in matrix()[animal].items() if true and name in SPECIES[animal].drawn)


@cache
def visible_colours(animal: str) -> tuple[str, ...]:
    """Colour words that are both to be seen and true of the animal in AwA2's matrix, the most conspicuous first."""
    return tuple(word for word in SPECIES[animal].colour_words if matrix()[animal][word])
