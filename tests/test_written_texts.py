"""Captions that a language model writes from keywords: what is asked, what is kept, and that nothing is asked twice."""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from concepttransfer.cli import main
from concepttransfer.data import read_data
from concepttransfer.data.keywords import Keywords, content_words, keywords_of, read_keywords
from concepttransfer.data.written_texts import Writing, first_prompt, write_captions
from concepttransfer.decoding import Decoding
from concepttransfer.errors import BadInputError, EmptyDataError, MissingResourceError
from concepttransfer.language_models.base import Generation
from concepttransfer.microworld.data import microworld_manifest

POOL = ["A black dog runs on the grass.", "Two cats sleep beside a red ball.", "A horse in a green field", "no"]
WORDS = Keywords(("dog", "ball", "horse", "grass"), (8, 4, 2, 1))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCEPTTRANSFER_CACHE", str(tmp_path / "cache"))


class Author:
    """A language model that answers each prompt by a rule, and counts what it is asked."""

    id = "author"
    dtype = "torch.float32"

    def __init__(self, rule):
        self.rule, self.asked = rule, []

    def generate(self, inputs, decoding, *, keys):
        self.asked += [(key, segments[0]) for key, segments in zip(keys, inputs, strict=True)]
        said = [self.rule(key, segments[0]) for key, segments in zip(keys, inputs, strict=True)]
        return [Generation(text, list(range(len(text.split()) + 1)), [-1.0] * (len(text.split()) + 1)) for text in said]


def says_both(key, prompt):
    words = prompt.rsplit("Keywords: ", 1)[1].removesuffix(". Caption:").split(", ")
    return f"A {words[0]} is near the {words[1]} in {key}."


def rows_of(path):
    return list(csv.DictReader(path.open(encoding="utf-8")))


# keywords


def test_content_words_leave_out_what_tells_nothing_of_a_picture():
    assert content_words("The black dog's ball is on a mother-in-law, and it isn't 3 m.") == (
        *("black", "dog's", "ball", "mother-in-law", "isn't"),
    )
    found = keywords_of(["A dog and a dog", "the cat", "cat dog it"], most=2)
    assert found == Keywords(("dog", "cat"), (3, 2))
    with pytest.raises(EmptyDataError, match="no word to be a keyword"):
        keywords_of(["it is on the", ""])


def test_keywords_are_drawn_uniformly_or_as_often_as_they_are_said():
    rng = random.Random(0)
    for sampling, wanted in (("uniform", [0.25] * 4), ("frequency", [8 / 15, 4 / 15, 2 / 15, 1 / 15])):
        counts = Counter(WORDS.draw(rng, 1, sampling)[0] for _ in range(6000))
        got = [counts[word] / 6000 for word in WORDS.words]
        np.testing.assert_allclose(got, wanted, atol=0.03)
    pairs = {WORDS.draw(rng, 2, "frequency") for _ in range(2000)}
    assert len(pairs) == 12, "every ordered pair of different words"
    assert set(WORDS.draw(rng, 4, "frequency")) == set(WORDS.words)
    with pytest.raises(BadInputError, match="5 different keywords are to be drawn from 4"):
        WORDS.draw(rng, 5, "uniform")


