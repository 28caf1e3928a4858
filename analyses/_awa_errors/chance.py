"""What one encoder's names would score if they were given to other pictures. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from concepttransfer.statistics import Floats

from .confusions import Codes, interaction, shuffled_errors, table_of


@dataclass(frozen=True)
class Naming:
    """What one encoder's captions named, in the order of the pictures.

    Attributes:
        system: the encoder.
        truth: [n_rows] code of the right concept.
        named: [n_seeds, n_rows] code of the concept named; -1: none.
        mentions: for each seed the rows and codes of all names that count under the match rule.
        n_concepts: how many concepts can be named.
    """

    system: str
    truth: Codes
    named: Codes
    mentions: tuple[tuple[Codes, Codes], ...]
    n_concepts: int

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """[n_seeds, n_rows]: the right concept was named."""
        return np.asarray(self.named == self.truth)

    @cached_property
    def wrong(self) -> NDArray[np.bool_]:
        """[n_seeds, n_rows]: a concept was named, and it is not the right one."""
        return np.asarray((self.named >= 0) & ~self.right)

    @cached_property
    def classes(self) -> Floats:
        """[n]: share of the pictures whose truth each concept is."""
        return np.bincount(self.truth, minlength=self.n_concepts) / len(self.truth)

    @cached_property
    def mentioned(self) -> Floats:
        """[n_seeds, n, n]: share of the pictures, by true concept and concept mentioned."""
        tables = [table_of(self.truth[rows], codes, self.n_concepts) for rows, codes in self.mentions]
        return np.stack(tables) / len(self.truth)

    @cached_property
    def mentioned_by_chance(self) -> Floats:
        """[n_seeds, n, n]: the same with captions permuted among all pictures."""
        return np.asarray(self.classes[:, None] * self.mentioned.sum(1)[:, None, :], dtype=np.float64)

    @property
    def chance(self) -> float:
        """The share named right by chance, mean over seeds."""
        return float(np.trace(self.mentioned_by_chance.mean(0)))

    @cached_property
    def surplus(self) -> Floats:
        """[n_seeds, n_rows]: its mean is the share named right less chance; what sums of names add cancels."""
        found: Floats = self.right.astype(np.float64)
        for seed, (rows, codes) in enumerate(self.mentions):
            names = self.mentioned[seed].sum(0)
            found[seed] += names @ self.classes - names[self.truth]
            np.subtract.at(found[seed], rows, self.classes[codes])
        return found


class WrongNames:
    """The wrong names of some pictures, and the same names given to others of them."""

    def __init__(self, naming: Naming, wrong: NDArray[np.bool_], *, seed: int = 0, n_draws: int = 500) -> None:
        """Permute the names of the pictures where `wrong` [n_seeds, n_rows] holds, `n_draws` times."""
        self.truth, self.named, self.wrong = naming.truth, naming.named[: len(wrong)], wrong
        self.n_concepts = naming.n_concepts
        rng = np.random.default_rng(seed)
        pairs = [(self.truth[w], named[w]) for w, named in zip(wrong, self.named, strict=True)]
        self.tables = [table_of(truth, said, self.n_concepts) for truth, said in pairs]
        self.shuffled = [shuffled_errors(truth, said, self.n_concepts, rng, n_draws) for truth, said in pairs]

    @cached_property
    def counted(self) -> Floats:
        """[n_seeds, n_rows]: 1 for a wrong name."""
        return self.wrong.astype(np.float64)

    @cached_property
    def observed(self) -> Floats:
        """[n, n]: share of each pair among the wrong names, mean over seeds."""
        return _mean_share(self.tables)

    @cached_property
    def by_chance(self) -> Floats:
        """[n, n]: the same with the names permuted."""
        return _mean_share(self.shuffled)

    def chance(self, similarity: Floats) -> float:
        """The mean similarity of wrong names by chance, mean over seeds; NaN where a seed has none."""
        return float((self.by_chance * similarity).sum()) if all(t.any() for t in self.shuffled) else np.nan

    def values(self, similarity: Floats) -> Floats:
        """[n_seeds, n_rows]: similarity of the wrong name to the truth; 0 where nothing wrong was named."""
        return np.where(self.wrong, similarity[self.truth, self.named], 0.0)

    def surplus(self, similarity: Floats) -> Floats:
        """[n_seeds, n_rows]: the part of it that is about the pair; its mean over errors is the surplus over chance."""
        residuals = np.stack([interaction(similarity, table) for table in self.shuffled])
        pairs = zip(self.wrong, self.named, residuals, strict=True)
        return np.stack([np.where(wrong, r[self.truth, named], 0.0) for wrong, named, r in pairs])


def _mean_share(tables: Sequence[Floats]) -> Floats:
    shares = [table / table.sum() if table.any() else table for table in tables]
    return np.asarray(np.mean(shares, axis=0), dtype=np.float64)
