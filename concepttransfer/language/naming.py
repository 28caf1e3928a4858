"""Which of some things does a text name? Longest match over their words, plurals included, within word boundaries.

The rule, in full:

1. A text is read word by word; case and hyphens do not matter. No name runs over punctuation, nor over a possessive
   that WordNet does not write: "a wolf's den" names a wolf, "wolf's bane" does not.
2. At each place the longest name wins and its words are used up: "grizzly bear" is not also "bear".
3. A longer noun of WordNet that holds a name competes with it: "hot dog", "teddy bear" and "sea lion" name no dog, bear
   or lion. It does name the thing if one of its senses is a kind of it or its young ("red fox", "lion cub"), or if it
   ends in the thing's own name and WordNet puts it beside the thing, under one hypernym ("sea otter", "fishing boat").
4. Colours, sizes and ages before a thing's own name only describe it: "white sheep" and "little dog" name a sheep and
   a dog, whatever else WordNet knows by these names. So do longer nouns that stand only for persons or for nothing
   physical ("lone wolf", "dog show"): a caption tells what is seen.
5. A name joined by a hyphen to a word after it only describes: "horse-drawn", "bat-like".
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from . import wordnet

Words = tuple[str, ...]

_BREAK = re.compile(r"[^\w\s'’-]+")
_WORD = re.compile(r"([^\W_]+(?:['’][^\W_]+)*['’]?)(-(?=[^\W_]))?")
_POSSESSIVE = re.compile(r"'s?$")
_SIBILANT = re.compile(r"(s|x|z|ch|sh)$")
_CONSONANT_Y = re.compile(r"[^aeiou]y$")

PHYSICAL, PERSON, YOUNG = "physical_entity.n.01", "person.n.01", "young.n.01"
COLOURS = [
    "black",
    "white",
    "brown",
    "gray",
    "grey",
    "golden",
    "yellow",
    "orange",
    "red",
    "pink",
    "purple",
    "blue",
    "green",
]
SIZES = ["big", "large", "great", "huge", "tall", "long", "little", "small", "tiny", "short"]
AGES = ["young", "old", "baby"]
PLAIN_ADJECTIVES = frozenset(COLOURS + SIZES + AGES)


def plurals(noun: str) -> tuple[str, ...]:
    """A noun's plurals, regular and irregular: mouse -> (mouses, mice). A word that is never said does no harm."""
    if _SIBILANT.search(noun):
        regular = [noun + "es"]
    elif _CONSONANT_Y.search(noun):
        regular = [noun[:-1] + "ies"]
    else:
        regular = [noun + "s"] + ([noun + "es"] if noun.endswith("o") else [])
    return tuple(dict.fromkeys([*regular, *wordnet.irregular_plurals().get(noun, ())]))


class _Word(NamedTuple):
    """One word of a text: as written, and whether a hyphen joins it to the next."""

    written: str
    describes: bool

    @property
    def bare(self) -> str:
        """Without the ending of a possessive."""
        return _POSSESSIVE.sub("", self.written)


class NameFinder:
    """Finds the names of some things in texts.

    Loads WordNet when it first reads a text.
    """

    def __init__(self, words: Mapping[str, Sequence[str]], synsets: Mapping[str, str]) -> None:
        """Take each thing's words and its noun synset, both by the thing's name."""
        self._words = {name: [_split(word) for word in said] for name, said in words.items()}
        self._synsets = synsets

    def mentions(self, text: str) -> list[str]:
        """The things that `text` names, in order, as often as it does. A word that two things share names both."""
        found: list[str] = []
        for part in _BREAK.split(text.lower()):
            words = [_Word(m[1].replace("’", "'"), m[2] is not None) for m in _WORD.finditer(part)]
            at = 0
            while at < len(words):
                length, names = self._longest(words, at)
                found += names
                at += max(length, 1)
        return found

    def _longest(self, words: Sequence[_Word], at: int) -> tuple[int, Words]:
        """How many words the longest name at a place takes (0: there is none), and the things that it names."""
        first = words[at]
        for start in dict.fromkeys([first.written, first.bare]):
            for phrase, names in self._by_first_word.get(start, ()):
                end = at + len(phrase)
                said = tuple(word.written for word in words[at : end - 1])
                if (
                    end <= len(words)
                    and said == phrase[:-1]
                    and phrase[-1] in (words[end - 1].written, words[end - 1].bare)
                ):
                    return len(phrase), () if words[end - 1].describes else names
        return 0, ()

    @cached_property
    def _by_first_word(self) -> dict[str, list[tuple[Words, Words]]]:
        """For each word the phrases that begin with it, longest first, and the things that each names."""
        found: dict[str, list[tuple[Words, Words]]] = defaultdict(list)
        for phrase, names in self._phrases.items():
            found[phrase[0]].append((phrase, names))
        for phrases in found.values():
            phrases.sort(key=lambda entry: -len(entry[0]))
        return dict(found)

    @cached_property
    def _phrases(self) -> dict[Words, Words]:
        phrases: dict[Words, Words] = {}
        for name, said in self._words.items():
            for form in (form for phrase in said for form in _forms(phrase)):
                phrases[form] = (*phrases.get(form, ()), name)
        for phrase, names in self._longer_nouns():
            for form in _forms(phrase):
                phrases.setdefault(form, names)
        return phrases

    def _longer_nouns(self) -> Iterator[tuple[Words, Words]]:
        """WordNet's nouns that hold a name and more, and which things each names: often none."""
        held_by: dict[str, list[tuple[Words, str]]] = defaultdict(list)
        for name, said in self._words.items():
            for phrase in said:
                held_by[phrase[0]].append((phrase, name))
        for lemma in wordnet.noun_lemmas():
            noun = _split(lemma) if "_" in lemma or "-" in lemma else ()
            bare = tuple(_POSSESSIVE.sub("", word) for word in noun)
            held = [name for word in bare for phrase, name in held_by.get(word, ()) if _holds(bare, phrase)]
            if not held:
                continue
            senses = [wordnet.kinds_above(sense.name()) for sense in wordnet.noun_senses(lemma, inflected=False)]
            names = tuple(name for name in dict.fromkeys(held) if self._names(noun, senses, name))
            if names or any(PHYSICAL in above and PERSON not in above for above in senses):
                yield noun, names

    def _names(self, noun: Words, senses: Sequence[frozenset[str]], name: str) -> bool:
        """Whether a longer noun, by what is above each of its senses, names the thing whose name it holds."""
        own = self._words[name][0]
        thing = wordnet.synset(self._synsets[name])
        if any(thing.name() in above for above in senses):
            return True
        if any(YOUNG in above for above in senses):
            return any(noun[: len(phrase)] == phrase or noun[-len(phrase) :] == phrase for phrase in self._words[name])
        if noun[-len(own) :] != own:
            return False
        beside = {above.name() for above in thing.hypernyms()}
        return PLAIN_ADJECTIVES.issuperset(noun[: -len(own)]) or any(beside & above for above in senses)


def _split(phrase: str) -> Words:
    return tuple(phrase.lower().replace("_", " ").replace("-", " ").split())


def _forms(phrase: Words) -> list[Words]:
    """A phrase in the singular and with its last word in the plural."""
    return [phrase, *((*phrase[:-1], plural) for plural in plurals(phrase[-1]))]


def _holds(noun: Words, phrase: Words) -> bool:
    """Whether a longer noun holds a phrase, word by word."""
    size = len(phrase)
    return size < len(noun) and any(noun[at : at + size] == phrase for at in range(len(noun) - size + 1))
