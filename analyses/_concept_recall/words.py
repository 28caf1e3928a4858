"""What a caption says, as nouns, modifiers and relations; and which of them the references say most often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from concepttransfer.language import wordnet
from concepttransfer.language.closed_words import NUMBERS, PREPOSITIONS
from concepttransfer.language.naming import PLAIN_ADJECTIVES
from concepttransfer.language.parts_of_speech import Tagged, Tagger
from concepttransfer.language.word_forms import base_form, is_noun

from .groups import KINDS, Groups, Kind

MOST_PARTS = 4
"""The longest noun of several words that is looked for."""
_WITHIN = ("noun", "adjective", "verb")


@dataclass(frozen=True, order=True)
class Word:
    """A word that is measured.

    Attributes:
        kind: nouns, modifiers or relations.
        category: within its kind.
        text: in its base form, blanks between its parts.
    """

    kind: Kind
    category: str
    text: str

    @property
    def group(self) -> str:
        """As estimates name it, such as `nouns/animals/dog`."""
        return f"{self.kind}/{self.category}/{self.text}"


class Reader:
    """Reads captions: each distinct text once."""

    def __init__(self, tagger: Tagger, groups: Groups) -> None:
        """Take what tags words and what groups them."""
        self.tagger, self.groups = tagger, groups
        self._known: dict[str, tuple[Word, ...]] = {}
        self._word = cache(self._make)

    def words(self, texts: Sequence[str]) -> list[tuple[Word, ...]]:
        """What each text says, in its order, as often as it does."""
        if new := [text for text in dict.fromkeys(texts) if text not in self._known]:
            for text, tagged in zip(new, self.tagger.tag(new), strict=True):
                self._known[text] = tuple(self._read(tagged))
        return [self._known[text] for text in texts]

    def find(self, kind: Kind, text: str) -> Word:
        """A word that the user lists, in any form; what nobody knows is of the category `other`."""
        if kind == "nouns":
            *before, last = text.split()
            text = " ".join([*before, base_form(last, "n") or last])
        is_verb = kind == "relations" and " " not in text and text not in PREPOSITIONS
        if is_verb:
            text = base_form(text, "v") or text
        part = "verb" if is_verb else "number" if text in NUMBERS or text.isdigit() else ""
        return self._word(kind, self.groups.one(kind, text), part)

    def _make(self, kind: Kind, text: str, part: str) -> Word:
        return Word(kind, self.groups.category(kind, text, part), text)

    def nouns_at(self, text: str) -> list[tuple[int, int, str]]:
        """The nouns of a text with the first and the last of its words (`caption_tokens`) that each is written in.

        Of a noun of several words the whole alone: no bear beside a polar bear.
        """
        (tagged,) = self.tagger.tag([text])
        parts = ((start, end, next((word for word in words), None)) for start, end, words in self._parts(tagged))
        return [(start, end - 1, word.text) for start, end, word in parts if word is not None and word.kind == "nouns"]

    def _read(self, tagged: Sequence[Tagged]) -> Iterator[Word]:
        for _, _, words in self._parts(tagged):
            yield from words

    def _parts(self, tagged: Sequence[Tagged]) -> Iterator[tuple[int, int, Iterator[Word]]]:
        """Where each part of a text begins and ends, and the words that it is counted as."""
        at = 0
        while at < len(tagged):
            start = at
            if phrase := self._phrase(tagged, at):
                at += len(phrase)
                yield start, at, self._counted("relations", " ".join(phrase), "")
            elif size := _noun_of_several(tagged, at, self.groups):
                at += size
                yield start, at, self._compound(tagged[start:at])
            else:
                at += 1
                yield start, at, self._single(tagged[start])

    def _phrase(self, tagged: Sequence[Tagged], at: int) -> tuple[str, ...] | None:
        """The longest relation of several words at a place, word for word."""
        for phrase in self.groups.phrases.get(tagged[at].word, ()):
            if tuple(one.word for one in tagged[at : at + len(phrase)]) == phrase:
                return phrase
        return None

    def _compound(self, parts: Sequence[Tagged]) -> Iterator[Word]:
        """A noun of several words; and its last word, where the whole is a kind of that: a polar bear is a bear."""
        whole = " ".join(_as_wordnet(parts))
        yield from self._counted("nouns", whole, "noun")
        last = self.groups.one("nouns", parts[-1].lemma)
        sense = self.groups.sense(last)
        wholes = wordnet.noun_senses(whole, inflected=False)
        if sense and any(sense in wordnet.kinds_above(one.name()) for one in wholes):
            yield from self._counted("nouns", last, "noun")

    def _single(self, one: Tagged) -> Iterator[Word]:
        if one.part == "noun":
            yield from self._counted("nouns", one.lemma, one.part)
        elif one.part in ("adjective", "number"):
            yield from self._counted("modifiers", one.lemma, one.part)
        elif one.part in ("verb", "preposition"):
            yield from self._counted("relations", one.lemma, one.part)

    def _counted(self, kind: Kind, text: str, part: str) -> Iterator[Word]:
        text = self.groups.one(kind, text)
        if text not in self.groups.left_out.get(kind, ()) and "/" not in text and any(map(str.isalnum, text)):
            yield self._word(kind, text, part)


def _noun_of_several(tagged: Sequence[Tagged], at: int, groups: Groups) -> int:
    """How many words the longest noun of several words at a place takes, or 0: the grouping file's, and WordNet's.

    Of WordNet's, colours, sizes and ages only describe: a "little dog" is no noun. A verb begins one only where a verb
    cannot stand: "a living room", but not "a man riding horses".
    """
    first = tagged[at]
    before = tagged[at - 1].part if at else ""
    acts = first.part == "verb" and before not in ("other", "adjective", "preposition", "number")
    if first.part not in _WITHIN or acts:
        return 0
    for size in range(min(MOST_PARTS, len(tagged) - at), 1, -1):
        parts = tagged[at : at + size]
        if parts[-1].part != "noun" or any(one.part not in _WITHIN for one in parts):
            continue
        words = _as_wordnet(parts)
        in_wordnet = first.word not in PLAIN_ADJECTIVES and is_noun("_".join(words))
        if in_wordnet or groups.has_noun(" ".join(words)):
            return size
    return 0


def _as_wordnet(parts: Sequence[Tagged]) -> list[str]:
    """The words of a noun of several words: only the last is brought to its base form."""
    return [*(one.word for one in parts[:-1]), parts[-1].lemma]


def frequent(
    reader: Reader, references: Sequence[Sequence[str]], n_words: int, wanted: Mapping[Kind, Sequence[str]]
) -> list[Word]:
    """The words to be measured: of each kind the most frequent in all references, or those that the user lists.

    Returns:
        By kind, then by category in the grouping file's order, then the most frequent first.
    """
    counts: Counter[Word] = Counter()
    for texts in references:
        for words in reader.words(texts):
            counts.update(words)
    found: list[Word] = []
    for kind in KINDS:
        if wanted:
            chosen = list(dict.fromkeys(reader.find(kind, text) for text in wanted.get(kind, ())))
        else:
            ordered = sorted((word for word in counts if word.kind == kind), key=lambda w: (-counts[w], w.text))
            chosen = _once(ordered)[:n_words]
        place = {name: n for n, name in enumerate(reader.groups.categories(kind))}
        found += sorted(chosen, key=lambda word: (place[word.category], -counts[word], word.text))
    return found


def _once(ordered: Sequence[Word]) -> list[Word]:
    """Each text once: the commoner of two categories, where a word is both a verb and a preposition."""
    return list({word.text: word for word in reversed(ordered)}.values())[::-1]
