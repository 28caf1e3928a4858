"""The words of a caption as caption scores count them: Penn Treebank's, in lower case, without punctuation.

Papers tokenise with Stanford's PTBTokenizer, which needs Java. These are the rules of it that captions use:
contractions are divided (`do n't`, `dog 's`), hyphenated words, numbers and times stay whole, abbreviations keep their
full stop, sentence marks and quotes are dropped, brackets are not (`-lrb-`: the official list drops them only in
capitals, after everything was put into small letters). docs/caption-scores.md says how often the two differ.
"""

from __future__ import annotations

import re

TOKENISER = "captions-1"
"""The name of these rules; it changes with them. Scores under two names are not compared."""

DROPPED = frozenset({"''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"})
"""What is no word: coco-caption's list, as far as it can match in small letters."""

_ABBREVIATIONS = (
    "mr|mrs|ms|dr|prof|st|ave|blvd|rd|ft|mt|jr|sr|vs|etc|inc|co|corp|ltd|dept|gov|jan|feb|aug|sept|oct|nov|dec|"
    "calif|conn|fla|ky|okla|ore|tenn|tex"
)
_CLITIC = r"'(?:s|m|d|ll|re|ve)(?!\w)|n't(?!\w)"
_LETTER = r"[^\W\d_]"
_TOKEN = re.compile(
    rf"""
      (?:{_LETTER}\.){{2,}}(?:{_LETTER}(?!\w))?                        # t.v. u.s.a
    | {_LETTER}\.{_LETTER}(?!\w)
    | (?!i\.){_LETTER}\.(?=\s+\S)                                    # w. centre
    | (?:{_ABBREVIATIONS})\.(?!\w)                          # st.
    | \w+(?=n't(?!\w))                                               # do|n't
    | {_CLITIC}
    | \d+(?:[.,:/-]\d+)+                                             # 1,000 7:30 3/4
    | \w+(?:(?:[-./]|'(?!(?:s|m|d|ll|re|ve|t)(?!\w)))\w+)*           # words, hyphens, slashes
    | \.\.\.|--+|[^\w\s]
    """,
    re.VERBOSE,
)
_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
_DIVIDED = {"cannot": ("can", "not"), "gonna": ("gon", "na"), "gotta": ("got", "ta"), "wanna": ("wan", "na")}
_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "´": "'", "–": "--", "—": "--", "…": "..."})


def tokens(text: str) -> list[str]:
    """The words of a caption, in order; none of an empty one or of punctuation alone."""
    found: list[str] = []
    for token in _TOKEN.findall(text.lower().translate(_PLAIN)):
        found += _DIVIDED.get(token, (_BRACKETS.get(token, token),))
    return [token for token in found if token not in DROPPED and token != '"']
