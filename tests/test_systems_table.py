"""One table of systems: several studies over the same pictures, what a fit cost, and what is missing is made once."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from test_compare import toy

import concepttransfer as ct
from concepttransfer import analysis
from concepttransfer.analyses._compare.costs_figure import STEP, _apart
from concepttransfer.analyses._compare.looks import looks_of
from concepttransfer.analyses.compare import Comparison, compare
from concepttransfer.cli import main
from concepttransfer.errors import MismatchError
from concepttransfer.result import ESTIMATES
from concepttransfer.study import pipeline, rates
from concepttransfer.study.fit_costs import fit_costs
from concepttransfer.study.several import Missing, _Fit, _Stage, _Work, steps_of

STUDY = """
like: microworld
name: {name}
encoders:
  beit: null
  beit-ft: null
  beit-random: null
  nfrn50: null
  nfrn50-all-labels: null
  nfrn50-random: null
  nfrn50-tuned: null
  clip: {{features: projected, normalize: true, prompt_tokens: 2}}
  clip-random: null
  pooled: {{like: clip, recipe: {{projection: {{kind: mlp}}}}}}
  {more}
data: {{few: {{reader: microworld, split: dev, limit: 24}}}}
train: {{data: few, steps: 3, batch_size: 4, seeds: 2}}
evaluate: {{animals: few, captions: {captions}}}
transfers: null
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes studies over a few pictures, and works in their folder, with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONCEPTTRANSFER_CACHE", str(tmp_path / "cache"))

    def write(name: str, *, captions: str = "few", more: str = "") -> str:
        (tmp_path / f"{name}.yaml").write_text(STUDY.format(name=name, captions=captions, more=more))
        return f"{name}.yaml"

    return write


def costing(study, trained, manifest="m1", seconds=None, **shares):
    costs = {name: {"trained": trained, "samples": 64, "seconds": seconds} for name in shares}
    return toy(shares, study=study, manifest=manifest, costs=costs)


# --- what a fit cost ----------------------------------------------------------------------------------------------


def test_costs_of_the_shipped_fits_are_those_of_their_shapes_and_recipe():
    study = ct.load_study("microworld", quiet=True)
    found = fit_costs(study, ["beit", "nfrn50-tuned"])
    width, dim = study.language_model.d_model, study.transfers("beit")[0].dim
    assert found["beit"] == {"trained": width * dim + width, "samples": 500 * 32, "seconds": None}
    tuned = study.transfers("nfrn50-tuned")[0]
    network = pipeline.load_encoder(study, "nfrn50-tuned").module
    trained = sum(p.numel() for p in network.parameters()) + width * tuned.dim + width
    assert found["nfrn50-tuned"]["trained"] == trained


def test_nothing_is_fitted_to_know_a_cost(written, tmp_path):
    study = ct.load_study(written("unfitted"), quiet=True)
    assert fit_costs(study, ["pooled"]) == {}
    assert not (tmp_path / "cache" / "transfers").exists() or pipeline.transfers_there(study, "pooled") == []


# --- the table ----------------------------------------------------------------------------------------------------


def test_systems_of_several_studies_stand_in_one_table_with_their_costs():
    cheap, dear = costing("cheap", 100, a=0.2, b=0.3), costing("dear", 5000, seconds=61.4, a=0.9)
    result = compare([cheap, dear], n_resamples=200)
    assert result.compared == ("cheap/a", "cheap/b", "dear/a")
    table = result.headline().set_index("encoder")
    assert table["trained parameters"].to_dict() == {"cheap/a": 100, "cheap/b": 100, "dear/a": 5000}
    assert table["seconds of a fit"].to_dict() == {"cheap/a": "not known", "cheap/b": "not known", "dear/a": 61}
    assert set(table["captions seen"]) == {64}
    assert table.loc["dear/a", "named right"].startswith(f"{dear.table['right'].mean():.3f} (0.000 to 1.000, chance")
    assert set(table["n"]) == {60}
    assert math.isnan(result.cost("cheap/a", "seconds"))
    result.plot("costs")


def test_without_costs_there_is_no_such_column_and_the_figure_says_so():
    result = compare([toy({"a": 0.5, "b": 0.6})], n_resamples=100)
    assert not {"trained parameters", "n"} & set(result.headline())
    (axes,) = result.plot("costs").axes
    assert "Of no system is it known" in axes.texts[0].get_text()


def test_other_pictures_are_refused():
    with pytest.raises(MismatchError, match=r"not the same pictures .*listed in other manifests"):
        compare([costing("one", 10, a=0.5), costing("two", 10, manifest="m2", a=0.5)])


def test_scores_of_captions_stand_beside_what_is_compared():
    from concepttransfer.analyses.caption_scores import CaptionScores

    scores = pd.DataFrame(
        [
            {"study": study, "on": "test", "system": "a", "group": "all", "measure": measure, "value": value}
            | {"low": value - 0.1, "high": value + 0.1, "chance": 0.1, "n": 60, "n_seeds": 1}
            for study, value in (("one", 0.5), ("two", 0.7))
            for measure in ("CIDEr-D", "BLEU-4")
        ]
    ).reindex(columns=list(ESTIMATES))

    def captions(study):
        columns = {name: pd.Series(dtype=kind) for name, kind in CaptionScores.columns.items()}
        table = pd.DataFrame(columns).reindex(range(1)).assign(encoder="a")
        counts = {name: 0 for name, kind in CaptionScores.columns.items() if kind in ("int64", "float64", "bool")}
        table = table.assign(**counts)
        about = {"study": study, "on": "test", "manifest": "m1"}
        return CaptionScores(table=table, estimates=scores[scores["study"] == study], provenance=about)

    results = [costing("one", 10, a=0.5), costing("two", 20, a=0.6), captions("one"), captions("two")]
    table = compare(results, kind="toy", n_resamples=100).headline().set_index("encoder")
    assert table.loc["two/a", "CIDEr-D"] == "0.700 (0.600 to 0.800, chance 0.100)"
    assert table.loc["one/a", "BLEU-4"] == "0.500 (0.400 to 0.600, chance 0.100)"
    assert "CLIPScore" not in table


