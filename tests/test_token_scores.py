"""Scores of captions' tokens are those of a plain forward pass, whatever stands in the picture's place."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_language_models import CORPUS, FAMILIES, language_model, prefixing_tokenizer, soft_prompt, tokenizer

from concepttransfer.captioning import caption
from concepttransfer.decoding import Decoding
from concepttransfer.errors import BadInputError, MismatchError, MissingResourceError, ShapeError, StudyError
from concepttransfer.features import Features
from concepttransfer.language_models.tokens import Tokens
from concepttransfer.projections import Linear
from concepttransfer.scoring.blank import GREY, blank_manifest
from concepttransfer.scoring.partners import chosen, partners
from concepttransfer.scoring.prompt_readings import Lens
from concepttransfer.scoring.token_scores import BLANK, NONE, OTHER, PICTURE, TokenScores, word_numbers
from concepttransfer.scoring.token_scoring import pieces, score_tokens
from concepttransfer.study import load_study
from concepttransfer.study.file import STUDIES
from concepttransfer.study.plan import plan
from concepttransfer.study.token_scores import prompt_readings, token_scores
from concepttransfer.transfer import Transfer

N, DIM, PROMPT = 23, 8, "A picture of"


def plain_logprobs(model, vectors, ids):
    """By transformers' own forward pass of one unpadded input: the log-softmax of its logits."""
    words = model.module.get_input_embeddings()
    whole = torch.cat([vectors, words(torch.tensor(ids, dtype=torch.long))])
    with torch.no_grad():
        logits = model.module(inputs_embeds=whole[None]).logits[0].float()
    at = torch.arange(len(ids)) + len(vectors) - 1
    return logits.log_softmax(-1)[at, torch.tensor(ids)].tolist()


def laid(model, soft, text):
    words = model.module.get_input_embeddings()
    parts = [words(torch.tensor(model.tokens.start, dtype=torch.long).reshape(-1))]
    parts += [soft] if soft is not None else []
    parts.append(words(torch.tensor(model.tokens.ids(text), dtype=torch.long).reshape(-1)))
    return torch.cat(parts)


@pytest.mark.parametrize("family", FAMILIES)
def test_given_tokens_are_as_likely_as_in_a_plain_forward_pass(family):
    model = language_model(family)
    softs, texts = [soft_prompt(model, k, seed=k) for k in (1, 4, 2)], [PROMPT, "", "Q: what"]
    ids = [[7, 3, 250, 0], [12], [99, 98, 97]]
    nll, mask = model.ids_nll([[s, t] for s, t in zip(softs, texts, strict=True)], ids)
    assert mask.sum(1).tolist() == [4, 1, 3]
    for row, soft, text, some in zip(nll, softs, texts, ids, strict=True):
        wanted = plain_logprobs(model, laid(model, soft, text), some)
        assert (-row[: len(some)]).tolist() == pytest.approx(wanted, abs=2e-4)
        assert row[len(some) :].abs().sum() == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_one_input_before_all_is_as_if_it_stood_before_each(family):
    model = language_model(family)
    given = [soft_prompt(model, 3), PROMPT]
    ids = [[7, 3, 250, 0], [12], [99, 98, 97, 5, 4, 3, 2]]
    alone, mask = model.ids_nll([given], ids)
    each, wanted = model.ids_nll([given] * 3, ids)
    assert torch.equal(mask, wanted)
    assert torch.allclose(alone, each, atol=2e-4)
    assert torch.allclose(model.ids_nll([given], [[5], [6]])[0], model.ids_nll([given] * 2, [[5], [6]])[0], atol=2e-4)


def test_a_texts_own_tokens_are_as_likely_as_the_text():
    model = language_model("llama")
    inputs, text = [[soft_prompt(model, 3), PROMPT]], " a red dog"
    by_text, _ = model.token_nll(inputs, [text])
    by_ids, _ = model.ids_nll(inputs, [[*model.tokens.ids(text), model.tokens.end]])
    assert torch.allclose(by_text, by_ids)
    with pytest.raises(ShapeError, match="2 inputs need as many"):
        model.ids_nll(inputs * 2, [[1], [2], [3]])


@pytest.fixture(scope="module")
def model():
    return language_model("gptj")


