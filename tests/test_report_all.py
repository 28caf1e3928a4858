"""`report --all` runs what is missing, reuses only what would come out the same, and loses nothing to one failure."""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint

import pytest

import concepttransfer as ct
from concepttransfer import analysis
from concepttransfer.cli import main
from concepttransfer.errors import BadInputError, UnknownNameError
from concepttransfer.report import report_study
from concepttransfer.result import Result
from concepttransfer.study import result_key
from concepttransfer.study.every import default_folder, is_saved, run_every, tasks

PLUGIN = '''
from typing import Annotated
from concepttransfer.analysis import On, analysis
from concepttransfer.concepts import ConceptSet
from concepttransfer.errors import MissingResourceError
from small_result import SmallResult, make

calls = []

class {kind}(SmallResult):
    kind = "{name}"

@analysis("{name}", title="Is {name} run?")
def run(animals: Annotated[ConceptSet, On("{role}")], *, seed: int = 0, n: int = 3) -> {kind}:
    """Count."""
    calls.append((seed, n))
    {body}
    made = make("microworld")
    return {kind}(table=made.table, estimates=made.estimates, provenance={{"study": "microworld"}})
'''


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """Installs analyses written for one test in place of all others; gives their modules by name."""
    monkeypatch.syspath_prepend(tmp_path / "plugins")
    (tmp_path / "plugins").mkdir()
    monkeypatch.chdir(tmp_path)
    entries = []

    def install(name, *, role="animals", body="pass", broken=False):
        module = f"plugin_{name.replace('-', '_')}"
        text = PLUGIN.format(name=name, kind=module.title().replace("_", ""), role=role, body=body)
        (tmp_path / "plugins" / f"{module}.py").write_text("1 / 0" if broken else text)
        entries.append(EntryPoint(name, f"{module}:run", analysis.GROUP))
        monkeypatch.setattr(
            "concepttransfer.plugins.entry_points", lambda group: entries if group == analysis.GROUP else []
        )
        analysis._entries.cache_clear()
        sys.modules.pop(module, None)
        result_key._own_code.cache_clear()
        return lambda: sys.modules[module].calls

    yield install
    analysis._entries.cache_clear()


@pytest.fixture
def study():
    return ct.load_study("microworld", limit=12, quiet=True)


def run(study, **how):
    todo, left = tasks(study, ["beit"])
    return [*left, *run_every(study, todo, study.with_twins(["beit"]), **{"options": {"seed": 0}} | how)]


def test_ours_come_in_a_fixed_order_and_others_by_name(plugins, study):
    for name in ("zebra", "compare", "similarity", "apple", "awa-errors"):
        plugins(name)
    assert [task.spec.name for task in tasks(study, ["beit"])[0]] == [
        "awa-errors",
        "similarity",
        "compare",
        "apple",
        "zebra",
    ]


def test_what_is_saved_is_reused_only_if_it_would_come_out_the_same(plugins, study):
    calls = plugins("one")
    assert [outcome.how for outcome in run(study)] == ["computed"]
    assert [outcome.how for outcome in run(study)] == ["reused"]
    assert len(calls()) == 1
    assert [outcome.how for outcome in run(study, options={"seed": 1})] == ["computed"]
    assert [outcome.how for outcome in run(study, options={"seed": 1, "n": 4})] == ["computed"]
    assert [outcome.how for outcome in run(study, options={"seed": 1, "n": 4})] == ["reused"]
    assert [outcome.how for outcome in run(study, options={"seed": 1, "n": 4}, force=True)] == ["computed"]
    assert [outcome.how for outcome in run(study.replace(limit=11), options={"seed": 1, "n": 4})] == ["computed"]
    assert calls() == [(0, 3), (1, 3), (1, 4), (1, 4), (1, 4)]


def test_other_code_or_libraries_are_another_result(plugins, study, monkeypatch, tmp_path):
    plugins("one")
    run(study)
    monkeypatch.setattr(result_key, "version", lambda name: "99")
    assert [outcome.how for outcome in run(study)] == ["computed"]
    monkeypatch.setattr(result_key, "_code", lambda: "other")
    assert [outcome.how for outcome in run(study)] == ["computed"]
    assert [outcome.how for outcome in run(study)] == ["reused"]
    with (tmp_path / "plugins" / "plugin_one.py").open("a") as file:
        file.write("\n# another version\n")
    result_key._own_code.cache_clear()
    assert [outcome.how for outcome in run(study)] == ["computed"]


def test_a_damaged_result_is_computed_again(plugins, study):
    plugins("one")
    folder = run(study)[0].folder
    key = Result.load(folder).provenance["key"]
    assert is_saved(folder, key)
    (folder / "table.csv").write_text("")
    assert not is_saved(folder, key)
    assert [outcome.how for outcome in run(study)] == ["computed"]


