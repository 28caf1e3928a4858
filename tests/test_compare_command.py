"""The command finds saved results, says what is missing, makes it only when told; supervision is in no key."""

from __future__ import annotations

import json

import numpy as np
import pytest

import concepttransfer as ct
from concepttransfer import analysis
from concepttransfer.analyses.compare import Comparison, compare
from concepttransfer.cli import main
from concepttransfer.errors import MismatchError, StudyError
from concepttransfer.result import Result
from concepttransfer.study import keys
from concepttransfer.study.file import read_study
from concepttransfer.study.saved import Asked, chosen, cut, found_below
from concepttransfer.study.several import Missing, make_missing

N = 30
ON = ["--on", "dev", "--quiet"]


@pytest.fixture(scope="module")
def study():
    return ct.load_study("microworld", limit=N, seeds=2, quiet=True)


@pytest.fixture(scope="module")
def runs(study, tmp_path_factory):
    """Two results of one kind and one of another, below one folder."""
    import os

    folder = tmp_path_factory.mktemp("saved")
    before = os.environ.get("CONCEPTTRANSFER_CACHE")
    os.environ["CONCEPTTRANSFER_CACHE"] = str(folder / "cache")
    try:
        for name, encoders in (("one", ["beit"]), ("two", ["nfrn50"])):
            study.analyze("awa-errors", encoders=encoders, on="dev", n_resamples=200).save(folder / "runs" / name)
        study.analyze("concept-recall", encoders=["beit"], on="dev", n_resamples=200).save(folder / "runs" / "recall")
        study.analyze("caption-scores", encoders=["beit"], on="dev", n_resamples=200).save(folder / "runs" / "scores")
    finally:
        os.environ["CONCEPTTRANSFER_CACHE"] = before or ""
    return folder / "runs"


def said(capsys):
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "kind", "measure", "between"),
    [
        ("one", "awa-errors", "named right", "named right"),
        ("one", "awa-errors", "Wu-Palmer of wrong names", "Wu-Palmer of wrong names, where both are wrong"),
        ("recall", "concept-recall", "recall", "recall"),
        ("recall", "concept-recall", "F1", "F1"),
        ("scores", "caption-scores", "CIDEr-D", "CIDEr-D"),
        ("scores", "caption-scores", "CLIPScore", "CLIPScore"),
    ],
)
def test_differences_are_those_of_the_analysis_itself(runs, name, kind, measure, between):
    made = Result.load(runs / name)
    own = made.claim("beit", between, against="beit-random", group=made.main_group)
    found = compare([cut(made, ["beit"])], n_resamples=500)
    claim = found.claim("beit", between, against="beit-random")
    assert found.provenance["of"] == kind
    assert claim["value"] == pytest.approx(own["value"])
    assert claim["n"] == own["n"]
    assert np.allclose(claim[["low", "high"]].astype(float), own[["low", "high"]].astype(float), atol=0.05)
    assert found.level("beit", measure)["value"] == made.claim("beit", measure)["value"]


def test_what_results_must_agree_in_is_in_their_provenance(runs):
    for name in ("one", "recall", "scores"):
        result = Result.load(runs / name)
        for key in result.alike:
            value = result.provenance
            for part in key.split("."):
                value = value[part]


