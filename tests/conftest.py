"""Fixtures that every test may use, and the table of what was skipped and why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

for _name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):  # numba would set OpenMP's threads for torch as well
    os.environ.setdefault(_name, "1")  # several workers share the cores: threads of each would only wait

ROOT = Path(__file__).parents[1]

LONGEST = ("many_processes", "contract", "report_browser", "notebooks", "reproduce", "training", "linear_probe")
"""Files that begin first, so that no worker is left with one of them while the other has nothing to do.

The very first forks: what it forks must not come from a process whose libraries have started threads.
"""


def pytest_collection_modifyitems(items):
    names = [f"test_{name}" for name in LONGEST]
    items.sort(key=lambda item: names.index(item.path.stem) if item.path.stem in names else len(names))


def real_folder() -> Path:
    """The folder of real photographs, weights and texts, whether it is there or not."""
    return Path(os.environ.get("CONCEPTTRANSFER_REAL", ROOT.parent / "shared" / "real"))


@pytest.fixture(scope="session")
def real() -> Path:
    folder = real_folder()
    if not folder.is_dir():
        pytest.skip("no real data: set CONCEPTTRANSFER_REAL to the folder that holds them")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch, request):
    """Each test module has a cache of its own, never the user's."""
    name = request.module.__name__.replace(".", "_")
    folder = tmp_path_factory.getbasetemp() / f"cache_{name}"
    monkeypatch.setenv("CONCEPTTRANSFER_CACHE", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return folder


def pytest_terminal_summary(terminalreporter, config):
    """End with a table of what was skipped; `--fail-on-skip` makes any skip a failure."""
    skipped = terminalreporter.stats.get("skipped", [])
    if not skipped:
        return
    terminalreporter.section("skipped, and why")
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        terminalreporter.write_line(f"{report.nodeid:70} {reason}")


def pytest_addoption(parser):
    parser.addoption("--fail-on-skip", action="store_true", help="fail when any test was skipped")


def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--fail-on-skip") and reporter and reporter.stats.get("skipped") and exitstatus == 0:
        session.exitstatus = 1
