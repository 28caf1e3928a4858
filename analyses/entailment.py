"""Does a picture entail, contradict or leave open what is said of it, and how much of that is told without it?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import pandas as pd

from concepttransfer.analysis import On, analysis
from concepttransfer.answering import BLIND, Answers
from concepttransfer.data.entailment import LABELS
from concepttransfer.errors import EmptyDataError, MismatchError
from concepttransfer.manifest import Manifest, Row
from concepttransfer.result import ESTIMATES, Result
from concepttransfer.result.pairing import Paired

from ._entailment import estimates as est
from ._entailment.hypothesis_only import HYPOTHESIS_ONLY, labels_from_hypotheses
from ._entailment.labels import NONE, Marks, Pairs, label_of, marks
from ._entailment.words import answer, headline, sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Entailment(Result):
    """A row a pair, system, seed and number of shots: what was answered, which label that is, and whether it is right.

    `picture` numbers the premises; `answer` is the label read from `text`, empty where it says none; `chance` is the
    share of this system's answers to pairs of the kind that are the pair's gold label. `encoder` is also `blind`, the
    language model that sees no premise, and `hypothesis-only`, a bag of the hypothesis' words. In `estimates`,
    `measure` names the shots; `group` is `all`, a gold label (whose accuracy is its recall) or a kind; `against` is
    empty for a level, `chance` for its surplus, `blind`, or another system. `arrays`: `confusion` [systems, 3 gold
    labels, 3 labels and none], shares of each gold label with fewest shots, mean over seeds.
    """

    kind: ClassVar[str] = "entailment"
    columns: ClassVar[dict[str, str]] = {
        "row_id": "string",
        "encoder": "string",
        "seed": "int64",
        "shots": "int64",
        "on": "string",
        "picture": "int64",
        "hypothesis": "string",
        "kind": "string",
        "gold": "string",
        "text": "string",
        "answer": "string",
        "correct": "float64",
        "chance": "float64",
    }
    figures: ClassVar[tuple[str, ...]] = ("accuracy", "confusion")
    main_group: ClassVar[str | None] = est.ALL
    alike: ClassVar[tuple[str, ...]] = ("asked",)

    @property
    def paired(self) -> tuple[Paired, ...]:
        """Accuracy with each number of shots; premises are drawn with all their pairs."""
        return tuple(Paired(est.measure(n), "correct", cluster="picture", where={"shots": n}) for n in self.shots)

    @cached_property
    def systems(self) -> tuple[str, ...]:
        """Encoders, `blind` and `hypothesis-only`, in the order given."""
        return tuple(dict.fromkeys(self.table["encoder"]))

    @property
    def encoders(self) -> tuple[str, ...]:
        """The systems that see the premise."""
        return tuple(system for system in self.systems if system not in (BLIND, HYPOTHESIS_ONLY))

    @cached_property
    def shots(self) -> tuple[int, ...]:
        """The numbers of shots, from few to many."""
        return tuple(sorted({int(n) for n in self.table["shots"].unique()}))

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """`all`, the gold labels, then the kinds, where the data tell them."""
        return tuple(sorted(dict.fromkeys(self.estimates["group"]), key=_rank))

    def accuracy(self, system: str, shots: int, *, against: str | None = None, group: str = est.ALL) -> pd.Series[Any]:
        """One row of `estimates`: the accuracy of a system with so many shots, or what it is `against`."""
        return self.claim(system, est.measure(shots), against=against, group=group)

    def confusion(self, system: str) -> NDArray[np.float64]:
        """[3, 4] of the pairs of each gold label the share that was judged to be each, or none of them."""
        found: NDArray[np.float64] = self.arrays["confusion"][self.systems.index(system)]
        return found

    def commonest(self, group: str = est.ALL) -> float:
        """The accuracy of always giving the commonest gold label."""
        return float(self.claim(est.COMMONEST, "accuracy", group=group)["value"])

    def unanswered(self) -> float:
        """The share of answers with a picture from which no label can be read; without encoders of all answers."""
        answered = self.table[self.table["encoder"].isin(self.encoders or (BLIND,))]["answer"]
        return float((answered == NONE).mean())

    def summary(self) -> str:
        """Accuracy of each encoder with interval, chance and n, and what is told without the premise."""
        return sentence(self)

    def answer(self) -> str:
        """Which encoder comes first, which last, and what is told without the premise."""
        return answer(self)

    def headline(self) -> pd.DataFrame:
        """A row a system: accuracy, interval, chance, the recall of each label, and against the blind."""
        return headline(self)

    def plot_accuracy(self) -> Figure:
        """Pairs judged right, of all, by gold label and by kind, with 95 % intervals; star and cross see no premise."""
        from ._entailment.figures import accuracy

        return accuracy(self)

    def plot_confusion(self) -> Figure:
        """What was answered to pairs of each gold label, in per cent of them; the mean over seeds."""
        from ._entailment.figures import confusion

        return confusion(self)


@analysis("entailment", title="Does the picture entail what is said of it, and how much of that is told without it?")
def entailment(
    answers: Annotated[list[Answers], On("entailment")],
    pairs: Annotated[Manifest, On("entailment")],
    *,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Entailment:
    """Score answers to pairs of a premise and a hypothesis, beside models that see the hypothesis alone.

    A text counts as the label that its first words say (`entailment` or `yes`, `neutral` or `maybe`, `contradiction` or
    `no`, and the words that the data use); where they say none it is wrong. Chance gives a system's labels to other
    pairs of the same kind. Two models see no premise: the blind language model, and logistic regression on the
    hypothesis' words, fitted on other hypotheses. Intervals resample premises with all their pairs, and seeds.

    Args:
        answers: of each encoder and seed, and of the blind language model, to the same pairs.
        pairs: with the label `gold`, and the hypothesis as `question`.
        n_resamples: resamples of each interval and sign flips of each p.
        seed: of all draws.

    Raises:
        EmptyDataError: there are no answers, or none to one of the pairs.
        MismatchError: the answers are to different pairs, or with different numbers of shots.
        BadInputError: a pair has no gold label or no hypothesis.
    """
    rows = _rows(answers, pairs)
    judged = Pairs.of(rows)
    sets = [_Set.of(one, shots, judged) for shots in answers[0].shots for one in answers]
    told = labels_from_hypotheses(judged.hypotheses, judged.gold, seed=seed)
    sets += [_Set(HYPOTHESIS_ONLY, 0, shots, answers[0].on, [""] * len(rows), told) for shots in answers[0].shots]
    scored: defaultdict[tuple[str, int], list[Marks]] = defaultdict(list)
    for one in sorted(sets, key=lambda one: one.seed):
        scored[one.encoder, one.shots].append(marks(one.labels, judged))
    ordered = {key: scored[key] for key in dict.fromkeys((one.encoder, one.shots) for one in sets)}
    shared = {"study": answers[0].study, "on": answers[0].on}
    claims = est.claims(ordered, judged, n_resamples=n_resamples, seed=seed)
    made = [shared | vars(claim) | vars(claim.estimate) for claim in claims] + [shared | _commonest(judged)]
    fewest, systems = min(answers[0].shots), dict.fromkeys(one.encoder for one in sets)
    given = [[one.labels for one in sets if (one.encoder, one.shots) == (name, fewest)] for name in systems]
    return Entailment(
        table=pd.concat([one.table(judged) for one in sets], ignore_index=True),
        estimates=pd.DataFrame(made).reindex(columns=list(ESTIMATES)),
        arrays={"confusion": np.stack([est.confusion(labels, judged) for labels in given])},
        provenance={
            **shared,
            "options": {"n_resamples": n_resamples, "seed": seed},
            "pairs_left_out": len(pairs) - len(rows),
            "asked": {key: answers[0].meta[key] for key in ("prompt", "examples", "between") if key in answers[0].meta},
        },
    )


@dataclass(frozen=True)
class _Set:
    """The labels that one system gave with one seed and one number of shots, in the order of the pairs."""

    encoder: str
    seed: int
    shots: int
    on: str
    texts: Sequence[str]
    labels: Sequence[str]

    @classmethod
    def of(cls, answers: Answers, shots: int, pairs: Pairs) -> _Set:
        said = answers.texts(shots)
        texts = [said[row] for row in pairs.row_ids]
        return cls(
            answers.encoder, answers.seed, shots, answers.on, texts, [label_of(text, pairs.words) for text in texts]
        )

    def table(self, pairs: Pairs) -> pd.DataFrame:
        scored = marks(self.labels, pairs)
        return pd.DataFrame(
            {
                "row_id": pairs.row_ids,
                "encoder": self.encoder,
                "seed": self.seed,
                "shots": self.shots,
                "on": self.on,
                "picture": pairs.pictures,
                "hypothesis": pairs.hypotheses,
                "kind": pairs.kinds,
                "gold": pairs.gold,
                "text": self.texts,
                "answer": self.labels,
                "correct": scored.correct,
                "chance": scored.chance,
            }
        )


def _rows(answers: Sequence[Answers], pairs: Manifest) -> list[Row]:
    """The pairs that all have answered with every number of shots."""
    if not answers:
        raise EmptyDataError("There are no answers. Name an encoder: concepttransfer entailment --encoder NAME")
    first = answers[0]
    for one in answers[1:]:
        if (one.manifest_id, one.shots) != (first.manifest_id, first.shots):
            raise MismatchError(
                f"The answers of {one.encoder} (seed {one.seed}, shots {list(one.shots)}) and of {first.encoder} (seed "
                f"{first.seed}, shots {list(first.shots)}) are to other pairs or with other shots. Ask both alike."
            )
    common = set.intersection(*(set(one.texts(shots)) for one in answers for shots in one.shots))
    rows = [row for row in pairs.rows if row.id in common]
    if not rows:
        raise EmptyDataError(
            f"None of the {len(common)} pairs that were answered is in `{pairs.name}`. Name data that hold them: "
            "--on NAME"
        )
    return rows


def _commonest(pairs: Pairs) -> dict[str, Any]:
    """What one would score by the same label for all, if one knew which is commonest."""
    most = max(sum(gold == label for gold in pairs.gold) for label in LABELS)
    method = "the commonest gold label, known from the truth"
    claim = {"system": est.COMMONEST, "group": est.ALL, "measure": "accuracy", "value": most / len(pairs)}
    return claim | {"n": len(pairs), "method": method}


def _rank(group: str) -> int:
    return 0 if group == est.ALL else 1 if group.startswith(est.GOLD) else 2
