"""Which encoders or systems differ in what was measured, which can be ranked, and what did it cost them?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import pandas as pd

from concepttransfer.analysis import Of, analysis
from concepttransfer.errors import MismatchError
from concepttransfer.result import ESTIMATES, Result
from concepttransfer.result.wording import is_microworld

from ._compare.claims import Compared, compare_rows, with_q
from ._compare.given import System, compared, data_of, refuse_one, systems_of
from ._compare.ladder import trends
from ._compare.rows import align
from ._compare.table import COLUMNS, chances, others_of, table_of
from ._compare.words import answer, headline, sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison(Result):
    """A row a system and measure: its level, what its weights learnt from, and between which ranks it lies.

    A system (`encoder`) is an encoder, or `study/encoder` where there are several studies. `rank_low` and `rank_high`
    are the best and the worst rank that can be told from the differences, 1 the highest value; empty: nothing was
    compared in this measure. `published` is what the study's paper printed. In `estimates`, `against` is the other
    system, or `supervision` for a trend over encoders, whose `n` is encoders. What a fit of each system cost stands in
    `provenance["costs"]`: trained parameters, captions seen, seconds.
    """

    kind: ClassVar[str] = "compare"
    columns: ClassVar[dict[str, str]] = COLUMNS
    figures: ClassVar[tuple[str, ...]] = ("ranking", "differences", "costs", "ladder")
    unpaired: ClassVar[str] = "compares others already"

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures that were compared row by row, the main one first."""
        return tuple(self.provenance["measures"])

    @property
    def compared(self) -> tuple[str, ...]:
        """The systems compared, in the order given."""
        return tuple(self.provenance["compared"])

    def cost(self, system: str, name: str) -> float:
        """What one fit of a system cost: `trained` parameters, `samples` seen or `seconds`; NaN: not known."""
        value = self.provenance.get("costs", {}).get(system, {}).get(name)
        return np.nan if value is None else float(value)

    def level(self, system: str, measure: str, kind: str = "") -> pd.Series[Any]:
        """The row of `table` about a system and a measure, of the analysis compared or of another; all NaN: none."""
        t = self.table
        of = kind or self.provenance["of"]
        found = t[t["kind"].eq(of) & t["encoder"].eq(system) & t["measure"].eq(measure)]
        return found.iloc[0] if len(found) else pd.Series(np.nan, index=list(COLUMNS))

    def difference(self, system: str, measure: str, other: str) -> tuple[pd.Series[Any], int]:
        """The claim about two systems, and 1, or -1 where it is told as the other one less this one."""
        named = self.provenance["between"][measure]
        found = self.claim(system, named, against=other)
        return (found, 1) if pd.notna(found["measure"]) else (self.claim(other, named, against=system), -1)

    def summary(self) -> str:
        """How many pairs differ, the rank of each system with interval, chance and n; the trend with supervision."""
        return sentence(self)

    def answer(self) -> str:
        """How many pairs differ, who comes first, and the trend with supervision."""
        return answer(self)

    def headline(self) -> pd.DataFrame:
        """A row a system: what it cost, and for each measure value, interval, chance and ranks; caption scores."""
        return headline(self)

    def plot_ranking(self) -> Figure:
        """Each system with 95 % interval and ranks: those that share a rank cannot be ranked; tick: chance.

        A diamond is what the paper of the study printed, hollow where that is doubtful.
        """
        from ._compare.figures import ranking

        return ranking(self)

    def plot_differences(self) -> Figure:
        """The column's system less the row's on the same pictures, with 95 % interval; bold and tinted: q < .05."""
        from ._compare.figures import differences

        return differences(self)

    def plot_costs(self) -> Figure:
        """Each measure against the number of trained parameters, with 95 % interval; tick: chance.

        Systems of nearly one cost are moved apart. Of several studies each has a colour.
        """
        from ._compare.costs_figure import costs

        return costs(self)

    def plot_ladder(self) -> Figure:
        """Every measure against the encoder's supervision by language, with 95 % intervals; tick: chance.

        Tau is Kendall's over encoders; its p looks at every way to place them on the rungs.
        """
        from ._compare.ladder_figure import ladder

        return ladder(self)