@pytest.fixture(scope="module")
def transfer(model, tmp_path_factory):
    projection = Linear(DIM, model.d_model, prompt_tokens=3)
    projection.start(float(model.word_vectors.std()), 1.0, 0)
    folder = tmp_path_factory.mktemp("transfers") / "t"
    named = {"key": "fit", "encoder": "beit", "seed": 4, "space": "beit:pooled", "encoder_identity": "beit"}
    return Transfer.write(folder, projection, language_model_id=model.id, tokens=1, **named)


def features(n=N, seed=0, name="row"):
    values = np.random.default_rng(seed).normal(size=(n, 1, DIM)).astype(np.float32)
    ids = tuple(f"{name}-{i}" for i in range(n))
    return Features(None, f"features-{name}-{seed}", values, ids, "rows", "beit", "beit:pooled")


@pytest.fixture
def stage(transfer, model, tmp_path):
    """Caption and score, with whatever is to be different."""

    def run(folder="scores", rows=None, speaker=model, prompt=PROMPT, decoding=None, **changes):
        rows = features() if rows is None else rows
        named = {"encoder": "beit", "seed": 4, "manifest_id": "rows", "on": "animals", "study": "tiny"}
        how = decoding or Decoding(max_tokens=8)
        key = f"{prompt}-{len(rows)}-{how.method}"
        said = tmp_path / f"captions-{key}".replace(" ", "_")
        captions = caption(rows, transfer, model, said, prompt=prompt, decoding=how, key=key, quiet=True, **named)
        others = changes.pop("others", partners(rows.row_ids, {}, 0))
        given = {"key": "k", "batch_size": 5, "quiet": True} | changes
        return captions, score_tokens(
            captions, rows, features(1, 9, "blank"), transfer, speaker, tmp_path / folder, others=others, **given
        )

    return run


def test_each_condition_is_a_plain_forward_pass(stage, transfer, model):
    rows = features()
    captions, made = stage()
    project = transfer.projection()

    def soft(some):
        return project(torch.from_numpy(np.asarray(some, dtype=np.float32)))

    own = dict(zip(rows.row_ids, soft(rows.values), strict=True))
    grey = soft(features(1, 9, "blank").values)[0]
    assert made.conditions == (PICTURE, BLANK, OTHER, NONE)
    for row, (ids, _) in zip(captions.row_ids, captions.tokens(), strict=True):
        table = made.table[made.table["row_id"] == row]
        assert table["token_id"].tolist() == ids
        stands = {PICTURE: own[row], BLANK: grey, OTHER: own[made.others[row]], NONE: None}
        for condition, prompt in stands.items():
            wanted = plain_logprobs(model, laid(model, prompt, PROMPT), ids)
            assert table[condition].tolist() == pytest.approx(wanted, abs=2e-4), (row, condition)


def test_with_the_picture_tokens_are_as_likely_as_when_they_were_said(stage):
    for decoding in (Decoding(max_tokens=8), Decoding(method="nucleus", samples=2, max_tokens=8)):
        captions, made = stage(decoding.method, decoding=decoding, key=decoding.method)
        firsts = captions.table["sample"] == 0
        said = [pair for pair, first in zip(captions.tokens(), firsts, strict=True) if first]
        assert made.table["token_id"].tolist() == [i for ids, _ in said for i in ids]
        assert made.table[PICTURE].tolist() == pytest.approx([p for _, some in said for p in some], abs=2e-4)
        assert dict(made.texts) == captions.texts()
        totals = made.totals()
        assert totals.shape == (N, 4)
        assert totals[:, 0] == pytest.approx([sum(some) for _, some in said], abs=1e-3)


@pytest.mark.parametrize("made", [tokenizer(), prefixing_tokenizer()], ids=["byte-level", "prefixing"])
def test_words_are_those_of_the_caption(made):
    tokens = Tokens(made, SimpleNamespace(eos_token_id=None))
    for text in (*CORPUS, "A picture of two\nblack cats,  a zebra ."):
        ids = [*tokens.ids(text), tokens.end]
        found = pieces(ids, tokens.text)
        words = word_numbers(found, text)
        told = [""] * len(text.split())
        for piece, word in zip(found[:-1], words, strict=False):
            told[word] += piece
        assert [word.strip() for word in told] == text.split()
        assert words[-1] == -1


