"""How right is an answer that people may give in many ways? VQA's accuracy, with the quirks of its evaluation code.

Antol et al. 2015, section 3, and the evaluation code of VQA v2 (Goyal et al. 2017), whose results papers print.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from concepttransfer.errors import BadInputError

Truncate = Literal["first-line", "none", "first-word", "gt-longest"]

FEWEST_ANSWERS = 4
"""With fewer annotators even what all of them say is not wholly right by leave-one-out."""

_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_COMMA_IN_NUMBER = re.compile(r"\d,\d")
_PERIOD = re.compile(r"\.(?!\d)")
_MOST_PERIODS = 32
_TO_TEN = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS = {word: str(number) for number, word in enumerate(_TO_TEN)} | {"none": "0"}
_ARTICLES = frozenset({"a", "an", "the"})
_CONTRACTED = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's
how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've o'clock
oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd
someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've there're there's
they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've when's
where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've
y'all y'all'll y'all'd've you'd you'd've you'll you're you've
"""
_CONTRACTIONS = {
    word[:at] + word[at + 1 :]: word for word in _CONTRACTED.split() for at, sign in enumerate(word) if sign == "'"
} | {"somebody'd": "somebodyd"}
"""What lacks one apostrophe, and what it stands for. The last one is the evaluation code's own slip."""


@dataclass(frozen=True)
class Truth:
    """What the annotators said to one question, ready to be compared with.

    Attributes:
        credit: an answer in the form in which it is compared -> its accuracy; any other answer has 0.
        as_is: all annotators said the same: nothing is normalised, capitals count.
        longest: words of the longest answer.
        commonest: what most of them said; of equals the first.
    """

    credit: Mapping[str, float]
    as_is: bool
    longest: int
    commonest: str

    def accuracy(self, text: str) -> float:
        """How right the text is, whole as it is: 0 to 1."""
        return self.credit.get(form(text, self.as_is), 0.0)


def truth_of(answers: Sequence[str], *, question: str = "") -> Truth:
    """Prepare the answers of a question's annotators.

    Raises:
        BadInputError: there are fewer than four.
    """
    if len(answers) < FEWEST_ANSWERS:
        raise BadInputError(
            f"Question `{question}` has {len(answers)} answers; VQA's accuracy leaves one out and wants three of the "
            f"others to agree, so it needs {FEWEST_ANSWERS} (VQA has 10). Where there is one truth, give it ten times."
        )
    plain = [clean(answer) for answer in answers]
    as_is = len(set(plain)) == 1
    counts = Counter(form(answer, as_is) for answer in plain)
    return Truth(
        credit={answer: leave_one_out(count, len(plain)) for answer, count in counts.items()},
        as_is=as_is,
        longest=max(len(answer.split()) for answer in plain),
        commonest=Counter(plain).most_common(1)[0][0],
    )


def accuracy(text: str, answers: Sequence[str]) -> float:
    """How right is one answer, given what the annotators said? VQA's accuracy, 0 to 1.

    Raises:
        BadInputError: there are fewer than four annotators.
    """
    return truth_of(answers).accuracy(text)


def leave_one_out(matches: int, n: int) -> float:
    """The mean over all subsets of n - 1 annotators of min(1, matches in it / 3); of ten: 0, .3, .6, .9, 1."""
    left_in, left_out = min(matches, 3), min(max(matches - 1, 0), 3)
    return ((n - matches) * left_in + matches * left_out) / (3 * n)


def truncated(text: str, how: Truncate, truth: Truth) -> str:
    """What of a generated text counts as the answer.

    `first-line`: up to the first line end. `first-word`: its first word. `gt-longest`: as many words as the longest
    true answer has, which reads the truth. `none`: all of it.
    """
    if how == "none":
        return text
    if how == "first-line":
        return next(iter(text.strip().splitlines()), "")
    return " ".join(text.split()[: 1 if how == "first-word" else truth.longest])


def clean(text: str) -> str:
    """Line ends and tabs become spaces; none is left at the ends."""
    return text.replace("\n", " ").replace("\t", " ").strip()


def form(text: str, as_is: bool) -> str:
    """The form in which a text is compared: as it is, or normalised."""
    return clean(text) if as_is else normalised(clean(text))


@lru_cache(maxsize=1 << 18)
def normalised(text: str) -> str:
    """A text as the evaluation code reads it: punctuation, numbers to ten, articles and contractions made alike.

    As that code does it: a sign is dropped throughout where it stands beside a space anywhere, or where the text has a
    comma between digits, and is a space otherwise; 32 periods are dropped at most, all but those before a digit.
    """
    drop = _COMMA_IN_NUMBER.search(text) is not None
    said = text
    for sign in _PUNCTUATION:
        said = said.replace(sign, "" if drop or f"{sign} " in text or f" {sign}" in text else " ")
    words = (_NUMBERS.get(word, word) for word in _PERIOD.sub("", said, count=_MOST_PERIODS).lower().split())
    return " ".join(_CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES)
