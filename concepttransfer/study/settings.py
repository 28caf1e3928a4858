"""How a study is run: what the common options of every command say."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .. import processes
from ..errors import BadInputError
from ..language_models import placement

DEVICES = ("auto", "cpu", "cuda", "mps", placement.SPREAD)


@dataclass(frozen=True)
class Settings:
    """Where and how work is done. Of these, `dtype`, `limit`, `seed` and `seeds` change what is computed.

    Attributes:
        device: `auto` takes the GPU if there is one; `spread` is `auto`, but the language model's layers lie over all
            GPUs, then memory, then disk.
        dtype: of the language model, one of `placement.DTYPES`; None: as the study says.
        batch_size: pictures or captions at a time; None: each stage's own default.
        limit: at most so many rows of the data evaluated on.
        seed: the first seed of the fits.
        seeds: how many Transfers are fitted; None: as the study says.
        force: stages (`encode`, `fit`, `caption`) that are done again although the cache holds them.
        offline: no request to any hub.
        quiet: no progress bars.
        trackers: `tensorboard`, `wandb`, ...: where fits write their curves, as accelerate names them.
    """

    device: str = "auto"
    dtype: str | None = None
    batch_size: int | None = None
    limit: int | None = None
    seed: int = 0
    seeds: int | None = None
    force: tuple[str, ...] = ()
    offline: bool = False
    quiet: bool = False
    trackers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.device.split(":")[0] not in DEVICES:
            message = f"No device `{self.device}`. Give one of: {', '.join(DEVICES)}, cuda:1, ..."
            raise BadInputError(message)
        if self.dtype not in (None, *placement.DTYPES):
            message = f"No dtype `{self.dtype}`. Give one of: {', '.join(placement.DTYPES)}."
            raise BadInputError(message)
        if self.offline:
            os.environ["HF_HUB_OFFLINE"] = "1"
        if placement.fsdp():  # else transformers fills encoders too on the first process of each machine only
            os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"

    def torch_device(self) -> str:
        """The device by torch's name.

        Raises:
            BadInputError: a device was asked for that this machine does not have.
        """
        import torch

        present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
        if self.device in ("auto", placement.SPREAD):
            return f"cuda:{processes.device_index()}" if present["cuda"] else "mps" if present["mps"] else "cpu"
        if not present[self.device.split(":")[0]]:
            message = f"This machine has no `{self.device}` that torch can use. Leave out --device, or give cpu."
            raise BadInputError(message)
        return f"cuda:{processes.device_index()}" if self.device == "cuda" else self.device

    def language_model_device(self) -> str:
        """Where the language model lies: `torch_device`, `spread`, or, under accelerate's FSDP, `shard`.

        Raises:
            BadInputError: several processes are each to spread it over the same GPUs, or `torch_device` raises it.
        """
        if self.device != placement.SPREAD:
            return placement.SHARD if placement.fsdp() else self.torch_device()
        if processes.count() > 1:
            raise BadInputError(
                f"{processes.count()} processes cannot each spread the language model over the same devices. Give "
                "--device spread to one process, or accelerate launch --use_fsdp without it."
            )
        return placement.SPREAD

    def torch_dtype(self, wanted: str) -> str:
        """The name of the language model's dtype; `auto` is bfloat16 where the GPU has it."""
        import torch

        wanted = self.dtype or wanted
        if wanted != "auto":
            return wanted
        on_gpu = self.torch_device().startswith("cuda")
        return "bfloat16" if on_gpu and torch.cuda.is_bf16_supported() else "float32"
