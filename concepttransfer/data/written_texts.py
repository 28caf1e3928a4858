"""Captions that a language model writes from keywords: training data that nobody has written (after CLOSE)."""

from __future__ import annotations

import csv
import io
import json
import random
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..decoding import Decoding
from ..errors import BadInputError, EmptyDataError
from ..lines import read_lines, write_lines
from ..processes.pieces import remove
from ..storage import cache_folder, digest, write_json, write_text
from .keywords import Keywords, Sampling, content_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..language_models.base import Generation, LanguageModel

LINES = "written"
SUFFIXES = (".csv", ".jsonl")
PLACE = "{keywords}"
COLUMNS = ("id", "caption", "keywords")
_FORMAT = 1


class Writing(BaseModel):
    """How captions are asked for, and which of them are kept.

    Attributes:
        n: how many are asked for; fewer are kept.
        prompt: what stands before a caption; `{keywords}` is replaced by the keywords.
        keywords: how many words each caption is to be about.
        joined: what stands between two keywords.
        sampling: keywords are drawn `uniform`ly from the vocabulary, or by their `frequency` in it.
        examples: solved examples before each prompt, drawn from captions: their own words as keywords, then they.
        between: what stands between two of them.
        seed: of all draws; the n-th caption depends on it and on n.
        least_words, most_words: shorter and longer captions are dropped.
        must_say: of a caption's keywords it must say `all`, `any`, or `none`; else it is dropped.
        decoding: how it is written.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: int = Field(default=1000, ge=1)
    prompt: str = Field(default="Keywords: {keywords}. Caption:", pattern=r"\{keywords\}")
    keywords: int = Field(default=2, ge=1)
    joined: str = ", "
    sampling: Sampling = "uniform"
    examples: int = Field(default=5, ge=0)
    between: str = "\n"
    seed: int = Field(default=0, ge=0)
    least_words: int = Field(default=3, ge=1)
    most_words: int = Field(default=40, ge=1)
    must_say: Literal["all", "any", "none"] = "any"
    decoding: Decoding = Decoding(method="nucleus", top_p=0.95, max_tokens=40, stop=("\n",))

    def asked(self, words: Sequence[str]) -> str:
        """The prompt for some keywords."""
        return self.prompt.replace(PLACE, self.joined.join(words))


@dataclass(frozen=True)
class Written:
    """What came of it.

    Attributes:
        path: the table of captions.
        kept: how many it holds.
        dropped: how many were not kept, by the reason.
        shown: the first captions that were kept.
    """

    path: Path
    kept: int
    dropped: Mapping[str, int]
    shown: tuple[str, ...]


def write_captions(
    language_model: LanguageModel,
    vocabulary: Keywords,
    pool: Sequence[str],
    writing: Writing,
    out: Path,
    *,
    batch_size: int = 32,
    quiet: bool = False,
    again: bool = False,
) -> Written:
    """Let a language model write captions about keywords, and keep those that will do as a table of captions.

    What it says is kept in the cache line by line: a run that was killed goes on after its last whole batch, and the
    same call with other limits (`least_words`, `most_words`, `must_say`) asks nothing anew.

    Args:
        language_model: writes them.
        vocabulary: the keywords.
        pool: captions from which examples are drawn; may be empty where `writing.examples` is 0.
        writing: how.
        out: the table, .csv or .jsonl, which reader `captions_table` reads. Beside it `NAME.about.json` says how it was
            made, how many captions were dropped and why.
        batch_size: prompts at a time.
        quiet: show no bar.
        again: have them written anew although they are there.

    Raises:
        BadInputError: `out` is no .csv or .jsonl; there are too few words or examples; prompts are too long.
        EmptyDataError: no caption will do.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise BadInputError(f"{out} is neither .csv nor .jsonl. Name a table of captions with --out.")
    prompts = _Prompts(vocabulary, _usable(pool, writing), writing)
    folder = cache_folder() / "written-captions" / _key(language_model, prompts)
    if again:
        remove(folder)
    write_lines(
        folder,
        LINES,
        key=folder.name,
        row_ids=[f"written-{number}" for number in range(writing.n)],
        say=lambda numbers, keys: _say(language_model, prompts, numbers, keys),
        about=lambda number: {"keywords": list(prompts.words(number))},
        index={"language_model_id": language_model.id},
        what=f"write {writing.n} captions",
        unit="caption",
        batch_size=batch_size,
        quiet=quiet,
    )
    kept, dropped = _sifted(read_lines(folder, LINES), pool, writing)
    if not kept:
        why = ", ".join(f"{n} {reason}" for reason, n in dropped.items())
        raise EmptyDataError(
            f"None of {writing.n} captions will do ({why}). Change the prompt, or ask for less of them."
        )
    _write(out, kept)
    about = {"n": writing.n, "kept": len(kept), "dropped": dict(dropped), "language_model": language_model.id}
    about |= {
        "vocabulary": len(vocabulary.words),
        "examples_from": len(pool),
        "writing": writing.model_dump(mode="json"),
    }
    write_json(out.with_name(f"{out.stem}.about.json"), about)
    return Written(out, len(kept), dropped, tuple(row["caption"] for row in kept[:8]))


