"""What a fit trains beside the projection: the language model or adapters in it, on texts, behind questions."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from tiny_fit import PROMPT, RECIPE, features, language_model, run, texts

from concepttransfer.errors import BadInputError, MismatchError
from concepttransfer.feature_adapters import FeatureAdapterSpec, fit_adapter
from concepttransfer.features import Features
from concepttransfer.language_models.adapter_spec import AdapterSpec
from concepttransfer.language_models.fitted import as_fitted
from concepttransfer.training.checkpoints import checkpoint_path
from concepttransfer.training.run import Job, TrainingRun
from concepttransfer.training.sources import StoredFeatures, TextFeatures

TUNED = RECIPE.model_copy(update={"language_model": "tuned", "language_model_lr": 1e-2})
ADAPTED = RECIPE.model_copy(update={"adapters": AdapterSpec(where=("mlp", "attention"), downsample=2)})
WAYS = {"tuned": TUNED, "adapters": ADAPTED}


def content(transfer):
    return {path.name: path.read_bytes() for path in transfer.folder.iterdir() if path.name != "costs.json"}


def copied(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(a, b):
    return all(torch.equal(value, b[name]) for name, value in a.items())


def nll(model, transfer):
    soft = transfer.projection()(torch.from_numpy(features().values[:4]).float())
    return model.token_nll([[prompt, PROMPT] for prompt in soft], ["a big otter"] * 4)[0].detach()


@pytest.mark.parametrize("family", ["gptj", "gpt2"])  # gpt2's word vectors are tied to its output
def test_a_tuned_language_model_is_put_in_place_for_the_block_and_is_the_saved_weights(tmp_path, family):
    model = language_model(family)
    before = copied(model.module)
    made = run(tmp_path / "t", TUNED, model)
    assert same(before, model.module.state_dict())
    assert not any(p.requires_grad for p in model.module.parameters())
    frozen = nll(model, made)
    with as_fitted(model, made) as tuned:
        spoken = nll(tuned, made)
    assert same(before, model.module.state_dict())
    reference = copy.deepcopy(model)  # transformers' own model, filled with what was saved
    missing, unexpected = reference.module.load_state_dict(made.language_model_state(), strict=False)
    assert not unexpected
    assert set(missing) <= {"lm_head.weight"}
    torch.testing.assert_close(spoken, nll(reference, made), atol=1e-6, rtol=0)
    assert (spoken - frozen).abs().max() > 1e-2


def test_every_weight_of_a_tuned_language_model_that_is_used_learns(tmp_path):
    model = language_model("gptj")
    before = copied(model.module)
    state = run(tmp_path / "t", TUNED, model).language_model_state()
    assert state.keys() == dict(model.module.named_parameters()).keys()
    assert all(not torch.equal(before[name], value) for name, value in state.items())


def test_one_step_of_tuning_is_adamw_on_everything_with_each_its_rate(tmp_path):
    """Against torch's own AdamW on a plain copy of the language model and a plain linear layer."""
    recipe = TUNED.model_copy(update={"steps": 1, "dropout": 0.0, "validation": 0.0, "clip": None, "warmup_steps": 0})
    model = language_model()
    made = run(tmp_path / "t", recipe, model)
    start = run(tmp_path / "s", recipe.model_copy(update={"lr": 1e-30, "language_model_lr": 1e-30}), model).projection()
    reference, linear = copy.deepcopy(model), torch.nn.Linear(10, 16)
    reference.module.requires_grad_(True)
    linear.load_state_dict(start.state_dict())
    groups = [
        {"params": list(linear.parameters()), "lr": recipe.lr},
        {"params": list(reference.module.parameters()), "lr": recipe.language_model_lr},
    ]
    optimizer = torch.optim.AdamW(groups, betas=recipe.betas, weight_decay=0.0)
    batch = _first_batch(recipe, model)
    soft = linear(torch.from_numpy(features().values[batch.rows]).float())
    said = [texts()[row][choice] for row, choice in zip(batch.rows, batch.choices, strict=True)]
    losses, mask = reference.token_nll([[p, PROMPT] for p in soft], said)
    (losses.sum() / mask.sum()).backward()
    optimizer.step()
    torch.testing.assert_close(made.projection().weight, linear.weight.detach(), atol=1e-5, rtol=1e-4)
    for name, value in made.language_model_state().items():
        wanted = dict(reference.module.named_parameters())[name].detach()
        torch.testing.assert_close(value, wanted, atol=1e-4, rtol=1e-3, msg=name)


