from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tiny_fit import NOUNS, PROMPT, RECIPE, features, language_model, run, texts

from concepttransfer.encoders.base import Built, ModuleEncoder
from concepttransfer.errors import BadInputError, EmptyDataError, LockedError, ShapeError, TrainingError
from concepttransfer.manifest import Manifest, Row
from concepttransfer.storage import lock
from concepttransfer.training.batch_plan import BatchPlan, hold_out
from concepttransfer.training.checkpoints import checkpoint_path
from concepttransfer.training.recipe import Recipe
from concepttransfer.training.schedule import learning_rate
from concepttransfer.training.sources import OnlineFeatures, StoredFeatures, statistics
from concepttransfer.transfer import Transfer


def changed(**fields):
    return RECIPE.model_copy(update=fields)


def weights(transfer):
    made = transfer.projection()
    return torch.cat([made.weight.reshape(-1), made.bias])


def content(transfer):
    """All that a fit wrote, but for the time that it took."""
    return {path.name: path.read_bytes() for path in transfer.folder.iterdir() if path.name != "costs.json"}


def relative(a, b):
    return ((a - b).norm() / b.norm()).item()


class Breaking:
    """A language model that does something when it is asked for the n-th time."""

    def __init__(self, inner, act):
        self.inner, self.act, self.calls = inner, act, 0

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def token_nll(self, inputs, captions, **how):
        self.calls += 1
        return self.act(self, *self.inner.token_nll(inputs, captions, **how))


# The loop ------------------------------------------------------------------------------------------------------------


def test_a_fit_learns_which_word_the_features_mean(tmp_path):
    model = language_model(width=64)
    made = run(tmp_path / "t", changed(steps=80, evaluate_every=40, standardize=True), model)
    history = made.history
    assert history["loss"].iloc[-20:].mean() < 0.4 * history["loss"].iloc[0]
    assert history["validation_loss"].dropna().iloc[-1] < history["validation_loss"].dropna().iloc[0]
    stored, projection = features(), made.projection()
    soft = projection(torch.from_numpy(stored.values).float())
    said = torch.stack([model.token_nll([[p, PROMPT] for p in soft], [f"a {n}"] * 40)[0].sum(1) for n in NOUNS], 1)
    assert (said.argmin(1) == torch.arange(40) % 4).float().mean() > 0.9


def test_one_step_is_adamw_on_the_token_mean_of_the_whole_batch(tmp_path):
    """Against a plain loop: torch's own AdamW, and the sum of token losses over their number."""
    recipe, model = changed(steps=1, dropout=0.0, validation=0.0, micro_batch=3), language_model()
    made = run(tmp_path / "t", recipe, model)
    stored, captions = features(), texts()
    start = run(tmp_path / "s", recipe.model_copy(update={"lr": 1e-30}), model).projection()
    lengths = [model.count_tokens(c) for c in captions]
    batch = BatchPlan(lengths, np.arange(40), 8, 0).batch(0)
    reference = torch.nn.Linear(10, 16)
    reference.load_state_dict(start.state_dict())
    optimizer = torch.optim.AdamW(
        reference.parameters(), lr=learning_rate(recipe, 0), betas=recipe.betas, weight_decay=0.0
    )
    soft = reference(torch.from_numpy(stored.values[batch.rows]).float())
    said = [captions[row][choice] for row, choice in zip(batch.rows, batch.choices, strict=True)]
    losses, mask = model.token_nll([[p, PROMPT] for p in soft], said)
    loss = losses.sum() / mask.sum()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(reference.parameters(), 1.0)
    optimizer.step()
    assert made.history["loss"].item() == pytest.approx(loss.item(), rel=1e-5)
    assert relative(weights(made), torch.cat([reference.weight.reshape(-1), reference.bias])) < 1e-5


def test_the_learning_rate_rises_and_falls_as_the_recipe_says(tmp_path):
    recipe = changed(steps=8, warmup_steps=3, lr=0.02, min_lr=0.001)
    lrs = run(tmp_path / "t", recipe).history["lr"].tolist()
    rising = [0.02 * (i + 1) / 3 for i in range(3)]
    falling = [0.001 + 0.019 * (1 - i / 5) for i in range(5)]
    assert lrs == pytest.approx(rising + falling, rel=1e-5)


