"""What of entailment is told by the hypothesis alone? A bag of words without premise, as Poliak et al. 2018 ask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from concepttransfer.progress import progress

HYPOTHESIS_ONLY = "hypothesis-only"
"""What the bag of words is called where an encoder's name stands."""
FOLDS = 5


def labels_from_hypotheses(hypotheses: Sequence[str], gold: Sequence[str], *, seed: int = 0) -> list[str]:
    """The label of each pair that its hypothesis' words predict, by logistic regression fitted on other hypotheses.

    The pairs are cut into five parts; each part is predicted from the four others. All pairs of one hypothesis lie in
    one part: else its labels elsewhere would tell what is left for the last of them. With fewer than five different
    hypotheses there is a part for each; with one, all get the commonest label.

    Args:
        hypotheses: n texts.
        gold: their labels.
        seed: of the cut.
    """
    from sklearn.dummy import DummyClassifier
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    different, groups = np.unique([text.lower() for text in hypotheses], return_inverse=True)
    truth = np.array(gold, dtype=object).astype(str)
    folds = np.random.default_rng([seed, 1 << 21]).permutation(len(different)) % min(FOLDS, max(len(different), 1))
    words = CountVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b").fit_transform(hypotheses)
    predicted = np.full(len(truth), "", dtype=object)
    with progress(int(folds.max()) + 1, "fit hypothesis-only models", unit="fold") as bar:
        for fold in range(int(folds.max()) + 1):
            inside = folds[groups] == fold
            known = ~inside if not inside.all() else inside
            several = len(np.unique(truth[known])) > 1 and not inside.all()
            model = LogisticRegression(C=1.0, max_iter=300) if several else DummyClassifier(strategy="most_frequent")
            predicted[inside] = model.fit(words[known], truth[known]).predict(words[inside])
            bar.update()
    return [str(label) for label in predicted]
