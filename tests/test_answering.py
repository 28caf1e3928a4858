"""Questions are asked with the right pictures and examples, once, in any batch; what cannot be asked is said."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_language_models import language_model

import concepttransfer as ct
from concepttransfer.answering import BLIND, Answering, Answers, answer
from concepttransfer.answering.few_shot import ask, commonest_answer
from concepttransfer.cli import main
from concepttransfer.decoding import Decoding
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError, MissingResourceError
from concepttransfer.manifest import Manifest, Row
from concepttransfer.microworld.data import microworld_manifest, scene_of
from concepttransfer.microworld.grammar import questions as asked_of
from concepttransfer.microworld.questions_data import microworld_questions
from concepttransfer.projections import Linear
from concepttransfer.study.answers import pictures_of
from concepttransfer.transfer import Transfer

DIM, K = 8, 2
HOW = Answering(
    prompt=" Q: {question} A:", between="|", examples="solved", shots=(0, 2), decoding=Decoding(max_tokens=6)
)


def row(number, picture, question, *answers):
    labels = {"question": question, "question_type": "what", "answer_type": "other"}
    return Row(f"{number}", f"{picture}.jpg", answers or ("yes",) * 10, labels)


def data(n=12, per_picture=3):
    return Manifest("q", tuple(row(i, f"p{i // per_picture}", f"is it {i}?", *["a", "b", "b"]) for i in range(n)))


SOLVED = Manifest("solved", tuple(row(f"s{i}", f"e{i}", f"was it {i}?", f"no {i}", "x", f"no {i}") for i in range(9)))


@pytest.fixture(scope="module")
def model():
    return language_model("gptj", n_positions=128)


@pytest.fixture(scope="module")
def transfer(model, tmp_path_factory):
    projection = Linear(DIM, model.d_model, prompt_tokens=K)
    projection.start(float(model.word_vectors.std()), 1.0, 0)
    parts = {"space": "beit:pooled", "encoder_identity": "beit", "language_model_id": model.id, "tokens": 1}
    return Transfer.write(tmp_path_factory.mktemp("t") / "t", projection, key="fit", encoder="beit", seed=4, **parts)


class Store(SimpleNamespace):
    """Features of a manifest's pictures, each once."""

    def take(self, keys):
        return self.values[[self.row_ids.index(key) for key in keys]]


def store(manifest, seed, without=()):
    every = sorted(manifest.pictures_only().ids)
    drawn = dict(zip(every, np.random.default_rng(seed).normal(size=(len(every), 1, DIM)), strict=True))
    keys = tuple(key for key in every if key not in without)
    values = np.stack([drawn[key] for key in keys]).astype(np.float16)
    return Store(values=values, row_ids=keys, space="beit:pooled", key=f"features {seed}")


@pytest.fixture
def stage(transfer, model, tmp_path):
    def run(folder="answers", manifest=None, how=HOW, seeing=True, **changes):
        manifest = manifest or data()
        asked = ask(manifest, how.passes, SOLVED, how.seed)
        named = {"key": "k", "manifest_id": manifest.id, "on": "q", "study": "tiny", "batch_size": 5, "quiet": True}
        seen = {"transfer": transfer, "features": store(manifest, 0), "example_features": store(SOLVED, 1)}
        seen |= {"encoder": "beit", "seed": 4}
        speaker = changes.pop("model", model)
        given = {**named, **(seen if seeing else {}), **changes}
        return answer(asked, speaker, tmp_path / folder, answering=how, **given)

    return run


