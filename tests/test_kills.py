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


PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
import concepttransfer.captioning, concepttransfer.encoders.timm, concepttransfer.features.encoding
import concepttransfer.language_models.loading, concepttransfer.training.fit
from concepttransfer.cli import run
print("ready", flush=True)
run()
"""
"""The command, answering ctrl-C also where its parent ignores it; it says when the libraries are loaded."""


def start(folder: Path, cache: str) -> subprocess.Popen[bytes]:
    """The command in a process group of its own, its libraries loaded and its work about to begin."""
    env = {**os.environ, "CONCEPTTRANSFER_CACHE": str(folder / cache), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-c", PROGRAM, *WORDS]
    log = (folder / "log").open("wb")
    process = subprocess.Popen(words, cwd=folder, env=env, start_new_session=True, stdout=subprocess.PIPE, stderr=log)
    assert process.stdout.readline() == b"ready\n", (folder / "log").read_text()
    return process


def finish(process: subprocess.Popen[bytes], folder: Path) -> None:
    process.communicate(timeout=300)
    assert process.returncode == 0, (folder / "log").read_text()


def artifacts(cache: Path) -> dict[str, str]:
    """sha256 of every file that holds features, weights or captions, by its place in the cache."""
    wanted = ("shard-*.safetensors", "projection.safetensors", "history.csv", "captions.jsonl")
    return {str(f.relative_to(cache)): file_digest(f) for pattern in wanted for f in cache.rglob(pattern)}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill", "ctrl-c"])
def test_a_command_that_is_killed_anywhere_goes_on_to_the_same_bytes(tmp_path, how):
    (tmp_path / "killed.yaml").write_text(STUDY)
    whole = start(tmp_path, "whole")
    begun = time.monotonic()
    finish(whole, tmp_path)
    took = time.monotonic() - begun
    expected = artifacts(tmp_path / "whole")
    assert {Path(name).name for name in expected} >= {"projection.safetensors", "captions.jsonl", "history.csv"}

    chance, deaths = random.Random(how), 0
    for number in range(KILLS):
        process = start(tmp_path, "killed")
        time.sleep(chance.uniform(0.02, 0.4 if number else 0.8) * took)
        if process.poll() is None:
            os.killpg(process.pid, how)
            deaths += 1
        process.communicate(timeout=60)
        assert "Traceback" not in (tmp_path / "log").read_text()
    assert deaths, "no run was long enough to be killed"
    finish(start(tmp_path, "killed"), tmp_path)
    assert artifacts(tmp_path / "killed") == expected
    left = [
        path.name for path in (tmp_path / "killed").rglob("*") if path.suffix == ".part" or "checkpoint" in path.name
    ]
    assert left == []
