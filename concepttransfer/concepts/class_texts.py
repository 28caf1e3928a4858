"""The zero-shot classifier: names of classes in sentences, read by a text tower. Radford et al. 2021, section 3.1."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadInputError, MismatchError
from ..features.towers import Towers, directions, unit
from ..language.prompt_templates import Templates
from ..statistics import Floats
from ..storage import digest

if TYPE_CHECKING:
    from .concept_set import ConceptSet


@dataclass(frozen=True, eq=False)
class ClassTexts(Towers):
    """One CLIP's pictures of a data set, and the names of all classes in every template; ids are `CLASS#NUMBER`.

    Attributes:
        names: the classes, as the concepts name them.
        templates: the sentences, by number.
        list_name: what the list of templates is called.
    """

    names: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    list_name: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        wanted = len(self.names) * len(self.templates)
        if len(self.texts) != wanted or wanted == 0:
            raise MismatchError(
                f"{len(self.names)} classes in {len(self.templates)} templates are {wanted} texts; here are "
                f"{len(self.texts)}. Read them anew."
            )

    @cached_property
    def key(self) -> str:
        """Names everything that changes a number."""
        return digest("class-texts", self.pictures.key, self.texts.key, self.scale, self.names, self.templates)

    def classifier(self, template: int | None = None) -> Floats:
        """[n_classes, dim] a direction a class: that of one template, or of all of them together.

        Each text is brought to length 1, then the mean over templates is. Published so, and not the mean of logits.
        """
        made: dict[int | None, Floats] = self.__dict__.setdefault("_made", {})
        if template not in made:
            numbers = range(len(self.templates)) if template is None else [template]
            ids = [f"{name}#{number}" for name in self.names for number in numbers]
            each = directions(self.texts, ids, self.encoder).reshape(len(self.names), len(numbers), -1)
            made[template] = unit(each.mean(axis=1))
        return made[template]

    def cosines(self, row_ids: Sequence[str], template: int | None = None) -> Floats:
        """[n, n_classes] of pictures with the classifier."""
        found: Floats = self.seen(row_ids) @ self.classifier(template).T
        return found


def class_sentences(concepts: ConceptSet, templates: Templates) -> dict[str, tuple[str, ...]]:
    """What is read of each class: its name, the first of its words, in every template.

    Raises:
        BadInputError: a class has no name, or two have the same.
    """
    said = {concept.name: " ".join(concept.words[0].split()) for concept in concepts.concepts}
    if nameless := [name for name, word in said.items() if not word]:
        raise BadInputError(
            f"Class `{nameless[0]}` of `{concepts.name}` has no name to be written into a template. Give it a word."
        )
    owners = defaultdict[str, list[str]](list)
    for name, word in said.items():
        owners[word.lower()].append(name)
    if twice := {word: names for word, names in owners.items() if len(names) > 1}:
        word, names = next(iter(twice.items()))
        raise BadInputError(
            f"Classes `{names[0]}` and `{names[1]}` of `{concepts.name}` are both called `{word}`: a text tower "
            f"cannot tell them apart ({len(twice)} names are shared). Give each a first word of its own in the table."
        )
    return {name: templates.of(word) for name, word in said.items()}


def softmax(logits: Floats) -> Floats:
    """Probabilities along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    found: Floats = shifted / shifted.sum(axis=-1, keepdims=True)
    return found