def test_each_question_is_asked_behind_its_picture_and_its_examples(stage, transfer, model):
    manifest, projection = data(), transfer.projection()
    made = stage(manifest=manifest)

    def soft(rows, seed, picture):
        stored = store(rows, seed)
        return projection(torch.from_numpy(stored.take([picture]).astype(np.float32)))[0]

    for one in ask(manifest, (0, 2), SOLVED, 0):
        segments = []
        for example in one.examples:
            segments += [
                soft(SOLVED, 1, example.picture),
                f" Q: {example.labels['question']} A: {example.texts[0]}",
                "|",
            ]
        segments += [soft(manifest, 0, one.question.picture), f" Q: {one.question.labels['question']} A:"]
        (said,) = model.generate([segments], HOW.effective_decoding)
        assert made.texts(len(one.examples))[one.question.id] == said.text
    assert made.shots == (0, 2)
    assert len(made.table) == 24
    assert len({*made.texts(0).values()}) > 4


def test_blind_is_asked_the_same_texts_without_any_picture(stage, model):
    made = stage(seeing=False)
    assert (made.encoder, made.seed, made.meta["transfer_id"]) == (BLIND, 0, None)
    for one in ask(data(), (0, 2), SOLVED, 0):
        text = "".join(f" Q: {e.labels['question']} A: {e.texts[0]}" for e in one.examples)
        (said,) = model.generate([[text + f" Q: {one.question.labels['question']} A:"]], HOW.effective_decoding)
        assert made.texts(len(one.examples))[one.question.id] == said.text


def test_examples_are_drawn_by_the_question_and_never_show_its_picture():
    questions = Manifest("own", tuple(row(i, f"e{i % 9}", "what?") for i in range(40)))
    asked = {one.id: one for one in ask(questions, (1, 4, 0), SOLVED, 0)}
    assert len(asked) == 120
    for question in questions.rows:
        one, four = asked[f"1-shot/{question.id}"].examples, asked[f"4-shot/{question.id}"].examples
        assert four[:1] == one
        assert len({question.picture, *(r.picture for r in four)}) == 5
    assert len({tuple(r.id for r in one.examples) for one in asked.values()}) > 45
    fewer = Manifest("own", questions.rows[7:3:-1])
    assert {one.id: one for one in ask(fewer, (4,), SOLVED, 0)}.items() <= asked.items()
    others = ask(questions, (4,), SOLVED, 1)
    assert sum(one == asked[one.id] for one in others) < 5


def test_one_picture_under_two_names_is_one_by_its_hash():
    solved = Manifest("s", tuple(Row(f"{i}", f"x{i}", ("a",), {"question": "?"}, sha256=f"h{i % 2}") for i in range(6)))
    asked = Manifest("q", (Row("q", "other", ("a",), {"question": "?"}, sha256="h0"),))
    (one,) = ask(asked, (1,), solved, 3)
    assert one.examples[0].sha256 == "h1"
    with pytest.raises(BadInputError, match="too few answered questions about pictures other than that of `q`"):
        ask(asked, (2,), solved, 3)


def test_the_commonest_answer_is_the_one_given_and_of_equals_the_first():
    assert commonest_answer(row(1, "p", "?", "a", "b", "b", "c")) == "b"
    assert commonest_answer(row(1, "p", "?", "c", "a", "b")) == "c"


@pytest.mark.parametrize("how", [{"batch_size": 1}, {"batch_size": 64}, {"manifest": Manifest("q", data().rows[::-1])}])
def test_answers_do_not_depend_on_batch_or_order(stage, how):
    first, other = stage("a"), stage("b", **how)
    for shots in (0, 2):
        assert other.texts(shots) == first.texts(shots)


class Killed(Exception):
    pass


class KilledAfter:
    """A language model whose process dies after some batches."""

    def __init__(self, model, batches):
        self.model, self.batches = model, batches

    def __getattr__(self, name):
        return getattr(self.model, name)

    def generate(self, inputs, decoding, *, keys=None):
        if self.batches == 0:
            raise Killed
        self.batches -= 1
        return self.model.generate(inputs, decoding, keys=keys)