def test_saved_results_are_compared_and_reported(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", str(runs), "--kind", "awa-errors", "--out", "here"]) == 0
    printed = capsys.readouterr().out
    made = Comparison.load(tmp_path / "here")
    assert made.compared == ("beit", "beit-random", "nfrn50", "nfrn50-random")
    assert made.summary() in printed
    assert made.summary().startswith("In the microworld")
    assert {"awa-errors", "caption-scores", "concept-recall"} == set(made.table["kind"]), "all stand on the ladder"
    assert dict(zip(made.table["encoder"], made.table["supervision"], strict=True)) == {
        "beit": "none",
        "beit-random": "random",
        "nfrn50": "labels",
        "nfrn50-random": "random",
    }
    assert made.provenance["seeds"] == [0, 1]
    assert (tmp_path / "here" / "report" / "index.html").read_text().count("<svg") >= 3
    assert main(["compare", str(tmp_path / "here")]) == 1
    assert "No `awa-errors` result" in (text := said(capsys)) or "No saved" in text


def test_several_kinds_and_none_named(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", str(runs)]) == 1
    text = said(capsys)
    assert "several analyses: awa-errors (2), concept-recall (1), caption-scores (1). Name one: --kind" in text


def test_what_is_missing_is_told_with_the_command_that_makes_it(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["compare", str(runs), "--kind", "awa-errors", "--study", "microworld"]
    assert main([*words, "--encoder", "beit", "--encoder", "clip"]) == 1
    text = said(capsys)
    assert "is about `clip` of study `microworld`. There are: beit, beit-random, nfrn50, nfrn50-random." in text
    assert "concepttransfer awa-errors --study microworld --encoder clip, or give --build." in text
    assert main([*words, "--on", "test"]) == 1
    assert "on `test`" in said(capsys)
    assert not (tmp_path / "runs").exists(), "nothing is made unless told"


def test_one_encoder_brings_its_control_and_json_is_json(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["compare", str(runs), "--kind", "awa-errors", "--encoder", "nfrn50", "--dry-run", "--json"]
    assert main(words) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {one["encoders"] for one in listed if one["saved result"] == "awa-errors"} == {"nfrn50, nfrn50-random"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "There is no folder nowhere"),
        ([], "There is no folder runs"),
        (["--limit", "5"], "--limit is about results that are made"),
        (["--kind", "compare", "--build"], "`compare` is about results of other analyses"),
        (["--kind", "awa-error", "--build"], "Did you mean `awa-errors`"),
        (["--build", "--encoder", "clop"], "Did you mean `clip`"),
        (
            ["--build", "--kind", "similarity", "--encoder", "nfrn50", *ON, "--limit", "30"],
            "has a row a pair of encoders",
        ),
    ],
)
def test_bad_input_is_told(words, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", *words]) == 1
    assert message in said(capsys)


def test_a_folder_without_results(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert main(["compare", "empty"]) == 1
    assert "No results in empty" in said(capsys)


def test_a_plan_makes_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "--build", "--encoder", "beit", *ON, "--limit", "30", "--dry-run"]) == 0
    assert "caption" in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()


def test_only_what_is_missing_is_made(study, runs, tmp_path):
    """Of the encoders that no saved result of the same pictures is about; what is about others is kept."""
    few = study.replace(limit=12)
    asked = Asked("awa-errors", encoders=("beit", "beit-random"))

    def made(of, asked, below):
        saved, _ = found_below([below], may_be_none=True)
        wanted = Missing(of, analysis.get(asked.kind), of.select("dev")[0], asked.encoders)
        missing = wanted.without(saved)
        make_missing([missing] if missing else [], below, jobs=1, quiet=True)
        return [missing.encoders] if missing else []

    assert made(study, asked, runs) == [], "saved already"
    assert made(few, asked, tmp_path) == [("beit", "beit-random")]
    folder = tmp_path / "awa-errors" / "microworld-dev-beit+beit-random"
    date = Result.load(folder).provenance["date"]
    both = Asked("awa-errors", encoders=("beit", "beit-random", "nfrn50-random"))
    assert made(few, both, tmp_path) == [("nfrn50-random",)]
    assert made(study.replace(limit=14), asked, tmp_path) == [("beit", "beit-random")]
    assert Result.load(folder).provenance["date"] == date
    assert len(list((tmp_path / "awa-errors").iterdir())) == 3, "a result about other pictures is not replaced"
    with pytest.raises(MismatchError, match="not the same pictures"):
        compare(chosen(found_below([tmp_path])[0], Asked("awa-errors")))


def test_the_role_of_the_data_is_that_of_the_kind():
    spec = analysis.get("compare")
    assert spec.roles == ("animals",)
    assert spec.roles_with({"kind": "visual-questions"}) == ("questions",)


@pytest.mark.parametrize("name", ["microworld", "limber", "photographs"])
def test_every_encoder_of_ours_stands_on_a_rung(name, real, monkeypatch):
    monkeypatch.setenv("CONCEPTTRANSFER_REAL", str(real))
    spec = ct.load_study(name).spec
    assert all(encoder.rung for encoder in spec.encoders.values())
    assert {encoder.rung for n, encoder in spec.encoders.items() if n.endswith("-random")} == {"random"}


def test_supervision_is_no_part_of_an_identity_or_key(study):
    for name, spec in study.spec.encoders.items():
        other = spec.model_copy(update={"supervision": None})
        assert spec.identity(study.root) == other.identity(study.root)
        assert spec.space(study.root) == other.space(study.root)
        silent = study.with_spec(study.spec.model_copy(update={"encoders": {**study.spec.encoders, name: other}}))
        assert keys.imported(silent, name) == keys.imported(study, name)
        assert keys.features(silent, name, study.select("dev")[0]) == keys.features(study, name, study.select("dev")[0])


def test_a_wrong_supervision_is_told_with_its_line(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(
        "name: mine\nlanguage_model: hf:gpt2\nencoders:\n  a: {model: timm:x, supervision: words}\n"
        "data: {x: {reader: image_folder, pictures: here}}\ntrain: {data: x}\n"
    )
    with pytest.raises(StudyError, match=r"line 4: encoders.a.supervision: .*'none', 'labels' or 'captions'"):
        read_study(path)