def test_schedules_start_at_the_peak_and_end_where_they_should():
    for schedule, middle in (("linear", 0.5), ("cosine", 0.5), ("constant", 1.0)):
        recipe = Recipe(data="x", lr=1.0, warmup_steps=10, steps=110, schedule=schedule)
        assert learning_rate(recipe, 10) == 1.0
        assert learning_rate(recipe, 60) == pytest.approx(middle)
    released = Recipe(data="x", decay_steps=300000)
    assert learning_rate(released, 14999) == pytest.approx(0.95 * 8e-4, rel=0.001)
    assert learning_rate(Recipe(data="x", steps=10, warmup_steps=0, decay_steps=5, min_lr=1e-5), 9) == 1e-5


def test_captions_longer_than_the_recipe_allows_are_cut(tmp_path):
    seen = []
    model = Breaking(language_model(), lambda _, losses, mask: (seen.append(mask.shape[1]), (losses, mask))[1])
    run(tmp_path / "t", changed(max_tokens=3, steps=2), model)
    assert max(seen) == 3


def test_a_frozen_language_model_learns_nothing_and_gradient_checkpointing_changes_nothing(tmp_path):
    model = language_model()
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    plain = run(tmp_path / "t", model=model)
    recomputed = run(tmp_path / "u", changed(gradient_checkpointing=True), model)
    assert all(torch.equal(before[name], value) for name, value in model.module.state_dict().items())
    assert relative(weights(recomputed), weights(plain)) < 1e-6
    assert model.gradient_checkpointing is False
    assert all(parameter.grad is None for parameter in model.module.parameters())


def test_gpt2_learns_too_with_k_prompts_of_a_pooled_feature(tmp_path):
    source = StoredFeatures(features(tokens=1))
    made = run(tmp_path / "t", changed(steps=30), language_model("gpt2"), source=source, prompt_tokens=2, prompt="")
    assert made.projection().weight.shape == (32, 10)
    assert made.soft_prompts == 2
    assert made.history["loss"].iloc[-1] < made.history["loss"].iloc[0]


def test_bf16_stays_near_float32(tmp_path):
    made = run(tmp_path / "t", changed(precision="bf16"))
    assert made.meta["precision"] == "bf16"
    assert 0 < relative(weights(made), weights(run(tmp_path / "u"))) < 0.2


def test_what_is_there_already_is_given_back_and_another_key_replaces_it(tmp_path):
    first = run(tmp_path / "t")
    stamp = (first.folder / "transfer.json").stat().st_mtime_ns
    again = run(tmp_path / "t", changed(steps=1))
    assert (again.id, (again.folder / "transfer.json").stat().st_mtime_ns) == (first.id, stamp)
    assert run(tmp_path / "t", changed(steps=1), key="other").id != first.id


def test_two_processes_do_not_fit_into_one_folder(tmp_path):
    with lock(tmp_path / "t"), pytest.raises(LockedError, match="Another process is writing"):
        run(tmp_path / "t")


# Batches -------------------------------------------------------------------------------------------------------------


def test_each_epoch_shows_each_row_once_and_captions_vary_between_epochs():
    lengths = [[3, 5, 4]] * 50
    plan = BatchPlan(lengths, np.arange(0, 50, 2), 5, seed=1)
    # 8 batches of 5 are a window of 40; 25 windows are 40 epochs of 25.
    batches = [plan.batch(step) for step in range(200)]
    rows = np.concatenate([b.rows for b in batches])
    assert np.bincount(rows)[::2].tolist() == [40] * 25
    chosen = np.concatenate([b.choices for b in batches])
    assert np.bincount(chosen, minlength=3) / 1000 == pytest.approx([1 / 3] * 3, abs=0.06)
    assert plan.batch(7).rows.tolist() == batches[7].rows.tolist()
    assert BatchPlan(lengths, np.arange(0, 50, 2), 5, seed=2).batch(7).rows.tolist() != batches[7].rows.tolist()


def test_captions_of_a_batch_are_of_similar_length_and_no_length_is_left_out():
    chance = np.random.default_rng(0)
    lengths = chance.integers(5, 25, size=(1000, 5)).tolist()
    plan = BatchPlan(lengths, np.arange(1000), 32, seed=0)
    in_batch = [[lengths[r][c] for r, c in zip(b.rows, b.choices, strict=True)] for b in map(plan.batch, range(64))]
    padded = sum(max(batch) * len(batch) for batch in in_batch) / sum(map(sum, in_batch))
    assert padded < 1.1
    assert np.mean(np.concatenate(in_batch)) == pytest.approx(np.mean(lengths), rel=0.02)


