"""Which concepts a picture holds and a caption names.

`concept_set` is the type; `sources` makes one of labels and tables; `class_names` finds the language
model's word vectors of their names.
"""

from __future__ import annotations

from .concept_set import Concept, ConceptSet, Match, Senses

__all__ = ["Concept", "ConceptSet", "Match", "Senses"]
