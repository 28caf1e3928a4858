"""Caption scores that other programs compute: METEOR 1.5 and SPICE, which start Java, and nltk's METEOR.

Each takes captions and references as words divided by blanks, and gives a row of numbers for each caption. What is
missing on this machine is said by `missing`, and never downloaded.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MissingResourceError
from ..statistics import Floats

METEOR, NLTK_METEOR, SPICE = "METEOR", "METEOR (nltk)", "SPICE"

Pair = tuple[str, Sequence[str]]
"""A caption and its references."""
Scorer = Callable[[Sequence[Pair], Any], Floats]
"""Numbers `[n, n_columns]` of captions; the second argument is a bar to be moved."""

METEOR_COLUMNS = 23
_METEOR_JAR, _SPICE_JAR = "meteor/meteor-1.5.jar", "spice/spice-1.0.jar"
_STANFORD = ("spice/lib/stanford-corenlp-3.6.0.jar", "spice/lib/stanford-corenlp-3.6.0-models.jar")


def missing(measure: str) -> str | None:
    """Why a measure cannot be computed on this machine; None if it can."""
    if measure == NLTK_METEOR:
        return _missing_wordnet()
    folder = _pycocoevalcap()
    if folder is None:
        return "needs the package pycocoevalcap (pip install pycocoevalcap)"
    if shutil.which("java") is None:
        return "needs Java, and there is no `java` on the path"
    jars = [_METEOR_JAR] if measure == METEOR else [_SPICE_JAR, *_STANFORD]
    gone = [jar for jar in jars if not (folder / jar).is_file()]
    return f"needs {gone[0]} in the folder of pycocoevalcap" if gone else None


def meteor(pairs: Sequence[Pair], bar: Any) -> Floats:
    """METEOR 1.5's 23 numbers for each caption, as its program prints them; a score is made of their sums.

    Where a caption is a reference the number of chunks is 0, as in the program's own sums: it costs no penalty.

    Raises:
        MissingResourceError: the program ends with an error.
    """
    folder = _folder()
    lines = "".join(f"SCORE ||| {' ||| '.join(references)} ||| {caption}\n" for caption, references in pairs)
    java = ["java", "-Xmx2G", "-Dfile.encoding=UTF-8"]
    command = [*java, "-jar", str(folder / _METEOR_JAR), "-", "-", "-stdio", "-l", "en", "-norm"]
    said: list[list[float]] = []
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as complaints:
        given.write(lines.encode())
        given.seek(0)
        bar.set_postfix_str("Java starts and reads its tables; no caption is scored before")
        with subprocess.Popen(command, stdin=given, stdout=subprocess.PIPE, stderr=complaints, text=True) as program:
            for line in program.stdout or ():
                if not said:
                    bar.set_postfix_str("")
                said.append([float(number) for number in line.split()])
                bar.update(1)
        complaints.seek(0)
        if program.returncode != 0 or len(said) != len(pairs):
            raise MissingResourceError(_ended(METEOR, complaints.read().decode(errors="replace")))
    counts = np.array(said, dtype=np.float64).reshape(len(pairs), METEOR_COLUMNS)
    perfect = (counts[:, 0] == counts[:, 21]) & (counts[:, 1] == counts[:, 22]) & (counts[:, 20] == 1)
    counts[perfect, 20] = 0
    return counts


def spice(pairs: Sequence[Pair], bar: Any) -> Floats:
    """SPICE's F of each caption, [n, 2] with a 1 beside it. Anderson et al. 2016.

    Raises:
        MissingResourceError: the program ends with an error.
    """
    folder = _folder()
    rows = [{"image_id": n, "test": caption, "refs": list(refs)} for n, (caption, refs) in enumerate(pairs)]
    with tempfile.TemporaryDirectory() as held:
        given, found = Path(held) / "given.json", Path(held) / "found.json"
        given.write_text(json.dumps(rows), encoding="utf-8")
        command = ["java", "-Xmx8G", "-jar", str(folder / _SPICE_JAR), str(given), "-out", str(found), "-silent"]
        bar.set_postfix_str("Java parses all captions; their scores come at once, at the end")
        done = subprocess.run(command, cwd=folder / "spice", capture_output=True, text=True, check=False)
        if done.returncode != 0 or not found.is_file():
            raise MissingResourceError(_ended(SPICE, done.stderr))
        scores = {row["image_id"]: row["scores"]["All"]["f"] for row in json.loads(found.read_text(encoding="utf-8"))}
    bar.update(len(pairs))
    return np.array([[float(scores[n]), 1.0] for n in range(len(pairs))])


def nltk_meteor(pairs: Sequence[Pair], bar: Any) -> Floats:
    """nltk's METEOR of each caption, [n, 2] with a 1 beside it: that of Lavie & Agarwal 2007, older than METEOR 1.5."""
    from nltk.translate.meteor_score import meteor_score

    synonyms: Any = _Synonyms()
    scores = []
    for caption, references in pairs:
        scores.append(meteor_score([r.split() for r in references], caption.split(), wordnet=synonyms))
        bar.update(1)
    return np.array([[score, 1.0] for score in scores])


SCORERS: Mapping[str, Scorer] = {METEOR: meteor, SPICE: spice, NLTK_METEOR: nltk_meteor}
"""By the measure's name."""


class _Synonyms:
    """WordNet as nltk's METEOR asks for it: all synonyms of a word are looked up once, as if it had one sense."""

    def synsets(self, word: str) -> list[_Sense]:
        return _senses(word)


class _Sense:
    def __init__(self, names: Sequence[str]) -> None:
        self._lemmas = [_Lemma(name) for name in names]

    def lemmas(self) -> list[_Lemma]:
        return self._lemmas


class _Lemma:
    def __init__(self, name: str) -> None:
        self._name = name

    def name(self) -> str:
        return self._name


@cache
def _senses(word: str) -> list[_Sense]:
    from .wordnet import wordnet

    found = wordnet().synsets(word)
    return [_Sense(sorted({lemma.name() for sense in found for lemma in sense.lemmas()}))] if found else []


def _missing_wordnet() -> str | None:
    from .wordnet_files import installed_corpus

    if installed_corpus() is None:
        return (
            "needs nltk's whole WordNet (python -m nltk.downloader wordnet); what comes with the package has nouns only"
        )
    return None


def _pycocoevalcap() -> Path | None:
    """The folder of pycocoevalcap, without importing it."""
    found = importlib.util.find_spec("pycocoevalcap")
    places = list(found.submodule_search_locations or ()) if found else []
    return Path(places[0]) if places else None


def _folder() -> Path:
    folder = _pycocoevalcap()
    if folder is None:
        raise MissingResourceError("METEOR and SPICE need the package pycocoevalcap: pip install pycocoevalcap")
    return folder


def _ended(measure: str, complaint: str) -> str:
    last = (complaint.strip().splitlines() or ["it said nothing"])[-1]
    return f"{measure}'s program ended with an error: {last}"
