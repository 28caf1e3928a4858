"""Makes `wordnet_nouns.tar.xz`, the noun taxonomy that is shipped, from an installed WordNet 3.0.

    python -m concepttransfer.language.build_wordnet_slice /usr/share/wordnet

The folder is that of Debian's `wordnet-base`, or any other copy of Princeton's WordNet 3.0. What comes out is in
WordNet's own file format (wndb(5WN)): every noun, but of its pointers only those to hypernyms (`@`) and instance
hypernyms (`@i`), in their original order, and no glosses. Each line keeps its length, filled with blanks, so that the
byte offsets by which WordNet and ImageNet (`n02084071`) name synsets stay what they are. The files of the other parts
of speech, which nltk's reader opens too, are empty but for the licence that names the version.
"""

from __future__ import annotations

import argparse
import io
import logging
import lzma
import tarfile
from pathlib import Path

from ..errors import MissingResourceError
from ..storage import write_bytes

logger = logging.getLogger(__name__)

ARCHIVE = Path(__file__).parent / "wordnet_nouns.tar.xz"
KEPT_POINTERS = ("@", "@i")
EMPTY_FILES = ("cntlist.rev", "index.sense", "index.adj", "index.adv", "index.verb", "adj.exc", "adv.exc", "verb.exc")
LICENCE_ONLY_FILES = ("LICENSE", "data.adj", "data.adv", "data.verb")

# lexnames(5WN): the lexicographer files in their numbers' order. Debian leaves this file out.
_LEXICOGRAPHER_FILES = {
    "adj": "all pert",
    "adv": "all",
    "noun": "Tops act animal artifact attribute body cognition communication event feeling food group location motive "
    "object person phenomenon plant possession process quantity relation shape state substance time",
    "verb": "body change cognition communication competition consumption contact creation emotion motion perception "
    "possession social stative weather",
}
_PART_OF_SPEECH = {"noun": 1, "verb": 2, "adj": 3, "adv": 4}


def slim_synset(line: str) -> str:
    """One line of data.noun without its gloss and all pointers but the hypernyms, as long as before."""
    if line.startswith(" "):
        return line
    fields = line.split("|", 1)[0].split(" ")
    count_at = 4 + 2 * int(fields[3], 16)
    pointers = [fields[at : at + 4] for at in range(count_at + 1, count_at + 1 + 4 * int(fields[count_at]), 4)]
    kept = [field for pointer in pointers if pointer[0] in KEPT_POINTERS for field in pointer]
    short = " ".join([*fields[:count_at], f"{len(kept) // 4:03d}", *kept, "| "])
    return short.ljust(len(line) - 1) + "\n"


def slim_index(line: str) -> str:
    """One line of index.noun (a lemma and its synsets, most frequent first) without the pointers that were left out."""
    if line.startswith(" "):
        return line
    fields = line.split()
    ends = 4 + int(fields[3])
    kept = [symbol for symbol in fields[4:ends] if symbol in KEPT_POINTERS]
    return " ".join([*fields[:3], str(len(kept)), *kept, *fields[ends:]]) + "  \n"


def lexnames() -> str:
    """The file `lexnames`, which numbers the lexicographer files."""
    names = [(pos, part) for pos, parts in _LEXICOGRAPHER_FILES.items() for part in parts.split()] + [("adj", "ppl")]
    return "".join(f"{n:02d}\t{pos}.{part}\t{_PART_OF_SPEECH[pos]}\n" for n, (pos, part) in enumerate(names))


def slice_files(wordnet: Path) -> dict[str, str]:
    """The slice's files, name -> content, from WordNet's folder.

    Raises:
        MissingResourceError: the folder holds no WordNet 3.0.
    """
    try:
        data, index, exceptions = (_read(wordnet / name) for name in ("data.noun", "index.noun", "noun.exc"))
    except OSError as error:
        raise MissingResourceError(
            f"{wordnet} holds no WordNet database ({error}). Install one (Debian: wordnet-base) and name its folder."
        ) from error
    licence = "".join(line for line in data[:40] if line.startswith(" "))
    if "WordNet 3.0 Copyright" not in licence:
        raise MissingResourceError(f"{wordnet} is not WordNet 3.0. Other versions give other similarities.")
    files = dict.fromkeys(EMPTY_FILES, "") | dict.fromkeys(LICENCE_ONLY_FILES, licence)
    files |= {"lexnames": lexnames(), "noun.exc": "".join(exceptions)}
    return files | {"data.noun": "".join(map(slim_synset, data)), "index.noun": "".join(map(slim_index, index))}


def _read(path: Path) -> list[str]:
    return path.read_text(encoding="ascii").splitlines(keepends=True)


def pack(files: dict[str, str]) -> bytes:
    """A tar.xz of the files, the same bytes whoever packs it and when."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode("ascii")))
    return lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME)


def main() -> None:
    """Read WordNet from the folder named and write the archive beside this file, or where `--to` says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wordnet", type=Path, help="folder that holds data.noun, index.noun and noun.exc")
    parser.add_argument("--to", type=Path, default=ARCHIVE, help="the archive to write")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    packed = pack(slice_files(arguments.wordnet))
    write_bytes(arguments.to, packed)
    logger.info("%s: %.2f MB", arguments.to, len(packed) / 1e6)


if __name__ == "__main__":
    main()
