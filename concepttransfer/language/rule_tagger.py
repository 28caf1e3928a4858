"""Parts of speech by rules over WordNet: what is used where no trained tagger is, the same on every machine.

A closed word is what it is. Any other is what WordNet says its base form can be; where that is several things, the
words beside it decide, and then what it is more often in the texts that WordNet's authors tagged. The rules are made
for captions: fragments in the present tense, full of `-ing`. docs/concept-recall.md says how often they agree with a
trained tagger.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Literal

from . import closed_words as closed
from .naming import COLOURS
from .word_forms import Kind, base_form, is_noun, kinds

Part = Literal["noun", "verb", "adjective", "number", "preposition", "other"]
"""What a word is in its sentence."""

VERSION = "rules-1"
"""The name of these rules; it changes with them."""

_NUMBER = re.compile(r"\d[\d.,:/-]*(st|nd|rd|th|s)?")
_NAMES: dict[Kind, Part] = {"n": "noun", "v": "verb", "a": "adjective", "r": "other"}
_OTHERS = closed.DETERMINERS | closed.POSSESSIVES | closed.PRONOUNS | closed.CONJUNCTIONS | closed.AUXILIARIES
_BEFORE_NOUNS = closed.DETERMINERS | closed.POSSESSIVES | closed.QUANTITIES
_ARTICLES = frozenset(["a", "an", "the"]) | closed.POSSESSIVES
_BEFORE_VERBS = frozenset(["to", "who", "that", "which", "they", "we", "you", "i", "can", "will", "ca", "n't"])
_NEVER_BEFORE_NOUNS = _OTHERS | closed.PREPOSITIONS | closed.ADVERBS | {"next", "close"}
_BE = frozenset(["is", "are", "was", "were", "be", "been", "being", "'s", "'re"])
RARE = 8
"""What a word is so many times less often than something else it is not, where nothing beside it says so."""


def tag(words: Sequence[str]) -> list[Part]:
    """The part of speech of each word of a text in lower case."""
    found: list[Part] = []
    for at, word in enumerate(words):
        before = words[at - 1] if at else ""
        after = words[at + 1] if at + 1 < len(words) else ""
        found.append(_tag(word, before, found[-1] if found else "other", after))
    return found


def _tag(word: str, before: str, part_before: Part, after: str) -> Part:
    if (part := _closed(word, before, after)) is not None:
        return part
    can = _can_be(word)
    if len(can) < 2:
        return _NAMES[next(iter(can), "n")]
    described = before in _BEFORE_NOUNS or part_before in ("adjective", "number")
    inflected = "v" in can and base_form(word, "v") != word
    if inflected and word.endswith("ing"):
        return _ing(can, before, part_before, after)
    if inflected and word.endswith("ed"):
        return "adjective" if "a" in can and described and _noun_like(after) else "verb"
    if described and "n" in can and not ("a" in can and _noun_like(after)):
        return "noun"
    if "v" in can and not described and _says_verb(word, can, before, part_before, after):
        return "verb"
    return _noun_or_adjective(can, before, part_before, after)


def _closed(word: str, before: str, after: str) -> Part | None:
    """What a word is that is always the same; None for the others."""
    if word == "to" and _is_base_verb(after):
        return "other"
    if word in closed.PREPOSITIONS:
        return "noun" if before in closed.DETERMINERS and after in ("of", "") else "preposition"
    if word in closed.NUMBERS or _NUMBER.fullmatch(word):
        return "number"
    if word in _OTHERS or word in closed.ADVERBS:
        return "other"
    if word in closed.HAVE:
        return "verb"
    if word in closed.QUANTITIES or (word in COLOURS and (word != "orange" or after == "and" or _noun_like(after))):
        return "adjective"
    return None


@functools.lru_cache(maxsize=1 << 16)
def _can_be(word: str) -> dict[Kind, int]:
    """What a word can be, by its base forms, and how often each is so; by its ending, if WordNet does not know it."""
    found: dict[Kind, int] = {}
    every: tuple[Kind, ...] = ("n", "v", "a", "r")
    for kind in every:
        base = base_form(word, kind)
        if base is not None and kind in kinds(base):
            found[kind] = kinds(base)[kind]
    return found or {_by_ending(word): 0}


def _without_rare(can: dict[Kind, int]) -> dict[Kind, int]:
    most = max(can.values())
    return {kind: n for kind, n in can.items() if RARE * (n + 1) >= most}


def _by_ending(word: str) -> Kind:
    if "-" in word and word.endswith(("ed", "ing", "y")):
        return "a"
    if word.endswith(("ing", "ed")) and len(word) > 4:
        return "v"
    return "r" if word.endswith("ly") else "n"


def _ing(can: dict[Kind, int], before: str, part_before: Part, after: str) -> Part:
    """`building` is a noun, but in "a man building a wall"; `living` an adjective in "a living thing"."""
    described = (part_before == "adjective" and before not in closed.QUANTITIES) or before in _ARTICLES
    if described and can.get("a") and _noun_like(after):
        return "adjective"
    if "n" not in can:
        return "verb"
    often = 4 * can["n"] > can["v"]
    if part_before in ("noun", "verb") or before in _BE:
        return "noun" if often and after not in closed.DETERMINERS | closed.POSSESSIVES else "verb"
    return "noun" if described or before == "of" or often else "verb"


def _says_verb(word: str, can: dict[Kind, int], before: str, part_before: Part, after: str) -> bool:
    """Whether a form that can be a verb's and something else's, and has no word before it that describes, is a verb.

    "Teddy bears" are not what a teddy does: with the word before it, it is a noun of WordNet's.
    """
    if part_before == "preposition" or is_noun(f"{before}_{base_form(word, 'n')}"):
        return False
    if before in _BEFORE_VERBS:
        return True
    other = max(n for kind, n in can.items() if kind != "v")
    ends_clause = after in ("", "that", "which", "who") or after in closed.CONJUNCTIONS
    if base_form(word, "v") != word:
        if before in _BE and not word.endswith("s"):
            return RARE * (can["v"] + 1) > other
        acts = part_before == "noun" or before in _OTHERS
        return acts and not ends_clause and RARE * (can["v"] + 1) > other and not _noun_like(after)
    plural = part_before == "noun" and (_is_plural(before) or before == "people")
    return plural and can["v"] + 1 > other * (3 if ends_clause else 0.5)


def _noun_or_adjective(can: dict[Kind, int], before: str, part_before: Part, after: str) -> Part:
    left = _without_rare({kind: n for kind, n in can.items() if kind != "v"} or can)
    if "a" in left and "n" in left:
        if _noun_like(after) or before in _BE:
            return "adjective" if 2 * left["a"] >= left["n"] else "noun"
        return "noun" if part_before == "preposition" or left["n"] > left["a"] else "adjective"
    return _NAMES[max(left, key=lambda kind: left[kind])]


def _noun_like(word: str) -> bool:
    """Whether a word can stand where an adjective's noun, or another adjective before it, stands."""
    if not word or word in _NEVER_BEFORE_NOUNS:
        return False
    can = _can_be(word)
    if word.endswith("ing") and "v" in can and 4 * can.get("n", 0) <= can["v"]:
        return False
    return "n" in can or "a" in can


def _is_base_verb(word: str) -> bool:
    """Whether a word can only be meant as a verb after `to`: more often a verb than anything else."""
    can = _can_be(word) if word else {}
    return word == "be" or (base_form(word, "v") == word and can.get("v", -1) >= max(can.values(), default=0))


def _is_plural(word: str) -> bool:
    return base_form(word, "n") not in (None, word)
