"""Many processes: the same bytes however many there are; one that dies ends the others with a sentence.

The processes run on one machine. Between them are files and, in a fit, gloo: what `accelerate launch`, `srun` on
several machines and a SLURM array need.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tar_of_pictures import write_tar
from tiny_language_models import language_model
from tqdm import tqdm

from concepttransfer import lines
from concepttransfer.errors import LockedError
from concepttransfer.language_models.base import Generation
from concepttransfer.processes import heartbeat, peers, pieces
from concepttransfer.processes.heartbeat import ALIVE, ENDED, FAILED, Heart, own_record, read_record

TESTS = Path(__file__).parent
N = 20_000
STUDY = f"""\
like: microworld
name: many
root: {TESTS}
encoders: {{colours: {{model: "plugin:plugin_encoders:slow_colours", features: last_map}}}}
transfers: null
train: {{data: dev, steps: 4000, batch_size: 16, save_every: 2, evaluate_every: 4000, seeds: 1, features: store}}
evaluate: {{animals: dev}}
"""
PROGRAM = (
    "from concepttransfer.processes import heartbeat; heartbeat.PATIENCE = {patience}\n"
    "from concepttransfer.cli import run\n"
    "run()"
)
LAUNCH = ["--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]


def started(folder: Path, cache: str, *words: str, patience: int = 40, launch: bool = False, **variables: object):
    """One process of the command, or, with `launch`, accelerate, which starts two."""
    program = [sys.executable, "-c", PROGRAM.format(patience=patience)]
    if launch:  # without MPI, accelerate starts several processes only as it does for GPUs
        how = ["--multi_gpu", "--main_process_port", str(free_port()), *LAUNCH, "-m", "concepttransfer"]
        program = [sys.executable, "-m", "accelerate.commands.launch", *how]
        variables["ACCELERATE_USE_CPU"] = "true"
    given = {"CONCEPTTRANSFER_CACHE": folder / cache, "OMP_NUM_THREADS": 1, **variables}
    environment = {**os.environ, **{name: str(value) for name, value in given.items()}}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*program, *words], cwd=folder, env=environment, **pipes)


def together(folder: Path, cache: str, *words: str, n: int = 2, patience: int = 40, **variables: object):
    """The processes of one command, as `srun` starts them: nobody watches over them but they themselves."""
    port = free_port()
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": n, "ACCELERATE_USE_CPU": "true"}
    return [
        started(folder, cache, *words, patience=patience, RANK=rank, LOCAL_RANK=rank, **address, **variables)
        for rank in range(n)
    ]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(found, processes, seconds: float = 120):
    """Until `found` gives something, or a process has ended."""
    until = time.monotonic() + seconds
    while not (result := found()):
        ended = [process.communicate()[1] for process in processes if process.poll() is not None]
        assert not ended
        assert time.monotonic() < until
        time.sleep(0.02)
    return result


def ends_with_a_sentence(process: subprocess.Popen, *words: str) -> str:
    """The process ends by itself within a minute, unhappy, and says why without a traceback of ours."""
    out, err = process.communicate(timeout=60)
    assert process.returncode not in (0, None)
    for word in (*words, "What was finished is kept: the same command goes on from there."):
        assert word in err, err
    return out + err


def finish(processes) -> list[str]:
    """What each printed, once all have ended well."""
    said = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), [err for _, err in said]
    return [out for out, _ in said]


def shards(folder: Path, cache: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / cache / "features").glob("*/shard-*")}


def index(folder: Path, cache: str) -> dict[str, object]:
    (path,) = (folder / cache / "features").glob("*/index.json")
    return {name: value for name, value in json.loads(path.read_text()).items() if name != "provenance"}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with a study and a tar of 20,000 pictures, and the store that one process makes of it."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "many.yaml").write_text(STUDY)
    write_tar(folder / "many.tar", N, size=16, captions=False)
    finish([started(folder, "one", *ENCODE)])
    assert len(shards(folder, "one")) == 40
    return folder


ENCODE = ["encode", "--study", "many.yaml", "--encoder", "colours", "--on", "many.tar", "--quiet"]


@pytest.mark.slow
def test_of_two_processes_over_a_tar_one_is_killed_and_the_same_command_finishes(work):
    two = together(work, "two", *ENCODE)
    wait_for(lambda: len(shards(work, "two")) >= 8, two)
    two[1].kill()
    said = ends_with_a_sentence(two[0], "The process of rank 1 (of 2, on ", ") has died. So this one ends too.")
    assert "Traceback" not in said
    done = len(shards(work, "two"))
    assert 8 <= done < 40, "half way"
    first, second = finish(together(work, "two", *ENCODE))
    assert "[20000, 4, 3]" in first
    assert second == "", "one table is enough"
    assert shards(work, "two") == shards(work, "one")
    assert index(work, "two") == index(work, "one")
    assert not list((work / "two" / "features").glob("*/.*.lock"))


@pytest.mark.slow
def test_under_accelerate_launch_the_other_process_says_why_it_was_stopped(work):
    launcher = started(work, "launched", *ENCODE, launch=True)
    wait_for(lambda: len(shards(work, "launched")) >= 4, [launcher])
    (record,) = (work / "launched" / ".processes").glob("*/1.json")
    os.kill(read_record(record).pid, signal.SIGKILL)
    ends_with_a_sentence(launcher, "The process of rank 1 (of 2, on ", ") has died. So this one ends too.")
    (out,) = finish([started(work, "launched", *ENCODE, launch=True)])
    assert out.count("[20000, 4, 3]") == 1
    assert shards(work, "launched") == shards(work, "one")


@pytest.mark.slow
def test_tasks_of_a_slurm_array_share_a_store_and_do_what_a_dead_one_left(work):
    """They know nothing of each other: SLURM starts them when it likes, so none waits for one that is not there."""
    array = {"SLURM_ARRAY_JOB_ID": 7, "SLURM_ARRAY_TASK_COUNT": 3, "SLURM_ARRAY_TASK_MIN": 1}
    tasks = [started(work, "array", *ENCODE, SLURM_ARRAY_TASK_ID=k, SLURM_JOB_ID=6 + k, **array) for k in (1, 2, 3)]
    wait_for(lambda: len(shards(work, "array")) >= 4, tasks)
    dead = tasks.pop(1)
    dead.kill()
    dead.communicate()
    assert all("[20000, 4, 3]" in out for out in finish(tasks))
    assert shards(work, "array") == shards(work, "one")
    assert index(work, "array") == index(work, "one")


FIT = ["fit", "--study", "many.yaml", "--encoder", "nfrn50", "--on", "dev", "--limit", "64", "--quiet"]


def begun(work: Path, cache: str):
    return lambda: list((work / cache / "transfers").glob("*.checkpoint.safetensors"))


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_a_fit_ends_with_a_sentence_when_a_process_is_gone(tmp_path, how):
    """A dead process closes its connections; a stopped one leaves the other inside the exchange of gradients."""
    (tmp_path / "many.yaml").write_text(STUDY)
    two = together(tmp_path, "fit", *FIT, patience=6)
    wait_for(begun(tmp_path, "fit"), two)
    two[1].send_signal(how)
    word = "has died" if how == signal.SIGKILL else "has given no sign of life for 6 seconds"
    said = ends_with_a_sentence(two[0], f"The process of rank 1 (of 2, on {socket.gethostname()}) {word}.")
    assert "Traceback" not in said
    if how == signal.SIGSTOP:
        two[1].send_signal(signal.SIGCONT)
        ends_with_a_sentence(two[1], "So this one ends too")
    else:
        two[1].communicate()


def forked(n: int, function, **variables: object) -> list[int]:
    """Run a function in n processes of one command, which hold what this one has loaded; their exit statuses."""

    def run(rank: int) -> None:
        os.environ.update({"RANK": str(rank), "WORLD_SIZE": str(n), **{k: str(v) for k, v in variables.items()}})
        function(rank)

    made = [multiprocessing.get_context("fork").Process(target=run, args=(rank,)) for rank in range(n)]
    for process in made:
        process.start()
    for process in made:
        process.join(120)
    return [process.exitcode for process in made]


ROWS = [f"row-{i}" for i in range(300)]


def write(folder: Path, say, **changes: object) -> None:
    """Lines of 300 rows in blocks of 16, in batches of 8."""
    how = {"key": "k", "row_ids": ROWS, "about": lambda row: {"number": row}, "index": {}, "batch_size": 8}
    lines.write_lines(folder, "said", say=say, what="say", unit="line", quiet=True, **{**how, **changes})


def saying(model):
    """Speaks from soft prompts that each row's number gives; notes which rows it was asked about in one batch."""
    from tiny_language_models import soft_prompt

    from concepttransfer.decoding import Decoding

    def say(rows, keys):
        say.batches.append([int(row) for row in rows])
        prompts = [[soft_prompt(model, 2, seed=int(row)), "A picture of"] for row in rows]
        return model.generate(prompts, Decoding(max_tokens=6), keys=keys)

    say.batches = []
    return say


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(lines, "LEAST_ROWS", 16)


