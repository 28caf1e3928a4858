"""CLOSE's data as they are published, and folders of texts without pictures."""

from __future__ import annotations

import gzip
import inspect
import json
import shutil
from collections import Counter

import pytest
from published_layouts import captions, make_karpathy, make_vqa2
from published_layouts_close import (
    LAYOUTS_OF_CLOSE,
    make_flickr30k,
    make_snli,
    make_snli_ve,
    make_visual_news,
    make_vqa_e,
)

from concepttransfer.answering.few_shot import ask, commonest_answer
from concepttransfer.data import _arguments, _reader, read_data
from concepttransfer.data.descriptions import describe
from concepttransfer.data.layout import check_layout
from concepttransfer.errors import BadInputError, EmptyDataError, MissingResourceError, UnknownNameError

READERS = {"snli": "snli", "snli-ve": "snli_ve", "vqa-e": "vqa_e", "visual-news": "visual_news"}


def read(folder, reader, **more):
    return read_data({"reader": reader, "folder": "."} | more, folder)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_lines(path, values):
    path.write_text("".join(f"{json.dumps(value)}\n" for value in values))


# Karpathy's splits


def test_karpathys_training_split_is_both_of_its_parts(tmp_path):
    make_karpathy(tmp_path, 20)
    both = read(tmp_path, "karpathy")
    parts = [read(tmp_path, "coco", split=split) for split in ("train", "restval")]
    assert (both.name, len(both)) == ("coco-train+restval", 10)
    assert {row.id: (row.texts, row.sha256) for row in both.rows} == {
        row.id: (row.texts, row.sha256) for part in parts for row in part.rows
    }
    assert all(row.sha256 for row in both.rows)
    assert both.ids == tuple(sorted(both.ids, key=int)), "the file's order"
    assert read(tmp_path, "karpathy", split="test").texts == read(tmp_path, "coco", split="test").texts


def test_flickr30k_in_karpathys_split(tmp_path):
    make_flickr30k(tmp_path, 12)
    test = read(tmp_path, "karpathy", dataset="flickr30k", split="test")
    assert test.ids == ("2", "5", "8", "11")
    assert test.texts[0] == tuple(captions(2, 5))
    assert test.rows[0].picture == "1000092821.jpg"
    assert test.read(0).size == (40, 32)
    assert "Young" in test.source["citation"]
    with pytest.raises(EmptyDataError, match="no picture of split `restval`"):
        read(tmp_path, "karpathy", dataset="flickr30k", split="restval")
    with pytest.raises(UnknownNameError, match="Did you mean `flickr30k`"):
        read(tmp_path, "karpathy", dataset="flicker30k")
    with pytest.raises(UnknownNameError, match="No split `training`"):
        read(tmp_path, "karpathy", split="training")


# SNLI and SNLI-VE


def test_a_row_of_snli_is_a_pair_of_texts(tmp_path):
    manifest = read(make_snli(tmp_path), "snli")
    assert (manifest.name, len(manifest)) == ("snli-test", 10)
    row = manifest.rows[1]
    assert (row.picture, row.texts) == (None, ("neutral",))
    assert dict(row.labels) == {
        "question": "There is a cat.",
        "premise": captions(0, 1)[0],
        "gold": "neutral",
        "question_type": "entailment",
        "image_id": "3416050480",
    }
    assert manifest.source["left_out"] == "2 of 12 pairs, which have no gold label"
    assert "CC BY-SA" in manifest.source["licence"]
    assert Counter(manifest.labels("gold")) == Counter(row.texts[0] for row in manifest.rows)


def test_snli_ve_has_the_picture_in_the_premises_place(tmp_path):
    manifest = read(make_snli_ve(tmp_path), "snli_ve")
    assert (len(manifest), len({row.sha256 for row in manifest.rows})) == (12, 4)
    assert [row.picture for row in manifest.rows[:4]] == ["3416050480.jpg"] * 3 + ["3416050487.jpg"]
    assert "left_out" not in manifest.source
    texts = read(tmp_path, "snli_ve", texts_only=True)
    assert texts.pictures is None
    assert [row.labels for row in texts.rows] == [row.labels for row in manifest.rows]
    (tmp_path / "flickr30k-images").rename(tmp_path / "flickr30k_images")
    assert read(tmp_path, "snli_ve").id == manifest.id


def test_words_of_answers_may_be_others(tmp_path):
    manifest = read(make_snli(tmp_path), "snli", answers=["yes", "maybe", "no"])
    assert {(row.labels["gold"], row.texts) for row in manifest.rows} == {
        ("entailment", ("yes",)),
        ("neutral", ("maybe",)),
        ("contradiction", ("no",)),
    }
    for wrong in (["yes", "no"], ["yes", "Yes", "no"], "yes", ["yes", "", "no"]):
        with pytest.raises(BadInputError, match="three different words"):
            read(tmp_path, "snli", answers=wrong)


