"""Which concepts do captions name? Precision and recall of nouns, modifiers, relations. Merullo et al. 2022, 5.1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import pandas as pd

from concepttransfer.analysis import On, analysis
from concepttransfer.captioning import Captions
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError
from concepttransfer.language import parts_of_speech
from concepttransfer.language.parts_of_speech import TaggerName
from concepttransfer.manifest import Manifest
from concepttransfer.result import ESTIMATES, Result
from concepttransfer.result.pairing import Paired

from ._concept_recall.claims import claims
from ._concept_recall.groups import KINDS, Kind, groups, word_list
from ._concept_recall.presence import F1, PRECISION, RECALL
from ._concept_recall.scene import Scene
from ._concept_recall.table import COLUMNS, examples, table
from ._concept_recall.text import answer, headline, sentence, words_frame
from ._concept_recall.words import Reader, frequent

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True, eq=False)
class ConceptRecall(Result):
    """A row a picture, encoder and seed: how many of the measured words are true of it, said, and both.

    `wup` is the mean Wu-Palmer similarity of its true nouns to the nearest noun said. `estimates` has each claim for
    each kind of words (group `nouns`), each category (`nouns/animals`) and each word (`nouns/animals/dog`); `against`
    is empty for a level, `chance` for what is above chance, or the encoder's random control; the system
    `one reference` is the first reference caption of each picture beside its others.
    """

    kind: ClassVar[str] = "concept-recall"
    columns: ClassVar[dict[str, str]] = COLUMNS
    figures: ClassVar[tuple[str, ...]] = ("kinds", "categories", "nearness", "words", "examples")
    main_group: ClassVar[str | None] = "nouns"
    alike: ClassVar[tuple[str, ...]] = ("tagger", "categories.sha256", "words")

    @property
    def paired(self) -> tuple[Paired, ...]:
        """Recall, precision and F1 of all nouns: sums over pictures of words that are true, said, and both."""
        if "nouns" not in self.kinds:
            return ()
        return (
            Paired(RECALL, "nouns_both", over=("nouns_true",)),
            Paired(PRECISION, "nouns_both", over=("nouns_said",)),
            Paired(F1, "nouns_both", over=("nouns_true", "nouns_said"), times=2.0),
        )

    def levels(self) -> pd.DataFrame:
        """How high each encoder is in each measure of nouns, of modifiers and of relations."""
        e = self.estimates
        return e[e["against"].isna() & e["system"].isin(self.encoders) & e["group"].isin(KINDS)]

    @property
    def tagger(self) -> str:
        """What told nouns from verbs. Numbers that rest on another tagger are not to be compared with these."""
        return str(self.provenance["tagger"])

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of words that were measured."""
        return tuple(kind for kind in KINDS if self.provenance["words"][kind])

    def categories(self, kind: Kind) -> list[str]:
        """The groups of a kind that hold a measured word, such as `nouns/animals`, in the grouping file's order."""
        return list(dict.fromkeys(word.rpartition("/")[0] for word in self.provenance["words"][kind]))

    def words(self, kind: Kind = "nouns") -> pd.DataFrame:
        """A row a word and encoder: category, pictures it is true of, precision, recall and F1, each beside chance."""
        return words_frame(self, kind)

    def summary(self) -> str:
        """Share of the true words that each encoder says, with interval, chance and n; by which tagger."""
        return sentence(self)

    def answer(self) -> str:
        """Which encoder comes first, which last, and how far the random controls come."""
        return answer(self)

    def headline(self) -> pd.DataFrame:
        """A row an encoder and kind of words: recall, precision and F1 in per cent and Wu-Palmer, beside chance."""
        return headline(self)

    def wanted_pictures(self) -> list[str]:
        """The rows that the sheet of examples shows, in the table's order, which saving keeps."""
        return [row for row in dict.fromkeys(self.table["row_id"]) if row in self.provenance["examples"]]

    def plot_kinds(self) -> Figure:
        """Precision, recall and F1 with 95 % intervals; grey tick: chance; dashed: one reference beside the others."""
        from ._concept_recall.figures import kinds

        return kinds(self)

    def plot_categories(self) -> Figure:
        """Recall and precision of each category's words, with 95 % intervals; grey tick: chance; ◆: a reference."""
        from ._concept_recall.figures import categories

        return categories(self)

    def plot_nearness(self) -> Figure:
        """Wu-Palmer similarity of true nouns to the nearest noun said, all and missed ones; grey tick: chance."""
        from ._concept_recall.figures import nearness

        return nearness(self)

    def plot_words(self) -> Figure:
        """F1 of each word less its chance, by encoder: the darker, the better; in brackets: true of how many."""
        from ._concept_recall.maps import words

        return words(self)

    def plot_examples(self) -> Figure:
        """Pictures from the lowest to the highest recall of nouns, and which true words each encoder says."""
        from ._concept_recall.maps import sheet

        return sheet(self)


