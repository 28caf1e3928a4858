"""What captions are read with: WordNet, a part-of-speech tagger, and Java for two of the scores."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

from ..errors import ConceptTransferError
from ..language import wordnet
from .finding import Finding

_DOG_AND_CAT = 0.857142


def examine() -> Iterator[Finding]:
    """WordNet by a similarity that is known, the tagger that would be taken, and Java with what it is needed for."""
    yield _wordnet()
    yield _tagger()
    yield from _java()


def _wordnet() -> Finding:
    try:
        source = wordnet.wordnet_source()
        alike = wordnet.wup("dog.n.01", "cat.n.01")
    except (ConceptTransferError, OSError) as error:
        return Finding.missing("language", "WordNet", str(error), "Install concepttransfer again: it brings a slice.")
    if abs(alike - _DOG_AND_CAT) > 1e-4:
        found = f"{source}; dog and cat are {alike:.3f} alike, not .857"
        return Finding.missing("language", "WordNet", found, "Remove nltk's WordNet: the slice that we bring is right.")
    return Finding.ok("language", "WordNet", source)


def _tagger() -> Finding:
    """Which tagger would be taken, and what stands before it in the chain."""
    from ..language import parts_of_speech as parts

    what = "part-of-speech tagger"
    first = parts.best()
    if first == "spacy":
        return Finding.ok("language", what, f"spaCy, {parts.SPACY_MODEL}")
    if first == "nltk":
        return Finding.ok("language", what, f"nltk's perceptron; spaCy's {parts.SPACY_MODEL} is not installed")
    remedy = f"python -m spacy download {parts.SPACY_MODEL}, or: python -m nltk.downloader {parts.NLTK_TAGGER}"
    return Finding.warning("language", what, "rules over WordNet; neither spaCy's model nor nltk's is here", remedy)


def _java() -> Iterator[Finding]:
    """Java, and whether METEOR 1.5 and SPICE can run: without them the other scores are computed all the same."""
    from ..language import external_scorers as scorers

    version = _java_version()
    if version is None:
        found = "there is no `java` on the path; METEOR 1.5 and SPICE are left out"
        yield Finding.warning(
            "language", "Java", found, "Install a Java runtime (8 or later), if you want these scores."
        )
        return
    yield Finding.ok("language", "Java", version)
    for measure in (scorers.METEOR, scorers.SPICE):
        if reason := scorers.missing(measure):
            remedy = (
                f"Only for {measure}: pip install pycocoevalcap, and use it once with a network; it fetches the rest."
            )
            yield Finding.warning("language", measure, f"left out: {reason}", remedy)
        else:
            yield Finding.ok("language", measure, "it can be computed")


def _java_version() -> str | None:
    if shutil.which("java") is None:
        return None
    try:
        told = subprocess.run(
            ["java", "-version"], capture_output=True, text=True, timeout=30, env={**os.environ, "LC_ALL": "C"}
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = (told.stderr or told.stdout).strip().splitlines()
    return lines[0] if told.returncode == 0 and lines else None
