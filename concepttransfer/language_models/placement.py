"""Where a language model's weights lie when they are too many for one card: spread, sharded, or in fewer bits."""

from __future__ import annotations

import importlib.util
import os
import shutil
import uuid
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..errors import BadInputError, MissingResourceError
from ..storage import cache_folder

if TYPE_CHECKING:
    import torch
    from torch import nn

SPREAD, SHARD = "spread", "shard"
"""Devices of a language model beside torch's own: one process with the layers over all there is; or, under `accelerate
launch --use_fsdp`, a share of each layer on each process."""

QUANTISED = ("8bit", "4bit")
"""Dtypes in which the layers' matrices hold whole numbers of so many bits (bitsandbytes)."""

DTYPES = ("auto", "float32", "bfloat16", "float16", *QUANTISED)
"""What a study and `--dtype` may say of a language model's weights."""

MEMORY_VARIABLE = "CONCEPTTRANSFER_MEMORY"


def fsdp() -> bool:
    """Were we started with `accelerate launch --use_fsdp`, by several processes? Asks what accelerate itself asks."""
    wanted = os.environ.get("ACCELERATE_USE_FSDP", "false").lower() in ("true", "1", "yes")
    return wanted and int(os.environ.get("WORLD_SIZE", "1")) > 1


def memory() -> dict[int | str, str] | None:
    """How much each device may hold of a spread model: `$CONCEPTTRANSFER_MEMORY`, such as `0=20GiB,1=20GiB,cpu=64GiB`.

    None: accelerate's own limits, which are what is free.

    Raises:
        BadInputError: it says something else.
    """
    from accelerate.utils.modeling import convert_file_size_to_int

    said = os.environ.get(MEMORY_VARIABLE, "").strip()
    if not said:
        return None
    limits: dict[int | str, str] = {}
    for part in said.split(","):
        device, _, size = (word.strip() for word in part.partition("="))
        try:
            convert_file_size_to_int(size)
        except ValueError:
            size = ""
        if not size or not (device.isdigit() or device == "cpu"):
            raise BadInputError(f"{MEMORY_VARIABLE} is `{said}`. Write it as 0=20GiB,1=20GiB,cpu=64GiB.")
        limits[int(device) if device.isdigit() else device] = size
    return limits


def spreading() -> tuple[dict[str, Any], Callable[[nn.Module], None]]:
    """What transformers' `from_pretrained` is called with to spread a model, and what to do with the model it gives.

    GPUs are filled first, then memory, then a folder of the cache that lasts as long as the model.
    """
    folder = cache_folder() / f".offload.{uuid.uuid4().hex}"  # made only if weights have to be written

    def keep(module: nn.Module) -> None:
        weakref.finalize(module, shutil.rmtree, folder, ignore_errors=True)

    return {"device_map": "auto", "max_memory": memory(), "offload_folder": folder}, keep


def quantising(dtype: str, compute: torch.dtype) -> Any:
    """The configuration by which transformers loads a model in 8 or 4 bit; its other parts compute in `compute`.

    8 bit is LLM.int8 (Dettmers et al. 2022), 4 bit is NF4 (Dettmers et al. 2023).

    Raises:
        MissingResourceError: bitsandbytes is not installed.
    """
    import logging

    import transformers

    if importlib.util.find_spec("bitsandbytes") is None:
        raise MissingResourceError(
            f"dtype `{dtype}` needs the library bitsandbytes. Install it: pip install 'concepttransfer[quantise]'"
        )
    library: Any = transformers
    # It says of every single matrix product that it rounds its input, which is what 8 bit means.
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    if dtype == "8bit":
        return library.BitsAndBytesConfig(load_in_8bit=True)
    return library.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=compute)


def keep_differentiable(module: nn.Module) -> None:
    """Hold bitsandbytes from repacking 4-bit matrices on CPUs at the first pass without gradient.

    What it packs computes in bfloat16 only, has no backward pass, and must be a multiple of 64 wide.
    """
    layers: Iterator[Any] = module.modules()
    for layer in layers:
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False


def is_placed(module: Any) -> bool:
    """Must a model stay where it is, since it is spread, sharded or quantised?"""
    return is_sharded(module) or bool(
        getattr(module, "is_quantized", False) or getattr(module, "hf_device_map", None) or is_offloaded(module)
    )


def is_offloaded(module: nn.Module) -> bool:
    """Do some weights lie in memory or on disk and come to their device only to be used?"""
    return any(parameter.is_meta for parameter in module.parameters())


def is_sharded(module: nn.Module) -> bool:
    """Does every process hold only a share of the weights, so that all must compute at the same time?"""
    try:
        from torch.distributed.fsdp import FSDPModule
    except ImportError:  # a torch before 2.6
        return False
    return isinstance(module, FSDPModule)


def home(module: nn.Module, weight: torch.Tensor) -> torch.device:
    """Where a module computes: where its weight lies, or where accelerate brings an offloaded one."""
    import torch

    hook: Any = getattr(module, "_hf_hook", None)
    where = getattr(hook, "execution_device", None) if weight.is_meta else None
    return weight.device if where is None else torch.device(where)


def take_turns(fetch: Callable[[], Any]) -> Any:
    """Load and shard a model, the processes of each machine one after another, so that one whole copy is in memory.

    Args:
        fetch: loads the module into this process's memory.

    Raises:
        BadInputError: torch is too old, or the model names no layers to shard.
    """
    from accelerate import Accelerator
    from torch.distributed.device_mesh import init_device_mesh

    accelerator = Accelerator()  # which, unlike PartialState, also asks whether the processes are to stay on CPUs
    mesh = init_device_mesh(accelerator.device.type, (accelerator.num_processes,))
    module = None
    for turn in range(int(os.environ.get("LOCAL_WORLD_SIZE", accelerator.num_processes))):
        if turn == accelerator.local_process_index:
            module = shard(fetch(), mesh, accelerator.device)
        accelerator.wait_for_everyone()
    return module


def shard(module: Any, mesh: Any, device: torch.device) -> Any:
    """Leave on this process its share of each layer (torch's `fully_shard`, FSDP2), in place.

    Word vectors and output head stay whole on every process: soft prompts are laid between words before the model is
    called.

    Args:
        module: a causal language model of transformers, whole, in memory.
        mesh: the processes.
        device: where this process computes.
    """
    import torch

    if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 7):
        raise BadInputError(f"FSDP needs torch 2.7 or newer; this is {torch.__version__}. Or take --device spread.")
    from torch.distributed.fsdp import CPUOffloadPolicy, OffloadPolicy, fully_shard

    names = set(getattr(module, "_no_split_modules", None) or ())
    layers = [layer for layer in module.modules() if type(layer).__name__ in names]
    if not layers:
        raise BadInputError(f"{type(module).__name__} names no layers that FSDP could shard. Take --device spread.")
    offload = os.environ.get("FSDP_OFFLOAD_PARAMS", "false").lower() == "true"
    policy = CPUOffloadPolicy(pin_memory=device.type == "cuda") if offload else OffloadPolicy()
    how: dict[str, Any] = {"mesh": mesh, "reshard_after_forward": True, "offload_policy": policy}
    ends = [end for end in (module.get_input_embeddings(), module.get_output_embeddings()) if end is not None]
    whole = {parameter for end in ends for parameter in end.to(device).parameters()}
    for layer in layers:
        fully_shard(layer, **how)
    return fully_shard(module, **how, ignored_params=whole)