def test_a_vocabulary_from_a_file(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("Dog,3\n\nball\t2\nice cream\n", encoding="utf-8")
    assert read_keywords(path) == Keywords(("dog", "ball", "ice cream"), (3, 2, 1))
    for content, message in (
        ("dog,many\n", "`many` is no count"),
        ("dog,0", "no count"),
        ("dog\nDog", "stands there twice"),
    ):
        path.write_text(content)
        with pytest.raises(BadInputError, match=message):
            read_keywords(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadInputError, match="not text in UTF-8"):
        read_keywords(path)
    path.write_text("\n")
    with pytest.raises(EmptyDataError, match="holds no word"):
        read_keywords(path)
    with pytest.raises(MissingResourceError, match="no vocabulary"):
        read_keywords(tmp_path / "none.txt")


# what is asked


def test_a_prompt_is_solved_examples_and_then_the_keywords():
    text = first_prompt(WORDS, POOL, Writing(examples=2))
    *solved, last = text.split("\n")
    assert len(solved) == 2
    for line in solved:
        asked, caption = line.removeprefix("Keywords: ").split(". Caption: ")
        assert caption in POOL
        assert len(set(asked.split(", "))) == 2
        assert set(asked.split(", ")) <= set(content_words(caption))
    words = last.removeprefix("Keywords: ").removesuffix(". Caption:").split(", ")
    assert len(set(words)) == 2
    assert set(words) <= set(WORDS.words)
    assert first_prompt(WORDS, POOL, Writing(examples=2, seed=1)) != text
    assert first_prompt(WORDS, [], Writing(examples=0)) == last
    with pytest.raises(BadInputError, match=r"4 solved examples .* and 3 of 4 captions have 2 words"):
        first_prompt(WORDS, POOL, Writing(examples=4))


def test_prompts_are_the_same_whatever_the_batch(tmp_path):
    one, other = Author(says_both), Author(says_both)
    writing = Writing(n=30, examples=3)
    write_captions(one, WORDS, POOL, writing, tmp_path / "a.csv", batch_size=7, quiet=True)
    write_captions(other, WORDS, POOL, writing, tmp_path / "b.csv", batch_size=30, quiet=True, again=True)
    assert one.asked == other.asked
    assert len({prompt for _, prompt in one.asked}) > 25
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    fewer = Author(says_both)
    write_captions(fewer, WORDS, POOL, writing.model_copy(update={"n": 10}), tmp_path / "c.csv", quiet=True)
    assert fewer.asked == one.asked[:10]


# what is kept


def test_the_table_is_read_as_captions_without_pictures(tmp_path):
    for name in ("mine.csv", "mine.jsonl"):
        written = write_captions(Author(says_both), WORDS, POOL, Writing(examples=2, n=40), tmp_path / name, quiet=True)
        assert (written.kept, written.dropped) == (40, {})
        manifest = read_data({"reader": "captions_table", "table": name}, tmp_path)
        assert len(manifest) == 40
        assert manifest.pictures is None
        assert manifest.rows[0].texts[0] == written.shown[0]
        words = manifest.rows[0].labels["keywords"].split("|")
        assert all(word in manifest.rows[0].texts[0] for word in words)
    about = json.loads((tmp_path / "mine.about.json").read_text())
    assert (about["n"], about["kept"], about["language_model"]) == (40, 40, "author")
    assert about["writing"]["sampling"] == "uniform"


def test_what_will_not_do_is_dropped_and_counted_with_the_reason(tmp_path):
    said = {
        0: "",
        1: "Short one.",
        2: "a " * 50 + "dog ball horse grass",
        3: "Nothing here is asked for.",
        4: "A black  dog runs on the grass",
        5: "The dog, ball, horse and grass again.",
        6: "the DOG ball horse and grass again",
        7: "dog ball horse grass " * 40,
        8: "A fine dog, ball, horse and grass.",
    }
    author = Author(lambda key, prompt: said[int(key.removeprefix("written-"))])
    writing = Writing(examples=2, n=9, most_words=45, decoding=Decoding(method="nucleus", max_tokens=100))
    written = write_captions(author, WORDS, POOL, writing, tmp_path / "w.csv", quiet=True)
    assert [row["id"] for row in rows_of(written.path)] == ["written-5", "written-8"]
    assert written.dropped == {
        "empty": 1,
        "too short": 1,
        "too long": 1,
        "without any of its keywords": 1,
        "copied from the examples' captions": 1,
        "written before": 1,
        "cut at max_tokens": 1,
    }
    assert written.kept + sum(written.dropped.values()) == 9


def test_must_say_all_any_or_none_sifts_what_was_written_once(tmp_path):
    author = Author(
        lambda key, prompt: says_both(key, prompt) if int(key[8:]) % 2 else says_both(key, prompt)[:9] + " runs"
    )
    kept = {}
    for must in ("all", "any", "none"):
        writing = Writing(examples=2, n=20, must_say=must, least_words=2)
        kept[must] = write_captions(author, WORDS, POOL, writing, tmp_path / "w.csv", quiet=True).kept
    assert kept["all"] == 10
    assert kept["all"] <= kept["any"] <= kept["none"]
    assert len(author.asked) == 20, "asked once, sifted three times"


def test_a_run_that_is_stopped_goes_on_after_its_last_whole_batch(tmp_path):
    class Stopped(Exception):
        pass

    def stops(key, prompt):
        if key == "written-13":
            raise Stopped
        return says_both(key, prompt)

    writing = Writing(examples=2, n=30)
    with pytest.raises(Stopped):
        write_captions(Author(stops), WORDS, POOL, writing, tmp_path / "w.csv", batch_size=5, quiet=True)
    assert not (tmp_path / "w.csv").exists()
    author = Author(says_both)
    write_captions(author, WORDS, POOL, writing, tmp_path / "w.csv", batch_size=5, quiet=True)
    assert [key for key, _ in author.asked] == [f"written-{n}" for n in range(10, 30)]
    whole = Author(says_both)
    write_captions(whole, WORDS, POOL, writing, tmp_path / "x.csv", batch_size=5, quiet=True, again=True)
    assert (tmp_path / "w.csv").read_bytes() == (tmp_path / "x.csv").read_bytes()
    assert len(whole.asked) == 30


def test_what_is_wrong_is_said(tmp_path):
    with pytest.raises(BadInputError, match=r"neither \.csv nor \.jsonl"):
        write_captions(Author(says_both), WORDS, POOL, Writing(examples=2, n=3), tmp_path / "w.txt", quiet=True)
    with pytest.raises(EmptyDataError, match="None of 3 captions will do \\(3 empty\\)"):
        write_captions(
            Author(lambda key, prompt: ""), WORDS, POOL, Writing(examples=2, n=3), tmp_path / "w.csv", quiet=True
        )
    assert not (tmp_path / "w.csv").exists()


# the command, with the microworld's own language model


def test_the_microworlds_language_model_writes_captions_that_it_knows(tmp_path, capsys):
    words = [
        *(
            "data",
            "write-captions",
            "--on",
            "dev",
            "--n",
            "24",
            "--examples",
            "2",
            "--seed",
            "3",
            "--quiet",
            "--prompt",
        ),
        "{keywords}\\nA picture of",
    ]
    assert main([*words, "--out", str(tmp_path / "w.csv"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["asked"] == 24 == told["kept"] + sum(told["dropped"].values())
    captions = [row["caption"] for row in rows_of(tmp_path / "w.csv")]
    assert len(captions) == told["kept"] >= 5
    animals = {str(row.labels["class"]) for row in microworld_manifest("dev").rows}
    assert np.mean([any(animal in caption for animal in animals) for caption in captions]) > 0.7
    assert main([*words, "--out", str(tmp_path / "w.csv"), "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "24 captions would be written about" in printed
    assert printed.count("A picture of") == 3


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    out = ["--out", str(tmp_path / "w.csv"), "--quiet"]
    for words, message in (
        (["--prompt", "no place"], "--prompt is 'no place': must hold {keywords}"),
        (["--sampling", "often"], "--sampling is 'often': input should be 'uniform' or 'frequency'"),
        (["--on", "nowhere"], "No role, data set or file `nowhere`"),
        (["--vocabulary", str(tmp_path / "none")], "There is no vocabulary"),
    ):
        assert main(["data", "write-captions", *out, *words]) == 1
        assert message in capsys.readouterr().err
    assert not Path(out[1]).exists()
