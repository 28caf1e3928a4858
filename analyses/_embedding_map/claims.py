"""Claims of `embedding-map`: how encoders group pictures, and whether rather by what a thing is or how it looks."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from concepttransfer.statistics import MEASURABLE_CLUSTERS, MEASURABLE_ROWS, Estimate
from concepttransfer.statistics.claims import Claim

from .groups import CATEGORY, CLASS, PERCEPTION
from .scores import LOWEST, MEASURES, PURITY, SILHOUETTE, Score, mean_of

ADJUSTED = ", adjusted for chance"
"""The end of a measure that is 0 at chance and 1 where groups are perfect."""
LEANING = ", category less perception"
"""The end of a measure that is above 0 where pictures group by what a thing is rather than by how it looks."""
LEANED = (PURITY, SILHOUETTE)
"""Measures of which a leaning is told: clusters that are not made again would give it too narrow an interval."""
GROUP = "classes like these"

Scores = Mapping[str, Mapping[str, Score]]
"""Grouping -> measure -> score, of one encoder."""


def with_perception(scores: dict[str, dict[str, Score]]) -> dict[str, dict[str, Score]]:
    """The same with `perception`, the mean over the perceptual groups, after the category."""
    looks = [of for name, of in scores.items() if name not in (CLASS, CATEGORY)]
    if not looks:
        return scores
    perception = {measure: mean_of([one[measure] for one in looks]) for measure in MEASURES}
    first = {name: scores[name] for name in (CLASS, CATEGORY) if name in scores}
    return first | {PERCEPTION: perception} | scores


def claims(scores: Mapping[str, Scores], n: int, n_classes: int) -> list[Claim]:
    """All claims about these encoders: levels, levels adjusted for chance, leanings, and leanings compared."""
    found = [claim for encoder, mine in scores.items() for claim in _levels(encoder, mine, n, n_classes)]
    leanings = {encoder: leaning for encoder, mine in scores.items() if (leaning := _leanings(mine))}
    for encoder, mine in leanings.items():
        found += [_leaning(encoder, measure, None, score, n, n_classes) for measure, score in mine.items()]
    for one, other in itertools.combinations(leanings, 2):
        found += [
            _leaning(one, measure, other, leanings[one][measure] - leanings[other][measure], n, n_classes)
            for measure in LEANED
        ]
    return found


def _levels(encoder: str, scores: Scores, n: int, n_classes: int) -> list[Claim]:
    found = []
    for grouping, measures in scores.items():
        for measure, score in measures.items():
            ends = score.interval(LOWEST.get(measure, 0.0), 1.0)
            p = score.p_chance() if _is_measurable(grouping, n, n_classes) else np.nan
            how = _how(grouping, measure, score)
            level = Estimate(score.value, *ends, score.chance, p, n=n, n_clusters=n_classes, method=how)
            found.append(Claim(encoder, GROUP, measure, grouping, level))
            adjusted = score.adjusted()
            ends = adjusted_interval(measure, adjusted)
            level = Estimate(adjusted.value, *ends, 0.0, n=n, n_clusters=n_classes, method=f"{how}; p: see the level")
            found.append(Claim(encoder, GROUP, measure + ADJUSTED, grouping, level))
    return found


def adjusted_interval(measure: str, adjusted: Score) -> tuple[float, float]:
    """The 95 % interval of an adjusted score; of silhouettes by the whole jackknife, since less of it is too little."""
    return adjusted.interval(high=1.0) if measure == SILHOUETTE else adjusted.interval_given_chance(high=1.0)


def _is_measurable(grouping: str, n: int, n_classes: int) -> bool:
    return n >= MEASURABLE_ROWS and (grouping == CLASS or n_classes >= MEASURABLE_CLUSTERS)


def _how(grouping: str, measure: str, score: Score) -> str:
    what = "pictures" if grouping == CLASS else "classes"
    how = f"{what} permuted {len(score.null)} times"
    if grouping == CLASS and measure == SILHOUETTE:
        how = f"Student's t of {how}"
    kept = "" if measure in LEANED else ", clusters as they are"
    return f"{how}; interval: classes left out{kept}"


def _leanings(scores: Scores) -> dict[str, Score]:
    if CATEGORY not in scores or PERCEPTION not in scores:
        return {}
    return {m: scores[CATEGORY][m].adjusted() - scores[PERCEPTION][m].adjusted() for m in LEANED}


def _leaning(encoder: str, measure: str, against: str | None, score: Score, n: int, n_classes: int) -> Claim:
    p = score.p_zero() if _is_measurable(CATEGORY, n, n_classes) else np.nan
    how = "Student's t; interval: classes left out"
    estimate = Estimate(score.value, *score.interval_given_chance(), 0.0, p, n=n, n_clusters=n_classes, method=how)
    return Claim(encoder, GROUP, measure + LEANING, against, estimate)