@pytest.mark.parametrize(
    ("said", "text", "words"),
    [
        ([" a", " ze", "bra", ""], "a zebra", [0, 1, 1, -1]),
        ([" ", "a", " big", "\n", "dog", "."], "a big\ndog", [0, 0, 1, 2, 2, -1]),
        (["dog", ".", " The", " cat"], "dog", [0, -1, -1, -1]),
        (["", "", "シ", "マ", " ", "🦓"], "シマ 🦓", [0, 0, 0, 0, 1, 1]),
        ([""], "", [-1]),
        ([], "", []),
        (["  ", "\n"], "", [-1, -1]),
    ],
)
def test_tokens_belong_to_the_word_they_are_written_in(said, text, words):
    assert word_numbers(said, text) == words


def test_pieces_join_to_the_text_and_split_no_character(model):
    text = "a シマウマ 🦓 in the grass"
    ids = model.tokens.ids(text)
    found = pieces(ids, model.text)
    assert len(found) == len(ids)
    assert "".join(found) == text
    assert all("\N{REPLACEMENT CHARACTER}" not in piece for piece in found)
    assert pieces([*ids, model.tokens.end], model.text)[-1] == ""


def test_one_picture_has_no_other_and_no_text_no_condition_without(stage):
    _, alone = stage("alone", rows=features(1))
    assert alone.conditions == (PICTURE, BLANK, NONE)
    assert alone.others == {}
    _, bare = stage("bare", prompt="")
    assert bare.conditions == (PICTURE, BLANK, OTHER)


class Killed(Exception):
    pass


class KilledAfter:
    """A language model whose process dies after some passes."""

    def __init__(self, model, passes):
        self.model, self.passes = model, passes

    def __getattr__(self, name):
        return getattr(self.model, name)

    def ids_nll(self, inputs, ids):
        self.passes -= 1
        if self.passes < 0:
            raise Killed
        return self.model.ids_nll(inputs, ids)


def test_a_killed_run_goes_on_to_the_same_bytes(stage, model):
    _, whole = stage("whole")
    with pytest.raises(Killed):
        stage("killed", speaker=KilledAfter(model, 7))
    folder = whole.folder.parent / "killed"
    assert not (folder / "index.json").is_file()
    with pytest.raises(MissingResourceError, match="not finished"):
        TokenScores.load(folder)
    counted = KilledAfter(model, 9)  # 5 batches of three passes: without picture, blank, and the others
    _, resumed = stage("killed", speaker=counted)
    assert counted.passes == 0
    assert (folder / "scores.jsonl").read_bytes() == (whole.folder / "scores.jsonl").read_bytes()
    assert resumed == whole
    assert stage("killed", speaker=KilledAfter(model, 0))[1].table.equals(whole.table)


def test_damaged_scores_are_told(stage):
    _, made = stage()
    path = made.folder / "scores.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("0.", "1.", 1), encoding="utf-8")
    with pytest.raises(BadInputError, match="damaged"):
        TokenScores.load(made.folder)
    with pytest.raises(MissingResourceError, match="no scores"):
        TokenScores.load(made.folder / "nothing")


def test_features_that_are_no_numbers_are_told(stage):
    stage("good")  # the captions are there
    broken = features()
    broken.values[4, 0, 2] = np.nan
    with pytest.raises(BadInputError, match="features of `row-4` hold values that are no numbers"):
        stage("broken", rows=broken)


def test_captions_of_another_fit_are_refused(stage, transfer, model, tmp_path):
    captions, _ = stage()
    strange = SimpleNamespace(**{**vars(captions), "meta": {**captions.meta, "transfer_id": "another"}})
    with pytest.raises(MismatchError, match="made by another fit"):
        score_tokens(strange, features(), features(1), transfer, model, tmp_path / "x", others={}, key="k", quiet=True)