def test_shares_of_processes_make_up_the_batch():
    batch = BatchPlan([[1]] * 30, np.arange(30), 11, seed=0).batch(3)
    shares = [batch.share(i, 3) for i in range(3)]
    assert sorted(np.concatenate([s.rows for s in shares])) == sorted(batch.rows)
    parts = [part for share in shares for part in share.parts(2)]
    draws = {int(s): d for part in parts for s, d in zip(part.samples, part.draws(5), strict=True)}
    assert [draws[i] for i in range(11)] == batch.draws(5)
    assert len({*batch.draws(5), *batch.draws(6)}) == 22


def test_held_out_rows_are_never_trained_on_and_rows_without_text_are_in_neither():
    captions = [["a"] if i % 3 else [] for i in range(90)]
    train, out = hold_out(captions, 0.2)
    assert len(out) == 12
    assert sorted([*train, *out]) == [i for i in range(90) if i % 3]
    assert hold_out(captions, 0.2)[1].tolist() == out.tolist()
    with pytest.raises(EmptyDataError, match="No row has a text"):
        hold_out([[], []], 0.1)
    with pytest.raises(BadInputError, match="leaves none"):
        hold_out([["a"]], 0.5)


def test_texts_must_be_as_many_as_rows(tmp_path):
    with pytest.raises(ShapeError, match="40 rows of features need as many"):
        run(tmp_path / "t", texts=texts(39))


# Determinism and resuming --------------------------------------------------------------------------------------------


def test_the_same_fit_gives_the_same_bytes_and_another_seed_does_not(tmp_path):
    first = run(tmp_path / "t")
    assert content(run(tmp_path / "u")) == content(first)
    assert run(tmp_path / "v", seed=1).id != first.id
    assert (run(tmp_path / "w", changed(dropout=0.0)).id) != first.id


@pytest.mark.parametrize("standardize", [True, False])
def test_a_killed_fit_goes_on_to_the_same_bytes(tmp_path, standardize):
    recipe = changed(steps=9, standardize=standardize)
    whole = run(tmp_path / "t", recipe)

    def die(breaking, losses, mask):
        if breaking.calls == 7:
            raise KeyboardInterrupt
        return losses, mask

    killed = Breaking(language_model(), die)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "u", recipe, killed)
    assert checkpoint_path(tmp_path / "u").is_file()
    assert not (tmp_path / "u").exists()
    counted = Breaking(language_model(), lambda _, losses, mask: (losses, mask))
    resumed = run(tmp_path / "u", recipe, counted)
    assert counted.calls < 9 + 3  # it did not begin again
    assert content(resumed) == content(whole)
    assert not checkpoint_path(tmp_path / "u").exists()


def test_a_checkpoint_of_another_recipe_is_not_resumed_and_a_damaged_one_is_named(tmp_path):
    def die(breaking, losses, mask):
        if breaking.calls == 6:
            raise KeyboardInterrupt
        return losses, mask

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "t", model=Breaking(language_model(), die))
    assert content(run(tmp_path / "t", changed(lr=0.01))) == content(run(tmp_path / "u", changed(lr=0.01)))
    checkpoint_path(tmp_path / "v").write_bytes(b"nonsense")
    with pytest.raises(BadInputError, match=r"is damaged.*Delete it"):
        run(tmp_path / "v")


def test_the_micro_batch_does_not_matter(tmp_path):
    """50 steps with dropout on: weights within 1e-4, as the design promises."""
    recipe = changed(steps=50, batch_size=9, dropout=0.1, lr=3e-3)
    whole = weights(run(tmp_path / "t", recipe))
    split = weights(run(tmp_path / "u", recipe.model_copy(update={"micro_batch": 2})))
    assert 0 < relative(split, whole) < 1e-4


# What goes wrong -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [torch.OutOfMemoryError, RuntimeError])
def test_the_micro_batch_halves_itself_until_it_fits_and_the_batch_stays(tmp_path, kind):
    sizes = []

    def starve(_, losses, mask):
        sizes.append(len(losses))
        if len(losses) > 3:
            raise kind("CUDA out of memory. Tried to allocate 2 GiB")
        return losses, mask

    made = run(tmp_path / "t", changed(validation=0.0), Breaking(language_model(), starve))
    assert sizes[:6] == [8, 4, 2, 2, 2, 2]
    assert relative(weights(made), weights(run(tmp_path / "u", changed(validation=0.0)))) < 1e-5


