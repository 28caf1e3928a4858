"""Which words of captions belong together: the grouping file, ours or the user's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from concepttransfer.errors import BadInputError
from concepttransfer.language import wordnet
from concepttransfer.language.word_forms import is_noun
from concepttransfer.storage import digest

Kind = Literal["nouns", "modifiers", "relations"]
KINDS: tuple[Kind, ...] = ("nouns", "modifiers", "relations")
OTHER = "other"


class Category(BaseModel):
    """One category: words that are listed, and what else belongs to it.

    Attributes:
        words: listed words, in their base form; of several words with blanks between them.
        synsets: for nouns: kinds of these belong to it.
        verbs: for relations: verbs that no category lists belong to it.
        numbers: for modifiers: so do numbers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    words: list[str] = Field(default_factory=list)
    synsets: list[str] = Field(default_factory=list)
    verbs: bool = False
    numbers: bool = False


class Groups(BaseModel):
    """A grouping file; data_manifests/concepts/caption_words.yaml tells what each part means."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    name: str
    same: dict[Kind, dict[str, str]] = Field(default_factory=dict)
    senses: dict[str, str] = Field(default_factory=dict)
    left_out: dict[Kind, list[str]] = Field(default_factory=dict)
    nouns: dict[str, Category]
    modifiers: dict[str, Category]
    relations: dict[str, Category]

    def categories(self, kind: Kind) -> list[str]:
        """The categories of a kind in the file's order, `other` last."""
        return [name for name in getattr(self, kind) if name != OTHER] + [OTHER]

    def one(self, kind: Kind, word: str) -> str:
        """The word as which it is counted."""
        return self.same.get(kind, {}).get(word, word)

    def sense(self, noun: str) -> str | None:
        """The synset that captions mean by a noun: the one that the file names, else WordNet's first; or None."""
        if noun in self.senses:
            return self.senses[noun]
        lemma = noun.replace(" ", "_")
        return wordnet.noun_senses(lemma, inflected=False)[0].name() if is_noun(lemma) else None

    def category(self, kind: Kind, word: str, part: str = "") -> str:
        """The category of a word; `part` is its part of speech, for what is not listed."""
        if word in self._listed[kind]:
            return self._listed[kind][word]
        if kind == "nouns":
            return self._by_synset(word)
        wanted = {"verb": "verbs", "number": "numbers"}.get(part)
        every: Mapping[str, Category] = getattr(self, kind)
        return next((name for name, one in every.items() if wanted and getattr(one, wanted)), OTHER)

    def _by_synset(self, noun: str) -> str:
        sense = self.sense(noun)
        above = wordnet.kinds_above(sense) if sense else frozenset()
        return next((name for name, one in self.nouns.items() if above.intersection(one.synsets)), OTHER)

    @cached_property
    def phrases(self) -> dict[str, list[tuple[str, ...]]]:
        """Relations of several words, longest first, by their first word."""
        found: dict[str, list[tuple[str, ...]]] = {}
        named = {*self._listed["relations"], *self.same.get("relations", {})}
        for phrase in sorted((tuple(word.split()) for word in named), key=lambda words: (-len(words), words)):
            if len(phrase) > 1:
                found.setdefault(phrase[0], []).append(phrase)
        return found

    def has_noun(self, text: str) -> bool:
        """Whether a noun of several words is one to this file."""
        return text in self._listed["nouns"] or text in self.same.get("nouns", {})

    @cached_property
    def _listed(self) -> dict[str, dict[str, str]]:
        return {
            kind: {word: name for name, one in reversed(getattr(self, kind).items()) for word in one.words}
            for kind in KINDS
        }


def groups(categories: str) -> tuple[Groups, str]:
    """The grouping file named, ours where none is, and its sha256.

    Raises:
        BadInputError: there is no such file, or it is no grouping file; every mistake is told.
    """
    if categories:
        text, where = _read(categories, "grouping file"), categories
    else:
        where = "concepts/caption_words.yaml"
        text = (files("concepttransfer.data_manifests") / where).read_text(encoding="utf-8")
    found = _parse(text, Path(where).name)
    if slashed := [name for kind in KINDS for name in getattr(found, kind) if "/" in name]:
        raise BadInputError(f"{Path(where).name} names a category `{slashed[0]}`: a name may not hold a `/`.")
    wrong = [name for name in _synsets(found) if not _is_synset(name)]
    if wrong:
        raise BadInputError(f"{Path(where).name} names `{wrong[0]}`, which is no noun synset of WordNet 3.0.")
    return found, digest(text)


def word_list(words: str) -> dict[Kind, list[str]]:
    """The words of a user's list by kind, each once, in the list's order; nothing where no file is named.

    Raises:
        BadInputError: there is no such file, or it is no list of words.
    """
    if not words:
        return {}
    listed = _yaml(_read(words, "word list"), Path(words).name)
    lists = listed if isinstance(listed, dict) else {}
    good = all(kind in KINDS and isinstance(every, list) for kind, every in lists.items())
    if not lists or not good or not all(_is_word(word) for every in lists.values() for word in every):
        raise BadInputError(
            f"{Path(words).name} is no word list. It should have words under `nouns:`, `modifiers:` and `relations:`, "
            "or under some of them, such as nouns: [dog, teddy bear]. In YAML, on, off, yes and no need quotes."
        )
    return {kind: list(dict.fromkeys(" ".join(w.lower().split()) for w in every)) for kind, every in lists.items()}


def _is_word(word: object) -> bool:
    return isinstance(word, str) and bool(word.strip()) and "/" not in word


def _parse(text: str, where: str) -> Groups:
    try:
        return Groups.model_validate(_yaml(text, where))
    except ValidationError as error:
        told = [f"  {'.'.join(map(str, e['loc'])) or 'the whole'}: {e['msg']}" for e in error.errors()]
        message = [f"{where} has {len(told)} mistakes (in YAML, on, off, yes and no need quotes):", *told[:20]]
        raise BadInputError("\n".join(message)) from None


def _read(path: str, what: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"The {what} {path} cannot be read: {error}") from None


def _yaml(text: str, where: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadInputError(f"{where} is no YAML: {error}") from None


def _synsets(found: Groups) -> list[str]:
    return [*found.senses.values(), *(s for one in found.nouns.values() for s in one.synsets)]


def _is_synset(name: str) -> bool:
    try:
        return bool(wordnet.synset(name))
    except BadInputError:
        return False