@analysis("compare", title="Which encoders differ, and what do they owe to supervision by language?")
def compare(
    results: Annotated[list[Result], Of("kind", beside=("caption-scores",))],
    *,
    kind: str = "",
    n_resamples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Compare encoders in saved results of one analysis, two by two, over the same pictures.

    Every difference has an interval, from classes (or pictures) and seeds drawn anew, the same for all encoders; a p
    from swapping the two; and q over all differences. A ranking says between which ranks each encoder lies: those whose
    ranks overlap cannot be ranked. Beside it stands what the study's paper printed, where it has one. The supervision
    ladder sets every measure of all results given, of whatever analysis, against what language an encoder's weights
    learnt from: nothing at all (random weights), none, class labels, captions.

    With several studies, whose encoders are systems (`study/encoder`), one table says what each system cost and what it
    reaches: trained parameters, captions seen, time of a fit, names right, errors' distance, caption scores.

    Args:
        results: of each encoder, about the same pictures; of those of other analyses only the levels are shown.
        kind: the analysis whose results are compared; by default that of which there are some, else awa-errors.
        n_resamples: resamples of each interval and draws of each p.
        seed: of all draws.

    Raises:
        EmptyDataError: fewer than two encoders.
        BadInputError: results of several analyses and none named, or of one that has no rows to pair.
        MismatchError: results about different pictures, or measured with different taggers, judges or rules.
    """
    mine = compared(results, kind)
    studies = list(dict.fromkeys(one.study for one in mine))
    systems = systems_of(mine, studies)
    refuse_one(systems)
    done = _compare(systems, n_resamples, seed)
    others = [one for one in results if one.kind != mine[0].kind and one.study in studies]
    table = table_of(systems, others_of(others, studies), done)
    claims = [*with_q(done), *trends(table, seed)]
    shared = {"study": ", ".join(studies), "on": data_of(mine[0])}
    return Comparison(
        table=table,
        estimates=pd.DataFrame([shared | vars(c) | vars(c.estimate) for c in claims]).reindex(columns=list(ESTIMATES)),
        provenance=shared
        | {
            "of": mine[0].kind,
            "compared": [system.name for system in systems],
            "measures": [one.rows.paired.measure for one in done],
            "between": {one.rows.paired.measure: one.rows.paired.between for one in done},
            "n_rows": len(done[0].rows.clusters),
            "rows_left_out": max(one.rows.left_out for one in done),
            "microworld": any(is_microworld(one) for one in mine),
            "options": {"kind": kind, "n_resamples": n_resamples, "seed": seed},
            "costs": {system.name: system.cost for system in systems},
            "supervision_unknown": [system.name for system in systems if system.supervision is None],
            **_shared(mine, studies),
            "results": [_about(one) for one in (*mine, *others)],
        },
    )


def _compare(systems: Sequence[System], n_resamples: int, seed: int) -> list[Compared]:
    """Every measure that all results have."""
    kinds = [system.result.paired for system in systems]
    names = [{one.measure for one in paired} for paired in kinds]
    done = []
    for paired in kinds[0]:
        if all(paired.measure in named for named in names):
            by_chance, group = chances(systems, paired.measure)
            if paired.both:  # the level by chance is one of other rows
                by_chance = [np.nan] * len(systems)
            rows = align(systems, paired)
            done.append(compare_rows(rows, by_chance, group, n_resamples=n_resamples, seed=seed))
    if not done:
        raise MismatchError(
            f"The results have no measure in common: {systems[0].name} has {', '.join(sorted(names[0]))}. "
            "Make them again with the same options."
        )
    return done


def _shared(results: Sequence[Result], studies: Sequence[str]) -> dict[str, Any]:
    """What the results say of their study, for the report; of several studies nothing."""
    known = ("title", "palette", "models", "language_model", "prompt", "licence", "manifest", "rows")
    first = results[0].provenance
    return {"encoders": list(dict.fromkeys(e for one in results for e in one.encoders))} | {
        name: first[name] for name in known if name in first and len(studies) == 1
    }


def _about(result: Result) -> dict[str, Any]:
    """A result in provenance: enough to make it again."""
    known = ("study", "on", "encoders", "manifest", "seeds", "date", "key")
    return {"kind": result.kind} | {name: result.provenance[name] for name in known if name in result.provenance}
