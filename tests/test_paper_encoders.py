"""The paper's models at full size, from their libraries' own configurations without any network."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import pytest
import torch
import torchvision
import transformers
from test_encoders import picture, refuse
from tiny_language_models import tokenizer

from concepttransfer.encoders import load_encoder
from concepttransfer.encoders.known_configs import CONFIGS
from concepttransfer.language_models.causal import CausalLanguageModel
from concepttransfer.projections.linear import Linear
from concepttransfer.study import load_study

pytestmark = pytest.mark.slow

LIMBER = load_study("limber").spec
GIBIBYTE = 1 << 30
D_MODEL = 4096

# tokens, their width, the side of the picture in pixels, soft prompts
SHAPES = {
    "clip": (144, 3072, 384, 144),
    "nfrn50": (1, 2048, 256, 2),
    "nfrn50-tuned": (1, 2048, 256, 2),
    "beit": (196, 1024, 224, 196),
    "beit-ft": (196, 1024, 224, 196),
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    monkeypatch.setattr("socket.socket.connect", refuse)


def without_weights(name):
    """The encoder as limber.yaml says it, but for its weights, which lie on a hub."""
    return LIMBER.encoders[name].model_copy(update={"init": "random"})


def test_these_are_all_the_encoders_of_the_study():
    twins = {name for name in LIMBER.encoders if name.endswith("-random")}
    assert set(LIMBER.encoders) == set(SHAPES) | twins
    for name in twins:  # built below as their pretrained twins are, whose weights are not here
        assert LIMBER.encoders[name] == without_weights(name.removesuffix("-random"))


@pytest.mark.parametrize("name", SHAPES)
def test_an_encoder_of_the_paper_has_its_shape_and_tells_pictures_apart(name):
    spec, (tokens, dim, pixels, prompts) = without_weights(name), SHAPES[name]
    encoder = load_encoder(spec, Path())
    assert sum(parameter.numel() for parameter in encoder.module.parameters()) == PARAMETERS[name]()
    batch = torch.stack([encoder.transform(picture(seed, 300)) for seed in range(2)])
    assert batch.shape == (2, 3, pixels, pixels)
    features = encoder.encode(batch)
    assert features.shape == (2, tokens, dim)
    assert features.dtype == torch.float32
    assert bool(torch.isfinite(features.to(torch.float16)).all()), "they must fit the store"
    assert float((features[0] - features[1]).abs().mean()) > 0.01 * float(features.abs().mean())
    assert features.requires_grad is spec.train
    if spec.train:
        features.square().mean().backward()
        assert float(encoder.module.stem.conv.weight.grad.abs().sum()) > 0
    projection = Linear(dim, D_MODEL, spec.prompt_tokens).to("meta")
    assert projection(features.detach().to("meta")).shape == (2, prompts, D_MODEL)
    per_picture = prompts if spec.prompt_tokens else 1
    assert sum(p.numel() for p in projection.parameters()) == (dim + 1) * D_MODEL * per_picture
    if sys.platform == "linux":
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 < 6 * GIBIBYTE


def clip_resnet(width: int, blocks: tuple[int, ...], grid: int, projected: int) -> int:
    """Parameters of CLIP's modified ResNet (Radford et al. 2021, and their code).

    A stem of three convolutions, bottlenecks four times as wide at their end, attention pooling with positions.
    """

    def convolution(old: int, new: int, size: int) -> int:
        return old * new * size**2 + 2 * new  # and its batch norm

    stem = convolution(3, width // 2, 3) + convolution(width // 2, width // 2, 3) + convolution(width // 2, width, 3)
    total, old = stem, width
    for stage, count in enumerate(blocks):
        inner = width * 2**stage
        for block in range(count):
            total += convolution(old, inner, 1) + convolution(inner, inner, 3) + convolution(inner, 4 * inner, 1)
            total += convolution(old, 4 * inner, 1) if block == 0 else 0
            old = 4 * inner
    return total + (grid**2 + 1) * old + 3 * (old**2 + old) + old * projected + projected


def beit_large(*, finetuned: bool) -> int:
    """Parameters of BEiT-L/16 (Bao et al. 2022): keys without bias, a scale for each residual, relative positions."""
    d, mlp = 1024, 4096
    attention = 4 * d**2 + 3 * d
    block = attention + 2 * d * mlp + mlp + d + 2 * 2 * d + 2 * d
    positions = 16 * (27**2 + 3) * (24 if finetuned else 1)  # one table a layer, or one for all
    mask_token = 0 if finetuned else d
    return 24 * block + (3 * 16**2 + 1) * d + d + mask_token + positions + 2 * d  # a class token; the pooled norm


def resnet50() -> int:
    """A ResNet-50's; its normaliser-free twin has a gain and a bias for each batch norm's weight and bias."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in torchvision.models.resnet50().parameters())


PARAMETERS = {
    "clip": lambda: clip_resnet(96, (6, 8, 18, 8), 12, 768),
    "nfrn50": resnet50,
    "nfrn50-tuned": resnet50,
    "beit": lambda: beit_large(finetuned=False),
    "beit-ft": lambda: beit_large(finetuned=True),
}


def test_gpt_j_reads_the_projections_prompts():
    """At full size on the meta device: 28 layers of 4096, and 50,400 words of which the tokenizer uses 50,257."""
    assert LIMBER.language_model == "hf:EleutherAI/gpt-j-6b"
    with torch.device("meta"):
        module = transformers.AutoModelForCausalLM.from_config(transformers.GPTJConfig())
    d, vocabulary = D_MODEL, 50400
    block = 4 * d**2 + 2 * 4 * d**2 + 4 * d + d + 2 * d  # attention and its output without bias, MLP, one layer norm
    expected = vocabulary * d + 28 * block + 2 * d + vocabulary * d + vocabulary
    assert sum(parameter.numel() for parameter in module.parameters()) == expected == 6_050_882_784
    language_model = CausalLanguageModel(module, tokenizer(), id="gpt-j")
    assert language_model.d_model == d
    assert language_model.word_vectors.shape == (vocabulary, d)
    assert language_model.positions == 2048
    prompts = Linear(3072, d).to("meta")(torch.empty(1, 144, 3072, device="meta"))
    with torch.no_grad():
        assert language_model.module(inputs_embeds=prompts).logits.shape == (1, 144, vocabulary)


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_the_known_configurations_are_those_of_the_published_conversion(name):
    """BEiT-L/16 as transformers' conversion script builds it: its defaults, but for what the script sets."""
    finetuned = name.endswith("ft22k")
    expected = transformers.BeitConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        use_mask_token=not finetuned,
        use_shared_relative_position_bias=not finetuned,
        use_relative_position_bias=finetuned,
    )
    known = transformers.BeitConfig(**{k: v for k, v in CONFIGS[name].items() if k != "model_type"})
    assert known.to_dict() == expected.to_dict()
    assert known.use_mean_pooling, "so that the last hidden state has no final layer norm"
