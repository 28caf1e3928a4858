"""Helpers on one machine: the same outcomes as alone; ctrl-C and a killed command leave no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import concepttransfer as ct
from concepttransfer.errors import BadInputError, ConceptTransferError
from concepttransfer.processes import crew as crew_module
from concepttransfer.processes.crew import crew, helpers
from concepttransfer.study.every import _Every, run_every, tasks


def work(shared, piece):
    """Of both: which process did it, how many cores it thinks it has, and what came of it."""
    from concepttransfer.processes import usable_cores

    if piece == "bad":
        raise BadInputError("A bad piece.")
    if piece == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if piece == "long":
        time.sleep(60)
    return os.getpid(), usable_cores(), os.environ.get("OMP_NUM_THREADS"), f"{shared['word']}-{piece}"


def did(n, pieces):
    with crew({"word": "w"}, n) as hands:
        return dict(hands.each(work, pieces))


def test_alone_pieces_are_done_in_order_in_this_process():
    done = did(1, [3, 1, 2])
    assert list(done) == [3, 1, 2]
    assert {pid for pid, *_ in done.values()} == {os.getpid()}


def test_helpers_do_the_same_in_processes_of_their_own(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(crew_module, "usable_cores", lambda: 2)
    done = did(2, list(range(12)))
    assert {piece: said for piece, (*_, said) in done.items()} == {n: f"w-{n}" for n in range(12)}
    pids = {pid for pid, *_ in done.values()}
    assert os.getpid() not in pids
    assert 1 <= len(pids) <= 2
    assert {threads for _, _, threads, _ in done.values()} == {"1"}
    cores = len(os.sched_getaffinity(0))
    assert {n for _, n, *_ in done.values()} == {max(cores // 2, 1)}


def test_the_first_piece_in_work_is_told():
    looked = []
    with crew({"word": "w"}, 2) as hands:
        list(hands.each(work, [1, 2], looked.append))
    assert looked[0] == 1


@pytest.mark.parametrize("n", [1, 2])
def test_a_piece_begins_when_what_it_needs_is_done(n):
    """4 needs all others, 1 needs 0; nobody who can do something waits for the order."""
    needed = {1: (0,), 4: (0, 1, 2, 3)}
    with crew({"word": "w"}, n) as hands:
        done = [piece for piece, _ in hands.each(work, range(5), needs=lambda piece: needed.get(piece, ()))]
    assert sorted(done) == list(range(5))
    assert done[-1] == 4
    assert done.index(0) < done.index(1)


@pytest.mark.parametrize("n", [1, 2])
def test_a_piece_that_fails_ends_it_all(n):
    start = time.monotonic()
    with pytest.raises(BadInputError, match="A bad piece"):
        did(n, ["bad", *(["long"] if n > 1 else [])])
    assert time.monotonic() - start < 40, "nobody waits for the other piece"


def test_a_helper_that_is_killed_is_told_in_a_sentence():
    with pytest.raises(ConceptTransferError, match=r"A helper process was killed.*--jobs 1"):
        did(2, ["dies", "long"])


def test_helpers_are_for_the_processor_and_a_command_by_itself(monkeypatch):
    monkeypatch.setattr(crew_module, "usable_cores", lambda: 16)
    assert helpers("cpu") == 4
    assert helpers("cuda:0") == 1
    for there in (True, False):
        monkeypatch.setattr(crew_module, "has_gpu", lambda there=there: there)
        assert helpers("auto") == (1 if there else 4)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert helpers("cpu") == 1


def test_every_stage_stands_before_the_analyses_that_need_it():
    study = ct.load_study("microworld", limit=12, quiet=True)
    todo, _ = tasks(study, ["beit"])
    every = _Every(study, tuple(todo), ("beit", "beit-random"), {}, Path("runs"), force=False)
    pieces = every.pieces
    assert len(set(pieces)) == len(pieces)
    assert sorted(piece for piece in pieces if isinstance(piece, int)) == list(range(len(todo)))
    for at, piece in enumerate(pieces):
        assert all(pieces.index(needed) < at for needed in every.needs(piece))
    named = [every.said(piece) for piece in pieces]
    assert named.index("linear-probe on test") < named.index("answers of beit on test-questions")
    assert "external scores of 2 encoders on test" in named
    assert named[-1] == "compare on test"


@pytest.mark.slow
def test_analyses_of_helpers_are_those_of_one_process(tmp_path):
    """The same artifacts, the same results to the last digit; those about results find theirs saved."""
    study = ct.load_study("microworld", limit=30, quiet=True)
    made = {}
    for jobs in (1, 2):
        todo, _ = tasks(study, ["beit"], on="dev", runs=tmp_path / str(jobs))
        todo = [task for task in todo if task.spec.name in ("awa-errors", "compare")]
        told = []
        outcomes = run_every(
            study, todo, study.with_twins(["beit"]), options={}, runs=tmp_path / str(jobs), jobs=jobs, told=told.append
        )
        assert [one.how for one in outcomes] == ["computed", "computed"]
        assert {one.name for one in told} == {"awa-errors on dev", "compare on dev"}
        made[jobs] = [task.spec.result_type.load(task.folder) for task in todo]
    for alone, helped in zip(made[1], made[2], strict=True):
        assert helped.estimates.equals(alone.estimates)
        assert helped.to_frame().equals(alone.to_frame())
    (about,) = made[2][1].provenance["results"]
    assert about["key"] == made[2][0].provenance["key"], "the saved one, not one computed for it"


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left_behind(tmp_path, sign):
    """Helpers end with the command: told so by ctrl-C, and by themselves where it was killed."""
    words = ["report", "--all", "--encoder", "beit", "--on", "dev", "--limit", "100", "--jobs", "2", "--quiet"]
    environment = os.environ | {"CONCEPTTRANSFER_CACHE": str(tmp_path / "cache")}
    how = {"cwd": tmp_path, "env": environment, "start_new_session": True, "stderr": subprocess.PIPE, "text": True}
    command = subprocess.Popen([sys.executable, "-m", "concepttransfer", *words], **how)
    until = time.monotonic() + 120
    while not any(tmp_path.glob("cache/captions/*/*.part")) and time.monotonic() < until:
        time.sleep(0.2)
    family = psutil.Process(command.pid).children(recursive=True)
    assert len(family) >= 2
    if sign == signal.SIGINT:
        os.killpg(command.pid, sign)  # as a terminal does
    else:
        command.kill()
    said = command.communicate()[1]
    assert "Traceback" not in said
    assert command.returncode == (130 if sign == signal.SIGINT else -sign)
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive
