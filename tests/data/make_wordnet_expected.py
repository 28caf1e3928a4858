"""Makes `wordnet_expected.npz`: Wu-Palmer by nltk from a complete WordNet 3.0, without this project's code.

    python tests/data/make_wordnet_expected.py /usr/share/wordnet

10,000 random pairs of noun synsets (as byte offsets), each in both orders; all 50 x 50 animals of
data_manifests/awa2/classes.csv; and one of the rare pairs for which the order matters.
"""

from __future__ import annotations

import csv
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
CLASSES = HERE.parents[1] / "data_manifests" / "awa2" / "classes.csv"
ASYMMETRIC = ("group_action.n.01", "amphibious_landing.n.01")
# Debian ships no `lexnames` and no `index.sense`; neither says anything about the taxonomy.
LEXNAMES = "".join(f"{n:02d}\tname{n}\t1\n" for n in range(45))


def reader(wordnet: Path, folder: Path):
    """Nltk's own reader over a copy of the complete database."""
    import nltk.data
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

    corpus = folder / "corpora" / "wordnet"
    corpus.mkdir(parents=True)
    for file in wordnet.iterdir():
        if file.is_file():
            shutil.copy(file, corpus)
    (corpus / "lexnames").write_text(LEXNAMES)
    (corpus / "index.sense").touch()
    nltk.data.path.insert(0, str(folder))
    return WordNetCorpusReader(nltk.data.find("corpora/wordnet"), None)


def main() -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory(dir=HERE) as folder:
        wn = reader(Path(sys.argv[1]), Path(folder))
        offsets = np.array(sorted(s.offset() for s in wn.all_synsets("n")))
        of = {int(o): wn.synset_from_pos_and_offset("n", int(o)) for o in offsets}
        pairs = np.random.default_rng(20060101).choice(offsets, size=(10_000, 2)).astype(np.int32)
        values = [(of[a].wup_similarity(of[b]), of[b].wup_similarity(of[a])) for a, b in pairs.tolist()]
        names = [row["synset"] for row in csv.DictReader(CLASSES.open())]
        asymmetric = [wn.synset(a).wup_similarity(wn.synset(b)) for a, b in (ASYMMETRIC, ASYMMETRIC[::-1])]
        animals = [[wn.synset(a).wup_similarity(wn.synset(b)) for b in names] for a in names]
    np.savez_compressed(
        HERE / "wordnet_expected.npz",
        pairs=pairs,
        wup=np.array(values),
        animals=np.array(names),
        animals_wup=np.array(animals),
        asymmetric=np.array(ASYMMETRIC),
        asymmetric_wup=np.array(asymmetric),
        n_nouns=len(offsets),
        sum_of_offsets=int(offsets.sum()),
    )


if __name__ == "__main__":
    main()
