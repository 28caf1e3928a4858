"""What a word can be (noun, verb, adjective, adverb) and of which word it is a form, by WordNet 3.0.

Nouns are asked of `wordnet`; verbs, adjectives and adverbs stand in a table that comes with the package, so that every
machine gives the same answers, whatever corpora it has. Forms are found as WordNet's own `morphy` finds them: an
irregular form first, then endings.
"""

from __future__ import annotations

import functools
import lzma
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from ..errors import MissingResourceError
from . import wordnet
from .closed_words import word_set

ARCHIVE = Path(__file__).parent / "wordnet_words.txt.xz"

Kind = Literal["n", "v", "a", "r"]
"""Noun, verb, adjective, adverb."""

PLURAL_ONLY = word_set(
    "arts belongings binoculars clothes eyeglasses fries glasses goggles graffiti greens jeans khakis leggings lens "
    "overalls pajamas pants pyjamas remains scissors series shorts slacks species stairs sunglasses tights trousers "
    "trunks wales woods"
)
"""Nouns that look like a plural of another noun and mean something else. Any other plural is taken for one."""
_PLURALS = (("s", ""), ("ves", "f"), ("ves", "fe"), ("ies", "y"), ("es", ""), ("men", "man"))
_ENDINGS: Mapping[Kind, tuple[tuple[str, str], ...]] = {
    "v": (("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
    "a": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
}


@functools.lru_cache(maxsize=1 << 16)
def kinds(word: str) -> Mapping[Kind, int]:
    """What a base form can be, each with how often it is so in the texts that WordNet's authors tagged.

    A word that is only a noun counts 0, unless it ends in `-ing`; one that WordNet does not have can be nothing.
    """
    found = _table()[0].get(word)
    if found is not None:
        return found
    return {"n": 0} if is_noun(word) else {}


def is_noun(word: str) -> bool:
    """Whether WordNet has a noun, in its base form and in lower case, parts joined by `_`."""
    return word in _nouns()


@functools.lru_cache(maxsize=1 << 16)
def base_form(word: str, kind: Kind) -> str | None:
    """The word of this kind of which `word` is a form, or None: `(sitting, v)` gives sit, `(men, n)` man."""
    if kind == "n":
        return _singular(word) or (word if is_noun(word) else None)
    known, irregular = _table()
    if (word, kind) in irregular:
        return irregular[word, kind]
    if kind in known.get(word, ()):
        return word
    bases = [word.removesuffix(end) + instead for end, instead in _ENDINGS.get(kind, ()) if word.endswith(end)]
    there = [base for base in bases if kind in known.get(base, ())]
    return max(there, key=lambda base: known[base][kind], default=None)


def _singular(word: str) -> str | None:
    """The noun of which a word is the plural, also where WordNet has the plural as a word of its own, as for `men`."""
    if word in PLURAL_ONLY:
        return None
    irregular = wordnet.wordnet()._exception_map["n"].get(word)
    if irregular:
        return str(irregular[0])
    bases = [word.removesuffix(end) + instead for end, instead in _PLURALS if word.endswith(end)]
    return next((base for base in bases if len(base) > 2 and is_noun(base)), None)


@functools.cache
def _nouns() -> frozenset[str]:
    return frozenset(wordnet.noun_lemmas())


@functools.cache
def _table() -> tuple[dict[str, dict[Kind, int]], dict[tuple[str, Kind], str]]:
    """The words that are not only nouns, and the irregular forms of verbs and adjectives."""
    if not ARCHIVE.is_file():
        raise MissingResourceError(f"{ARCHIVE} is missing. Install concepttransfer again.")
    words, _, forms = lzma.decompress(ARCHIVE.read_bytes()).decode("ascii").partition("\n\n")
    known: dict[str, dict[Kind, int]] = {}
    every: tuple[Kind, ...] = ("n", "v", "a", "r")
    for line in words.splitlines():
        if not line.startswith(" "):
            word, *counts = line.split()
            known[word] = {kind: int(count) for kind, count in zip(every, counts, strict=True) if count != "-"}
    irregular: dict[tuple[str, Kind], str] = {}
    for line in forms.splitlines():
        kind, form, base = line.split()
        irregular[form, "v" if kind == "v" else "a"] = base
    return known, irregular