def _first_batch(recipe, model):
    from concepttransfer.training.batch_plan import BatchPlan

    lengths = [model.count_tokens(captions) for captions in texts()]
    return BatchPlan(lengths, np.arange(40), recipe.batch_size, 0).batch(0)


def test_adapters_learn_and_the_language_model_stays(tmp_path):
    model = language_model()
    before = copied(model.module)
    made = run(tmp_path / "t", ADAPTED, model)
    assert same(before, model.module.state_dict())
    assert set(made.language_model_state()).isdisjoint(before)
    frozen = nll(model, made)
    with as_fitted(model, made) as adapted:
        assert (nll(adapted, made) - frozen).abs().max() > 1e-4
    torch.testing.assert_close(nll(model, made), frozen, atol=0, rtol=0)


@pytest.mark.parametrize("way", WAYS)
def test_a_killed_fit_goes_on_to_the_same_bytes(tmp_path, way):
    whole = run(tmp_path / "t", WAYS[way])
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "u", WAYS[way], Dying(language_model(), 5))
    assert checkpoint_path(tmp_path / "u").is_file()
    assert content(run(tmp_path / "u", WAYS[way])) == content(whole)


class Dying:
    def __init__(self, inner, calls):
        self.inner, self.calls = inner, calls

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def token_nll(self, inputs, captions, **how):
        self.calls -= 1
        if not self.calls:
            raise KeyboardInterrupt
        return self.inner.token_nll(inputs, captions, **how)


@pytest.mark.parametrize("way", WAYS)
def test_a_fit_that_ends_with_an_error_leaves_the_language_model_as_it_came(tmp_path, way):
    model = language_model()
    before = copied(model.module)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "t", WAYS[way], Dying(model, 4))
    assert same(before, model.module.state_dict())
    assert not any(p.requires_grad or p.grad is not None for p in model.module.parameters())


@pytest.mark.parametrize("way", WAYS)
def test_a_micro_batch_changes_no_weight_beyond_rounding(tmp_path, way):
    whole = run(tmp_path / "t", WAYS[way]).language_model_state()
    parts = run(tmp_path / "u", WAYS[way].model_copy(update={"micro_batch": 3})).language_model_state()
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, atol=1e-4, rtol=1e-3, msg=name)


def test_what_was_trained_is_counted_and_a_frozen_language_model_is_not_saved(tmp_path):
    model = language_model()
    frozen, tuned = run(tmp_path / "t", model=model), run(tmp_path / "u", TUNED, model)
    projection = 10 * 16 + 16
    assert frozen.n_trained == projection
    assert tuned.n_trained == projection + sum(p.numel() for p in model.module.parameters())
    assert frozen.language_model_state() is None
    assert {path.name for path in frozen.folder.glob("*.safetensors")} == {"projection.safetensors"}
    assert frozen.seconds is not None


def test_a_copy_says_the_same_as_the_fit(tmp_path):
    model = language_model()
    for way, recipe in WAYS.items():
        made = run(tmp_path / way, recipe, model)
        copy_ = made.copy(tmp_path / f"{way}-copy", dtype="float32")
        with as_fitted(model, made):
            wanted = nll(model, made)
        with as_fitted(model, copy_):
            torch.testing.assert_close(nll(model, copy_), wanted, atol=0, rtol=0)
        assert copy_.id == made.id


