"""What is known of the pictures: their class, and of the classes their category and attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concepttransfer.concepts import ConceptSet
from concepttransfer.errors import UnknownNameError
from concepttransfer.statistics.resampling import Ints

from .groups import CATEGORY, CLASS, Grouping, Groups, groupings, has_attributes
from .measures import chance_of_purity, purity
from .rows import refuse_classes
from .space import Space, parts

ERROR = "error"
OTHER = "other"


@dataclass(frozen=True, eq=False)
class Labels:
    """The classes of some pictures.

    Attributes:
        concepts: what is known of the classes.
        names: [n] class of each picture.
        groups: what the classes are grouped by.
    """

    concepts: ConceptSet
    names: tuple[str, ...]
    groups: Groups

    def __post_init__(self) -> None:
        refuse_classes(self.truth, len(self.classes))

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Those that have a picture, in the order of the concepts."""
        there = set(self.names)
        return tuple(name for name in self.concepts.names if name in there)

    @cached_property
    def truth(self) -> Ints:
        """[n] the place of each picture's class among `classes`."""
        at = {name: code for code, name in enumerate(self.classes)}
        return np.array([at[name] for name in self.names], dtype=np.int64)

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """The category of each class; `other` where the file has none for it."""
        synsets = (self.concepts.by_name[name].synset for name in self.classes)
        return tuple(self.groups.category(synset) or OTHER for synset in synsets)

    @cached_property
    def groupings(self) -> list[Grouping]:
        """Category and perceptual groups that can be measured on these classes."""
        return groupings(self.groups, self.concepts, self.classes)

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """All attributes that some of these classes have and others lack."""
        if self.concepts.attributes is None:
            return ()
        every = [str(column) for column in self.concepts.attributes.columns]
        mixed = has_attributes(self.concepts, self.classes, every).mean(0)
        return tuple(name for name, share in zip(every, mixed, strict=True) if 0 < share < 1)

    @cached_property
    def has(self) -> NDArray[np.uint8]:
        """[n_classes, n_attributes] 1 where a class has one of `attributes`."""
        return has_attributes(self.concepts, self.classes, self.attributes)

    @cached_property
    def n_clusters(self) -> tuple[int, ...]:
        """The numbers of clusters that these groups are compared with."""
        counts = {len(self.classes), *(int(codes.max()) + 1 for one in self.groupings for codes in one.codes)}
        return tuple(sorted(counts))

    def permutations(self, n_draws: int, seed: int) -> Ints:
        """[n_draws, n_classes] orders of the classes."""
        rng = np.random.default_rng([seed, len(self.classes), 3])
        return np.stack([rng.permutation(len(self.classes)) for _ in range(n_draws)]).astype(np.int64)

    def left_out(self, seed: int) -> Ints:
        """[n_classes] the part of the jackknife that leaves each class out; the same for all encoders."""
        return parts(len(self.classes), np.random.default_rng([seed, len(self.classes), 4]))

    def purities(self, space: Space) -> NDArray[np.float64]:
        """[2, 2 + n_attributes] purity of neighbours and its chance: by class, category, and each attribute."""
        n = len(self.truth)
        own = np.array([[float(purity(space.near, np.arange(len(self.classes))[None])[0])], [0.0]])
        own[1] = (space.sizes * (space.sizes - 1)).sum() / (n * (n - 1))
        by_category = [one.codes for one in self.groupings if one.name == CATEGORY]
        tested = [*by_category, self.has.T.astype(np.int64)]
        rest = [np.stack([purity(space.near, c), chance_of_purity(space.near, c)]) for c in tested if len(c)]
        nothing = [] if by_category else [np.full((2, 1), np.nan)]
        return np.concatenate([own, *nothing, *rest], axis=1)


def refuse_colour(colour: str, labels: Labels | None) -> None:
    """Stop where pictures cannot be coloured so; without classes the default is passed over.

    Raises:
        UnknownNameError: there is no such colour.
    """
    if labels is None and colour == CATEGORY:
        return
    known = [CATEGORY, CLASS, ERROR, *labels.attributes] if labels else []
    if colour not in known:
        where = "" if labels else "pictures whose classes nobody knows"
        raise UnknownNameError("attribute or other colour", colour, known, where=where)


def category_codes(categories: Sequence[str]) -> tuple[Ints, tuple[str, ...]]:
    """[n_classes] the place of each class's category among the categories that there are, and their names in order."""
    names = tuple(dict.fromkeys(sorted(categories, key=lambda name: (name == OTHER, categories.index(name)))))
    return np.array([names.index(name) for name in categories], dtype=np.int64), names


def known(labels: Labels | None) -> dict[str, Any]:
    """What a result's provenance says of the labels."""
    if labels is None:
        return {"classes": [], "categories": [], "attributes": [], "perceptual_groups": {}, "groups": ""}
    looks = {one.name: list(one.labels) for one in labels.groupings if one.name != CATEGORY}
    return {
        "classes": list(labels.classes),
        "categories": list(labels.categories),
        "attributes": list(labels.attributes),
        "perceptual_groups": looks,
        "groups": labels.groups.name,
    }