def test_not_even_one_caption_in_memory_is_said(tmp_path):
    def starve(*_):
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(TrainingError, match=r"a single caption\. Set `gradient_checkpointing"):
        run(tmp_path / "t", model=Breaking(language_model(), starve))


def test_other_errors_keep_their_traceback(tmp_path):
    def fail(*_):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        run(tmp_path / "t", model=Breaking(language_model(), fail))


def test_a_loss_that_is_not_finite_stops_the_fit_before_the_step_and_names_its_rows(tmp_path):
    stored = features()
    stored.values[7] = np.nan
    seen = []

    def note(_, losses, mask):
        seen.append(losses)
        return losses, mask

    recipe = changed(steps=20, standardize=False, validation=0.0)
    with pytest.raises(TrainingError, match=r"loss of step \d+ is not finite; its batch holds rows `row7`\. Nothing"):
        run(tmp_path / "t", recipe, Breaking(language_model(), note), source=Finite(StoredFeatures(stored)))
    assert not (tmp_path / "t").exists()
    assert seen


class Finite:
    """A source whose statistics are taken before a row turns bad."""

    def __init__(self, inner):
        self.inner, self.calls = inner, 0

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def batch(self, rows, choices=None):
        self.calls += 1
        values = self.inner.batch(rows)
        return values.nan_to_num() if self.calls == 1 else values


def test_a_gradient_that_is_not_finite_stops_too(tmp_path):
    def explode(_, losses, mask):
        return losses + (losses - losses.detach()) * math.inf, mask

    with pytest.raises(TrainingError, match=r"(gradient|loss) of step 1 is not finite"):
        run(tmp_path / "t", changed(validation=0.0), Breaking(language_model(), explode))


def test_tensorboard_gets_the_losses(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    made = run(tmp_path / "t", trackers=["tensorboard"])
    written = EventAccumulator(str(tmp_path / "t.logs" / "concepttransfer")).Reload()
    assert [event.step for event in written.Scalars("loss")] == [1, 2, 3, 4, 5, 6]
    assert [e.value for e in written.Scalars("loss")] == pytest.approx(made.history["loss"].tolist(), rel=1e-5)
    assert [event.step for event in written.Scalars("validation_loss")] == [3, 6]


# Sources -------------------------------------------------------------------------------------------------------------


class Drawn:
    """Pictures by name: 8 x 8 pixels drawn from the row's number."""

    def __init__(self, broken=()):
        self.broken = broken

    def read(self, key):
        if key in self.broken:
            raise OSError("truncated")
        number = int(key)
        pixels = np.random.default_rng(number).integers(0, 60, (8, 8, 3)) + 45 * (number % 4)
        return Image.fromarray(pixels.astype(np.uint8))


def to_tensor(picture):
    return torch.from_numpy(np.asarray(picture)).permute(2, 0, 1).float() / 255


def encoder(trainable=False):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Conv2d(3, 10, 4, 4), torch.nn.BatchNorm2d(10), torch.nn.Dropout(0.5))
    readouts = {"patch_tokens": lambda module, batch: module(batch).flatten(2).transpose(1, 2)}
    built = Built(network, readouts, to_tensor, "t", "tiny:conv")
    named = {"id": "tiny@e", "space": "tiny/patch@s", "weights_hash": "h"}
    return ModuleEncoder(built, features="patch_tokens", trainable=trainable, **named)


def manifest(broken=()):
    rows = tuple(Row(id=f"row{i}", picture=str(i)) for i in range(40))
    return Manifest("tiny", rows, Drawn(broken))


def stored_of(source):
    values = source.batch(np.arange(40)).numpy().astype(np.float16)
    return StoredFeatures(replace(features(), values=values))


@pytest.mark.parametrize("workers", [0, 2])
def test_stored_and_online_features_give_the_same_projection_up_to_rounding(tmp_path, workers):
    online = OnlineFeatures(encoder(), manifest(), workers=workers)
    recipe = changed(steps=20, standardize=True, lr=3e-3)
    first = run(tmp_path / "t", recipe, source=online)
    second = run(tmp_path / "u", recipe, source=stored_of(OnlineFeatures(encoder(), manifest())))
    assert first.space == second.space
    assert relative(weights(first), weights(second)) < 5e-3