def test_no_two_systems_of_several_studies_look_alike_and_a_control_is_its_encoder_hollow():
    names = {f"e{n}": 0.5 for n in range(9)} | {"e3-random": 0.1}
    looks = looks_of(compare([costing(study, 10, **names) for study in ("one", "two", "three")], n_resamples=50))
    assert len({(look.colour, look.marker, look.fill) for look in looks.values()}) == 30
    own, control = looks["two/e3"], looks["two/e3-random"]
    assert (own.colour, own.marker) == (control.colour, control.marker)
    assert control.fill == "white"


def test_systems_of_one_cost_are_drawn_side_by_side_and_others_where_they_are():
    places = _apart([1000.0, 10.0, 1000.0, 1e6])
    assert places[1] == 10
    assert places[3] == 1e6
    assert places[2] / places[0] == pytest.approx(STEP)
    assert np.sqrt(places[0] * places[2]) == pytest.approx(1000)


# --- what is missing is made --------------------------------------------------------------------------------------


def missing_of(*studies, kinds=("awa-errors", "caption-scores")):
    return [
        Missing(study, analysis.get(kind), study.select("few")[0], study.encoders)
        for study in studies
        for kind in kinds
    ]


def test_each_piece_is_made_once_and_behind_what_it_needs(written):
    one = ct.load_study(written("one"), quiet=True)
    two = ct.load_study(written("two", more="blind: {like: clip, blind: true}"), quiet=True)
    work = _Work(tuple(missing_of(one, two)), one.root)
    fits = [piece for piece in work.pieces if isinstance(piece, _Fit)]
    assert [(fit.encoder, fit.seed) for fit in fits] == [
        *((name, seed) for name in ("clip", "pooled") for seed in (0, 1)),
        *(("blind", seed) for seed in (0, 1)),
    ], "what both studies fit is fitted once"
    stages = [piece for piece in work.pieces if isinstance(piece, _Stage)]
    assert sum(stage.kind == "Captions" for stage in stages) == 5, "both analyses read the same captions"
    assert len(set(work.pieces)) == len(work.pieces)
    for place, piece in enumerate(work.pieces):
        assert set(work.needs(piece)) <= set(work.pieces[:place]), piece
    judged = next(stage for stage in stages if stage.kind == "JudgeScores")
    assert {one.kind for one in work.needs(judged) if isinstance(one, _Stage)} == {"Captions"}


def test_the_command_fits_what_is_missing_and_makes_nothing_twice(written, tmp_path, capsys):
    command = ["compare", "--build", "--study", written("one"), "--study", written("two", more=BLIND), "--jobs", "1"]
    assert main([*command, "--quiet", "--dry-run"]) == 0
    assert "fit" in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()
    assert main([*command, "--quiet"]) == 0
    told = capsys.readouterr().out
    assert "To be made: awa-errors of one, caption-scores of one, awa-errors of two, caption-scores of two" in told
    folders = sorted(path.parent.name for path in (tmp_path / "runs" / "compare").glob("*/result.json"))
    made = Comparison.load(tmp_path / "runs" / "compare" / folders[0])
    table = made.headline().set_index("encoder")
    assert set(table.index) == {"one/clip", "one/pooled", "two/clip", "two/pooled", "two/blind"}
    assert all(table["trained parameters"] > 0)
    assert set(table["captions seen"]) == {12}
    assert {"CIDEr-D", "BLEU-4", "CLIPScore"} <= set(table)
    assert made.level("one/pooled", "named right")["value"] == made.level("two/pooled", "named right")["value"]
    assert main([*command, "--quiet", "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["steps"] == [], "what was made is not made again"
    assert len(told["results"]) == 4


BLIND = "blind: {like: clip, blind: true}"


def test_an_analysis_of_other_pictures_is_not_put_beside(written, capsys):
    words = ["--study", written("three", captions="dev"), "--study", written("four", captions="dev")]
    assert main(["compare", "--build", *words, "--dry-run", "--json"]) == 0
    steps = json.loads(capsys.readouterr().out)["steps"]
    assert {step["what"] for step in steps} == {"few", "few, seed 0", "few, seed 1", "seed 0", "seed 1"}


def test_time_is_that_of_encoders_measured_here_where_one_was_not(written, monkeypatch):
    study = ct.load_study(written("timed"), quiet=True)
    monkeypatch.setattr(rates, "_all", lambda: {"fit:a:1": 2.0, "fit:b:2": 6.0, "fit:c:3": 3.0, "caption:a:1": 10.0})
    steps = steps_of(missing_of(study), ["caption", "caption"])
    assert {step.seconds for step in steps if step.stage == "fit"} == {1.0}
    assert {step.seconds for step in steps if step.stage == "caption"} == {2.4}
    assert {step.seconds for step in steps if step.stage == "encode"} == {None}
    assert len({(step.stage, step.encoder, step.what) for step in steps}) == len(steps)


def test_the_alias_of_the_microworld_finds_the_shipped_fits():
    study = ct.load_study("limber-microworld")
    shipped = ct.load_study("microworld")
    assert set(study.encoders) - set(shipped.encoders) == {"clip-blind"}
    for name in shipped.encoders:
        assert pipeline.fitted(study, name, 0) == pipeline.fitted(shipped, name, 0) is not None
    assert study.encoder_spec("clip-blind").rung is None
