"""A tokenizer, seen as the few things that soft prompts, texts and their continuations need of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import BadInputError

_REMEMBERED = 1 << 18


class Tokens:
    """Texts to token ids and back, without special tokens, which are placed by those who lay out an input.

    Attributes:
        start: ids before the first segment of an input (BOS), as the tokenizer itself would put them; may be empty.
        after: ids that the tokenizer puts after a text (T5's end token); only encoders of encoder-decoders read them.
        end: the id that ends a text: the tokenizer's, else the configuration's; None where neither has one.
    """

    def __init__(self, tokenizer: Any, config: Any, *, bos: bool | None = None) -> None:
        """Ask the tokenizer how it treats the start and the end of a text.

        Args:
            tokenizer: of transformers.
            config: the language model's configuration.
            bos: put a begin token before every input; None: do as the tokenizer does.

        Raises:
            BadInputError: a begin token is asked for and there is none.
        """
        self._tokenizer = tokenizer
        self._known: dict[str, tuple[int, ...]] = {}
        self.end = _special_id(tokenizer.eos_token_id, config, "eos_token_id")
        self.start, self.after = self._start(config, bos), self._around()[1]
        # "a a" tells whether the tokenizer itself puts a space before a text, as Llama's does.
        self._prefixes_space = self.ids("a a")[len(self.ids("a")) :] == self.ids("a")

    def _start(self, config: Any, bos: bool | None) -> tuple[int, ...]:
        if bos is False:
            return ()
        start = self._around()[0]
        if bos and not start:
            begin = _special_id(self._tokenizer.bos_token_id, config, "bos_token_id")
            if begin is None:
                raise BadInputError("This language model has no begin token. Leave `bos` out.")
            return (begin,)
        return start

    def _around(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What the tokenizer itself puts before a text and after it."""
        plain, full = list(self.ids("a")), self._tokenizer("a")["input_ids"]
        at = next((i for i in range(len(full)) if full[i : i + len(plain)] == plain), 0)
        return tuple(full[:at]), tuple(full[at + len(plain) :])

    def ids(self, text: str) -> tuple[int, ...]:
        """The ids of a text as the tokenizer reads it at the start of a text."""
        return self.batch([text])[0]

    def batch(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """The ids of many texts. Texts already seen are not tokenised again."""
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        if new := [text for text in dict.fromkeys(texts) if text not in self._known]:
            lists = self._tokenizer(new, add_special_tokens=False)["input_ids"]
            self._known.update(zip(new, map(tuple, lists), strict=True))
        return [self._known[text] for text in texts]

    def continuations(self, texts: Sequence[str], before: Sequence[str | None]) -> list[tuple[int, ...]]:
        """The ids of texts that follow other texts, by the joint rule, without the end token.

        Args:
            texts: what is learnt or scored.
            before: the text right before each, or None after a soft prompt or at the start.
        """
        return self.batch_glued([_joined(text, last) for text, last in zip(texts, before, strict=True)])

    def batch_glued(self, joined: Sequence[tuple[str, bool]]) -> list[tuple[int, ...]]:
        """The ids of texts, each with whether it stands right after other characters rather than at a start."""
        if not self._prefixes_space:
            return self.batch([text for text, _ in joined])
        return [self._without_prefix(text) if glued else self.ids(text) for text, glued in joined]

    def _without_prefix(self, text: str) -> tuple[int, ...]:
        """The ids of a text right after other characters, for tokenizers that put a space before every text."""
        if text.startswith(" "):
            return self.ids(text[1:])
        line, both = self.ids("\n"), self.ids("\n" + text)
        return both[len(line) :] if both[: len(line)] == line else self.ids(text)

    def vocabulary(self, n: int) -> list[str]:
        """The text of each id below `n`; empty for special tokens, and for rows that a model has beyond its words."""
        known = min(n, len(self._tokenizer))
        return [self.text([number]) for number in range(known)] + [""] * (n - known)

    def text(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens left out."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))


def _joined(text: str, before: str | None) -> tuple[str, bool]:
    """A text with exactly one space before it where the joint rule wants one, and whether it is glued to a text."""
    if not before or not text.strip():
        return text.strip() and text, False
    return (text, True) if before[-1].isspace() else (" " + text.lstrip(), True)


def _special_id(of_tokenizer: int | None, config: Any, attribute: str) -> int | None:
    """The tokenizer's id, else the configuration's if its vocabulary has it. Id 0 is as good as any other."""
    if of_tokenizer is not None:
        return int(of_tokenizer)
    listed = getattr(config, attribute, None)
    first = listed[0] if isinstance(listed, list | tuple) and listed else listed
    return int(first) if isinstance(first, int) and 0 <= first < config.vocab_size else None
