"""How much of a caption comes from the language model alone? Merullo et al. 2022 call it runoff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import pandas as pd

from concepttransfer.analysis import On, analysis
from concepttransfer.concepts import ConceptSet
from concepttransfer.errors import EmptyDataError, MismatchError
from concepttransfer.language import parts_of_speech
from concepttransfer.language.parts_of_speech import TaggerName
from concepttransfer.manifest import Manifest
from concepttransfer.result import ESTIMATES, Result
from concepttransfer.scoring.token_scores import OTHER, TokenScores

from ._concept_recall.groups import groups
from ._concept_recall.words import Reader
from ._runoff import estimates as est
from ._runoff.quantities import claims
from ._runoff.spoken import nouns_of, read_all, spoken
from ._runoff.table import COLUMNS, examples, frame
from ._runoff.text import answer, headline, sentence
from ._runoff.truth import REFERENCES, Truth
from ._runoff.words import CaptionReader

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True, eq=False)
class Runoff(Result):
    """A row a picture, encoder and seed: how much likelier its words are with the picture, and what it names.

    `over_blank`, `over_other` and `over_none` are nats a word; `other` is the row whose prompt stood in the picture's
    place; `named` counts the things named of which it is known whether the picture contains them, `not_there` those
    that it does not, `not_there_unasked` those of them that a blank picture makes as likely. `estimates` has each gain
    for all words, by third of the caption, for content and function words, for the names of things that are there and
    not there, and by place (`word 3`); `against` names what is subtracted.
    """

    kind: ClassVar[str] = "runoff"
    columns: ClassVar[dict[str, str]] = COLUMNS
    figures: ClassVar[tuple[str, ...]] = ("positions", "absent", "examples")
    main_group: ClassVar[str | None] = est.ALL

    def summary(self) -> str:
        """What the picture adds to a word, and the share of what is named that is not there, each with chance and n."""
        return sentence(self)

    def answer(self) -> str:
        """Which encoder comes first, which last, and how far the random controls come."""
        return answer(self)

    def headline(self) -> pd.DataFrame:
        """A row an encoder: gains of a word in nats, and shares in per cent beside chance."""
        return headline(self)

    def wanted_pictures(self) -> list[str]:
        """The rows that the sheet of examples shows."""
        return list(self.provenance["shown"])

    def plot_positions(self) -> Figure:
        """How much likelier each word of a caption is with its picture, by place, with 95 % intervals; chance is 0."""
        from ._runoff.figures import positions

        return positions(self)

    def plot_absent(self) -> Figure:
        """Of the things named the share that is not there, early and late, and the share that no picture asked for."""
        from ._runoff.figures import absent

        return absent(self)

    def plot_examples(self) -> Figure:
        """Captions word by word: the bolder, the more the picture asked for it; underlined: no more than a blank."""
        from ._runoff.sheet import sheet

        return sheet(self)


@analysis("runoff", title="How much of a caption comes from the language model alone?")
def runoff(
    scores: Annotated[list[TokenScores], On("captions")],
    references: Annotated[Manifest, On("captions")],
    classes: Annotated[ConceptSet | None, On("captions")] = None,
    *,
    categories: str = "",
    tagger: TaggerName = "auto",
    n_resamples: int = 2000,
    seed: int = 0,
) -> Runoff:
    """Compare each word's likelihood with its picture, with a blank one, with another one's prompt, and with none.

    A word that is no likelier with the picture than without comes from the language model alone. Of the things that
    captions name, the share that the picture does not contain, early and late in the caption; and of those the share
    that a blank picture makes as likely. A gain tells that a word depends on the picture, not that it is true. Chance
    of a gain is 0; chance of a share deals captions to other pictures. Intervals resample pictures, with all their
    captions, and seeds.

    Args:
        scores: of each encoder and seed, over the same pictures.
        references: captions of the same pictures that people wrote, if there are any.
        classes: the class of each picture, where it is known.
        categories: a YAML file with categories of one's own, as `concept-recall` takes it; its senses and spellings
            count here.
        tagger: what tells nouns from verbs: `spacy`, `nltk`, `rules`, or `auto`, the first of these that is there.
        n_resamples: resamples of each interval and draws of each p.
        seed: of all draws.

    Raises:
        EmptyDataError: there are no captions, or none has a word.
        MismatchError: the captions are about different pictures.
        BadInputError: a score is no number, or a file of categories cannot be read.
        MissingResourceError: the tagger named is not there.
    """
    rows = _rows(scores)
    grouping, grouping_hash = groups(categories)
    nouns = Reader(parts_of_speech.tagger(tagger), grouping)
    texts = dict(zip(references.ids, references.texts, strict=True))
    told = [tuple(text for text in texts.get(row, ()) if text.strip()) for row in rows]
    truth = Truth(nouns, rows, told, classes)
    reader = CaptionReader(nouns)
    names = list(dict.fromkeys(one.encoder for one in scores))
    ordered = sorted(scores, key=lambda one: (names.index(one.encoder), one.seed))
    reads = [read_all(one, rows, reader) for one in ordered]
    if not any(read.words for some in reads for read in some):
        raise EmptyDataError(
            "All captions are empty: there is no word to score. See what the language model was asked."
        )
    vocabulary = nouns_of(reads)
    true = truth.table(vocabulary)
    flat = [spoken(one, rows, read, vocabulary, truth, true) for one, read in zip(ordered, reads, strict=True)]
    systems = {name: [one for one in flat if one.scores.encoder == name] for name in names}
    measured = list(est.quantities(systems, len(rows), true, truth.known))
    made = claims(measured, est.pairs(systems), n_resamples=n_resamples, seed=seed)
    table = frame(systems, rows, truth.known)
    shown = examples(systems, rows)
    shared = {"study": scores[0].study, "on": scores[0].on}
    return Runoff(
        table=table,
        estimates=pd.DataFrame([shared | vars(c) | vars(c.estimate) for c in made]).reindex(columns=list(ESTIMATES)),
        provenance=shared
        | {
            "options": {"tagger": tagger, "n_resamples": n_resamples, "seed": seed},
            "tagger": nouns.tagger.name,
            "categories": {"name": grouping.name, "sha256": grouping_hash},
            "truth": truth.source,
            "pictures": len(rows),
            "pictures_without_references": int((~truth.known).sum()) if truth.source == REFERENCES else 0,
            "others": OTHER in est.contrasts(systems),
            "blank": scores[0].meta.get("blank", ""),
            "empty_captions": int((table["words"] == 0).sum()),
            "examples": shown,
            "shown": list(shown),  # in their order, which a saved dictionary loses
        },
    )


def _rows(scores: Sequence[TokenScores]) -> list[str]:
    """The rows that all captions are about, in order."""
    if not scores:
        raise EmptyDataError("There are no captions to score. Name an encoder: concepttransfer runoff --encoder NAME")
    first = scores[0]
    for one in scores[1:]:
        if set(one.row_ids) != set(first.row_ids):
            raise MismatchError(
                f"The captions of {one.encoder} (seed {one.seed}, {len(one.row_ids)} pictures) and of {first.encoder} "
                f"(seed {first.seed}, {len(first.row_ids)}) are of different pictures. Caption the same data for both."
            )
    return list(first.row_ids)
