"""What pictures are grouped by: their class, its category, and the attributes that say how it looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from concepttransfer.concepts import ConceptSet
from concepttransfer.errors import BadInputError, unreadable_yaml
from concepttransfer.language import wordnet
from concepttransfer.statistics.resampling import Ints
from concepttransfer.storage import digest

FEWEST_CLASSES = 3
"""So many classes have to have an attribute, and to lack it: one is left out at a time, and two make a contrast."""
CLASS, CATEGORY, PERCEPTION = "class", "category", "perception"


class Groups(BaseModel):
    """A file of groups; data_manifests/concepts/perceptual_groups.yaml tells what each part means."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    name: str
    categories: dict[str, str]
    perception: dict[str, list[str]]

    def category(self, synset: str) -> str | None:
        """The first category of which a synset is a kind."""
        above = wordnet.kinds_above(synset)
        return next((name for name, kind in self.categories.items() if kind in above), None)


@dataclass(frozen=True)
class Grouping:
    """One way to group the classes that have pictures: by category, or by the attributes of one perceptual group.

    Attributes:
        name: what results call it.
        codes: [n_labellings, n_classes] the group of each class, an attribute a labelling; -1: the class is left out.
        labels: names of the groups of a category; of attributes, their names, one for each labelling.
    """

    name: str
    codes: Ints
    labels: tuple[str, ...]


def read_groups(path: str) -> tuple[Groups, str]:
    """The file named, ours where none is, and its sha256.

    Raises:
        BadInputError: there is no such file, or it holds no groups; every mistake is told.
    """
    import yaml

    name = path or "data_manifests/concepts/perceptual_groups.yaml"
    try:
        text = (Path(path).expanduser() if path else _ours()).read_text(encoding="utf-8")
        read = Groups.model_validate(yaml.safe_load(text))
        for synset in read.categories.values():
            wordnet.synset(synset)
    except OSError as error:
        raise BadInputError(f"{name} cannot be read: {error.strerror}. --groups names a YAML file.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInputError(f"{name} cannot be read: {unreadable_yaml(error)}") from error
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in error.errors())
        raise BadInputError(f"{name} holds no groups: {told}. docs/embedding-map.md shows what it holds.") from error
    return read, digest(text)


def _ours() -> Path:
    return files("concepttransfer.data_manifests") / "concepts" / "perceptual_groups.yaml"  # type: ignore[return-value]


def groupings(groups: Groups, concepts: ConceptSet, classes: Sequence[str]) -> list[Grouping]:
    """The category and every perceptual group that these classes tell apart; the category first."""
    found = [_by_category(groups, concepts, classes)]
    found += [_by_attributes(name, wanted, concepts, classes) for name, wanted in groups.perception.items()]
    return [one for one in found if len(one.codes)]


def _by_category(groups: Groups, concepts: ConceptSet, classes: Sequence[str]) -> Grouping:
    """None of its labellings is there where all classes are of one category, or each is one of its own."""
    named = [groups.category(concepts.by_name[name].synset) for name in classes]
    labels = tuple(name for name in groups.categories if name in named)
    codes = np.array([-1 if name is None else labels.index(name) for name in named], dtype=np.int64)
    sizes = np.bincount(codes[codes >= 0], minlength=1)
    useful = len(sizes) > 1 and sizes.max() > 1 and sizes.sum() > FEWEST_CLASSES
    return Grouping(CATEGORY, codes[None] if useful else codes[None][:0], labels)


def _by_attributes(name: str, wanted: Sequence[str], concepts: ConceptSet, classes: Sequence[str]) -> Grouping:
    table = concepts.attributes
    there = [a for a in wanted if table is not None and a in table.columns]
    has = has_attributes(concepts, classes, there)
    kept = [at for at, column in enumerate(has.T) if FEWEST_CLASSES <= column.sum() <= len(classes) - FEWEST_CLASSES]
    return Grouping(name, has.T[kept].astype(np.int64), tuple(there[at] for at in kept))


def has_attributes(concepts: ConceptSet, classes: Sequence[str], attributes: Sequence[str]) -> NDArray[np.uint8]:
    """[n_classes, n_attributes] 1 where a class has an attribute."""
    if concepts.attributes is None or not attributes:
        return np.zeros((len(classes), 0), dtype=np.uint8)
    table = concepts.attributes.loc[list(classes), list(attributes)]
    return np.asarray(table.to_numpy(), dtype=np.uint8)
