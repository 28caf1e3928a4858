"""One process against two: the same weights up to rounding, also where one of the two runs out of memory."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_fit import main

from concepttransfer.transfer import Transfer

SCRIPT = Path(__file__).with_name("tiny_fit.py")


def launched(folder, n_processes):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    how = ["--num_processes", str(n_processes), "--num_machines", "1", "--main_process_port", port]
    how += ["--mixed_precision", "no", "--dynamo_backend", "no", "--multi_gpu"]
    command = [sys.executable, "-m", "accelerate.commands.launch", *how, str(SCRIPT), str(folder)]
    # Without MPI, accelerate starts several processes only as it does for GPUs; this keeps them on the CPU.
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = str(SCRIPT.parents[1])
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return Transfer.load(folder)


@pytest.mark.slow
def test_two_processes_fit_what_one_fits(tmp_path):
    """50 steps of 9 captions (5 and 4 a process), dropout and standardisation on; the second has room for 3 only."""
    main(tmp_path / "one")
    one, two = Transfer.load(tmp_path / "one"), launched(tmp_path / "two", 2)
    for mine, theirs in zip(
        one.projection().state_dict().values(), two.projection().state_dict().values(), strict=True
    ):
        assert ((mine - theirs).norm() / mine.norm()).item() < 1e-4
    torch.testing.assert_close(torch.tensor(two.history["loss"]), torch.tensor(one.history["loss"]), rtol=1e-4, atol=0)
    validated = [made.history["validation_loss"].dropna().tolist() for made in (one, two)]
    assert validated[0] == pytest.approx(validated[1], rel=1e-4)
    assert len(validated[0]) == 17
    sizes = [[int(n) for n in (tmp_path / f"two.sizes{rank}").read_text().split()[:5]] for rank in (0, 1)]
    assert sizes == [[5, 3, 2, 3, 2], [4, 3, 1, 3, 1]]  # both began the batch again with 3, though one had room
