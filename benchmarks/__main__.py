"""Run benchmarks: `python -m benchmarks [NAME ...]`. Each runs in a process of its own."""

from __future__ import annotations

import argparse
import datetime
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import machine, tables
from benchmarks.catalogue import NAMES, measured
from benchmarks.measure import in_child


def main(arguments: list[str] | None = None) -> int:
    """Run what is named, print a table, write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; none: all")
    parser.add_argument("--tiny", action="store_true", help="in seconds, to see that everything runs; never saved")
    parser.add_argument("--results", type=Path, default=tables.RESULTS, help="the folder of the results")
    chosen = parser.parse_args(arguments)
    if unknown := [name for name in chosen.names if name not in NAMES]:
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
    entries = []
    with tempfile.TemporaryDirectory() as cache:
        os.environ["CONCEPTTRANSFER_CACHE"] = cache  # neither reads nor fills the user's
        os.environ["HF_HUB_OFFLINE"] = "1"
        for name in chosen.names or NAMES:
            entries += _run(name, "TINY" if chosen.tiny else "FULL")
    if entries and not chosen.tiny:
        print(f"\nwritten to {tables.save(entries, chosen.results)}")
    return 0


def _run(name: str, size: str) -> list[tables.Entry]:
    start = time.monotonic()
    found = in_child(measured, name, size)
    if isinstance(found, str):
        print(f"{name}: left out. {found}", flush=True)
        return []
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    about = in_child(machine.machine), machine.versions(), date
    entries = [measurement.entry(*about) for measurement in found]
    print(f"\n{name}, {time.monotonic() - start:.0f} s\n{tables.text(entries)}", flush=True)
    return entries


if __name__ == "__main__":
    sys.exit(main())
