"""WordNet 3.0's nouns through nltk's reader, and Wu-Palmer similarity between them.

The user's installed nltk corpus is read when there is one, and an embedded slice of the noun taxonomy otherwise. Both
give the same similarities, and both may be asked from several threads. Newer WordNets are not used: their taxonomies
differ.
"""

from __future__ import annotations

import functools
import logging
import re
import threading
from typing import TYPE_CHECKING

from ..errors import BadInputError
from .wordnet_files import installed_corpus, slice_folder
from .wu_palmer import Place, place, similarity

if TYPE_CHECKING:
    from nltk.corpus.reader.wordnet import Synset, WordNetCorpusReader

logger = logging.getLogger(__name__)

VERSION = "3.0"

_WNID = re.compile(r"n\d{8}")
_loading = threading.RLock()


def wordnet() -> WordNetCorpusReader:
    """nltk's reader of WordNet 3.0, loaded once a process; safe to ask from several threads.

    Raises:
        MissingResourceError: the installation lacks the embedded slice, and nltk has no corpus.
    """
    return _loaded()[0]


def wordnet_source() -> str:
    """Which WordNet answers, for provenance: `nltk corpus 3.0` or `embedded noun slice, WordNet 3.0`."""
    return _loaded()[1]


def synset(name: str) -> Synset:
    """The noun synset of a WordNet name (`dog.n.01`) or ImageNet id (`n02084071`).

    Raises:
        BadInputError: there is no such noun in WordNet 3.0.
    """
    reader = wordnet()
    if _WNID.fullmatch(name):
        if int(name[1:]) not in noun_offsets():
            raise BadInputError(
                f"No noun of WordNet {VERSION} has the id `{name}`. ImageNet's ids look like n02084071."
            )
        return reader.synset_from_pos_and_offset("n", int(name[1:]))
    lemma, _, sense = name.lower().rpartition(".n.")
    if sense.isdecimal() and 1 <= int(sense) <= len(noun_senses(lemma, inflected=False)):
        return noun_senses(lemma, inflected=False)[int(sense) - 1]
    there = ", ".join(s.name() for s in noun_senses(lemma or name.split(".")[0]))
    hint = f"WordNet has: {there}." if there else "Names look like dog.n.01, ids like n02084071."
    raise BadInputError(f"No noun synset `{name}` in WordNet {VERSION}. {hint}")


def wnid(name: str) -> str:
    """ImageNet's id (`n02084071`) of a synset: `n` and its byte offset in WordNet 3.0, eight digits."""
    return f"n{synset(name).offset():08d}"


def noun_senses(word: str, *, inflected: bool = True) -> list[Synset]:
    """A noun's synsets, most frequent sense first; none if WordNet does not have the noun.

    Args:
        word: in any case, blanks or underscores between its parts.
        inflected: also look up the base form of a plural (`mice`).
    """
    lemma = "_".join(word.lower().split())
    if inflected:
        return list(wordnet().synsets(lemma, pos="n"))
    reader = wordnet()
    offsets = reader._lemma_pos_offset_map.get(lemma, {}).get("n", [])
    return [reader.synset_from_pos_and_offset("n", offset) for offset in offsets]


def noun_lemmas() -> tuple[str, ...]:
    """All of WordNet's nouns in lower case, parts joined by `_`: 117,798 of them."""
    return tuple(wordnet().all_lemma_names(pos="n"))


@functools.cache
def noun_offsets() -> frozenset[int]:
    """The byte offsets of all 82,115 noun synsets: ImageNet's ids without their `n`."""
    index = wordnet()._lemma_pos_offset_map
    return frozenset(offset for senses in index.values() for offset in senses.get("n", ()))


@functools.cache
def irregular_plurals() -> dict[str, tuple[str, ...]]:
    """WordNet's exceptional forms turned round: noun -> its irregular plurals, such as mouse -> (mice,)."""
    plurals: dict[str, tuple[str, ...]] = {}
    for plural, nouns in wordnet()._exception_map["n"].items():
        for noun in nouns:
            plurals[noun] = (*plurals.get(noun, ()), plural)
    return plurals


@functools.cache
def kinds_above(name: str) -> frozenset[str]:
    """The synset itself and everything that it is a kind or an instance of: names such as `animal.n.01`."""
    return frozenset(s.name() for step in synset(name)._iter_hypernym_lists() for s in step)


@functools.cache
def wup(a: str, b: str) -> float:
    """How alike are two nouns by their place in the taxonomy? Wu-Palmer similarity in (0, 1].

    Exactly nltk's `synset(a).wup_similarity(synset(b))`: 2 d / (l_a + l_b), with d the depth of the common hypernym
    whose shortest path to the root is longest (counted along its longest path), and l the lengths through it. Synsets
    with several hypernyms make it odd: a dog is .93 like itself, and for a few pairs the order of the arguments
    matters. In this project the truth comes first. Looked up once a pair.

    Args:
        a: a synset's name or ImageNet id; in a comparison, the truth.
        b: the other; in a comparison, what was said.

    Raises:
        BadInputError: one of them is no noun of WordNet 3.0.
    """
    return similarity(_place(a), _place(b))


@functools.cache
def wup_words(a: str, b: str) -> float:
    """How alike are two words? Wu-Palmer similarity of their most similar noun senses, in (0, 1].

    Raises:
        BadInputError: one of them is no noun of WordNet 3.0.
    """
    return max(wup(one.name(), other.name()) for one in _senses_of(a) for other in _senses_of(b))


@functools.cache
def wup_to_word(a: str, word: str) -> float:
    """How like the synset `a` is a word? Wu-Palmer similarity to that noun sense of `word` that is most similar.

    Raises:
        BadInputError: no such synset, or the word is no noun of WordNet 3.0.
    """
    return max(wup(a, sense.name()) for sense in _senses_of(word))


@functools.cache
def _place(name: str) -> Place:
    return place(synset(name))


def _senses_of(word: str) -> list[Synset]:
    senses = noun_senses(word)
    if not senses:
        raise BadInputError(f"`{word}` is no noun of WordNet {VERSION}. Choose another word or name its synset.")
    return senses


def _loaded() -> tuple[WordNetCorpusReader, str]:
    with _loading:
        return _load()


@functools.cache
def _load() -> tuple[WordNetCorpusReader, str]:
    from .wordnet_reader import Reader, SliceReader

    root = installed_corpus()
    if root is not None:
        try:
            reader = Reader(root)
        except (OSError, ValueError, LookupError) as error:
            logger.warning("nltk's WordNet cannot be read (%s); the embedded noun slice is used.", error)
        else:
            if reader.get_version() == VERSION:
                return reader, f"nltk corpus {VERSION}"
            logger.warning("nltk's WordNet is %s; the embedded noun slice of 3.0 is used.", reader.get_version())
    return SliceReader(slice_folder()), f"embedded noun slice, WordNet {VERSION}"
