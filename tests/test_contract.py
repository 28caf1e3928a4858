"""For every analysis: the call on artifacts, the study's call, the command and the report's section are one thing."""

from __future__ import annotations

import json
from functools import partial

import pytest

import concepttransfer as ct
from concepttransfer import analysis
from concepttransfer.cli import main
from concepttransfer.report import build
from concepttransfer.study.artifacts import MAKERS, OPTIONS

ENCODER, N, FEW = "nfrn50", 60, 200
ENCODERS: dict[str, str] = {"modality-gap": "clip", "retrieval": "clip", "zero-shot": "clip", "zero-shot-probe": "clip"}
"""Of analyses that take another kind of encoder, such as one with a text tower."""
TOLD = {"robustness": {"also": "test-cluttered"}}
"""Options without which an analysis has nothing to do."""
DATA = {"questions": "dev-questions", "entailment": "dev-entailment"}
"""The data of each role; `dev` of those that are not named."""


def told(spec):
    """The command of an analysis of saved results makes them only when told; a study makes whatever is missing."""
    return ["--build"] if spec.of else []


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return ct.load_study("microworld", limit=N, quiet=True)


def fewer(spec):
    """Few resamples: that call, command and page agree does not hang on how many."""
    few = {o.name: FEW for o in spec.options if o.name in ("n_resamples", "n_permutations") and o.default > FEW}
    return few | TOLD.get(spec.name, {})


def of_artifact(kind, options):
    """Those of an analysis's options that say how an artifact is made."""
    return {name: options[name] for name in OPTIONS.get(kind, ()) if name in options}


@pytest.mark.parametrize("name", analysis.names())
def test_call_command_and_report_agree(name, study, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = analysis.get(name)
    on, few = DATA.get(spec.roles[0], "dev"), fewer(spec)
    result = study.analyze(name, encoders=[ENCODERS.get(name, ENCODER)], on=on, **few)
    encoders = study.with_twins([ENCODERS.get(name, ENCODER)])
    artifacts = {
        "Answers": lambda: [a for e in ("blind", *encoders) for a in study.answers(e, on=on)],
        "Captions": lambda: [c for e in encoders for c in study.captions(e, on=on)],
        "ConceptSet": lambda: study.concepts(on),
        "Manifest": lambda: study.manifest(on),
        "Features": lambda: [study.features(e, on=on) for e in encoders],
    }
    selection = study.select(on)[0]
    makers = {kind: partial(make, study, encoders, selection) for kind, make in MAKERS.items()}
    others = {kind: partial(make, **of_artifact(kind, few)) for kind, make in makers.items()}
    direct = spec.function(*[(others | artifacts)[a.kind.__name__]() for a in spec.artifacts], **few)
    assert direct.to_frame().equals(result.to_frame())
    assert direct.estimates.equals(result.estimates)
    assert direct.summary() == result.summary()

    capsys.readouterr()
    options = ["--on", on, "--limit", str(N), "--out", "here", "--quiet", "--json"]
    flags = [word for option, n in few.items() for word in (f"--{option.replace('_', '-')}", str(n))]
    assert main([name, "--encoder", ENCODERS.get(name, ENCODER), *options, *flags, *told(spec)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {"summary", "estimates", "folder", "report"} <= set(said)
    assert said["summary"] == result.summary()
    assert all({"value", "low", "high", "chance", "n"} <= set(claim) for claim in said["estimates"])
    saved = spec.result_type.load(tmp_path / "here")
    assert saved.to_frame().equals(result.to_frame())
    assert saved.estimates.equals(result.estimates)

    page = build([tmp_path / "here"], tmp_path / "page").read_text(encoding="utf-8")
    assert spec.title in page
    assert page.count("<svg") >= len(spec.result_type.figures)
    assert "microworld" in page


def test_the_same_again_is_found_and_loads_no_torch(study, tmp_path):
    """A second run answers from the cache: no model is loaded."""
    import subprocess
    import sys

    study.analyze("awa-errors", encoders=[ENCODER], on="dev")
    code = (
        "import sys; from concepttransfer.cli import main;"
        f"words = 'awa-errors --encoder {ENCODER} --on dev --limit {N} --out o --quiet'.split(); status = main(words);"
        "print('LOADED', [m for m in ('torch', 'transformers', 'timm') if m in sys.modules], status)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED [] 0", done.stderr