@pytest.mark.parametrize("n", [2, 3])
def test_what_several_processes_say_is_what_one_says(tmp_path, small_blocks, n):
    model = language_model("gptj")
    alone = saying(model)
    write(tmp_path / "one", alone)

    def share(rank: int) -> None:
        say = saying(model)
        write(tmp_path / "shared", lambda *asked: (time.sleep(0.02), say(*asked))[1])
        (tmp_path / f"batches{rank}").write_text(json.dumps(say.batches))

    assert forked(n, share) == [0] * n
    assert (tmp_path / "shared/said.jsonl").read_bytes() == (tmp_path / "one/said.jsonl").read_bytes()
    assert sorted(os.listdir(tmp_path / "shared")) == ["index.json", "said.jsonl"]
    shares = [json.loads((tmp_path / f"batches{rank}").read_text()) for rank in range(n)]
    assert all(shares), "each did something"
    assert sorted(batch for share in shares for batch in share) == alone.batches, "the same batches, each once"


class Killed(Exception):
    pass


def test_lines_that_several_began_one_finishes(tmp_path, small_blocks):
    say = saying(language_model("gptj"))
    write(tmp_path / "one", say)

    def die(rank: int) -> None:
        asked = []

        def say_little(rows, keys):
            asked.append(rows)
            if len(asked) == 4 + rank:
                os.kill(os.getpid(), signal.SIGKILL)
            return say(rows, keys)

        write(tmp_path / "shared", say_little)

    assert -signal.SIGKILL in forked(2, die)
    assert not (tmp_path / "shared/said.jsonl").exists()
    say.batches.clear()
    write(tmp_path / "shared", say)
    assert (tmp_path / "shared/said.jsonl").read_bytes() == (tmp_path / "one/said.jsonl").read_bytes()
    assert sum(map(len, say.batches)) <= 300 - 3 * 8, "what was finished is not said again"


