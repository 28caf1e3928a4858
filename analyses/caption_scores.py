"""How well do captions fit their pictures? BLEU, ROUGE-L, CIDEr-D, METEOR, SPICE, CLIPScore, and how much they vary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import pandas as pd

from concepttransfer.analysis import On, analysis
from concepttransfer.captioning import Captions
from concepttransfer.errors import EmptyDataError, MismatchError
from concepttransfer.language.caption_tokens import TOKENISER
from concepttransfer.manifest import Manifest
from concepttransfer.result import ESTIMATES, Result
from concepttransfer.result.pairing import Paired
from concepttransfer.scoring.external_scores import ExternalScores
from concepttransfer.scoring.judging import JudgeScores
from concepttransfer.scoring.training_texts import TrainingTexts
from concepttransfer.statistics.claims import Claim

from ._caption_scores import measures as m
from ._caption_scores.claims import Captioner, Setting, claims, score
from ._caption_scores.corpus import Corpus, frequency_texts, groups_of
from ._caption_scores.diversity import anew, anew_by_picture, lengths, plain_claims, reference_claims
from ._caption_scores.table import N_EXAMPLES, examples, tables
from ._caption_scores.words import answer, headline, sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ._caption_scores.ngrams import Ints

ALL = "all"


@dataclass(frozen=True, kw_only=True, eq=False)
class CaptionScores(Result):
    """A row a picture, encoder and seed: what was said, and how it scores beside the picture's references.

    BLEU is a score of all captions together: of each picture the words of the caption, of the reference nearest in
    length, and the n-grams found are given (`matched_1` to `matched_4`). `cider_d` is in pycocoevalcap's scale (0 to
    10) with the document frequencies of all pictures; `cider_d_domain` with those of the picture's domain, where there
    are domains. `estimates` has each claim for `all` pictures and for each domain; `against` is empty for a level,
    `chance` for what is above chance, or the encoder's random control.
    """

    kind: ClassVar[str] = "caption-scores"
    columns: ClassVar[dict[str, str]] = {
        "row_id": "string",
        "encoder": "string",
        "seed": "int64",
        "on": "string",
        "domain": "string",
        "caption": "string",
        "words": "int64",
        "reference_words": "int64",
        **{f"matched_{n}": "int64" for n in range(1, 5)},
        "rouge_l": "float64",
        "cider_d": "float64",
        "cider_d_domain": "float64",
        "meteor": "float64",
        "spice": "float64",
        "clipscore": "float64",
        "refclipscore": "float64",
        "not_in_training": "boolean",
    }
    figures: ClassVar[tuple[str, ...]] = ("scores", "variety", "examples")
    main_group: ClassVar[str | None] = ALL
    alike: ClassVar[tuple[str, ...]] = ("tokeniser", "document_frequencies", "judge.model", "judge.prefix")

    @property
    def paired(self) -> tuple[Paired, ...]:
        """The scores that are means over pictures; BLEU and METEOR 1.5 are scores of all captions together."""
        columns = {m.CIDER: "cider_d", m.ROUGE: "rouge_l", m.NLTK_METEOR: "meteor", m.SPICE: "spice"}
        judged = {m.CLIPSCORE: "clipscore", m.REFCLIPSCORE: "refclipscore"}
        named = {name: column for name, column in {**columns, **judged}.items() if name in self.measures}
        highest = {m.CIDER: 10.0, m.CLIPSCORE: np.inf, m.REFCLIPSCORE: np.inf}
        lowest = {m.REFCLIPSCORE: -np.inf}
        return tuple(
            Paired(name, column, low=lowest.get(name, 0.0), high=highest.get(name, 1.0))
            for name, column in named.items()
        )

    @property
    def groups(self) -> tuple[str, ...]:
        """`all`, and the domains where there are any."""
        return tuple(dict.fromkeys(self.estimates["group"]))

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures that were computed."""
        return tuple(dict.fromkeys(self.estimates["measure"]))

    @property
    def skipped(self) -> Mapping[str, str]:
        """The measures that were not computed, each with the reason."""
        found: Mapping[str, str] = self.provenance["skipped"]
        return found

    @property
    def judged_by_itself(self) -> tuple[str, ...]:
        """Encoders whose weights are the judge's: their CLIPScores are no independent judgement."""
        return tuple(self.provenance["judge"].get("shares_weights_with", ()))

    def summary(self) -> str:
        """The main scores of each encoder with interval, chance and n; what was left out, and why."""
        return sentence(self)

    def answer(self) -> str:
        """Which encoder comes first, which last, and how far the random controls come."""
        return answer(self)

    def headline(self) -> pd.DataFrame:
        """A row an encoder and group: every score times 100, as papers print them, beside chance."""
        return headline(self)

    def wanted_pictures(self) -> list[str]:
        """The rows that the sheet of examples shows."""
        rows = list(dict.fromkeys(self.table["row_id"]))
        return [rows[i] for i in self.arrays["examples"]]

    def plot_scores(self) -> Figure:
        """Scores times 100 with 95 % intervals; the line is chance: the same captions shuffled over pictures."""
        from ._caption_scores.figures import scores

        return scores(self)

    def plot_variety(self) -> Figure:
        """How much captions vary, whatever the picture; the line is one reference of each picture."""
        from ._caption_scores.figures import variety

        return variety(self)

    def plot_examples(self) -> Figure:
        """Pictures from the lowest to the highest CIDEr-D of the first encoder, at equal steps, and what was said."""
        from ._caption_scores.figures import sheet

        return sheet(self)


