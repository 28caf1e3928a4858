"""What is said of pictures that the fits learnt from; beside others it tells what was learnt by heart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..manifest import Manifest
from ..storage import digest

if TYPE_CHECKING:
    from ..captioning import Captions
    from ..concepts import ConceptSet


@dataclass(frozen=True, eq=False)
class TrainingCaptions:
    """Captions of some training pictures, by each encoder and seed.

    Attributes:
        captions: all over the same rows, which every one of these fits learnt from.
        references: of these rows: the captions that were learnt.
        classes: what they show, where it is known.
    """

    captions: tuple[Captions, ...]
    references: Manifest
    classes: ConceptSet | None

    @property
    def key(self) -> str:
        """Names everything that they depend on."""
        return digest("training-captions", [one.key for one in self.captions], self.references.id)
