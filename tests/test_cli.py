"""The commands as a person meets them: what they print, and how they answer mistakes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from typer.main import get_command

from concepttransfer.cli import app, main

OF_EVERY_COMMAND = {f"--{name}" for name in ("study", "encoder", "on", "out", "seed", "limit", "force", "dry-run")} | {
    f"--{name}" for name in ("device", "dtype", "batch-size", "offline", "quiet", "json")
}
GROUPS = [[], ["studies"], ["cache"], ["microworld"], ["report"], ["studies", "new"], ["cache", "clear"]]


def run(capsys, *arguments):
    status = main(list(arguments))
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_every_command_has_the_common_options_and_explains_them():
    commands = get_command(app)
    for name in ("encode", "fit", "caption", "import-projection", "awa-errors", "encoders"):
        command = commands.get_command(None, name)
        options = {o: p for p in command.params for o in p.opts}
        assert set(options) >= OF_EVERY_COMMAND, name
        assert all(getattr(options[o], "help", None) for o in OF_EVERY_COMMAND), name


@pytest.mark.parametrize(
    "words", [[], ["studies"], ["cache"], ["microworld"], ["report"], ["studies", "new"], ["cache", "clear"]]
)
def test_help_teaches_everywhere(capsys, words):
    status, out, _ = run(capsys, *words, "--help")
    assert status == 0
    assert "Usage" in out


def test_options_of_an_analysis_are_flags_with_their_defaults():
    from concepttransfer import analysis

    command = get_command(app).get_command(None, "awa-errors")
    flags = {p.name: p for p in command.params}
    for option in analysis.get("awa-errors").options:
        assert f"--{option.name.replace('_', '-')}" in flags[option.name].opts
        assert flags[option.name].default == option.default
        assert flags[option.name].help


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["fit", "--encoder", "biet"], "No encoder `biet` in study `microworld`. Did you mean `beit`?"),
        (["fit", "--encoder", "beit", "--study", "mikroworld"], "Did you mean `microworld`?"),
        (["awa-eror"], "No command `awa-eror`. Did you mean `awa-errors`?"),
        (["encode", "--encoder", "beit", "--on", "animalz"], "Did you mean `animals`?"),
        (["encode"], "Which encoder? Give --encoder with one of: beit,"),
        (["encode", "--encoder", "beit", "--device", "gpu"], "No device `gpu`"),
        (["fit", "--encoder", "beit", "--dtype", "half"], "No dtype `half`"),
        (["report", "no-such-folder"], "no-such-folder"),
        (["cache", "clear", "featurs", "--yes"], "No kind of artifact `featurs`"),
        (["studies", "check", "nothing.yaml"], "There is no file nothing.yaml"),
    ],
)
def test_a_mistake_is_one_sentence_and_no_traceback(capsys, monkeypatch, tmp_path, words, answer):
    monkeypatch.chdir(tmp_path)
    status, _, err = run(capsys, *words)
    assert status == 1
    assert answer in err
    assert "Traceback" not in err


def test_a_wrong_option_is_answered_with_status_2(capsys):
    status, _, err = run(capsys, "fit", "--encodr", "beit")
    assert status == 2
    assert "--encoder" in err


def test_an_empty_folder_says_what_belongs_there(capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    status, _, err = run(capsys, "encode", "--encoder", "beit", "--on", str(tmp_path / "empty"))
    assert status == 1
    assert "empty" in err


def test_a_study_can_be_begun_checked_and_is_never_overwritten(capsys, tmp_path):
    file = tmp_path / "my.yaml"
    assert run(capsys, "studies", "new", str(file))[0] == 0
    status, out, _ = run(capsys, "studies", "check", str(file))
    assert status == 0
    assert "No mistakes" in out
    status, _, err = run(capsys, "studies", "new", str(file))
    assert status == 1
    assert "there already" in err


def test_lists_come_as_tables_and_as_json(capsys):
    for words in (["studies", "list"], ["analyses"], ["encoders"], ["cache", "list"]):
        assert run(capsys, *words)[0] == 0
        status, out, _ = run(capsys, *words, "--json")
        assert status == 0
        assert isinstance(json.loads(out), list)


def test_a_dry_run_says_stages_times_and_bytes_and_does_nothing(capsys, own_cache):
    before = sorted(own_cache.rglob("*"))
    status, out, _ = run(capsys, "awa-errors", "--encoder", "beit", "--dry-run", "--json")
    steps = json.loads(out)
    assert status == 0
    assert {step["encoder"] for step in steps} == {"beit", "beit-random"}
    assert [step["stage"] for step in steps if step["encoder"] == "beit"][-1] == "caption"
    assert all(step["n_bytes"] for step in steps)
    assert [p for p in own_cache.rglob("*") if "features" in p.parts or "captions" in p.parts] == [
        p for p in before if "features" in p.parts or "captions" in p.parts
    ]


def test_a_picture_of_ones_own_is_captioned(capsys, tmp_path):
    from PIL import Image

    from concepttransfer.microworld.render import render
    from concepttransfer.microworld.scene import sample_scene

    Image.fromarray(render(sample_scene("zebra", 1))[0]).resize((300, 200)).save(tmp_path / "PHOTO.jpg")
    status, out, _ = run(capsys, "caption", str(tmp_path / "PHOTO.jpg"), "--encoder", "clip", "--json", "--quiet")
    captions = json.loads(out)
    assert status == 0
    assert [c["seed"] for c in captions] == [0, 1, 2]
    assert all(c["caption"].startswith("A picture of a") for c in captions)


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_finished_and_the_same_command_goes_on(tmp_path):
    environment = {**os.environ, "CONCEPTTRANSFER_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "concepttransfer", "encode", "--encoder", "beit", "--on", "projection"]
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a suite in the background ignores it
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list(tmp_path.rglob("features/*")) and process.poll() is None:
        time.sleep(0.1)
    time.sleep(1.5)  # workers are being forked: what interrupts a fork's own handlers, Python ignores
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "goes on from there" in err
    assert "Traceback" not in err
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "4000" in done.stdout