@analysis("caption-scores", title="How well do the captions fit their pictures?")
def caption_scores(
    captions: Annotated[list[Captions], On("captions")],
    references: Annotated[Manifest, On("captions")],
    judged: Annotated[JudgeScores | None, On("captions")] = None,
    external: Annotated[ExternalScores | None, On("captions")] = None,
    trained: Annotated[TrainingTexts | None, On("captions")] = None,
    *,
    frequencies: str = "subset",
    n_resamples: int = 2000,
    seed: int = 0,
) -> CaptionScores:
    """Score captions against their pictures' reference captions, and against the pictures themselves.

    BLEU-1 to 4, ROUGE-L and CIDEr-D as pycocoevalcap computes them; METEOR and SPICE where Java and pycocoevalcap are;
    CLIPScore and RefCLIPScore by the study's judge; and how much the captions vary. Chance gives the captions to other
    pictures at random. Intervals resample pictures, with all their captions, and seeds. Where pictures have a domain
    (NoCaps) each is scored by itself too. Values are in pycocoevalcap's scale; tables for people show them times 100.

    Args:
        captions: of each encoder and seed, over the same pictures; of several samples the first.
        references: of the same pictures; those without any are left out.
        judged: the judge's view of pictures, references and captions; None: no CLIPScore.
        external: what other programs counted; None: no METEOR and no SPICE.
        trained: the texts that the projections were fitted on; None: it is not told what is said anew.
        frequencies: how rare a word is, for CIDEr-D: in the pictures scored together (`subset`), in all pictures also
            where a domain is scored (`set`), or in a file of captions such as COCO's captions_val2014.json.
        n_resamples: resamples of each interval and draws of each p.
        seed: of all draws.

    Raises:
        EmptyDataError: no caption is about a picture with references.
        MismatchError: the captions are about different pictures.
        UnknownNameError: there are no such document frequencies.
    """
    rows, n_without = _rows(captions, references)
    captioners, ordered = _captioners(captions)
    texts = dict(zip(references.ids, references.texts, strict=True))
    said = [[spoken[row] for row in rows] for spoken in (one.texts() for one in ordered)]
    corpus = Corpus.of(said, [texts[row] for row in rows], frequency_texts(frequencies))
    setting = Setting(captioners, corpus, rows, judged, external, n_resamples, seed)
    groups = groups_of(references, rows)
    made: list[Claim] = []
    scored = {}
    for group, members in groups.items():
        idf = corpus.idf(members if frequencies == "subset" else np.arange(len(rows)))
        scored[group] = score(setting, members, idf)
        others = {**lengths(captioners, corpus), **anew(captioners, said, trained)} if group == ALL else {}
        made += claims(setting, group, scored[group], others)
    made += plain_claims(captioners, corpus) + reference_claims(corpus)
    shared = {"study": captions[0].study, "on": captions[0].on}
    table = tables(ordered, captioners, rows, said, groups, scored, anew_by_picture(ordered, said, trained))
    return CaptionScores(
        table=table,
        estimates=pd.DataFrame([shared | vars(c) | vars(c.estimate) for c in made]).reindex(columns=list(ESTIMATES)),
        arrays={"examples": examples(table, N_EXAMPLES)},
        provenance=shared
        | {
            "options": {"frequencies": Path(frequencies).name, "n_resamples": n_resamples, "seed": seed},
            "tokeniser": TOKENISER,
            "document_frequencies": _frequencies_in_words(frequencies, corpus, groups),
            "judge": _judge(judged),
            "skipped": _skipped(corpus, scored[ALL], judged, external, trained),
            "pictures_without_references": n_without,
            "empty_captions": sum(not text.strip() for texts in said for text in texts),
            "references": {row: list(texts[row]) for row in _shown(table)},
            "training_texts": trained.name if trained else None,
        },
    )


