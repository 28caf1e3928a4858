"""Tars of small drawn pictures, as img2dataset writes them: for tests, and for measuring speed and memory."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path

from PIL import Image

NOUNS = ["otter", "zebra", "whale", "horse"]


def picture(number: int, size: int = 32) -> bytes:
    """A JPEG file with soft blots of colour; each number has its own."""
    drawn = Image.frombytes("RGB", (4, 4), hashlib.sha384(str(number).encode()).digest())
    buffer = io.BytesIO()
    drawn.resize((size, size), Image.Resampling.BILINEAR).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def caption(number: int) -> str:
    """A caption of words that the tiny language model knows."""
    return f"a {'big' if number % 8 < 4 else 'old'} {NOUNS[number % 4]} in the {'water' if number % 3 else 'grass'}"


def write_tar(
    path: Path, n: int, *, shards: int = 1, size: int = 32, captions: bool = True, records: bool = False
) -> list[Path]:
    """Write `n` pictures to the tar at `path` (`x.tar`), or to `shards` tars in the folder `path`; give the tars.

    Members are named `000000012.jpg` and, with captions, `000000012.txt`; `records` adds `000000012.json`, which
    holds the caption too. Numbers go on over the shards, each of which holds an equal part.
    """
    single = path.suffix == ".tar"
    paths = [path] if single else [path / f"{shard:05d}.tar" for shard in range(shards)]
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    for shard, tar in enumerate(paths):
        with tarfile.open(tar, "w") as archive:
            for number in range(n * shard // len(paths), n * (shard + 1) // len(paths)):
                add(archive, f"{number:09d}.jpg", picture(number, size))
                if captions:
                    add(archive, f"{number:09d}.txt", caption(number).encode())
                if records:
                    record = {"key": f"{number:09d}", "status": "success", "caption": caption(number), "width": size}
                    add(archive, f"{number:09d}.json", json.dumps(record).encode())
    return paths


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add one file to a tar."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


if __name__ == "__main__":
    where, how_many = Path(sys.argv[1]), int(sys.argv[2])
    write_tar(where, how_many, shards=int(sys.argv[3]) if len(sys.argv) > 3 else 1)
