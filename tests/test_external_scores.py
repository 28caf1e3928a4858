"""METEOR and SPICE are their programs' own numbers; what is missing or fails is a reason in the result."""

from __future__ import annotations

import json
import os
import stat

import numpy as np
import pytest
from caption_samples import captions, described, drawn, needs_java, references

from concepttransfer.analyses._caption_scores import measures as m
from concepttransfer.analyses.caption_scores import caption_scores
from concepttransfer.language import external_scorers
from concepttransfer.language.caption_tokens import tokens
from concepttransfer.scoring.external_scores import Counts, ExternalScores, count_all


@needs_java
@pytest.mark.slow
def test_meteor_is_the_programs_own_for_each_picture_and_for_the_set(real, tmp_path):
    from pycocoevalcap.meteor.meteor import Meteor

    read = json.loads((real / "captions" / "coco_captions_val2017.json").read_text())["annotations"]
    texts = {}
    for one in read:
        texts.setdefault(str(one["image_id"]), []).append(one["caption"])
    texts = dict(list(texts.items())[:40])
    said = {row: t[0] for row, t in texts.items()} | {list(texts)[3]: "", list(texts)[4]: texts[list(texts)[4]][1]}
    wanted = {row: t[1:] for row, t in texts.items()}
    given, manifest = [captions(said)], references(wanted)
    external = count_all(given, manifest, tmp_path, quiet=True)
    result = caption_scores(given, manifest, None, external, n_resamples=20)
    program = Meteor()
    whole, each = program.compute_score(
        {row: [" ".join(tokens(t)) for t in ts] for row, ts in wanted.items()},
        {row: [" ".join(tokens(t))] for row, t in said.items()},
    )
    assert result.claim("beit", m.METEOR)["value"] == pytest.approx(whole, abs=1e-9)
    assert result.table["meteor"].to_numpy() == pytest.approx(each, abs=1e-9)
    claim = result.claim("beit", m.METEOR)
    assert claim["chance"] < claim["low"]
    again = count_all(given, manifest, tmp_path, quiet=True)
    assert np.array_equal(again.counts[m.METEOR]["beit-0"].own, external.counts[m.METEOR]["beit-0"].own)


def program_folder(tmp_path, monkeypatch, java):
    """A `java` and a pycocoevalcap of ours."""
    folder = tmp_path / "pycocoevalcap"
    for jar in (external_scorers._METEOR_JAR, external_scorers._SPICE_JAR, *external_scorers._STANFORD):
        (folder / jar).parent.mkdir(parents=True, exist_ok=True)
        (folder / jar).touch()
    monkeypatch.setattr(external_scorers, "_pycocoevalcap", lambda: folder)
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text(java)
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return folder


JAVA = """#!/usr/bin/env python3
import json, sys
arguments = sys.argv[1:]
if "-out" in arguments:
    given, out = arguments[arguments.index("-out") - 1], arguments[arguments.index("-out") + 1]
    rows = json.load(open(given))
    score = lambda row: len(set(row["test"].split()) & set(row["refs"][0].split())) / 20
    json.dump([{"image_id": r["image_id"], "scores": {"All": {"f": score(r)}}} for r in reversed(rows)], open(out, "w"))
else:
    for line in sys.stdin:
        print(" ".join(["1.0"] * 23))
"""


def test_spice_is_read_for_each_caption(tmp_path, monkeypatch):
    program_folder(tmp_path, monkeypatch, JAVA)
    texts = drawn(20)
    given = [captions({row: t[0] for row, t in texts.items()}, seed=s) for s in (0, 1)]
    external = count_all(given, references(texts), tmp_path / "counts", quiet=True)
    result = caption_scores(given, references(texts), None, external, n_resamples=20)
    wanted = [len(set(t[0].split())) / 20 for t in texts.values()]
    assert result.table["spice"].to_numpy()[:20] == pytest.approx(wanted)
    claim = result.claim("beit", m.SPICE)
    assert claim["value"] == pytest.approx(np.mean(wanted))
    assert claim["chance"] < claim["value"]
    assert m.NLTK_METEOR in external.skipped


def test_the_bar_says_what_it_waits_for(tmp_path, monkeypatch):
    class Bar:
        said = ()

        def update(self, n):
            self.said += (n,)

        def set_postfix_str(self, words):
            self.said += (words,)

    program_folder(tmp_path, monkeypatch, JAVA)
    bar = Bar()
    external_scorers.meteor([("a dog", ["a cat"])] * 2, bar)
    assert (bar.said[0].startswith("Java starts"), bar.said[1:]) == (True, ("", 1, 1))
    spice = Bar()
    external_scorers.spice([("a dog", ["a cat"])], spice)
    assert (spice.said[0].startswith("Java parses"), spice.said[-1]) == (True, 1)