@analysis("concept-recall", title="Which concepts do the captions name?")
def concept_recall(
    captions: Annotated[list[Captions], On("captions")],
    references: Annotated[Manifest, On("captions")],
    *,
    n_words: int = 50,
    words: str = "",
    categories: str = "",
    tagger: TaggerName = "auto",
    n_resamples: int = 2000,
    seed: int = 0,
) -> ConceptRecall:
    """Score the nouns, modifiers and relations of captions against those of their pictures' reference captions.

    For the most frequent words of the references, and for each category of them: precision, recall and F1 by picture,
    and how near the nearest noun said is to each true one (Wu-Palmer). A word is true of a picture if one of its
    references says it. Chance gives the captions to other pictures at random. Intervals resample pictures, with all
    their captions, and seeds.

    Args:
        captions: of each encoder and seed, over the same pictures; of several samples the first.
        references: of the same pictures; those without any are left out.
        n_words: how many words of each kind, the most frequent in the references.
        words: a YAML file with words of one's own under `nouns:`, `modifiers:`, `relations:`; then `n_words` is not
            asked.
        categories: a YAML file with categories of one's own, in the form of data_manifests/concepts/caption_words.yaml.
        tagger: what tells nouns from verbs: `spacy`, `nltk`, `rules`, or `auto`, the first of these that is there.
        n_resamples: resamples of each interval and draws of each p.
        seed: of all draws.

    Raises:
        EmptyDataError: no caption is about a picture with references, or the references have no words.
        MismatchError: the captions are about different pictures.
        BadInputError: a file of words or categories cannot be read, or `n_words` is below 1.
        MissingResourceError: the tagger named is not there.
    """
    if n_words < 1:
        raise BadInputError(f"{n_words} words of each kind leave nothing to measure. Give --n-words 1 or more.")
    grouping, grouping_hash = groups(categories)
    listed = word_list(words)
    rows, texts, n_without = _rows(captions, references)
    reader = Reader(parts_of_speech.tagger(tagger), grouping)
    reader.words([text for one in texts for text in one])
    chosen = frequent(reader, texts, n_words, listed)
    if not chosen:
        raise EmptyDataError(
            f"The reference captions of `{references.name}` have no nouns, modifiers or relations: nothing is measured."
        )
    scene = Scene(reader, chosen, texts)
    ordered, systems = scene.systems(captions, rows)
    method = f"parts of speech by {reader.tagger.name}"
    made = claims(systems, scene.groups, scene.categories, n_resamples=n_resamples, seed=seed, method=method)
    shared = {"study": captions[0].study, "on": captions[0].on}
    scored = table(ordered, rows, systems, chosen)
    shown = [rows[n] for n in examples(scored, len(rows))]
    return ConceptRecall(
        table=scored,
        estimates=pd.DataFrame([shared | vars(c) | vars(c.estimate) for c in made]).reindex(columns=list(ESTIMATES)),
        provenance=shared
        | {
            "options": {"n_words": n_words, "tagger": tagger, "n_resamples": n_resamples, "seed": seed},
            "tagger": reader.tagger.name,
            "categories": {"name": grouping.name, "sha256": grouping_hash},
            "words": {kind: [word.group for word in chosen if word.kind == kind] for kind in KINDS},
            "words_listed": bool(listed),
            "listed_but_in_no_reference": [word.text for word in scene.never_true],
            "pictures": len(rows),
            "pictures_without_references": n_without,
            "empty_captions": int((scored["caption"].str.strip() == "").sum()),
            "examples": {row: scene.example(row, rows, ordered) for row in shown},
        },
    )


def _rows(captions: Sequence[Captions], references: Manifest) -> tuple[list[str], list[tuple[str, ...]], int]:
    """The rows with captions and a reference, in order; their references; how many rows have none."""
    if not captions:
        raise EmptyDataError(
            "There are no captions to score. Name an encoder: concepttransfer concept-recall --encoder NAME"
        )
    first = captions[0]
    for one in captions[1:]:
        if set(one.row_ids) != set(first.row_ids):
            raise MismatchError(
                f"The captions of {one.encoder} (seed {one.seed}, {len(one.row_ids)} pictures) and of {first.encoder} "
                f"(seed {first.seed}, {len(first.row_ids)}) are of different pictures. Caption the same data for both."
            )
    known: Mapping[str, tuple[str, ...]] = dict(zip(references.ids, references.texts, strict=True))
    texts = {row: tuple(text for text in known.get(row, ()) if text.strip()) for row in first.row_ids}
    rows = [row for row in first.row_ids if texts[row]]
    if not rows:
        raise EmptyDataError(
            f"None of the {len(first.row_ids)} captioned pictures has a reference caption in `{references.name}`. "
            "Name data with captions: --on TABLE, with the columns picture and caption."
        )
    return rows, [texts[row] for row in rows], len(first.row_ids) - len(rows)
