"""What other programs count of captions: METEOR, SPICE. Slow, so a stage with a store of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import MissingResourceError
from ..language import external_scorers as scorers
from ..language.caption_tokens import TOKENISER, tokens
from ..progress import progress
from ..provenance import version
from ..statistics import Floats
from ..storage import digest, lock, new_folder, read_json, write_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..captioning import Captions
    from ..manifest import Manifest

FORMAT = 1
INDEX, COUNTS = "index.json", "counts.safetensors"


@dataclass(frozen=True)
class Counts:
    """One measure's numbers for one encoder's captions.

    Attributes:
        row_ids: the pictures that have references, in the captions' order.
        own: [n, n_columns] each picture's own caption.
        others: [n, n_columns] with the caption of another picture.
        given: [n] the place of that other picture in `row_ids`.
    """

    row_ids: tuple[str, ...]
    own: Floats
    others: Floats
    given: NDArray[np.int64]


@dataclass(frozen=True)
class ExternalScores:
    """The measures of other programs, for some captions of the same pictures.

    Attributes:
        counts: measure -> `Captions.key` -> numbers.
        skipped: measure -> why it was not computed.
    """

    counts: Mapping[str, Mapping[str, Counts]]
    skipped: Mapping[str, str]

    @property
    def id(self) -> str:
        """Names the captions and measures."""
        return digest("external", {measure: sorted(found) for measure, found in self.counts.items()})


def key_of(measure: str, captions: Captions, references: Manifest) -> str:
    """Names everything that changes a number: measure, version, captions, references, tokeniser."""
    return digest("external", FORMAT, measure, version("pycocoevalcap"), captions.key, references.id, TOKENISER)


def count(
    measure: str, captions: Sequence[Captions], references: Manifest, place: Path, *, quiet: bool = False
) -> dict[str, Counts]:
    """Have a program score every caption with its own references, and with those of one other picture drawn at random.

    The program is started once for all captions that were not counted before.

    Args:
        measure: one of `language.external_scorers.SCORERS`.
        captions: are scored; of several samples the first.
        references: texts of the same rows; rows without any are left out.
        place: the folder below which the numbers of each lie, under their key.
        quiet: show no bar.

    Returns:
        The numbers of each, by `Captions.key`.

    Raises:
        MissingResourceError: the program ends with an error.
    """
    folders = {one.key: place / key_of(measure, one, references) for one in captions}
    with lock(place / digest(sorted(folder.name for folder in folders.values())), wait=-1):  # others count their own
        found = {key: counts for key, folder in folders.items() if (counts := _load(folder)) is not None}
        left = [(one.key, *_pairs(one, references)) for one in captions if one.key not in found]
        total = sum(len(pairs) for _, _, pairs, _ in left)
        with progress(total, measure, unit="caption", quiet=quiet) as bar:
            every = [pair for _, _, pairs, _ in left for pair in pairs]
            numbers = scorers.SCORERS[measure](every, bar) if every else np.zeros((0, 2))
        for key, rows, pairs, given in left:
            mine, numbers = numbers[: len(pairs)], numbers[len(pairs) :]
            found[key] = Counts(rows, mine[: len(rows)], mine[len(rows) :], given)
            _save(folders[key], found[key])
    return found


def _pairs(captions: Captions, references: Manifest) -> tuple[tuple[str, ...], list[scorers.Pair], NDArray[np.int64]]:
    """The rows with references; each row's caption with its references, then with the caption that it is given."""
    said, wanted = captions.texts(), dict(zip(references.ids, references.texts, strict=True))
    words = {row: [" ".join(tokens(text)) for text in wanted.get(row, ())] for row in said}
    rows = tuple(row for row in said if any(words[row]))
    given = np.random.default_rng(0).permutation(len(rows)).astype(np.int64)
    spoken = [" ".join(tokens(said[row])) for row in rows]
    own: list[scorers.Pair] = [(spoken[n], [r for r in words[row] if r]) for n, row in enumerate(rows)]
    return rows, own + [(spoken[given[n]], pair[1]) for n, pair in enumerate(own)], given


def _save(folder: Path, counts: Counts) -> None:
    from safetensors.numpy import save_file

    arrays = {"own": counts.own, "others": counts.others, "given": counts.given}
    with lock(folder, wait=-1), new_folder(folder) as new:  # two studies may have the same captions
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, new / COUNTS)
        write_json(new / INDEX, {"row_ids": list(counts.row_ids)})


def _load(folder: Path) -> Counts | None:
    """What lies there; None where there is nothing or it is damaged, and it is counted again."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return Counts(tuple(read_json(folder / INDEX)["row_ids"]), **load_file(folder / COUNTS))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None


def count_all(
    captions: Sequence[Captions], references: Manifest, place: Path, *, quiet: bool = False
) -> ExternalScores:
    """All measures that this machine can compute; nltk's METEOR stands in where METEOR 1.5 is missing.

    Args:
        captions: of the same pictures.
        references: their references.
        place: the folder below which each measure's numbers lie, under their key.
        quiet: show no bar.
    """
    counts: dict[str, dict[str, Counts]] = {}
    skipped: dict[str, str] = {}
    for measure in (scorers.METEOR, scorers.NLTK_METEOR, scorers.SPICE):
        if measure == scorers.NLTK_METEOR and scorers.METEOR in counts:
            skipped[measure] = "left out, since METEOR 1.5 is there"
        elif reason := scorers.missing(measure):
            skipped[measure] = reason
        else:
            try:
                counts[measure] = count(measure, captions, references, place, quiet=quiet)
            except MissingResourceError as error:
                skipped[measure] = str(error)
    return ExternalScores(counts, skipped)
