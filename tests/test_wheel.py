"""What people install: the wheel holds studies, data manifests and weights, and meets no folder of theirs."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return next(out.glob("*.whl"))


def test_the_wheel_holds_all_that_the_main_job_needs(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for needed in (
        "concepttransfer/analyses/awa_errors.py",
        "concepttransfer/data_manifests/awa2.yaml",
        "concepttransfer/data_manifests/awa2/classes.csv",
        "concepttransfer/studies/microworld.yaml",
        "concepttransfer/microworld/weights/beit.safetensors",
        "concepttransfer/microworld/weights/transfers/beit/seed-0/transfer.json",
        "concepttransfer/language/wordnet_nouns.tar.xz",
    ):
        assert needed in names, needed
    assert not [n for n in names if n.startswith(("analyses/", "tests/", "data_manifests/"))]


def test_the_wheel_is_not_large(wheel):
    infos = zipfile.ZipFile(wheel).infolist()
    assert sum(i.file_size for i in infos if i.filename.endswith(".safetensors")) < 20e6
    assert sum(i.file_size for i in infos if "/language/" in i.filename and i.filename.endswith(".xz")) < 4e6


@pytest.mark.slow
def test_the_installed_wheel_runs_in_a_folder_that_has_analyses_of_its_own(wheel, tmp_path):
    site, here = tmp_path / "site", tmp_path / "here"
    zipfile.ZipFile(wheel).extractall(site)
    (here / "analyses").mkdir(parents=True)
    environment = {**os.environ, "PYTHONPATH": str(site), "CONCEPTTRANSFER_CACHE": str(tmp_path / "cache")}
    run = [sys.executable, "-m", "concepttransfer"]
    where = subprocess.run(
        [sys.executable, "-c", "import concepttransfer.analyses as a; print(a.__file__)"],
        cwd=here,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(site))
    command = [*run, "awa-errors", "--encoder", "beit", "--limit", "50", "--quiet"]
    done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Report: " in done.stdout
    assert list(here.rglob("report/*.html"))
