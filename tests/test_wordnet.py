"""The embedded noun taxonomy says what the complete WordNet says, and is unpacked safely."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from concepttransfer.errors import BadInputError, MissingResourceError
from concepttransfer.language import build_wordnet_slice as build
from concepttransfer.language import wordnet, wordnet_files

EXPECTED = Path(__file__).parent / "data" / "wordnet_expected.npz"


@pytest.fixture(scope="module")
def expected():
    """Similarities by nltk from the complete WordNet 3.0: tests/data/make_wordnet_expected.py."""
    with np.load(EXPECTED) as stored:
        return dict(stored)


@pytest.fixture
def embedded(monkeypatch):
    """The embedded slice, whatever corpus this machine has."""
    monkeypatch.setattr(wordnet, "installed_corpus", lambda: None)
    if not wordnet.wordnet_source().startswith("embedded"):
        forget()
    return wordnet


def forget():
    for module in (wordnet, wordnet_files):
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


def wnid(offset) -> str:
    return f"n{int(offset):08d}"


def test_slice_fits_into_the_wheel():
    assert wordnet_files.ARCHIVE.stat().st_size < 4_000_000


def test_all_offsets_resolve(embedded, expected):
    offsets = embedded.noun_offsets()
    assert len(offsets) == int(expected["n_nouns"]) == 82_115
    assert sum(offsets) == int(expected["sum_of_offsets"])
    assert all(embedded.synset(wnid(offset)).offset() == offset for offset in offsets)


def test_wu_palmer_equals_the_complete_wordnet(embedded, expected):
    assert embedded.wordnet_source() == "embedded noun slice, WordNet 3.0"
    pairs = expected["pairs"].tolist()
    assert len(pairs) == 10_000
    np.testing.assert_array_equal([wordnet.wup(wnid(a), wnid(b)) for a, b in pairs], expected["wup"][:, 0])
    back = [wordnet.wup(wnid(b), wnid(a)) for a, b in pairs[:1000]]
    np.testing.assert_array_equal(back, expected["wup"][:1000, 1])


def test_wu_palmer_of_all_pairs_of_animals_equals_the_complete_wordnet(embedded, expected):
    names = expected["animals"].tolist()
    got = [[wordnet.wup(a, b) for b in names] for a in names]
    np.testing.assert_array_equal(got, expected["animals_wup"])


def test_the_order_of_arguments_is_nltks(embedded, expected):
    """Where a synset has several hypernyms, the measure is not symmetric."""
    a, b = expected["asymmetric"].tolist()
    there, back = expected["asymmetric_wup"].tolist()
    assert there != back
    assert (embedded.wup(a, b), embedded.wup(b, a)) == (there, back)


def test_known_values(embedded):
    assert embedded.wup("dog.n.01", "cat.n.01") == pytest.approx(6 / 7)
    assert embedded.wup("horse.n.01", "horse.n.01") == 1
    assert embedded.wup("dog.n.01", "dog.n.01") == pytest.approx(13 / 14)  # nltk's: a dog has two hypernyms
    assert embedded.wnid("dog.n.01") == "n02084071"
    assert embedded.synset("domestic_dog.n.01") is embedded.synset("n02084071")
    assert embedded.wup_words("dog", "cats") == embedded.wup_words("dog", "cat") >= 6 / 7
    assert embedded.wup_to_word("bat.n.01", "mice") == embedded.wup("bat.n.01", "mouse.n.01")


def test_words_are_compared_by_their_most_similar_senses(embedded):
    pairs = [(a.name(), b.name()) for a in embedded.noun_senses("bat") for b in embedded.noun_senses("club")]
    assert embedded.wup_words("bat", "club") == max(embedded.wup(a, b) for a, b in pairs)
    assert embedded.wup_words("bat", "club") > embedded.wup("bat.n.01", "club.n.01")


def test_pointers_keep_their_order(embedded):
    """Read from the file itself: nltk's reader keeps pointers as a set."""
    line = next(line for line in open_slice("data.noun") if line.startswith("02084071 "))
    assert line.split(" | ")[0].endswith("002 @ 02083346 n 0000 @ 01317541 n 0000")


def open_slice(name: str):
    return (wordnet_files.slice_folder() / name).read_text().splitlines()


def test_irregular_plurals_are_the_real_ones(embedded):
    plurals = embedded.irregular_plurals()
    assert plurals["mouse"] == ("mice",)
    assert plurals["wolf"] == ("wolves",)
    assert plurals["ox"] == ("oxen",)
    assert "ox.n.01" in [sense.name() for sense in embedded.noun_senses("oxen")]


@pytest.mark.parametrize("name", ["dog.n.99", "n00000001", "n99999999", "", "unicornfish", "run.v.01", "dog"])
def test_what_is_no_noun_is_said_to_be_none(embedded, name):
    with pytest.raises(BadInputError, match=r"WordNet 3\.0"):
        embedded.synset(name)