@pytest.mark.parametrize("batches", [0, 2, 4])
def test_a_killed_run_resumed_gives_the_same_bytes(stage, model, batches, tmp_path):
    whole = stage("whole")
    with pytest.raises(Killed):
        stage("killed", model=KilledAfter(model, batches))
    with pytest.raises(MissingResourceError, match="not finished"):
        Answers.load(tmp_path / "killed")
    counting = KilledAfter(model, 100)
    resumed = stage("killed", model=counting)
    assert (resumed.folder / "answers.jsonl").read_bytes() == (whole.folder / "answers.jsonl").read_bytes()
    assert 100 - counting.batches == 5 - batches
    assert stage("killed", model=KilledAfter(model, 0)) == resumed
    with pytest.raises(MissingResourceError, match="no answers"):
        Answers.load(tmp_path / "nothing")


def test_each_line_says_what_was_asked_after_which_examples(stage):
    made = stage()
    lines = [json.loads(line) for line in (made.folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    asked = {one.id: one for one in ask(data(), (0, 2), SOLVED, 0)}
    assert {line["row_id"] for line in lines} == set(asked)
    for line in lines:
        one = asked[line["row_id"]]
        assert (line["question_id"], line["shots"]) == (one.question.id, len(one.examples))
        assert line["question"] == one.question.labels["question"]
        assert line["examples"] == [r.id for r in one.examples]
    assert made.meta["between"] == "|"
    assert "Q:" in made.meta["decoding"]["stop"]


def test_an_answer_ends_where_the_next_question_would_begin():
    how = Answering(prompt="\nQuestion: {question} Answer:")
    assert how.effective_decoding.stop == ("\n", "Question:")
    assert Answering(prompt="{question}").effective_decoding.stop == ("\n",)
    assert how.text("{a} Ünï 🐘?") == "\nQuestion: {a} Ünï 🐘? Answer:"
    assert Answering().passes == (0,)
    assert HOW.passes == (0, 2)


def test_questions_whose_pictures_cannot_be_read_are_left_out_and_counted(stage):
    made = stage(features=store(data(), 0, without=("p1.jpg",)))
    assert set(made.texts(0)) == {str(i) for i in (*range(3), *range(6, 12))}
    assert made.meta["left_out"] == 3
    without = stage("b", example_features=store(SOLVED, 1, without=("e0.jpg", "e1.jpg", "e2.jpg")))
    assert len(without.texts(0)) == 12
    assert 0 < len(without.texts(2)) < 12
    with pytest.raises(EmptyDataError, match="no picture of theirs was read"):
        stage("c", features=store(SOLVED, 0))


def test_what_cannot_be_asked_is_said_before_anything_is_generated(stage, model, transfer):
    with pytest.raises(BadInputError, match="Row `x` asks nothing"):
        ask(Manifest("m", (Row("x", "p"),)), (0,), None, 0)
    with pytest.raises(BadInputError, match="asks nothing"):
        ask(Manifest("m", (Row("x", "p", labels={"question": " "}),)), (0,), None, 0)
    with pytest.raises(BadInputError, match="no data to draw them from"):
        ask(data(), (0, 1), None, 0)
    for shots in ((), (-1,)):
        with pytest.raises(BadInputError, match="0 or above"):
            ask(data(), shots, SOLVED, 0)
    with pytest.raises(BadInputError, match="Question `x` has no answer"):
        commonest_answer(Row("x"))
    with pytest.raises(BadInputError, match="needs features"):
        stage(features=None)
    wrong = store(data(), 0)
    wrong.space = "clip"
    with pytest.raises(MismatchError, match="features of `beit:pooled`"):
        stage(features=wrong)
    long = Manifest("q", (*data().rows, row(99, "p0", "how long? " * 40)))
    speaker = KilledAfter(model, 1)
    with pytest.raises(BadInputError, match=r"can read 128 tokens; .* give fewer examples"):
        stage("long", manifest=long, model=speaker)
    assert speaker.batches == 0


def test_reading_answers_loads_no_torch(stage):
    made = stage()
    code = (
        "import sys; from concepttransfer.answering import Answers; "
        f"Answers.load({str(made.folder)!r}); print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_microworld_asks_what_its_grammar_asks_and_knows_the_answers():
    manifest, pictures = microworld_questions("dev"), microworld_manifest("dev")
    assert manifest.pictures_only().ids == tuple(r.picture for r in pictures.rows)
    by_picture = {}
    for one in manifest.rows:
        assert set(one.texts) == {one.texts[0]}
        assert len(one.texts) == 10
        assert (one.labels["answer_type"] == "yes/no") == (one.texts[0] in ("yes", "no"))
        said = (one.labels["question_type"], one.labels["question"], one.texts[0])
        by_picture.setdefault(one.picture, []).append(said)
    for key, said in list(by_picture.items())[::25]:
        assert said == [(q.kind, q.text, q.answer) for q in asked_of(scene_of(key))]


def test_a_study_encodes_each_picture_once_and_asks_everyone_the_same(monkeypatch):
    study = ct.load_study("microworld", limit=30, quiet=True, seeds=1)
    selection = study.select("dev-questions")[0]
    own, others = pictures_of(study, selection)
    assert len(own.manifest) == len({r.picture for r in selection.manifest.rows})
    assert not {r.picture for r in own.manifest.rows} & {r.picture for r in others.manifest.rows}
    encoded = []
    from concepttransfer.features import encode

    monkeypatch.setattr(
        "concepttransfer.features.encode", lambda m, *a, **k: (encoded.append(len(m)), encode(m, *a, **k))[1]
    )
    (blind,), (clip,) = (study.answers(name, on="dev-questions") for name in (BLIND, "clip"))
    assert encoded == [len(own.manifest), len(others.manifest)]
    assert (blind.shots, clip.shots) == ((0, 1, 2, 4), (0, 1, 2, 4))
    assert set(blind.texts(4)) == set(clip.texts(4)) == set(selection.manifest.ids)
    lines = [
        {line["row_id"]: line["examples"] for line in map(json.loads, (a.folder / "answers.jsonl").open())}
        for a in (blind, clip)
    ]
    assert lines[0] == lines[1]
    assert study.answers("clip", on="dev-questions") == [clip]
    assert len(encoded) == 2


def test_data_without_questions_are_refused(monkeypatch):
    study = ct.load_study("microworld", limit=5, quiet=True)
    with pytest.raises(BadInputError, match=r"asks nothing.*reader: vqa2"):
        study.answers("clip", on="dev")
    monkeypatch.setattr(type(study), "encoders", property(lambda _: ("blind",)))
    with pytest.raises(BadInputError, match="calls an encoder `blind`"):
        study.answers("blind", on="dev-questions")


def test_the_command_answers_and_plans(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = ["answer", "--encoder", "clip", "--on", "dev-questions", "--limit", "30", "--quiet"]
    assert main([*said, "--dry-run", "--json"]) == 0
    steps = json.loads(capsys.readouterr().out)
    assert [step["stage"] for step in steps].count("answer") == 4
    assert main([*said, "--json", "--out", "here"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {one["encoder"] for one in rows} == {"blind", "clip"}
    assert {one["shots"] for one in rows} == {0, 1, 2, 4}
    assert (tmp_path / "here" / "answers-blind-dev-questions-seed-0" / "answers.jsonl").is_file()
    assert main([*said, "--dry-run", "--json"]) == 0
    assert all(step["done"] for step in json.loads(capsys.readouterr().out))


def test_examples_come_from_the_pool_only():
    """Of the pool's rows, whatever `limit` says of the questions."""
    import concepttransfer as ct
    from concepttransfer.study.answers import examples

    study = ct.load_study("microworld", limit=5, quiet=True)
    changed = study.spec.answering.model_copy(update={"pool": 7})
    few = examples(study.with_spec(study.spec.model_copy(update={"answering": changed})))
    assert len(few.manifest) == 7
    assert set(few.manifest.ids) < set(examples(study).manifest.ids)
    assert len(examples(study).manifest) == study.spec.answering.pool
