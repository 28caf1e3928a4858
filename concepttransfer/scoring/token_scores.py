"""How likely is each token of a caption with its picture, and with something else in the picture's place? The type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..lines import read_index, read_lines

if TYPE_CHECKING:
    from numpy.typing import NDArray

LINES = "scores"
PICTURE, BLANK, OTHER, NONE = "picture", "blank", "other", "none"
"""What stands before the caption: its own picture's prompt; that of a grey picture; that of another picture, of another
class where classes are known; the text alone."""
COLUMNS = ("row_id", "number", "token_id", "token", "word")
END = -1
"""The word of tokens behind the caption's end."""


@dataclass(frozen=True)
class TokenScores:
    """The log-likelihood of every token of one encoder's captions under several conditions.

    On disk: `scores.jsonl`, a line a caption and condition (row_id, sample: the condition's number, prompt, pieces,
    other, text, token_ids, logprobs), and `index.json`.

    Attributes:
        folder: where they lie.
        key: names everything that changes a score.
        table: a row a token: row_id; number, from 0; token_id; token, its text; word, which of the words of the caption
            it is a part of, from 0, or -1 for the end token and what stands behind a stop string; then a column for
            each condition, the log-likelihood of the token in nats.
        texts: row id -> caption; of several samples the first.
        others: row id -> the row whose prompt stands in the condition `other`.
        encoder, seed, manifest_id, on, study: as those of `Captions`.
        meta: conditions, captions_key, transfer_id, language_model_id, prompt, decoding, dtype, what is blank.
    """

    folder: Path = field(compare=False)
    key: str
    table: pd.DataFrame = field(compare=False)
    texts: Mapping[str, str] = field(compare=False)
    others: Mapping[str, str] = field(compare=False)
    encoder: str
    seed: int
    manifest_id: str
    on: str
    study: str
    meta: Mapping[str, Any]

    @property
    def conditions(self) -> tuple[str, ...]:
        """What was tried in the picture's place, `picture` first."""
        return tuple(self.meta["conditions"])

    @cached_property
    def row_ids(self) -> tuple[str, ...]:
        """The rows scored, in order."""
        return tuple(self.texts)

    def totals(self) -> NDArray[Any]:
        """[n_rows, n_conditions] log-likelihood of each whole caption, end token included, in nats."""
        sums = self.table.groupby("row_id", sort=False)[list(self.conditions)].sum()
        return sums.reindex(list(self.row_ids)).to_numpy()

    @classmethod
    def load(cls, folder: Path | str) -> TokenScores:
        """Read the folder that `score_tokens` wrote.

        Raises:
            MissingResourceError: there are no scores in it, or not yet all.
            BadInputError: the files do not belong together.
        """
        folder = Path(folder)
        index = read_index(folder, LINES, what="scores", command="runoff")
        conditions = tuple(index["meta"]["conditions"])
        lines = [list(some) for _, some in groupby(read_lines(folder, LINES), key=lambda line: line["row_id"])]
        return cls(
            folder=folder,
            table=table([row for some in lines for row in _rows(some)], conditions),
            texts={some[0]["row_id"]: some[0]["text"] for some in lines},
            others={some[0]["row_id"]: some[0]["other"] for some in lines if some[0]["other"]},
            **index,
        )


def table(rows: Sequence[tuple[Any, ...]], conditions: Sequence[str]) -> pd.DataFrame:
    """The table of `TokenScores` from rows in the order of its columns."""
    made = pd.DataFrame.from_records(rows, columns=[*COLUMNS, *conditions])
    return made.astype({"row_id": "str", "token": "str"} | dict.fromkeys(conditions, "float64"))


def _rows(lines: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Any, ...]]:
    """A row a token of one caption, from its lines, one a condition."""
    first = lines[0]
    words = word_numbers(first["pieces"], first["text"])
    scores = zip(*(line["logprobs"] for line in lines), strict=True)
    for number, (token, piece, word, given) in enumerate(
        zip(first["token_ids"], first["pieces"], words, scores, strict=True)
    ):
        yield (first["row_id"], number, token, piece, word, *given)


def word_numbers(pieces: Sequence[str], text: str) -> list[int]:
    """To which word of a caption does each token belong? -1: to none.

    Words stand between blanks. A token belongs to the word of the first character, from its own first one on, that is
    no blank. So a token of blanks alone, or of a part of a character, belongs to the word that follows it.

    Args:
        pieces: the texts of the tokens, in order.
        text: the caption, which lacks blanks at both ends and what stands behind a stop string.
    """
    whole = "".join(pieces)
    start = len(whole) - len(whole.lstrip())
    end = min(start + len(text), len(whole))
    words: list[int] = []
    number = END
    for at in range(start, end):
        number += not whole[at].isspace() and (at == start or whole[at - 1].isspace())
        words.append(number)
    found, at = [], 0
    for piece in pieces:
        first = next((n for n in range(max(at, start), end) if not whole[n].isspace()), None)
        found.append(END if first is None else words[first - start])
        at += len(piece)
    return found