def first_prompt(vocabulary: Keywords, pool: Sequence[str], writing: Writing) -> str:
    """What the language model is asked first.

    Raises:
        BadInputError: there are too few words or examples.
    """
    return _Prompts(vocabulary, _usable(pool, writing), writing).text(0)


def _usable(pool: Sequence[str], writing: Writing) -> tuple[str, ...]:
    """The captions that have enough words to be examples."""
    if not writing.examples:
        return ()
    found = tuple(text for text in pool if len(set(content_words(text))) >= writing.keywords)
    if len(found) < writing.examples:
        raise BadInputError(
            f"{writing.examples} solved examples are to stand before each prompt, and {len(found)} of {len(pool)} "
            f"captions have {writing.keywords} words to be keywords. Name more captions with --on, or say --examples 0."
        )
    return found


class _Prompts:
    """What is asked: the n-th prompt depends on the seed, on n and on what words and captions there are."""

    def __init__(self, vocabulary: Keywords, pool: tuple[str, ...], writing: Writing) -> None:
        self.vocabulary, self.pool, self.writing = vocabulary, pool, writing

    def words(self, number: int) -> tuple[str, ...]:
        """The keywords of the n-th caption."""
        rng = random.Random(f"keywords {self.writing.seed} {number}")
        return self.vocabulary.draw(rng, self.writing.keywords, self.writing.sampling)

    def text(self, number: int) -> str:
        """The n-th prompt, its solved examples before it."""
        rng, shown = random.Random(f"examples {self.writing.seed} {number}"), dict[str, None]()
        while len(shown) < min(self.writing.examples, len(set(self.pool))):
            shown[self.pool[int(rng.random() * len(self.pool))]] = None
        solved = [f"{self.writing.asked(_some(text, self.writing.keywords, rng))} {text.strip()}" for text in shown]
        return self.writing.between.join([*solved, self.writing.asked(self.words(number))])


def _some(text: str, n: int, rng: random.Random) -> list[str]:
    """So many different content words of a caption, in a random order."""
    words = list(dict.fromkeys(content_words(text)))
    return [words[place] for _, place in sorted((rng.random(), place) for place in range(len(words)))[:n]]


def _key(language_model: LanguageModel, prompts: _Prompts) -> str:
    """Names everything that changes what is said; not what of it is kept."""
    only_sifts = {"least_words", "most_words", "must_say"}
    how = prompts.writing.model_dump(mode="json", exclude=only_sifts)
    return digest(_FORMAT, language_model.id, str(language_model.dtype), prompts.vocabulary.id, prompts.pool, how)


def _say(
    language_model: LanguageModel, prompts: _Prompts, numbers: NDArray[np.int64], keys: Sequence[str]
) -> list[Generation]:
    inputs = [[prompts.text(number)] for number in map(int, numbers)]
    return language_model.generate(inputs, prompts.writing.decoding, keys=keys)


def _sifted(
    lines: Iterator[dict[str, Any]], pool: Sequence[str], writing: Writing
) -> tuple[list[dict[str, str]], dict[str, int]]:
    """The captions that will do, and how many will not, by the reason, from many to few."""
    kept: list[dict[str, str]] = []
    examples, seen, dropped = frozenset(map(_plain, pool)), set[str](), Counter[str]()
    for line in lines:
        text = " ".join(line["text"].split())
        if (
            reason := _length_fault(text, line, writing)
            or _copy_fault(text, examples, seen)
            or _unsaid(text, line, writing)
        ):
            dropped[reason] += 1
            continue
        seen.add(_plain(text))
        kept.append({"id": line["row_id"], "caption": text, "keywords": "|".join(line["keywords"])})
    return kept, dict(dropped.most_common())


def _length_fault(text: str, line: Mapping[str, Any], writing: Writing) -> str:
    """Why a caption's length will not do; empty: it will."""
    n = len(text.split())
    if not n:
        return "empty"
    if len(line["token_ids"]) >= writing.decoding.max_tokens:
        return "cut at max_tokens"
    if n < writing.least_words:
        return "too short"
    return "too long" if n > writing.most_words else ""


def _copy_fault(text: str, examples: Container[str], kept: Container[str]) -> str:
    """Whether a caption is one of those that were shown, or that are kept already."""
    if _plain(text) in examples:
        return "copied from the examples' captions"
    return "written before" if _plain(text) in kept else ""


def _unsaid(text: str, line: Mapping[str, Any], writing: Writing) -> str:
    """Whether a caption says too few of its keywords."""
    said = [f" {word} " in f" {_plain(text)} " for word in map(_plain, line["keywords"])]
    if writing.must_say == "none" or (all(said) if writing.must_say == "all" else any(said)):
        return ""
    return f"without {'one' if writing.must_say == 'all' else 'any'} of its keywords"


def _plain(text: str) -> str:
    """A text for comparison: small letters, signs as spaces."""
    return " ".join("".join(c if c.isalnum() or c in "'-" else " " for c in text.lower()).split())


def _write(out: Path, rows: Sequence[Mapping[str, str]]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix.lower() == ".jsonl":
        write_text(out, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))
        return
    held = io.StringIO(newline="")
    table = csv.DictWriter(held, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(out, held.getvalue())