def test_an_unreadable_picture_is_left_out_and_recorded(tmp_path):
    source = OnlineFeatures(encoder(), manifest(broken=("5",)), max_unreadable=0.05)
    made = run(tmp_path / "t", changed(steps=12, standardize=True), source=source)
    assert list(made.meta["unreadable"]) == ["row5"]
    assert "truncated" in made.meta["unreadable"]["row5"]


def test_what_the_unreadable_row_would_have_taught_is_not_learnt(tmp_path):
    """Its caption may be any other of the same length: the weights do not change."""
    kept, other = texts(), texts()
    other[5] = [" ".join("grass" for _ in caption.split()) for caption in kept[5]]
    made = [
        run(
            tmp_path / name,
            changed(steps=12),
            source=OnlineFeatures(encoder(), manifest(broken=("5",)), max_unreadable=0.05),
            texts=captions,
        )
        for name, captions in (("t", kept), ("u", other))
    ]
    assert torch.equal(weights(made[0]), weights(made[1]))


def test_too_many_unreadable_pictures_stop_the_fit(tmp_path):
    source = OnlineFeatures(encoder(), manifest(broken=("5", "6")))
    with pytest.raises(BadInputError, match=r"of 40 pictures cannot be read, more than the 1.0% allowed; `row[56]`"):
        run(tmp_path / "t", source=source)


def test_statistics_are_those_of_all_tokens():
    source = StoredFeatures(features())
    mean, deviation, scale = statistics(source, np.arange(40), chunk=7)
    values = source.batch(np.arange(40)).double().flatten(0, 1)
    torch.testing.assert_close(mean, values.mean(0).float())
    torch.testing.assert_close(deviation, values.std(0, correction=0).float())
    assert scale == pytest.approx(values.square().mean().sqrt().item())


def test_a_tuned_encoder_learns_at_its_own_rate_and_keeps_its_batch_statistics(tmp_path):
    net = encoder(trainable=True)
    before = {name: value.clone() for name, value in net.module.state_dict().items()}
    source = OnlineFeatures(net, manifest(), tuned=True)
    recipe = changed(steps=5, encoder_lr=1e-3, micro_batch=3)
    made = run(tmp_path / "t", recipe, source=source, tuned=True)
    state = made.encoder_state()
    moved = {name for name, value in state.items() if not torch.equal(value, before[name])}
    assert moved == {"0.weight", "0.bias", "1.weight", "1.bias"}
    assert (state["0.weight"] - before["0.weight"]).abs().max() <= 5 * 1e-3 * 1.05
    assert made.space != source.space
    assert all(torch.equal(value, before[name]) for name, value in net.module.state_dict().items())
    again = run(tmp_path / "u", recipe, source=source, tuned=True)
    assert content(again) == content(made)


def test_a_killed_tuned_fit_goes_on_to_the_same_bytes(tmp_path):
    def die(breaking, losses, mask):
        if breaking.calls == 6:
            raise KeyboardInterrupt
        return losses, mask

    def tuned(folder, model):
        source = OnlineFeatures(encoder(trainable=True), manifest(), tuned=True)
        return run(folder, changed(encoder_lr=1e-3), model, source=source, tuned=True)

    whole = tuned(tmp_path / "t", language_model())
    with pytest.raises(KeyboardInterrupt):
        tuned(tmp_path / "u", Breaking(language_model(), die))
    assert "encoder.0.weight" in load_file(checkpoint_path(tmp_path / "u"))
    assert content(tuned(tmp_path / "u", language_model())) == content(whole)


def test_features_that_are_frozen_cannot_be_tuned(tmp_path):
    with pytest.raises(BadInputError, match="beit is to be tuned, but its features are frozen"):
        run(tmp_path / "t", tuned=True)


def test_the_transfer_names_what_it_belongs_to(tmp_path):
    made = run(tmp_path / "t", meta={"study": "tiny"})
    assert isinstance(made, Transfer)
    assert (made.encoder, made.seed, made.language_model_id) == ("beit", 0, "tiny-gptj@1")
    assert (made.space, made.encoder_identity, made.tokens, made.dim) == ("tiny/patch@s", "tiny@e", 3, 10)
    assert made.meta["study"] == "tiny"
    assert made.meta["recipe"]["lr"] == 3e-2
    assert (made.meta["rows"], made.meta["held_out"]) == (36, 4)
