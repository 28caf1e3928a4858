"""Which words of a text are nouns, verbs, adjectives, numbers, prepositions? By the best tagger that is there.

The chain: spaCy's `en_core_web_sm` if it is installed, then nltk's perceptron tagger if its data is there, then rules
over WordNet's parts of speech, which are always there. They differ: every result names the tagger that ran, and numbers
of two taggers are not to be compared. All three read the same words (`caption_tokens`, in lower case), and the same
rule makes base forms of them (`word_forms`), so that they differ in nothing but the parts of speech.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from ..errors import MissingResourceError, UnknownNameError
from ..progress import progress
from . import closed_words as closed
from . import rule_tagger
from .caption_tokens import tokens
from .rule_tagger import Part
from .word_forms import Kind, base_form

TaggerName = Literal["auto", "spacy", "nltk", "rules"]
CHAIN: tuple[TaggerName, ...] = ("spacy", "nltk", "rules")
SPACY_MODEL = "en_core_web_sm"
NLTK_TAGGER = "averaged_perceptron_tagger_eng"

_KINDS: dict[Part, Kind] = {"noun": "n", "verb": "v", "adjective": "a"}


class Tagged(NamedTuple):
    """One word of a text.

    Attributes:
        word: as written, in lower case.
        part: what it is in the sentence.
        lemma: its base form: `sit` of "sitting", `man` of "men"; the word itself where none is known.
    """

    word: str
    part: Part
    lemma: str


class Tagger:
    """Tags texts, each distinct one once."""

    def __init__(self, name: str, parts_of: Callable[[Sequence[str]], list[Part]]) -> None:
        """Take what tags the words of one text.

        Args:
            name: with version, as results name it.
            parts_of: the parts of the words of one text.
        """
        self.name, self._parts_of = name, parts_of
        self._known: dict[str, tuple[Tagged, ...]] = {}
        self._tagging = threading.Lock()

    def tag(self, texts: Sequence[str], *, quiet: bool = False) -> list[tuple[Tagged, ...]]:
        """The words of each text with their parts of speech and base forms, in the order of the texts."""
        with self._tagging:
            new = [text for text in dict.fromkeys(texts) if text not in self._known]
            with progress(len(new), f"parts of speech by {self.name}", unit="text", quiet=quiet) as bar:
                for text in new:
                    words = tokens(text)
                    self._known[text] = tuple(map(_tagged, words, self._parts_of(words)))
                    bar.update()
        return [self._known[text] for text in texts]


def tagger(which: TaggerName = "auto") -> Tagger:
    """A tagger by name, or the first of the chain that is there; loaded once a process.

    Raises:
        MissingResourceError: the one named is not there.
        UnknownNameError: there is none of that name.
    """
    if which == "auto":
        which = best()
    if which not in CHAIN:
        raise UnknownNameError("tagger", which, ["auto", *CHAIN])
    if not is_there(which):
        raise MissingResourceError(
            f"The tagger `{which}` is not here: {_REMEDIES[which]}, or leave --tagger away, and the best one that is "
            "here is taken."
        )
    return _MAKERS[which]()


def best() -> TaggerName:
    """The first of the chain that is there; the rules always are, and are the last."""
    return next(name for name in CHAIN if is_there(name))


def is_there(which: TaggerName) -> bool:
    """Whether a tagger can be used: its model or data is installed. The rules always can."""
    if which == "spacy":
        import importlib.util

        return all(importlib.util.find_spec(name) is not None for name in ("spacy", SPACY_MODEL))
    return which == "rules" or (which == "nltk" and _nltk_has_data())


def part_of_tag(tag: str, word: str, next_tag: str) -> Part:
    """What a tag of the Penn Treebank means here.

    Pronouns are no nouns, forms of `be`, `do` and modal verbs no verbs, and `to` before a verb is no preposition: they
    tell nothing of a picture.
    """
    if word in closed.PRONOUNS or word in closed.AUXILIARIES:
        return "other"
    if tag.startswith("NN"):
        return "noun"
    if tag.startswith("VB"):
        return "verb"
    if tag.startswith("JJ"):
        return "adjective"
    if tag == "CD":
        return "number"
    infinitive = word == "to" and next_tag == "VB"
    is_preposition = tag in ("IN", "TO", "RP", "RB") and word in closed.PREPOSITIONS
    return "preposition" if is_preposition and not infinitive else "other"


@functools.lru_cache(maxsize=1 << 16)
def _tagged(word: str, part: Part) -> Tagged:
    kind = _KINDS.get(part)
    return Tagged(word, part, (base_form(word, kind) if kind else None) or word)


@functools.cache
def _spacy() -> Tagger:
    """spaCy's tagger without what is not asked of it."""
    from importlib.metadata import version

    import spacy
    from spacy.tokens import Doc

    try:
        model = spacy.load(SPACY_MODEL, exclude=["parser", "ner", "lemmatizer"])
    except (OSError, ImportError, ValueError) as error:
        message = f"spaCy cannot load {SPACY_MODEL} ({error}). {_REMEDIES['spacy']}, or choose: --tagger rules"
        raise MissingResourceError(message) from error

    def parts_of(words: Sequence[str]) -> list[Part]:
        return _parts(words, [token.tag_ for token in model(Doc(model.vocab, words=list(words)))])

    return Tagger(f"spaCy {version('spacy')}, {SPACY_MODEL} {model.meta['version']}", parts_of)


@functools.cache
def _nltk() -> Tagger:
    import nltk
    from nltk.tag.perceptron import PerceptronTagger

    perceptron = PerceptronTagger(lang="eng")

    def parts_of(words: Sequence[str]) -> list[Part]:
        return _parts(words, [tag for _, tag in perceptron.tag(list(words))])

    return Tagger(f"nltk {nltk.__version__}, {NLTK_TAGGER}", parts_of)


@functools.cache
def _rules() -> Tagger:
    return Tagger(f"{rule_tagger.VERSION} over WordNet 3.0", rule_tagger.tag)


def _parts(words: Sequence[str], tags: Sequence[str]) -> list[Part]:
    return [part_of_tag(tag, word, after) for word, tag, after in zip(words, tags, [*tags[1:], ""], strict=True)]


def _nltk_has_data() -> bool:
    """Whether nltk finds the tagger's data; it does not where it does not trust the place that they lie in."""
    import nltk.data

    try:
        nltk.data.find(f"taggers/{NLTK_TAGGER}")
    except (LookupError, OSError, ValueError):  # ValueError: a folder that is a link out of nltk's path
        return False
    return True


_MAKERS = {"spacy": _spacy, "nltk": _nltk, "rules": _rules}
_REMEDIES = {
    "spacy": f"python -m spacy download {SPACY_MODEL}",
    "nltk": f"python -m nltk.downloader {NLTK_TAGGER}",
}
