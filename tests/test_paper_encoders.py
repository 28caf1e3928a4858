"""The paper's encoders at full size, built from their libraries' own configurations without any network."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import pytest
import torch
import transformers
from test_encoders import picture, refuse

from concepttransfer.encoders import load_encoder
from concepttransfer.encoders.known_configs import CONFIGS
from concepttransfer.encoders.spec import EncoderSpec

pytestmark = pytest.mark.slow

BEIT = "hf:microsoft/beit-large-patch16-224-pt22k"
GIBIBYTE = 1 << 30


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    monkeypatch.setattr("socket.socket.connect", refuse)


@pytest.mark.parametrize(
    ("settings", "tokens", "dim", "pixels"),
    [
        ({"model": "open_clip:RN50x16/openai", "features": "last_map", "image_size": 384}, 144, 3072, 384),
        ({"model": "timm:nf_resnet50", "features": "pooled", "prompt_tokens": 2}, 1, 2048, 256),
        ({"model": "timm:nf_resnet50", "features": "pooled", "prompt_tokens": 2, "train": True}, 1, 2048, 256),
        ({"model": BEIT, "features": "patch_tokens"}, 196, 1024, 224),
        ({"model": f"{BEIT}-ft22k", "features": "patch_tokens"}, 196, 1024, 224),
    ],
    ids=["clip", "nfrn50", "nfrn50-tuned", "beit", "beit-ft"],
)
def test_an_encoder_of_the_paper_has_its_shape_and_tells_pictures_apart(settings, tokens, dim, pixels):
    spec = EncoderSpec(**settings, init="random")
    encoder = load_encoder(spec, Path())
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
    if sys.platform == "linux":
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 < 6 * GIBIBYTE


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
