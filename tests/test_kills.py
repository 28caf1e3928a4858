"""Ctrl-C and kill -9 at random points of encode, fit and caption; then the same command again, to the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from concepttransfer.storage import file_digest

pytestmark = pytest.mark.slow

STUDY = """\
like: microworld
name: killed
transfers: null
train: {data: dev, steps: 40, batch_size: 16, save_every: 4, evaluate_every: 20, seeds: 1, features: store}
evaluate: {animals: dev}
decoding: {max_tokens: 12}
"""
WORDS = ["caption", "--study", "killed.yaml", "--encoder", "nfrn50", "--limit", "240", "--batch-size", "16", "--quiet"]
KILLS = 5


def start(folder: Path, cache: str) -> subprocess.Popen[bytes]:
    """The command in a process group of its own; it answers ctrl-C also when this process ignores it."""
    answering = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{answering}; from concepttransfer.cli import run; run()"
    env = {**os.environ, "CONCEPTTRANSFER_CACHE": str(folder / cache), "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        [sys.executable, "-c", program, *WORDS], cwd=folder, env=env, start_new_session=True, **pipes
    )


def artifacts(cache: Path) -> dict[str, str]:
    """sha256 of every file that holds features, weights or captions, by its place in the cache."""
    wanted = ("shard-*.safetensors", "projection.safetensors", "history.csv", "captions.jsonl")
    return {str(f.relative_to(cache)): file_digest(f) for pattern in wanted for f in cache.rglob(pattern)}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill", "ctrl-c"])
def test_a_command_that_is_killed_anywhere_goes_on_to_the_same_bytes(tmp_path, how):
    (tmp_path / "killed.yaml").write_text(STUDY)
    begun = time.monotonic()
    whole = start(tmp_path, "whole")
    assert whole.wait(300) == 0, whole.stderr.read().decode()
    took = time.monotonic() - begun
    expected = artifacts(tmp_path / "whole")
    assert {Path(name).name for name in expected} >= {"projection.safetensors", "captions.jsonl", "history.csv"}

    chance = random.Random(how)
    deaths = 0
    for _ in range(KILLS):
        process = start(tmp_path, "killed")
        try:
            process.wait(chance.uniform(0.3, 1.0) * took)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, how)
            said = process.communicate(timeout=60)[1].decode()
            deaths += 1
            assert "Traceback" not in said or "import" in said, said
    assert deaths, "no run was long enough to be killed"
    last = start(tmp_path, "killed")
    assert last.wait(300) == 0, last.stderr.read().decode()
    assert artifacts(tmp_path / "killed") == expected
    left = [
        path.name for path in (tmp_path / "killed").rglob("*") if path.suffix == ".part" or "checkpoint" in path.name
    ]
    assert left == []
