"""What a text tower reads in the place of a row's picture, where that is not what is learnt."""

from __future__ import annotations

from dataclasses import replace

from ..manifest import Manifest, Row
from .entailment import PREMISE


def with_premises(manifest: Manifest) -> Manifest:
    """The same rows with their premise as the only text, where they have one; the same manifest where none has.

    The premise of a pair of entailment is the text that its picture stands for, of a question of VQA-E its explanation,
    of a news picture its caption: CLOSE's fit reads it, and learns the row's own texts. A premise of several lines is
    as many texts, which are read in turn. Rows without texts stay so.
    """
    rows = tuple(_read(row) for row in manifest.rows)
    return replace(manifest, rows=rows) if any(row.labels.get(PREMISE) for row in rows) else manifest


def _read(row: Row) -> Row:
    premise = row.labels.get(PREMISE)
    return replace(row, texts=tuple(str(premise).splitlines())) if premise and row.texts else row