def test_pairs_can_be_asked_as_questions_are(tmp_path):
    manifest = read(make_snli_ve(tmp_path), "snli_ve")
    asked = ask(manifest, [0, 1], manifest, 0)
    assert asked[0].question.labels["question"] == "There is a dog."
    assert commonest_answer(asked[1].examples[0]) in ("entailment", "neutral", "contradiction")


def test_faults_of_pairs_are_told_with_their_line(tmp_path):
    make_snli(tmp_path)
    path = tmp_path / "snli_1.0" / "snli_1.0_test.jsonl"
    good = lines(path)
    write_lines(path, [*good[:3], {**good[3], "gold_label": "maybe"}])
    with pytest.raises(BadInputError, match="line 4 has the gold label 'maybe'"):
        read(tmp_path, "snli")
    write_lines(path, [{key: value for key, value in good[0].items() if key != "sentence2"}])
    with pytest.raises(BadInputError, match="an entry has no 'sentence2'"):
        read(tmp_path, "snli")
    path.write_text(json.dumps(good[0]) + "\n" + json.dumps(good[1])[:50])
    with pytest.raises(BadInputError, match="cannot be read after line 1"):
        read(tmp_path, "snli")
    path.write_text("[1, 2]\n")
    with pytest.raises(BadInputError, match="line 1, holds no object"):
        read(tmp_path, "snli")
    write_lines(path, [{**good[0], "gold_label": "-"}])
    with pytest.raises(EmptyDataError, match="no pair with a gold label"):
        read(tmp_path, "snli")
    path.unlink()
    with pytest.raises(MissingResourceError, match=r"no snli_1\.0/snli_1\.0_test\.jsonl in .*snli_1\.0\.zip.*`pairs:`"):
        read(tmp_path, "snli")
    with pytest.raises(UnknownNameError, match="No split `val`"):
        read(tmp_path, "snli", split="val")


