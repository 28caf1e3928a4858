"""Configurations of the paper's models on a hub, so that their random twins need no network.

BEiT: Bao et al. 2022, as `convert_beit_unilm_to_pytorch.py` of transformers builds them: mean pooling on (so that the
last hidden state has no final layer norm), relative positions shared by all layers while pretraining and one table a
layer in fine-tuning, pictures resized to 224 x 224 without cropping, bilinearly.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..storage import write_json

_BEIT_LARGE: dict[str, Any] = {
    "model_type": "beit",
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "image_size": 224,
    "patch_size": 16,
    "use_mean_pooling": True,
    "use_absolute_position_embeddings": False,
    "layer_scale_init_value": 0.1,
    "drop_path_rate": 0.1,
}
_PRETRAINED = {"use_mask_token": True, "use_shared_relative_position_bias": True, "use_relative_position_bias": False}
_FINETUNED = {"use_mask_token": False, "use_shared_relative_position_bias": False, "use_relative_position_bias": True}

CONFIGS: dict[str, dict[str, Any]] = {
    "microsoft/beit-large-patch16-224-pt22k": _BEIT_LARGE | _PRETRAINED,
    "microsoft/beit-large-patch16-224-pt22k-ft22k": _BEIT_LARGE | _FINETUNED,
}
"""Model configurations by their name on the hub."""

_BEIT_PICTURES: dict[str, Any] = {
    "image_processor_type": "BeitImageProcessor",
    "do_resize": True,
    "size": {"height": 224, "width": 224},
    "resample": 2,
    "do_center_crop": False,
    "do_rescale": True,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def write(name: str, folder: Path) -> None:
    """Write the configuration files of a known model, as `from_pretrained(folder)` reads them."""
    write_json(folder / "config.json", CONFIGS[name])
    write_json(folder / "preprocessor_config.json", _BEIT_PICTURES)