def test_the_stored_lines_are_small_json(stage):
    _, made = stage()
    lines = [json.loads(line) for line in (made.folder / "scores.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 4 * N
    assert set(lines[0]) == {"row_id", "sample", "prompt", "pieces", "other", "text", "token_ids", "logprobs"}


def test_partners_are_of_another_class_and_any_of_them():
    rows = [f"r{i}" for i in range(60)]
    classes = {row: f"c{i % 3}" for i, row in enumerate(rows)} | {"r0": "alone"}
    counts = {}
    for seed in range(200):
        found = partners(rows, classes, seed)
        assert list(found) == rows
        assert all(classes[row] != classes[other] for row, other in found.items())
        counts[found["r1"]] = counts.get(found["r1"], 0) + 1
    right = [row for row in rows if classes[row] != classes["r1"]]
    assert set(counts) <= set(right)
    assert len(counts) > 0.9 * len(right)
    assert max(counts.values()) < 20
    assert partners(rows, classes, 1) == partners(rows, classes, 1)


def test_partners_where_classes_do_not_help():
    assert partners(["a"], {}, 0) == {}
    assert partners(["a", "b"], {"a": "x", "b": "x"}, 0) == {"a": "b", "b": "a"}
    many = [f"r{i}" for i in range(2000)]
    found = partners(many, dict.fromkeys(many[1:], "common") | {"r0": "rare"}, 3)
    assert {found[row] for row in many[1:]} == {"r0"}
    assert found["r0"] != "r0"


def test_chosen_rows_are_of_all_classes_alike_and_stay_in_order():
    rows = [f"r{i}" for i in range(100)]
    classes = {row: f"c{i % 10}" for i, row in enumerate(rows)}
    found = chosen(rows, classes, 25, 0)
    assert found == [row for row in rows if row in set(found)]
    counts = [sum(classes[row] == f"c{c}" for row in found) for c in range(10)]
    assert set(counts) == {2, 3}
    assert set(chosen(rows[::-1], classes, 25, 0)) == set(found)
    assert set(chosen(rows, classes, 25, 1)) != set(found)
    assert chosen(rows, {}, 500, 0) == rows
    assert len(chosen(rows, {}, 7, 0)) == 7


def test_the_blank_picture_is_grey():
    manifest = blank_manifest()
    assert set(manifest.read(0).getdata()) == {(GREY, GREY, GREY)}
    assert len(manifest) == 1


@pytest.fixture(scope="module")
def study():
    return load_study("microworld", limit=12, quiet=True, seeds=1)


def test_a_study_scores_once_and_plans_what_is_missing(study, monkeypatch):
    selection = study.select("captions")[0]

    def steps():
        return {(s.stage, s.what): s.done for s in plan(study, ["nfrn50"], [selection], until="score")}

    before = steps()
    assert before["score", "test, seed 0"] is False
    (made,) = token_scores(study, "nfrn50", selection)
    assert (made.encoder, made.on, made.study, made.conditions) == (
        "nfrn50",
        "test",
        "microworld",
        (PICTURE, BLANK, OTHER, NONE),
    )
    classes = study.concepts("captions").truth
    assert all(classes[row] != classes[other] for row, other in made.others.items())
    assert steps()["score", "test, seed 0"] is True
    monkeypatch.setattr(type(study), "language_model", property(lambda self: pytest.fail("scored again")))
    assert token_scores(study, "nfrn50", selection)[0].table.equals(made.table)


def test_a_study_reads_a_few_pictures_of_all_classes(study, monkeypatch):
    few = study.with_spec(study.spec.model_copy(update={"lens": Lens(pictures=5, positions=3, top=2)}))
    selection = few.select("captions")[0]
    assert [s.n for s in plan(few, ["nfrn50"], [selection], until="read") if s.stage == "read"] == [5]
    (made,) = prompt_readings(few, "nfrn50", selection)
    assert len(made.row_ids) == 5
    assert made.positions == (0, 4, 8)
    assert made.arrays["lens"].shape == (5, 7, 3, 2)
    assert len({few.concepts("captions").truth[row] for row in made.row_ids}) == 5
    monkeypatch.setattr(type(few), "language_model", property(lambda self: pytest.fail("read again")))
    assert prompt_readings(few, "nfrn50", selection)[0].key == made.key


def test_a_mistake_in_a_studys_lens_is_told(tmp_path):
    (tmp_path / "my.yaml").write_text(
        (STUDIES / "microworld.yaml").read_text(encoding="utf-8") + "lens: {picture: 5}\n", encoding="utf-8"
    )
    with pytest.raises(StudyError, match=r"lens\.picture: no such key\. Did you mean `pictures`"):
        load_study(tmp_path / "my.yaml")
