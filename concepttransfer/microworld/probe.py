"""How much of a picture a linear probe reads from each encoder: the check, on dev, of the recipes in `recipes.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from concepttransfer.microworld.pretraining import Pictures, pictures_of

if TYPE_CHECKING:
    import pandas as pd

    from concepttransfer.encoders.spec import EncoderSpec

_FEATURES = {"beit": "patch_tokens", "beit-ft": "patch_tokens"}
_TRUTH = ("class", "habitat", "object", "pose")


def dev_probes(names: tuple[str, ...] | None = None) -> pd.DataFrame:
    """The share of dev's 500 pictures of which a probe tells each label, for trained encoders and their random twins.

    The probe is ridge regression to the labels (its penalty chosen by leaving one out) on the mean of the 3 x 3 tokens,
    each dimension standardised, fitted on the 4,000 pictures of the split `projection`. The first row is what the
    commonest label gets.

    Args:
        names: encoders after `microworld:`; None: all.

    Returns:
        One row an encoder; columns `encoder`, `init`, and one for each of class, habitat, object and pose.
    """
    import pandas as pd

    from concepttransfer.microworld.networks import FAMILIES

    rows = [{"encoder": "commonest label", "init": "", **_commonest()}]
    for name in names or tuple(FAMILIES):
        for init in ("pretrained", "random") if name in ("beit", "nfrn50", "clip") else ("pretrained",):
            rows.append({"encoder": name, "init": init, **_probe(_spec(name, init))})
    return pd.DataFrame(rows)


def _spec(name: str, init: str) -> EncoderSpec:
    from concepttransfer.encoders.spec import EncoderSpec

    values = {"model": f"microworld:{name}", "features": _FEATURES.get(name, "last_map"), "grid": 3, "init": init}
    return EncoderSpec.model_validate(values)


def _commonest() -> dict[str, float]:
    train, test = pictures_of("projection"), pictures_of("dev")
    guess = {label: max(set(train.labels[label]), key=train.labels[label].count) for label in _TRUTH}
    return {label: test.labels[label].count(said) / len(test.animals) for label, said in guess.items()}


def _probe(spec: EncoderSpec) -> dict[str, float]:
    from sklearn.linear_model import RidgeClassifierCV

    train, test = pictures_of("projection"), pictures_of("dev")
    seen, unseen = _pooled(spec, train), _pooled(spec, test)
    mean, deviation = seen.mean(0), seen.std(0) + 1e-6
    found = {}
    for label in _TRUTH:
        told = RidgeClassifierCV(np.logspace(0, 5, 11)).fit((seen - mean) / deviation, train.labels[label])
        found[label] = float(told.score((unseen - mean) / deviation, test.labels[label]))
    return found


def _pooled(spec: EncoderSpec, pictures: Pictures) -> NDArray[np.float32]:
    """The mean token of each picture, `[n,dim]`."""
    from concepttransfer.encoders import load_encoder
    from concepttransfer.microworld.networks import normalise

    encoder = load_encoder(spec, Path())
    rows = np.array_split(np.arange(len(pictures.animals)), max(1, len(pictures.animals) // 200))
    return np.concatenate([encoder.encode(normalise(pictures.take(some))).mean(1).numpy() for some in rows])
