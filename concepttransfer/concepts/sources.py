"""Which concepts a data set's classes are: AwA2's animals, plain words, or classes of one's own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ..errors import BadInputError
from .concept_set import Concept, ConceptSet

if TYPE_CHECKING:
    from ..manifest import Manifest


def animals(manifest: Manifest) -> ConceptSet:
    """AwA2's 50 animals with their 85 attributes; the truth is each row's label `class`.

    A class may be written as AwA2's folders are (`grizzly+bear`), in plain words, or as a WordNet id (`n02132580`).
    Rows of other classes, and without one, have no truth.

    Raises:
        BadInputError: no row has one of the 50 classes.
    """
    from ..data.descriptions import read_table

    classes = read_table("awa2", "classes.csv")
    concepts = tuple(Concept(row["class"], row["synset"], tuple(row["words"].split("|"))) for row in classes)
    table = pd.DataFrame(read_table("awa2", "attributes.csv")).set_index("class").astype(int)
    known = {row["class"]: row["class"] for row in classes} | {row["wnid"]: row["class"] for row in classes}
    written = ((row.id, str(row.labels.get("class", ""))) for row in manifest.rows)
    plain = ((row_id, label.replace("+", " ").replace("_", " ").strip().lower()) for row_id, label in written)
    truth = {row_id: known[label] for row_id, label in plain if label in known}
    if not truth:
        raise BadInputError(
            f"No row of `{manifest.name}` has one of AwA2's 50 animals as its class. Put pictures into folders named as"
            " `zebra` or `grizzly bear` are, or give a table of names."
        )
    return ConceptSet("awa2", concepts, truth, table.loc[[row["class"] for row in classes]])


def from_names_csv(path: Path, manifest: Manifest) -> ConceptSet:
    """Plain words for WordNet classes: the truth is the word of each row's class, several classes may share one.

    All words of the table can be said, also those whose classes have no picture. A word's synset is its most frequent
    noun sense, unless more than half of its classes are kinds of another.

    Args:
        path: a csv with columns `wordnet_id` and `name`.
        manifest: rows with a label `class`, the WordNet id; rows whose class has no word have no truth.

    Raises:
        MissingResourceError, BadInputError: the table cannot be read, or a word is no noun of WordNet.
        BadInputError: no row's class has a word.
    """
    from ..data.names import read_names

    words = read_names(path)
    concepts = tuple(
        Concept(word, _sense(word, [wnid for wnid, other in words.items() if other == word]), (word,))
        for word in dict.fromkeys(words.values())
    )
    labels = ((row.id, str(row.labels.get("class"))) for row in manifest.rows)
    truth = {row_id: words[label] for row_id, label in labels if label in words}
    if not truth:
        raise BadInputError(f"{path} has a word for no class of `{manifest.name}`. wordnet_id holds their folders.")
    return ConceptSet(path.stem, concepts, truth, senses="most-similar")


def from_classes_csv(path: Path, manifest: Manifest) -> ConceptSet:
    """One's own classes with the synsets of their table: the truth is the concept of each row's class.

    A concept goes by its class's first word; classes with the same word and synset are one concept, and a word that
    stands for two synsets is told apart by them, as `crane (crane.n.05)`.

    Args:
        path: a csv as `concepttransfer data add` makes it, with columns `class`, `words` and `synset`.
        manifest: rows with a label `class`; those of classes that the table leaves out have no truth.

    Raises:
        MissingResourceError, BadInputError: the table cannot be read, or a class has no words or no noun of WordNet.
        BadInputError: no row's class is in it.
    """
    from ..data.class_table import decided, read_class_table

    rows = decided(path, read_class_table(path))
    synsets: dict[str, set[str]] = defaultdict(set)
    for row in rows.values():
        synsets[row.words[0]].add(row.synset)
    names = {x: r.words[0] if len(synsets[r.words[0]]) == 1 else f"{r.words[0]} ({r.synset})" for x, r in rows.items()}
    words: dict[str, dict[str, None]] = defaultdict(dict)
    for label, row in rows.items():
        words[names[label]] |= dict.fromkeys(row.words)
    held = {names[label]: row.synset for label, row in rows.items()}
    labels = ((row.id, str(row.labels.get("class"))) for row in manifest.rows)
    truth = {row_id: names[label] for row_id, label in labels if label in names}
    if not truth:
        raise BadInputError(f"{path} has no class of `{manifest.name}`. Its column class holds their folders.")
    return ConceptSet(path.stem, tuple(Concept(n, s, tuple(words[n])) for n, s in held.items()), truth)


def _sense(word: str, wnids: Sequence[str]) -> str:
    """The noun sense of a word that more than half of these classes are kinds of, else its most frequent one."""
    from ..language import wordnet

    senses: list[str] = [sense.name() for sense in wordnet.noun_senses(word)]
    if not senses:
        raise BadInputError(f"`{word}` is no noun of WordNet {wordnet.VERSION}. Choose another word for its classes.")
    above = [wordnet.kinds_above(wnid) for wnid in wnids]
    covering = (sense for sense in senses if 2 * sum(sense in kinds for kinds in above) > len(above))
    return next(covering, senses[0])
