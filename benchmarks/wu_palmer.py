"""Wu-Palmer similarity of every caption's noun to every class, from a cold process, against nltk pair by pair."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from benchmarks.measure import NotTheSame, in_child, peak_memory
from benchmarks.record import Measurement, at_least

CLASSES = 50


@dataclass(frozen=True)
class Size:
    """Captions, different nouns that they name, and pairs that nltk compares (its time is scaled to all pairs)."""

    captions: int
    nouns: int
    sample: int


FULL = Size(captions=37_000, nouns=4_000, sample=20_000)
TINY = Size(captions=20, nouns=10, sample=100)

Pairs = list[tuple[str, str]]
Found = tuple[float, float, list[float]]
"""Seconds, peak memory in MB, and the similarities of the sample's pairs."""


def words(size: Size) -> tuple[list[str], list[str]]:
    """The noun of each caption, and the classes: drawn from all nouns of WordNet, as ImageNet's ids."""
    from concepttransfer.language import wordnet

    drawn = random.Random(0)
    ids = [f"n{offset:08d}" for offset in drawn.sample(sorted(wordnet.noun_offsets()), size.nouns + CLASSES)]
    return [drawn.choice(ids[CLASSES:]) for _ in range(size.captions)], ids[:CLASSES]


def ours(said: list[str], classes: list[str], sample: Pairs) -> Found:
    """All pairs."""
    with peak_memory(0.05) as peak:
        start = time.perf_counter()
        from concepttransfer.language.wordnet import wup

        all_pairs = [[wup(truth, noun) for truth in classes] for noun in said]
        seconds = time.perf_counter() - start
    at = {noun: row for row, noun in enumerate(said)}
    column = {truth: number for number, truth in enumerate(classes)}
    return seconds, peak(), [all_pairs[at[noun]][column[truth]] for truth, noun in sample]


def baseline(said: list[str], classes: list[str], sample: Pairs) -> Found:
    """The sample's pairs. What nltk does once, reading its files and every noun, is counted once, the rest scaled."""
    with peak_memory(0.05) as peak:
        start = time.perf_counter()
        from concepttransfer.language.wordnet import wordnet  # nltk's reader, of the same files

        reader = wordnet()
        nouns = {name: reader.synset_from_pos_and_offset("n", int(name[1:])) for name in {*said, *classes}}
        for noun in nouns.values():
            noun.wup_similarity(nouns[classes[0]])
        once = time.perf_counter() - start
        values = [nouns[truth].wup_similarity(nouns[noun]) for truth, noun in sample]
        pairs = time.perf_counter() - start - once
    return once + pairs * len(said) * len(classes) / len(sample), peak(), values


def run(size: Size) -> list[Measurement]:
    """Seconds for all pairs, loading included, and peak memory."""
    said, classes = in_child(words, size)
    drawn = random.Random(1)
    sample = [(drawn.choice(classes), drawn.choice(said)) for _ in range(size.sample)]
    our_seconds, our_peak, our_values = in_child(ours, said, classes, sample)
    usual_seconds, usual_peak, usual_values = in_child(baseline, said, classes, sample)
    if our_values != usual_values:
        raise NotTheSame("nltk gives other similarities.")
    n = size.captions * CLASSES
    what = f"Wu-Palmer of {size.captions} x {CLASSES} pairs, {size.nouns} nouns, cold process"
    return [
        Measurement(what, "pairs/s", n / our_seconds, n / usual_seconds, at_least(50)),
        Measurement(f"{what}: peak memory", "MB", our_peak, usual_peak),
    ]