def test_weights_of_another_language_model_are_refused(tmp_path):
    made = run(tmp_path / "t", TUNED, language_model("gptj"))
    with pytest.raises(MismatchError, match="tiny-gptj@1"), as_fitted(language_model("gpt2"), made):
        pass


# What is read --------------------------------------------------------------------------------------------------------


def spoken(n=40, dim=10):
    """Features of two captions a row: the row's number, and 100 more for the second."""
    values = np.zeros((2 * n, 1, dim), dtype=np.float16)
    values[:, 0, 0] = [row + 100 * j for row in range(n) for j in range(2)]
    ids = tuple(f"row{row}#{j}" for row in range(n) for j in range(2))
    return Features(None, "key", values, ids, "manifest", "tiny@text", "tiny/projected@s")


def test_the_caption_that_is_learnt_is_the_one_that_is_read():
    rows, choices = np.array([3, 0, 3]), np.array([1, 0, 0])
    row_ids = [f"row{i}" for i in range(40)]
    read = TextFeatures(spoken(), row_ids).batch(rows, choices)
    assert read[:, 0, 0].tolist() == [103, 0, 3]
    other = TextFeatures(spoken(), row_ids, other=True).batch(rows, choices)
    assert other[:, 0, 0].tolist() == [3, 100, 103]


def test_another_caption_needs_two_of_a_row():
    one = spoken()
    lone = Features(None, "key", one.values[:1], one.row_ids[:1], "manifest", "tiny@text", "tiny/projected@s")
    with pytest.raises(BadInputError, match=r"row0.*Say `reads: texts`"):
        TextFeatures(lone, ["row0"], other=True)


def run_of(tmp_path, **changes):
    from accelerate import Accelerator

    source = TextFeatures(spoken(), [f"row{i}" for i in range(40)])
    run = TrainingRun(Job(source, texts(), language_model(), RECIPE, 0, PROMPT, None, False, **changes), Accelerator())
    run.restore(None)
    return run


def test_a_feature_adapter_works_in_training_alone(tmp_path):
    adapter = fit_adapter(FeatureAdapterSpec(kind="noise", noise=0.5), None, None)
    run = run_of(tmp_path, adapter=adapter)
    batch = run.plan.batch(0)
    unit = torch.nn.functional.normalize(run.source.batch(batch.rows, batch.choices).float(), dim=-1)
    noisy = run._features(batch)
    torch.testing.assert_close(noisy.norm(dim=-1), torch.ones(8, 1))
    assert (noisy - unit).abs().max() > 0.1
    torch.testing.assert_close(run._features(batch[2:5]), noisy[2:5])  # whatever the micro-batch
    run.projection.eval()
    torch.testing.assert_close(run._features(batch), unit)


def test_an_adapter_of_another_space_is_refused(tmp_path):
    drawn = np.random.default_rng(0).standard_normal((2, 20, 10))
    adapter = fit_adapter(FeatureAdapterSpec(kind="mean_shift", paired="p"), *drawn, space="another/projected@s")
    with pytest.raises(MismatchError, match="another/projected@s"):
        run_of(tmp_path, adapter=adapter)


def test_each_row_is_asked_its_own_question(tmp_path):
    asked = []

    class Listening(Dying):
        def token_nll(self, inputs, captions, **how):
            asked.extend(text for _, text in inputs)
            return self.inner.token_nll(inputs, captions, **how)

    source = StoredFeatures(features())
    questions = [f"is it number {i}" for i in range(40)]
    given = {"source": source, "prompt": "Q: {question} A:", "questions": questions}
    run(
        tmp_path / "t",
        RECIPE.model_copy(update={"steps": 1, "validation": 0.0}),
        Listening(language_model(), 0),
        **given,
    )
    rows = _first_batch(RECIPE, language_model()).rows
    assert asked == [f"Q: is it number {row} A:" for row in rows]
