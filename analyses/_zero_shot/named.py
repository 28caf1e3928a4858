"""What one CLIP calls each picture: all classes by their cosine, and how sure it is. Arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concepttransfer.concepts import ConceptSet
from concepttransfer.concepts.class_texts import ClassTexts, softmax
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError
from concepttransfer.statistics import Floats

from .._awa_errors.chance import Naming

Codes = NDArray[np.int64]
FIVE = 5


@dataclass(frozen=True, eq=False)
class Named:
    """The pictures of one encoder, named.

    Attributes:
        encoder: its name.
        row_ids: of the pictures.
        truth: [n] code of the right class.
        first: [n, 5] codes of the nearest classes, the nearest first; fewer where there are fewer classes.
        probability: [n] of the right class.
        confidence: [n] the probability of the nearest.
        by_template: [n_templates, n] whether one template alone is right; none where there is one template.
        n_classes: how many there are to choose from.
    """

    encoder: str
    row_ids: tuple[str, ...]
    truth: Codes
    first: Codes
    probability: Floats
    confidence: Floats
    by_template: NDArray[np.bool_]
    n_classes: int

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """[n]: the nearest class is the right one."""
        return np.asarray(self.first[:, 0] == self.truth)

    @cached_property
    def among(self) -> NDArray[np.bool_]:
        """[n]: the right class is among the five nearest."""
        return np.asarray((self.first == self.truth[:, None]).any(axis=1))

    @cached_property
    def top1(self) -> Naming:
        """The nearest class as the one name given to a picture."""
        rows = np.arange(len(self.truth))
        return Naming(self.encoder, self.truth, self.first[None, :, 0], ((rows, self.first[:, 0]),), self.n_classes)

    @cached_property
    def top5(self) -> Naming:
        """All five as names given to it, the right one counting where it is among them."""
        rows = np.repeat(np.arange(len(self.truth)), self.first.shape[1])
        named = np.where(self.among, self.truth, self.first[:, 0])
        return Naming(self.encoder, self.truth, named[None], ((rows, self.first.ravel()),), self.n_classes)


def named(classes: ClassTexts, animals: ConceptSet, rows: Sequence[str], bar: Any) -> Named:
    """Compare each picture with each class. Logits are cosines times the model's scale; ties go to the earlier class.

    Args:
        classes: of one encoder.
        animals: which class is right.
        rows: ids of the pictures.
        bar: told of each template that is done.
    """
    truth = codes(animals, rows)
    seen = classes.seen(rows)
    cosines = seen @ classes.classifier().T
    shares = softmax(classes.scale * cosines)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :FIVE].astype(np.int64)
    each = np.arange(len(rows))
    n_templates = len(classes.templates)
    alone = np.empty((n_templates if n_templates > 1 else 0, len(rows)), dtype=bool)
    for number in range(len(alone)):
        alone[number] = (seen @ classes.classifier(number).T).argmax(axis=1) == truth
        bar.update()
    confidence = shares[each, order[:, 0]]
    return Named(classes.encoder, tuple(rows), truth, order, shares[each, truth], confidence, alone, len(classes.names))


def codes(animals: ConceptSet, rows: Sequence[str]) -> Codes:
    """The code of each row's class."""
    at = {name: code for code, name in enumerate(animals.names)}
    return np.array([at[animals.truth[row]] for row in rows], dtype=np.int64)


def rows_of(classes: Sequence[ClassTexts], animals: ConceptSet) -> list[str]:
    """The pictures that all encoders have and whose class is known, in order.

    Raises:
        EmptyDataError: there is no encoder, or no such picture.
        BadInputError: there is only one class.
        MismatchError: they have other pictures, or other classes.
    """
    if not classes:
        raise EmptyDataError("There is nothing to name. Give an encoder: concepttransfer zero-shot --encoder NAME")
    first = classes[0]
    for one in classes:
        if set(one.pictures.row_ids) != set(first.pictures.row_ids):
            raise MismatchError(
                f"{one.encoder} ({len(one.pictures)} pictures) and {first.encoder} ({len(first.pictures)}) have other "
                "pictures. Encode the same data for both."
            )
        if one.names != animals.names:
            raise MismatchError(
                f"The classes of {one.encoder} ({len(one.names)}) are not those of `{animals.name}` "
                f"({len(animals.names)}). Read the names of these classes for it."
            )
    if len(animals.names) < 2:
        raise BadInputError(f"`{animals.name}` has one class, `{animals.names[0]}`: there is nothing to choose from.")
    rows = [row for row in first.pictures.row_ids if row in animals.truth]
    if not rows:
        raise EmptyDataError(
            f"None of the {len(first.pictures)} pictures has a class that `{animals.name}` knows. "
            "Name data with classes that it knows: --on FOLDER"
        )
    return rows