def test_the_command_of_the_analysis_and_the_report_save_the_same(plugins, study, capsys):
    calls = plugins("one")
    words = ["--encoder", "beit", "--limit", "12", "--quiet"]
    assert main(["one", *words]) == 0
    assert main(["report", "--all", *words, "--jobs", "1"]) == 0
    assert len(calls()) == 1
    assert "one on test: reused" in capsys.readouterr().out


def test_one_that_fails_loses_no_other(plugins, study, tmp_path, capsys):
    plugins("broken", broken=True)
    plugins("fails", body="1 / 0")
    plugins("lacks", body="raise MissingResourceError('Get <b>weights</b> first.')")
    plugins("no-role", role="nobody")
    plugins("works")
    assert main(["report", "--all", "--encoder", "beit", "--limit", "12", "--quiet", "--jobs", "1"]) == 1
    said = capsys.readouterr().out
    for text in (
        "broken: left out (The analysis `broken` (plugin_broken:run) is broken: ZeroDivisionError",
        "fails on test: failed (ZeroDivisionError: division by zero)",
        "lacks on test: left out (Get <b>weights</b> first.)",
        "no-role: left out (Study `microworld` names no data for the role `nobody`",
        "works on test: computed in ",
        "Report: ",
    ):
        assert text in said
    page = (tmp_path / "runs" / "report" / "index.html").read_text()
    broken = page[page.index('id="broken"') :]
    assert "Get &lt;b&gt;weights&lt;/b&gt; first." in broken
    assert all(f"<b>{name}" in broken for name in ("broken", "fails", "lacks", "no-role"))
    assert "Is works run?" in page
    assert str(tmp_path) not in page


def test_a_stopped_run_goes_on(plugins, study):
    first = plugins("apple")
    plugins("zebra", body="raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        run(study)
    plugins("zebra")
    assert [(outcome.name, outcome.how) for outcome in run(study)] == [
        ("apple on test", "reused"),
        ("zebra on test", "computed"),
    ]
    assert len(first()) == 1


def test_no_result_at_all_says_every_reason(plugins, study, tmp_path):
    plugins("lacks", body="raise MissingResourceError('Get weights first.')")
    with pytest.raises(BadInputError, match="None of 1 analyses gave a result:\n  lacks on test: Get weights first"):
        report_study(study, encoders=["beit"], jobs=1)
    assert not (tmp_path / "runs" / "report").exists()
    with pytest.raises(UnknownNameError, match="beit"):
        report_study(study, encoders=["biet"])


def test_data_may_be_put_in_place(plugins, study):
    plugins("one")
    plugins("two", role="captions")
    assert [t.selection.name for t in tasks(study, ["beit"], on="dev")[0]] == ["dev", "dev"]
    todo, left = tasks(study, ["beit"], on="captions")
    assert [task.spec.name for task in todo] == ["two"]
    assert "only `captions` was asked about" in left[0].reason


def test_the_plan_computes_nothing(plugins, capsys):
    calls = plugins("one")
    plugins("broken", broken=True)
    assert main(["report", "--all", "--encoder", "beit", "--limit", "12", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert any(line.split() == ["one", "on", "test", "missing"] for line in said.splitlines())
    assert "left out: The analysis `broken`" in said
    assert "stages are missing" in said
    assert calls() == []
    assert main(["report", "--all", "--encoder", "beit", "--limit", "12", "--dry-run", "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned["analyses"][0] == {"analysis": "one on test", "state": "missing"}
    assert {step["stage"] for step in planned["steps"]} >= {"encode"}


def test_programs_are_told_every_outcome(plugins, capsys):
    plugins("one")
    assert main(["report", "--all", "--encoder", "beit", "--limit", "12", "--json", "--jobs", "1"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["report"].endswith("index.html")
    assert [(one["name"], one["how"]) for one in said["analyses"]] == [("one on test", "computed")]


def test_a_study_without_results_is_told_what_makes_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["report", "--study", "microworld"]) == 1
    assert "concepttransfer report --study microworld --all" in capsys.readouterr().err
    assert main(["report", "--limit", "3"]) == 1
    assert "--limit is about what is run. Give --all" in capsys.readouterr().err
    assert main(["report", "--all", "somewhere"]) == 1
    assert "Leave the folders out" in capsys.readouterr().err


def test_folders_are_named_by_study_data_and_encoders(study):
    names = [default_folder(study, "one", "test", encoders).as_posix() for encoders in (["a", "b"], list("abcde"))]
    assert names == ["runs/one/microworld-test-a+b", "runs/one/microworld-test-5-encoders"]