def test_pairs_may_be_gzipped(tmp_path):
    make_snli(tmp_path)
    path = tmp_path / "snli_1.0" / "snli_1.0_test.jsonl"
    plain = read(tmp_path, "snli")
    (tmp_path / "snli_1.0_test.jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert read(tmp_path, "snli").id == plain.id


# VQA-E


def test_a_row_of_vqa_e_is_an_explained_question(tmp_path):
    manifest = read(make_vqa_e(tmp_path), "vqa_e")
    assert (manifest.name, len(manifest)) == ("vqa-e-val", 12)
    assert manifest.ids[:3] == ("42-0", "42-1", "73-2")
    assert dict(manifest.rows[1].labels) == {
        "question": "What is beside the cat?",
        "question_type": "what is",
        "answer_type": "other",
        "image_id": 42,
        "premise": captions(1, 1)[0],
    }
    assert manifest.texts[0] == ("yes",) * 9 + ("no",)
    assert manifest.rows[0].labels["answer_type"] == "yes/no"
    assert len({row.sha256 for row in manifest.rows}) == 6
    assert read(tmp_path, "vqa_e", texts_only=True).texts == manifest.texts


def test_vqa_e_without_its_most_frequent_words_and_faults(tmp_path):
    make_vqa_e(tmp_path, split="train")
    path = tmp_path / "VQA-E_train_set.json"
    whole = read(tmp_path, "vqa_e", split="train")
    path = path.rename(tmp_path / "VQA-E_train_set_without_7_most_frequent_words.json")
    assert read(tmp_path, "vqa_e", split="train").id == whole.id
    entries = json.loads(path.read_text())
    path.write_text(json.dumps([{**entries[0], "answers": []}]))
    with pytest.raises(BadInputError, match="no answer to question 42-0"):
        read(tmp_path, "vqa_e", split="train")
    path.write_text(json.dumps([{**entries[0], "explanation": []}]))
    with pytest.raises(BadInputError, match="is not as published"):
        read(tmp_path, "vqa_e", split="train")
    path.write_text("{}")
    with pytest.raises(BadInputError, match="no list of questions"):
        read(tmp_path, "vqa_e", split="train")
    path.write_text("[]")
    with pytest.raises(EmptyDataError, match="has no questions"):
        read(tmp_path, "vqa_e", split="train")


def test_questions_of_vqa_v2_may_have_the_captions_of_their_pictures_as_premises(tmp_path):
    plain = read(make_vqa2(tmp_path, 3), "vqa2")
    ids = sorted({row.labels["image_id"] for row in plain.rows})
    said = [{"image_id": i, "id": n, "caption": f" {text}"} for n, i in enumerate([*ids, 7]) for text in captions(n, 2)]
    path = tmp_path / "captions_val2014.json"
    path.write_text(json.dumps({"images": [], "annotations": said}))
    told = read(tmp_path, "vqa2", premises=path.name)
    assert (told.ids, told.texts) == (plain.ids, plain.texts)
    for row in told.rows:
        assert row.labels["premise"].splitlines() == captions(ids.index(row.labels["image_id"]), 2)
    path.write_text(json.dumps({"annotations": said[2:]}))
    with pytest.raises(BadInputError, match=f"has no caption of picture {ids[0]}"):
        read(tmp_path, "vqa2", premises=path.name)


# Visual News


def test_a_row_of_visual_news_has_the_article_as_what_is_given(tmp_path):
    manifest = read(make_visual_news(tmp_path), "visual_news", split="test")
    assert (manifest.name, len(manifest)) == ("visual-news-test", 10)
    assert manifest.source["articles"] == "2 of 12 are missing, rows: skip"
    row = manifest.rows[3]
    assert (row.id, row.picture, row.texts) == ("903", "guardian/images/0000/003.jpg", (captions(3, 1)[0],))
    assert row.labels["question"] == "Article 3 begins. It goes on and on."
    assert (row.labels["premise"], row.labels["source"]) == (row.texts[0], "guardian")
    assert row.sha256
    few = read(tmp_path, "visual_news", split="test", words=2)
    assert few.rows[3].labels["question"] == "Article 3"


def test_visual_news_as_it_is_published_and_its_faults(tmp_path):
    make_visual_news(tmp_path)
    test = read(tmp_path, "visual_news", split="test")
    (tmp_path / "origin" / "test_data.json").rename(tmp_path / "origin" / "data.json")
    assert read(tmp_path / "origin", "visual_news").id == read(tmp_path, "visual_news").id == test.id
    kept = read(tmp_path, "visual_news", articles="keep")
    assert (len(kept), kept.rows[-1].labels["question"]) == (12, "")
    with pytest.raises(BadInputError, match=r"lacks 2 of 12 articles, such as `bbc/articles/0002/010.txt`"):
        read(tmp_path, "visual_news", articles="refuse")
    with pytest.raises(UnknownNameError, match="way with missing articles"):
        read(tmp_path, "visual_news", articles="drop")
    with pytest.raises(BadInputError, match="`words` is 0"):
        read(tmp_path, "visual_news", words=0)
    path = tmp_path / "origin" / "data.json"
    entries = json.loads(path.read_text())
    path.write_text(json.dumps([{**entries[0], "article_path": "./../../secret.txt"}]))
    with pytest.raises(BadInputError, match="lies outside"):
        read(tmp_path, "visual_news")
    (tmp_path / "origin" / "bbc" / "articles" / "0000" / "000.txt").write_bytes(b"\xff\xfe\x00")
    path.write_text(json.dumps(entries))
    with pytest.raises(BadInputError, match=r"000\.txt is not text in UTF-8"):
        read(tmp_path, "visual_news")
    for source in ("bbc", "guardian"):
        shutil.rmtree(tmp_path / "origin" / source / "articles")
    with pytest.raises(EmptyDataError, match="none of the 12 articles"):
        read(tmp_path, "visual_news")


# their manifests


@pytest.mark.parametrize("name", LAYOUTS_OF_CLOSE)
def test_a_manifest_says_where_the_data_come_from_and_how_they_are_read(name, tmp_path):
    described = describe(name)
    assert all((described.title, described.url.startswith("https://"), described.licence, described.citation))
    assert described.splits
    assert described.folder == f"data/{name}"
    assert not any(file.sha256 for file in described.files), "none is published"
    reader = _reader(described.data["reader"])
    assert set(_arguments(reader, described.data, tmp_path)) <= set(inspect.signature(reader).parameters)
    fetched = {file.name for file in described.files}
    assert fetched == {entry.comes_in for entry in described.layout if entry.comes_in}


@pytest.mark.parametrize("name", LAYOUTS_OF_CLOSE)
def test_a_folder_in_its_published_layout_is_in_order_and_is_read(name, tmp_path):
    described = describe(name)
    folder = LAYOUTS_OF_CLOSE[name](tmp_path, 12)
    if name == "snli":
        make_snli(tmp_path, 12, split="train")
    if name == "visual-news":
        folder = folder / "origin"
    smaller = described.model_copy(
        update={"layout": [e.model_copy(update={"count": min(e.count or 1, 1)}) for e in described.layout]}
    )
    findings = check_layout(folder, smaller)
    assert all(finding.ok for finding in findings), findings
    assert len(read_data({**described.data, "folder": "."}, folder)) > 2


# folders of texts


def texts_of(folder, **more):
    return read_data({"reader": "text_folder", "folder": "."} | more, folder)


def test_a_folder_of_texts_is_captions_without_pictures(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "a.txt").write_text("I see  a dog.\n\nMy dog runs.\nI see a dog.\n")
    (tmp_path / "b" / "c.jsonl").write_text('{"text": "We walk\\nhome."}\n')
    (tmp_path / "d.csv").write_text('caption,stars\n"I like it, really.",5\nBad.,1\n')
    (tmp_path / "e.tsv").write_text("only\nAlone here.\n")
    (tmp_path / "notes.md").write_text("not read")
    (tmp_path / ".hidden.txt").write_text("not read")
    manifest = texts_of(tmp_path, name="ego")
    assert [row.texts for row in manifest.rows] == [
        ("I see a dog.",),
        ("My dog runs.",),
        ("We walk home.",),
        ("I like it, really.",),
        ("Bad.",),
        ("Alone here.",),
    ]
    assert manifest.ids == ("a.txt:1", "a.txt:3", "b/c.jsonl:1", "d.csv:2", "d.csv:3", "e.tsv:2")
    assert {row.picture for row in manifest.rows} == {None}
    assert manifest.pictures is None
    assert manifest.source["left_out"] == "1 said before"
    assert manifest.rows[2].labels["file"] == "b/c.jsonl"
    assert manifest.name == "ego"


def test_texts_may_be_paragraphs_files_or_of_some_length_only(tmp_path):
    (tmp_path / "book.txt").write_text("One two\nthree.\n\n \nFour.\n\nFive six seven eight.\n")
    assert [row.texts[0] for row in texts_of(tmp_path, unit="paragraph").rows] == [
        "One two three.",
        "Four.",
        "Five six seven eight.",
    ]
    assert texts_of(tmp_path, unit="file").texts == (("One two three. Four. Five six seven eight.",),)
    some = texts_of(tmp_path, unit="paragraph", least_words=2, most_words=3)
    assert some.texts == (("One two three.",),)
    assert some.source["left_out"] == "1 too long, 1 too short"
    alone = read_data({"reader": "text_folder", "folder": "book.txt"}, tmp_path)
    assert (alone.name, len(alone)) == ("book", 4)
    with pytest.raises(UnknownNameError, match="Did you mean `line`"):
        texts_of(tmp_path, unit="lines")
    with pytest.raises(BadInputError, match="least_words <= most_words"):
        texts_of(tmp_path, least_words=5, most_words=4)
    with pytest.raises(EmptyDataError, match=r"no text is kept .* too short"):
        texts_of(tmp_path, least_words=50)


@pytest.mark.parametrize("content", [b"\x00\x01binary", b"\xff\xd8\xff\xe0 a photograph", b"caf\xe9"])
def test_a_binary_file_that_is_called_a_text_is_named(tmp_path, content):
    (tmp_path / "good.txt").write_text("A dog.")
    (tmp_path / "style.txt").write_bytes(content)
    with pytest.raises(BadInputError, match=r"`style\.txt` in .* is no text but a binary file.*UTF-8"):
        texts_of(tmp_path)


def test_a_folder_of_binary_files_is_named_with_one_of_them(tmp_path):
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(
        EmptyDataError, match=r"holds no file of texts.*1 other files, such as `picture\.jpg`, which is no"
    ):
        texts_of(tmp_path)
    with pytest.raises(MissingResourceError, match="no folder of texts"):
        texts_of(tmp_path / "nowhere")


def test_a_letter_at_the_end_of_what_is_sniffed_is_no_binary(tmp_path):
    (tmp_path / "long.txt").write_text("a" * ((1 << 16) - 1) + "é and more\n", encoding="utf-8")
    assert len(texts_of(tmp_path)) == 1


def test_columns_of_texts(tmp_path):
    (tmp_path / "reviews.csv").write_text("review,stars\nFine dog.,4\n")
    with pytest.raises(BadInputError, match=r"neither a column `caption` nor `text`; it has \[\"review\", \"stars\"\]"):
        texts_of(tmp_path)
    with pytest.raises(BadInputError, match=r"no column `reviews`.*Did you mean `review`"):
        texts_of(tmp_path, column="reviews")
    assert texts_of(tmp_path, column="review").texts == (("Fine dog.",),)
    (tmp_path / "reviews.csv").write_text('review\n"never closed\n')
    with pytest.raises(BadInputError, match="cannot be read"):
        texts_of(tmp_path)
    (tmp_path / "reviews.csv").unlink()
    (tmp_path / "r.jsonl").write_text('{"text": 5}\n')
    with pytest.raises(BadInputError, match="line 1: its text is a int"):
        texts_of(tmp_path)
