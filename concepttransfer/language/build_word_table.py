"""Makes `wordnet_words.txt.xz`, what WordNet knows of words that can be more than nouns, from an installed WordNet 3.0.

    python -m concepttransfer.language.build_word_table /usr/share/wordnet

The folder is that of Debian's `wordnet-base`, or any other copy of Princeton's WordNet 3.0. The table has a line for
each verb, adjective and adverb of one word and for each noun in `-ing`, in the alphabet's order: the word, and for
noun, verb, adjective and adverb how often it is so in the texts that WordNet's authors tagged (`-`: it is none). Then,
after an empty line, the irregular forms of verbs and adjectives: part (`v`, `a`), form, base form. WordNet's licence
comes first.
"""

from __future__ import annotations

import argparse
import logging
import lzma
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ..errors import MissingResourceError
from ..storage import write_bytes

logger = logging.getLogger(__name__)

ARCHIVE = Path(__file__).parent / "wordnet_words.txt.xz"
PARTS = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
_PART_OF_NUMBER = {"1": "n", "2": "v", "3": "a", "4": "r", "5": "a"}


def word_table(wordnet: Path) -> str:
    """The table's text, from WordNet's folder.

    Raises:
        MissingResourceError: the folder holds no WordNet 3.0.
    """
    try:
        index = {part: _lines(wordnet / f"index.{name}") for part, name in PARTS.items()}
        counts = _tag_counts(_lines(wordnet / "cntlist.rev"))
        forms = {part: _lines(wordnet / f"{PARTS[part]}.exc") for part in "va"}
    except OSError as error:
        raise MissingResourceError(
            f"{wordnet} holds no WordNet database ({error}). Install one (Debian: wordnet-base) and name its folder."
        ) from error
    licence = [line for line in index["v"] if line.startswith(" ")]
    if "WordNet 3.0 Copyright" not in "\n".join(licence):
        raise MissingResourceError(f"{wordnet} is not WordNet 3.0. Other versions know other words.")
    words = {part: {line.split(" ", 1)[0] for line in lines if line[:1].strip()} for part, lines in index.items()}
    participles = {word for word in words["n"] if word.endswith("ing")}
    wanted = sorted(word for word in participles | words["v"] | words["a"] | words["r"] if "_" not in word)
    rows = (" ".join([word, *(_count(counts, word, part, words[part]) for part in PARTS)]) for word in wanted)
    return "\n".join([*licence, *rows, "", *_irregular(forms), ""])


def _count(counts: Counter[tuple[str, str]], word: str, part: str, known: set[str]) -> str:
    return str(counts[word, part]) if word in known else "-"


def _tag_counts(lines: list[str]) -> Counter[tuple[str, str]]:
    """How often each word was tagged as each part, from lines such as `dog%1:05:00:: 1 42`."""
    found: Counter[tuple[str, str]] = Counter()
    for line in lines:
        key, _, count = line.split()
        word, _, sense = key.partition("%")
        found[word, _PART_OF_NUMBER[sense[0]]] += int(count)
    return found


def _irregular(forms: dict[str, list[str]]) -> Iterator[str]:
    for part, lines in forms.items():
        for line in lines:
            form, *bases = line.split()
            if "_" not in form:
                yield f"{part} {form} {bases[0]}"


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="ascii").splitlines()


def main() -> None:
    """Read WordNet from the folder named and write the table beside this file, or where `--to` says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wordnet", type=Path, help="folder that holds the index and exception files and cntlist.rev")
    parser.add_argument("--to", type=Path, default=ARCHIVE, help="the file to write")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    packed = lzma.compress(word_table(arguments.wordnet).encode("ascii"), preset=9 | lzma.PRESET_EXTREME)
    write_bytes(arguments.to, packed)
    logger.info("%s: %.2f MB", arguments.to, len(packed) / 1e6)


if __name__ == "__main__":
    main()
