"""Captions and references made of a few words, for the tests of caption scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from concepttransfer.captioning import Captions
from concepttransfer.language import external_scorers
from concepttransfer.language.caption_tokens import tokens
from concepttransfer.manifest import Manifest, Row

needs_java = pytest.mark.skipif(
    external_scorers.missing(external_scorers.METEOR) is not None,
    reason=f"METEOR {external_scorers.missing(external_scorers.METEOR)}",
)

WORDS = tokens("a the red big small dog cat horse sits runs on in grass house street near two with white ball")


def captions(texts, encoder="beit", seed=0, study="other"):
    table = pd.DataFrame({"row_id": list(texts), "text": list(texts.values())})
    table = table.assign(sample=0, prompt="A picture of", n_tokens=3, logprob=-1.0)
    return Captions(Path("none"), f"{encoder}-{seed}", table, encoder, seed, "m", "coco", study, {})


def references(texts, domains=None):
    labels = domains or dict.fromkeys(texts)
    rows = tuple(
        Row(row, texts=tuple(t), labels={} if labels[row] is None else {"domain": labels[row]})
        for row, t in texts.items()
    )
    return Manifest("coco", rows)


def speech(rng, n_words=None):
    return " ".join(rng.choice(WORDS, n_words or rng.integers(4, 11)))


def drawn(n, n_references=3, seed=0):
    rng = np.random.default_rng(seed)
    return {f"row {i}": [speech(rng) for _ in range(n_references)] for i in range(n)}


def described(texts, rng, right):
    """A caption of each picture: with probability `right` a few words of its first reference changed, else any."""

    def near(text):
        return " ".join(rng.choice(WORDS) if rng.random() < 0.2 else word for word in text.split())

    return {row: near(t[0]) if rng.random() < right else speech(rng) for row, t in texts.items()}
