"""A paper's tables are filled by computation, beside what was printed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from published_layouts import make_all
from small_result import SmallResult
from tiny_paper import make

import concepttransfer as ct
from concepttransfer import analysis
from concepttransfer.cli import main
from concepttransfer.errors import BadInputError, MismatchError, UnknownNameError
from concepttransfer.reproduce import papers, read_paper
from concepttransfer.reproduce.needs import needs
from concepttransfer.reproduce.published import PublishedTable
from concepttransfer.reproduce.run import named_paper, rehearsal
from concepttransfer.reproduce.tables import CELLS, fill, wide
from concepttransfer.result import ESTIMATES

TABLE = PublishedTable.model_validate(
    {
        "title": "Scores",
        "analysis": "small",
        "columns": [
            {"name": "score", "data": "coco", "measure": "score", "group": "all", "scale": 100},
            {"name": "length", "data": "coco", "measure": "length"},
        ],
        "rows": {"beit": [20.5, None], "clip": [34.0, 7.0]},
        "others": {"MAGMA": [16.9, 8.0]},
        "doubts": [{"row": "clip", "column": "score", "why": "Printed twice."}],
    }
)


def claims(*rows: tuple[str, str, str | None, str | None, float]) -> dict[str, SmallResult]:
    frame = pd.DataFrame(
        [
            {
                **dict.fromkeys(ESTIMATES),
                "system": system,
                "measure": measure,
                "group": group,
                "against": against,
                "value": value,
                "low": value - 0.1,
                "high": value + 0.1,
                "chance": 0.02,
                "n": 20,
                "n_seeds": 1,
            }
            for system, measure, group, against, value in rows
        ]
    )
    made = SmallResult(table=pd.DataFrame({name: [] for name in SmallResult.columns}), estimates=frame)
    return {"coco": made}


EVERY = [
    (system, measure, "all" if measure == "score" else None, None, value)
    for system, value in (("beit", 0.2), ("clip", 0.4), ("extra", 0.6))
    for measure in ("score", "length")
]


def test_each_cell_holds_our_claim_in_the_papers_unit_beside_what_was_printed():
    others = [("clip", "score", "near", None, 0.9), ("clip", "score", "all", "beit", 0.8)]
    cells = fill("t", TABLE, claims(*EVERY, *others), ["clip", "beit", "extra"])
    assert list(cells.columns) == list(CELLS)
    assert list(dict.fromkeys(cells["row"])) == ["beit", "clip", "extra", "MAGMA"]
    clip = cells[(cells["row"] == "clip") & (cells["column"] == "score")].iloc[0]
    assert (clip["value"], clip["chance"], clip["published"]) == pytest.approx((40, 2, 34))
    assert (clip["low"], clip["high"]) == pytest.approx((30, 50))
    assert clip["doubt"] == "Printed twice."
    assert np.isnan(cells[(cells["row"] == "extra")]["published"]).all()
    assert np.isnan(cells[cells["row"] == "MAGMA"]["value"]).all()
    assert not np.isnan(cells[cells["row"] != "MAGMA"]["value"]).any(), "every cell of ours is filled"


def test_a_table_is_read_as_ours_interval_and_printed():
    grid = wide(fill("t", TABLE, claims(*EVERY), ["clip", "beit", "extra"]))
    assert grid.loc["clip", "score"] == "40 [30, 50] (34?)"
    assert grid.loc["extra", "length"] == "0.6 [0.5, 0.7]"
    assert grid.loc["MAGMA", "score"] == "- (16.9)"


@pytest.mark.parametrize("change", ["measure", "twice", "data"])
def test_a_claim_that_is_not_made_once_is_no_silent_gap(change):
    made = claims(*EVERY[:-1]) if change == "measure" else claims(*EVERY, EVERY[0])
    if change == "data":
        made = {"nocaps": made["coco"]}
    with pytest.raises(MismatchError, match=r"Column `(length|score)`"):
        fill("t", TABLE, made, ["clip", "beit", "extra"])


@pytest.mark.parametrize("fault", [{"rows": {"beit": [1.0]}}, {"doubts": [{"row": "beta", "why": "?"}]}])
def test_a_table_that_does_not_fit_together_is_refused(fault):
    with pytest.raises(ValueError, match=r"beit|beta"):
        PublishedTable.model_validate(TABLE.model_dump() | fault)


@pytest.mark.parametrize("name", papers())
def test_printed_tables_belong_to_the_study_of_their_name(name):
    paper, study = read_paper(name), ct.load_study(name)
    for table in paper.tables.values():
        assert {*table.rows} <= {*study.encoders, *table.baselines}
        assert {column.data for column in table.columns} <= {
            d for listed in study.spec.evaluate.values() for d in listed
        }
        assert isinstance(analysis.get(table.analysis), analysis.Spec)
        assert {*table.options} <= {option.name for option in analysis.get(table.analysis).options}


def test_doubtful_values_of_the_paper_are_marked():
    captioning = read_paper("limber").tables["captioning"]
    column = next(c for c in captioning.columns if c.name == "COCO CIDEr-D")
    assert captioning.value("MAGMA (released)", column) == 32.1
    assert "52.1" in captioning.doubt("MAGMA (released)", column)
    assert captioning.doubt("clip", column) == ""


def test_a_study_without_a_paper_says_how_to_name_one():
    with pytest.raises(BadInputError, match="paper: limber"):
        named_paper(ct.load_study("microworld"))
    with pytest.raises(UnknownNameError, match="Did you mean `limber`"):
        read_paper("limbre")


def test_a_rehearsal_is_short_and_never_taken_for_the_real_thing():
    study = ct.load_study("limber")
    short = rehearsal(study)
    assert (short.spec.train.steps, short.settings.limit, short.name) == (2, 20, "limber-rehearsal")
    assert short.spec.train.identity() != study.spec.train.identity()
    assert rehearsal(study.replace(limit=3)).settings.limit == 3


# --- the plan ----------------------------------------------------------------------------------------------------


@pytest.fixture
def nothing_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return ct.load_study("limber")


@pytest.mark.slow
def test_the_plan_of_the_paper_needs_no_data_and_no_weights(nothing_there):
    planned = needs(nothing_there, ["beit", "nfrn50-tuned"])
    assert {name for name, _ in planned.missing} == {"cc3m", "coco", "nocaps", "awa2", "vqa2"}
    named = {(step.stage, step.encoder, step.what): step for step in planned.steps}
    assert named["encode", "beit", "awa2"].n == 37_322
    assert named["encode", "beit", "awa2"].n_bytes == 2 * 37_322 * 196 * 1024
    assert named["answer", "beit", "vqa2"].n == 214_354
    assert named["encode", "beit", "vqa2"].n == 40_504
    assert named["fit", "beit", "seed 0"].n_bytes == 4 * 1024 * 4096
    assert named["fit", "nfrn50-tuned", "seed 0"].n_bytes == 4 * (2048 * 4096 * 2 + 25_557_032)
    assert {name: n for name, n, _, _ in planned.memory}["beit in float32"] == 303_137_216
    # 4 products of the frozen model, 2 more where it recomputes, and the encoder, by hand
    work = 15_000 * 2_048 * (6 * 6_050_882_784 * (196 + 12) + 123_107_377_152) / 0.3
    rate = sum(device.rate for device in planned.devices)
    assert named["fit", "beit", "seed 0"].seconds == pytest.approx(work / rate)
    assert planned.seconds == pytest.approx(sum(step.seconds for step in planned.steps))


def test_the_plan_is_printed_and_nothing_is_done(nothing_there, capsys, own_cache):
    assert main(["reproduce", "limber", "--encoder", "nfrn50", "--dry-run", "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert {step["encoder"] for step in planned["steps"]} == {"nfrn50", "nfrn50-random"}
    assert not (Path("runs")).exists()


def test_missing_data_ends_with_a_sentence(nothing_there, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["reproduce", "limber", "--encoder", "nfrn50", "--quiet"]) == 1
    assert "awa2" in capsys.readouterr().out


# --- the whole paper, in tiny ------------------------------------------------------------------------------------


def begun(folder: Path, log: Path) -> subprocess.Popen[bytes]:
    program = "from concepttransfer.cli import run; run()"
    words = [sys.executable, "-c", program, "reproduce", "tiny.yaml", "--rehearse", "--quiet"]
    return subprocess.Popen(words, cwd=folder, stdout=log.open("wb"), stderr=subprocess.STDOUT, start_new_session=True)


@pytest.mark.slow
def test_the_whole_paper_runs_is_killed_half_way_and_fills_every_cell(tmp_path, monkeypatch, capsys):
    """`limber` with its models exchanged for tiny ones, its data for twenty pictures each, and nothing else."""
    monkeypatch.setenv("CONCEPTTRANSFER_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    study_file = make(tmp_path)
    make_all(tmp_path)
    study = ct.load_study(study_file)

    process = begun(tmp_path, tmp_path / "log")
    fitted = tmp_path / "cache" / "transfers"
    while len(list(fitted.glob("*/transfer.json"))) < len(study.encoders) // 2:
        assert process.poll() is None, (tmp_path / "log").read_text()
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = {path: path.stat().st_mtime_ns for path in fitted.glob("*/transfer.json")}

    assert main(["reproduce", str(study_file), "--rehearse", "--quiet"]) == 0
    assert "beit-ft" in capsys.readouterr().out
    assert before.items() <= {path: path.stat().st_mtime_ns for path in fitted.glob("*/transfer.json")}.items()
    folder = tmp_path / "runs" / "limber-tiny-rehearsal"
    cells = pd.read_csv(folder / "cells.csv")
    paper = read_paper("limber")
    assert set(cells["table"]) == set(paper.tables)
    for name, table in paper.tables.items():
        ours = cells[(cells["table"] == name) & ~cells["row"].isin(list(table.others))]
        assert set(ours["row"]) == {*study.encoders, *table.baselines}
        assert len(ours) == len(table.columns) * (len(study.encoders) + len(table.baselines))
        assert ours["value"].notna().all(), ours[ours["value"].isna()]
        assert (ours["n"] > 0).all()
        text = (folder / f"{name}.md").read_text()
        assert "A rehearsal" in text
        assert all(doubt.why in text for doubt in table.doubts)

    random = rehearsal(study).captions("beit-random", on="coco")[0].texts()
    assert len(set(random.values())) > 1, "the tiny models tell pictures apart"
    page = tmp_path / "page"
    assert main(["report", str(folder / "results"), "--out", str(page)]) == 0
    assert "limber-tiny-rehearsal" in (page / "index.html").read_text()