def _rows(captions: Sequence[Captions], references: Manifest) -> tuple[list[str], int]:
    """The rows that all captions are about and that have a reference, in order; how many have none."""
    if not captions:
        raise EmptyDataError(
            "There are no captions to score. Name an encoder: concepttransfer caption-scores --encoder X"
        )
    first = captions[0]
    for one in captions[1:]:
        if set(one.row_ids) != set(first.row_ids):
            raise MismatchError(
                f"The captions of {one.encoder} (seed {one.seed}, {len(one.row_ids)} pictures) and of {first.encoder} "
                f"(seed {first.seed}, {len(first.row_ids)}) are of different pictures. Caption the same data for both."
            )
    from concepttransfer.language.caption_tokens import tokens

    texts = dict(zip(references.ids, references.texts, strict=True))
    rows = [row for row in first.row_ids if any(tokens(text) for text in texts.get(row, ()))]
    if not rows:
        raise EmptyDataError(
            f"None of the {len(first.row_ids)} captioned pictures has a reference caption in `{references.name}`. "
            "Name data with captions: --on TABLE, with the columns picture and caption."
        )
    return rows, len(first.row_ids) - len(rows)


def _captioners(captions: Sequence[Captions]) -> tuple[list[Captioner], list[Captions]]:
    """Encoders in the order given, and their captions in the order of `Corpus.said`: by encoder, then by seed."""
    names = list(dict.fromkeys(one.encoder for one in captions))
    ordered = sorted(captions, key=lambda one: (names.index(one.encoder), one.seed))
    places = {name: np.flatnonzero([one.encoder == name for one in ordered]) for name in names}
    return [Captioner(name, tuple(ordered[p].key for p in places[name]), places[name]) for name in names], ordered


def _frequencies_in_words(frequencies: str, corpus: Corpus, groups: Mapping[str, Ints]) -> str:
    if corpus.n_documents:
        return f"{corpus.n_documents} documents of {Path(frequencies).name}"
    if len(groups) > 1 and frequencies == "subset":
        return "the pictures of each domain, and all of them where all are scored"
    return f"the {len(groups[ALL])} pictures scored"


def _judge(judged: JudgeScores | None) -> dict[str, Any]:
    if judged is None:
        return {}
    return {
        "model": judged.model,
        "prefix": judged.prefix,
        "shares_weights_with": sorted(judged.shares),
        "texts_cut": judged.n_cut,
    }


def _skipped(
    corpus: Corpus,
    scored: Mapping[tuple[str, str], Any],
    judged: JudgeScores | None,
    external: ExternalScores | None,
    trained: TrainingTexts | None,
) -> dict[str, str]:
    """Each measure that is missing, and why."""
    found = dict(external.skipped) if external else dict.fromkeys(m.EXTERNAL, "no other program was asked")
    if judged is None:
        found |= {measure.name: "the study names no judge `clipscore`, or it is not here" for measure in m.JUDGED}
    if not any(measure == m.CIDER for _, measure in scored):
        found[m.CIDER] = "every word is in every picture's references; give document frequencies of other captions"
    if trained is None:
        found[m.NOVEL] = "the texts that the projections were fitted on are not known"
    return found


def _shown(table: pd.DataFrame) -> list[str]:
    rows = list(dict.fromkeys(table["row_id"]))
    return [rows[n] for n in examples(table, N_EXAMPLES)]