def test_another_process_that_is_at_the_end_of_the_same_work_is_waited_for(tmp_path, small_blocks):
    say = saying(language_model("gptj"))
    with pieces.Pieces(tmp_path, ["said.00003.jsonl"], lambda number: False) as held:
        next(held.take())
        (tmp_path / "started.json").write_text('{"key": "k", "block": 16}')
        child = multiprocessing.get_context("fork").Process(target=write, args=(tmp_path, say))
        child.start()
        child.join(3)
        there = sorted(path.name for path in tmp_path.glob("said.*.jsonl"))
        assert child.is_alive()
        assert there == [f"said.{k:05d}.jsonl" for k in range(19) if k != 3]
    child.join(30)
    assert child.exitcode == 0
    assert (tmp_path / "said.jsonl").is_file()


def test_a_folder_that_somebody_works_on_is_not_removed(tmp_path):
    with pieces.Pieces(tmp_path / "store", ["piece"], lambda number: False) as held:
        (tmp_path / "store").mkdir()
        next(held.take())
        with pytest.raises(LockedError, match="Another process is writing"):
            pieces.remove(tmp_path / "store")
    pieces.remove(tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_a_process_begins_with_pieces_of_its_own_and_ends_with_those_of_others(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("RANK", "1")
    with pieces.Pieces(tmp_path, [f"piece{k}" for k in range(8)], lambda number: number == 4) as mine:
        assert list(mine.take()) == [1, 7, 5, 2, 6, 3, 0]


def test_only_the_main_process_removes_what_is_to_be_made_again(tmp_path):
    def force(rank: int) -> None:
        for turn in range(3):
            with peers.main_first() as is_done:
                assert is_done == (rank > 0)
                if not is_done:
                    time.sleep(0.3)
                    (tmp_path / f"turn{turn}").touch()
                assert (tmp_path / f"turn{turn}").exists()

    assert forked(3, force) == [0, 0, 0]


def peer_of(tmp_path, monkeypatch, **changes: object) -> tuple[heartbeat.Peer, Heart]:
    """Process 1 of 2, as it looks from here, and its heart; on another machine if nothing else is said."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    heart = Heart(tmp_path / "1.json")
    heart.record = replace(own_record(), **{"machine": "elsewhere", "host": "node7", **changes})
    heart.beat()
    return heartbeat.Peer(1, tmp_path / "1.json"), heart


def fates(peer: heartbeat.Peer, n: int, seconds: float = 1) -> list[str | None]:
    """What it looks like in n looks, so many seconds apart."""
    found = []
    for _ in range(n):
        fates.clock += seconds
        peer.look(fates.clock)
        found.append(peer.fate())
    return found


fates.clock = 0.0


def test_a_process_elsewhere_is_gone_after_forty_seconds_without_a_sign(tmp_path, monkeypatch):
    peer, heart = peer_of(tmp_path, monkeypatch)
    fates(peer, 1)
    for _ in range(3):  # slow, but living: a sign now and then is enough
        heart.beat()
        assert fates(peer, 40) == [None] * 40
    silent = "The process of rank 1 (of 2, on node7) has given no sign of life for 40 seconds."
    assert fates(peer, 1) == [silent]
    heart.beat()  # who looks was held up himself: an hour counts as two seconds
    assert fates(peer, 20, seconds=3600) == [None] * 20
    assert fates(peer, 2, seconds=3600)[-1] == silent


def test_what_an_earlier_run_left_is_not_believed(tmp_path, monkeypatch):
    for state in (ALIVE, ENDED, FAILED):
        peer, heart = peer_of(tmp_path, monkeypatch, state=state, why="The disk was full.", pid=2**22 + 1, born="1")
        assert fates(peer, 50) == [None] * 50
        heart.record = own_record()
        heart.beat()
        assert fates(peer, 1) == [None]
        assert peer.met


def test_a_living_process_of_this_machine_is_not_given_up_whatever_its_silence(tmp_path, monkeypatch):
    peer, _ = peer_of(tmp_path, monkeypatch, machine=heartbeat.this_machine())
    assert fates(peer, 60) == [None] * 60


def test_how_a_process_ended_is_heard(tmp_path, monkeypatch):
    peer, heart = peer_of(tmp_path, monkeypatch, machine=heartbeat.this_machine())
    assert fates(peer, 1) == [None]
    heart.beat(state=FAILED, why="The process of rank 1 (of 2) has stopped: No room.")
    assert fates(peer, 1) == ["The process of rank 1 (of 2) has stopped: No room."]
    peer, heart = peer_of(tmp_path, monkeypatch, machine=heartbeat.this_machine())
    fates(peer, 1)
    heart.beat(state=ENDED)
    heart.beat()
    heart.record.pid, heart.record.born = 2**22 + 1, "1"  # and is gone
    heart.beat()
    assert fates(peer, 2) == [None, None]


def test_a_failure_of_one_process_ends_the_others_with_its_sentence(tmp_path):
    def fail(rank: int) -> None:
        try:
            with peers.together():
                time.sleep(1)
                if rank == 2:
                    raise LockedError("The store is held.")
                time.sleep(30)
        except (peers.Stopped, LockedError) as stopped:
            (tmp_path / f"{rank}").write_text(str(stopped))
            os._exit(3)

    assert forked(3, fail) == [3, 3, 3]
    assert (tmp_path / "2").read_text() == "The store is held."
    said = "The process of rank 2 (of 3) has stopped: The store is held. So this one ends too. " + peers.KEPT
    assert (tmp_path / "0").read_text() == (tmp_path / "1").read_text() == said


def test_each_sees_the_progress_of_all(tmp_path, small_blocks, monkeypatch):
    from test_features import encoder_of, noise, stored

    from concepttransfer.features import encoding

    monkeypatch.setattr(encoding, "LOOK_SECONDS", 0)
    bars = []

    def slowly(rows, keys):
        time.sleep(0.05)
        return [Generation("x", [1], [-0.5]) for _ in rows]

    def bar(total, what, *, unit, quiet, initial):
        shown = tqdm(total=total, initial=initial, file=io.StringIO())
        bars.append(shown)
        return shown

    monkeypatch.setattr(encoding, "progress", bar)
    monkeypatch.setattr(lines, "progress", bar)

    def share(rank: int) -> None:
        encoder = encoder_of()
        encode = encoder.encode
        encoder.encode = lambda batch: (time.sleep(0.05), encode(batch))[1]
        (tmp_path / f"here{rank}").touch()
        while not all((tmp_path / f"here{other}").exists() for other in (0, 1)):
            time.sleep(0.01)  # who comes when all is done has nothing to show
        stored(noise(80), encoder, tmp_path / "store")
        write(tmp_path / "lines", slowly)
        (tmp_path / f"bars{rank}").write_text(json.dumps([[shown.n, shown.total] for shown in bars]))

    assert forked(2, share) == [0, 0]
    assert {(tmp_path / f"bars{rank}").read_text() for rank in (0, 1)} == {"[[80, 80], [300, 300]]"}


def test_sigterm_is_a_sentence(tmp_path):
    with pytest.raises(peers.Stopped, match=r"\(SIGTERM\)\. What was finished is kept"), peers.terminable():
        os.kill(os.getpid(), signal.SIGTERM)

    def stop(rank: int) -> None:
        try:
            with peers.together():
                time.sleep(1.5)
                os.kill(os.getpid(), signal.SIGTERM if rank else 0)
                time.sleep(30)
        except peers.Stopped as stopped:
            (tmp_path / f"{rank}").write_text(f"{stopped} {stopped.status}")

    assert forked(2, stop) == [0, 0]
    assert (tmp_path / "1").read_text() == f"{peers.TOLD} {peers.KEPT} 143"
    assert (tmp_path / "0").read_text().startswith(peers.TOLD)


def test_unreadable_pictures_are_counted_over_all_processes(tmp_path):
    from test_features import noise, stored

    from concepttransfer.encoders import load_encoder
    from concepttransfer.encoders.spec import EncoderSpec
    from concepttransfer.errors import BadInputError

    encoder = load_encoder(EncoderSpec(model="plugin:plugin_encoders:colours", features="last_map"), TESTS)
    manifest = noise(160, 3, 60, 90, 150)

    def share(rank: int) -> None:
        try:
            stored(manifest, encoder, tmp_path / "store", rows=8, max_unreadable=0.02)
        except (BadInputError, peers.Stopped) as stopped:
            assert "4 of 160 images of `noise` cannot be read" in str(stopped)  # noqa: PT017
            os._exit(3)

    assert forked(2, share) == [3, 3]
    assert forked(2, lambda rank: stored(manifest, encoder, tmp_path / "store", rows=8, max_unreadable=0.03)) == [0, 0]
    whole = stored(manifest, encoder, tmp_path / "whole", rows=8, max_unreadable=0.03)
    assert np.array_equal(np.asarray(whole.values), np.asarray(stored(manifest, encoder, tmp_path / "store").values))


def test_processes_that_cannot_reach_each_other_do_not_fit_apart(tmp_path, monkeypatch):
    from tiny_fit import run

    from concepttransfer.errors import BadInputError

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(BadInputError, match="MASTER_ADDR, MASTER_PORT is not set"):
        run(tmp_path / "t")


def test_workers_and_devices_are_divided_among_the_processes_of_a_machine(monkeypatch):
    from concepttransfer import processes

    monkeypatch.setattr(os, "sched_getaffinity", lambda who: set(range(16)), raising=False)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    monkeypatch.setenv("LOCAL_RANK", "5")
    assert (processes.usable_cores(), processes.device_index()) == (2, 5)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "64")
    assert processes.usable_cores() == 1


def test_what_ended_commands_left_is_removed_but_not_a_folder_that_has_just_been_made(tmp_path):
    fresh, alive, left = (tmp_path / name for name in ("fresh", "alive", "left"))
    long_ago = time.time() - 2 * peers.FORGET_SECONDS
    for folder in (fresh, alive, left):
        folder.mkdir()
    for folder in (alive, left):
        (folder / "0").write_text("a beat")
    os.utime(left / "0", (long_ago, long_ago))
    for folder in (alive, left):
        os.utime(folder, (long_ago, long_ago))
    peers._forget_ended(tmp_path)
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["alive", "fresh"]