@pytest.mark.parametrize("java", ["#!/bin/sh\necho no memory >&2\nexit 1\n", "#!/bin/sh\nexit 0\n"])
def test_a_program_that_fails_is_a_reason_and_no_crash(tmp_path, monkeypatch, java):
    program_folder(tmp_path, monkeypatch, java)
    monkeypatch.setattr(external_scorers, "_missing_wordnet", lambda: "needs nltk's whole WordNet")
    texts = drawn(20)
    given = [captions({row: t[0] for row, t in texts.items()})]
    external = count_all(given, references(texts), tmp_path / "counts", quiet=True)
    assert external.counts == {}
    assert set(external.skipped) == {m.METEOR, m.SPICE, m.NLTK_METEOR}
    assert ("no memory" if "memory" in java else "it said nothing") in external.skipped[m.METEOR]
    result = caption_scores(given, references(texts), None, external, n_resamples=20)
    assert "METEOR (METEOR's program ended with an error" in result.summary()


def test_what_is_missing_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(external_scorers, "_pycocoevalcap", lambda: None)
    assert "pycocoevalcap" in external_scorers.missing(m.METEOR)
    monkeypatch.setattr(external_scorers, "_pycocoevalcap", lambda: tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no `java`" in external_scorers.missing(m.SPICE)
    program_folder(tmp_path, monkeypatch, JAVA)
    (tmp_path / "pycocoevalcap" / external_scorers._STANFORD[1]).unlink()
    assert external_scorers.missing(m.METEOR) is None
    assert "stanford-corenlp-3.6.0-models.jar" in external_scorers.missing(m.SPICE)


@pytest.mark.slow
def test_nltks_meteor_stands_in_under_its_own_name(real, monkeypatch, tmp_path):
    import nltk

    from concepttransfer.language import wordnet

    monkeypatch.setattr(nltk.data, "path", [str(real / "nltk_data")])
    monkeypatch.setattr(external_scorers, "_pycocoevalcap", lambda: None)
    if external_scorers.missing(m.NLTK_METEOR):
        pytest.skip("nltk does not trust the folder of its data")
    wordnet._load.cache_clear()
    external_scorers._senses.cache_clear()
    try:
        from nltk.corpus.reader.wordnet import WordNetCorpusReader
        from nltk.translate.meteor_score import meteor_score

        said = {"x": "a puppy runs on grass", "y": "the boys are sitting", "z": "zzz"}
        texts = {"x": ["a small pup ran on the lawn", "a dog"], "y": ["a boy sat"], "z": ["a dog"]}
        external = count_all([captions(said)], references(texts), tmp_path, quiet=True)
        result = caption_scores([captions(said)], references(texts), None, external, n_resamples=20)
        reader = WordNetCorpusReader(nltk.data.find("corpora/wordnet"), None)
        wanted = [meteor_score([t.split() for t in texts[r]], said[r].split(), wordnet=reader) for r in said]
        assert result.table["meteor"].to_numpy() == pytest.approx(wanted)
        assert (m.NLTK_METEOR in result.measures, m.METEOR in result.measures) == (True, False)
        assert "needs the package pycocoevalcap" in result.summary()
    finally:
        wordnet._load.cache_clear()
        external_scorers._senses.cache_clear()


def test_counts_of_programs_follow_the_pictures():
    texts = drawn(30)
    said = described(texts, np.random.default_rng(0), 0.7)
    rng = np.random.default_rng(1)
    own, given = np.stack([rng.random(30), np.ones(30)], axis=1), rng.permutation(30)
    counts = Counts(tuple(texts), own, own[given], given)
    order = rng.permutation(30)
    rows = [list(texts)[n] for n in order]
    for names in (list(texts), rows):
        external = ExternalScores({m.SPICE: {"beit-0": counts}}, {})
        one = captions({row: said[row] for row in names})
        result = caption_scores([one], references(texts), None, external, n_resamples=20)
        assert result.table.set_index("row_id")["spice"].loc[list(texts)].to_numpy() == pytest.approx(own[:, 0])
        assert result.claim("beit", m.SPICE)["chance"] == pytest.approx(own[:, 0].mean())