def test_unknown_words(embedded):
    with pytest.raises(BadInputError, match="xyzzy"):
        embedded.wup_words("dog", "xyzzy")


def test_threads_agree(embedded, expected):
    pairs = [(wnid(a), wnid(b)) for a, b in expected["pairs"][:400].tolist()]
    with ThreadPoolExecutor(8) as threads:
        got = list(threads.map(lambda pair: wordnet.wup(*pair), pairs))
    np.testing.assert_array_equal(got, expected["wup"][:400, 0])


def test_two_processes_unpack_one_folder(tmp_path):
    code = (
        "import sys; from concepttransfer.language.wordnet_files import slice_folder as f; sys.stdout.write(str(f()))"
    )
    environment = {**os.environ, "CONCEPTTRANSFER_CACHE": str(tmp_path)}
    runs = [subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE) for _ in range(3)]
    folders = {run.communicate()[0].decode() for run in runs}
    assert len(folders) == 1
    assert {path.name for path in Path(folders.pop()).iterdir()} >= {"data.noun", "index.noun", "noun.exc"}
    assert [path.name for path in (tmp_path / "wordnet").iterdir() if not path.name.startswith(".")]


def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path, monkeypatch):
    """A file where the cache folder should be: no folder can be made there, not even by root."""
    (tmp_path / "cache").write_text("in the way")
    monkeypatch.setenv("CONCEPTTRANSFER_CACHE", str(tmp_path / "cache"))
    forget()
    folder = wordnet_files.slice_folder()
    assert (folder / "data.noun").stat().st_size == 15_300_280
    forget()


def test_nltk_itself_reads_the_slice(tmp_path, monkeypatch):
    """It is WordNet's own file format: nltk's unchanged reader opens it where nltk looks for corpora."""
    import nltk.data
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

    wordnet_files.unpack(tmp_path / "corpora" / "wordnet")
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    reader = WordNetCorpusReader(nltk.data.find("corpora/wordnet"), None)
    assert reader.get_version() == "3.0"
    assert reader.synset("dog.n.01").wup_similarity(reader.synset("cat.n.01")) == pytest.approx(6 / 7)
    assert reader.morphy("mice", "n") == "mouse"


def test_the_users_own_corpus_comes_first(real, monkeypatch, expected):
    import nltk.data

    monkeypatch.setattr(nltk.data, "path", [str(real / "nltk_data")])
    forget()
    try:
        assert wordnet.wordnet_source() == "nltk corpus 3.0"
        names = expected["animals"].tolist()
        got = [[wordnet.wup(a, b) for b in names] for a in names]
        np.testing.assert_array_equal(got, expected["animals_wup"])
    finally:
        forget()


def test_a_corpus_that_nltk_does_not_trust_gives_way_to_the_slice(tmp_path, monkeypatch):
    import nltk.data

    elsewhere = tmp_path / "elsewhere" / "wordnet"
    wordnet_files.unpack(elsewhere)
    (tmp_path / "data" / "corpora").mkdir(parents=True)
    (tmp_path / "data" / "corpora" / "wordnet").symlink_to(elsewhere)
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path / "data")])
    forget()
    assert wordnet.wup("dog.n.01", "cat.n.01") == pytest.approx(6 / 7)
    forget()


SMALL = {
    "data.noun": "  1 WordNet 3.0 Copyright 2006\n"
    "00000031 05 n 02 dog 0 domestic_dog 0 003 ~ 00000001 n 0000 @ 00000002 n 0000 @i 00000003 n 0000 | a pet  \n",
    "index.noun": "dog n 1 3 @ ~ #m 1 1 00000031  \n",
    "noun.exc": "oxen ox\n",
}


def test_the_script_keeps_lengths_and_only_hypernyms(tmp_path):
    for name, content in SMALL.items():
        (tmp_path / name).write_text(content)
    files = build.slice_files(tmp_path)
    before, after = SMALL["data.noun"].splitlines(), files["data.noun"].splitlines()
    assert [len(line) for line in before] == [len(line) for line in after]
    assert after[1].rstrip() == "00000031 05 n 02 dog 0 domestic_dog 0 002 @ 00000002 n 0000 @i 00000003 n 0000 |"
    assert files["index.noun"] == "dog n 1 1 @ 1 1 00000031  \n"
    packed = build.pack(files)
    assert packed == build.pack(files)
    (tmp_path / "slice.tar.xz").write_bytes(packed)
    with tarfile.open(tmp_path / "slice.tar.xz") as archive:
        assert archive.extractfile("noun.exc").read() == b"oxen ox\n"


def test_the_script_wants_wordnet_3_0(tmp_path):
    with pytest.raises(MissingResourceError, match="no WordNet database"):
        build.slice_files(tmp_path)
    for name, content in SMALL.items():
        (tmp_path / name).write_text(content.replace("3.0", "3.1"))
    with pytest.raises(MissingResourceError, match=r"not WordNet 3\.0"):
        build.slice_files(tmp_path)
