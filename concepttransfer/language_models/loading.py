"""Loads a language model from a folder or the hub."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from ..errors import BadInputError, MissingResourceError
from .causal import CausalLanguageModel
from .encoder_decoder import EncoderDecoderLanguageModel
from .identity import Source, language_model_identity, locate, offline
from .placement import DTYPES, QUANTISED, SHARD, SPREAD, keep_differentiable, quantising, spreading, take_turns


def load_language_model(
    name: str, root: Path | str = ".", *, device: str = "cpu", dtype: str = "float32", bos: bool | None = None
) -> CausalLanguageModel:
    """Load any causal language model or encoder-decoder of transformers, frozen; its configuration says which it is.

    Args:
        name: `hf:org/name`, `hf:org/name@revision`, `hf:folder` or `folder` relative to `root`, or
            `microworld:language_model`.
        root: the folder that relative names start from.
        device: where it computes; `spread`: its layers over all GPUs, then memory, then disk; `shard`: a share of each
            layer on each process of `accelerate launch --use_fsdp`, all of which must call this.
        dtype: `float32`, `bfloat16`, `float16`, or `auto`: float32 except on a GPU, where it is bfloat16 if the
            hardware has it and float16 if not; `8bit` or `4bit`: the layers' matrices by bitsandbytes, the rest `auto`.
        bos: put the begin token before every input; None: as the tokenizer does (Llama's and Gemma's do).

    Raises:
        MissingResourceError: it is not on this machine and cannot be fetched, or bitsandbytes is wanted and not there.
        BadInputError: a name or dtype of no known form, weights that are not those of the configuration, or a
            quantised model that is to be sharded.
    """
    source = locate(name, root)
    if device == SHARD and dtype in QUANTISED:
        raise BadInputError(f"A language model in {dtype} is not sharded. Leave --use_fsdp or --dtype {dtype} out.")
    arguments = _arguments(device, dtype)
    with _quiet(), _explained(source):
        if device == SPREAD:
            spread, keep = spreading()
            module = _fetch(source, arguments | spread)
            keep(module)
        elif device == SHARD:
            module = take_turns(lambda: _fetch(source, arguments))
        elif dtype in QUANTISED:
            module = _fetch(source, arguments | {"device_map": {"": device}})
        else:
            module = _fetch(source, arguments).to(device)
        keep_differentiable(module)
        tokenizer = _library().AutoTokenizer.from_pretrained(source.path, **_where(source))
    kind = EncoderDecoderLanguageModel if _has_encoder(module.config) else CausalLanguageModel
    return kind(module, tokenizer, id=language_model_identity(name, root, dtype), bos=bos)


def _library() -> Any:
    import transformers

    return transformers


def _where(source: Source) -> dict[str, Any]:
    return {"local_files_only": offline(), **({"revision": source.revision} if source.revision else {})}


def _fetch(source: Source, arguments: Mapping[str, Any]) -> Any:
    config = _library().AutoConfig.from_pretrained(source.path, **_where(source))
    library = _library()
    kind = library.AutoModelForSeq2SeqLM if _has_encoder(config) else library.AutoModelForCausalLM
    module, report = kind.from_pretrained(source.path, output_loading_info=True, **arguments, **_where(source))
    if lacking := sorted(report["missing_keys"]):
        raise BadInputError(
            f"The weights of language model `{source.name}` lack {lacking[0]} and {len(lacking) - 1} more that its "
            "config.json asks for. Put weights and configuration of one model together."
        )
    return module


def _has_encoder(config: Any) -> bool:
    return bool(getattr(config, "is_encoder_decoder", False))


def _arguments(device: str, dtype: str) -> dict[str, Any]:
    """In which numbers the weights are held, as `from_pretrained` is told."""
    if dtype not in QUANTISED:
        return {"dtype": _dtype(dtype, device)}
    compute = _dtype("auto", device)
    return {"dtype": compute, "quantization_config": quantising(dtype, compute)}


def _dtype(name: str, device: str) -> torch.dtype:
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if name == "auto":
        if not (device.startswith("cuda") or (device in (SPREAD, SHARD) and torch.cuda.is_available())):
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if name not in known:
        raise BadInputError(f"No dtype `{name}`. Choose one of: {', '.join(DTYPES)}.")
    return known[name]


@contextlib.contextmanager
def _explained(source: Source) -> Iterator[None]:
    """Say of a model that could not be loaded what is missing and where it should be."""
    try:
        yield
    except (OSError, ValueError, ImportError) as error:
        reason = str(error).strip().split("\n")[0]
        if source.folder:
            message = f"Language model `{source.name}` in {source.folder} cannot be loaded: {reason}"
            raise BadInputError(message) from error
        raise MissingResourceError(
            f"Language model `{source.name}` is not on this machine and could not be fetched: {reason} "
            "Run once with a network connection (without --offline or HF_HUB_OFFLINE), or put config.json, "
            "model.safetensors and tokenizer.json into a folder and name that."
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide the library's own bar while small weights are read."""
    from transformers.utils import logging as library

    logging: Any = library
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
