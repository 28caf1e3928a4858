"""Adapters inside a frozen language model: MAGMA's (Eichenberg et al. 2021), for any decoder-only transformers model.

They are put around the model's blocks by hooks, for as long as a `with` block lasts. The model itself is never changed:
none of its weights, names or classes.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from ..errors import BadInputError
from .adapter_spec import AdapterSpec
from .last_layer import layers
from .placement import home

NAMES = {
    "attention": ("attn", "self_attn", "self_attention", "attention"),
    "mlp": ("mlp", "ffn", "feed_forward"),
}
"""What transformers calls the two blocks of a layer."""

DEVIATION = 1e-3
"""Of the first weights, which are cut at two deviations: a new adapter hardly changes what the model says."""


class Adapter(nn.Module):
    """`Linear(d, d / r)`, ReLU, `Linear(d / r, d)`; what a residual connection adds."""

    def __init__(self, width: int, spec: AdapterSpec) -> None:
        """Zeros: an adapter that changes nothing, until `start` or `load_state_dict` fills it."""
        super().__init__()
        self.norm = nn.LayerNorm(width) if spec.layer_norm else None
        self.down = _linear(width, width // spec.downsample)
        self.up = _linear(width // spec.downsample, width)
        self.scale = nn.Parameter(torch.ones(1)) if spec.kind == "scaled_parallel" else None

    @torch.no_grad()
    def start(self, generator: torch.Generator) -> None:
        """Draw the first weights: normal, of deviation 0.001, cut at two deviations; biases 0."""
        for linear in (self.down, self.up):
            drawn = torch.randn(linear.weight.shape, generator=generator) * DEVIATION
            linear.weight.copy_(drawn.clamp(-2 * DEVIATION, 2 * DEVIATION))

    def forward(self, states: Tensor) -> Tensor:
        """What is added `[..., d]` (float32), from states `[..., d]` of any dtype and device."""
        inner = states.to(self.down.weight)
        inner = inner if self.norm is None else self.norm(inner)
        made = self.up(nn.functional.relu(self.down(inner)))
        return cast(Tensor, made if self.scale is None else self.scale * made)


class Adapters(nn.Module):
    """The adapters of all layers of one language model, in float32, each where its layer computes.

    `with adapters.attached(module): ...` puts them in place. Saved keys are `layers.{i}.attention.down.weight` and the
    like, in the order of the model's layers.
    """

    def __init__(self, module: Any, spec: AdapterSpec, seed: int = 0) -> None:
        """Draw first weights for a language model; torch's own stream of random numbers is left alone.

        Args:
            module: a causal language model of transformers, which is only looked at.
            spec: where and of which form.
            seed: of the first weights.

        Raises:
            BadInputError: the model's blocks cannot be told, or the bottleneck would be empty.
        """
        super().__init__()
        self.spec = spec
        width = int(module.config.get_text_config().hidden_size)
        if spec.downsample > width:
            raise BadInputError(
                f"Adapters with `downsample: {spec.downsample}` need a model at least so wide; this one is {width}."
            )
        generator = torch.Generator().manual_seed(seed)
        self.layers = nn.ModuleList()
        for blocks in _blocks(module, spec):
            made = nn.ModuleDict({where: Adapter(width, spec) for where in blocks})
            for where, block in blocks.items():
                cast(Adapter, made[where]).start(generator)
                made[where].to(_device(block))
            self.layers.append(made)
        self._attached = False

    @contextlib.contextmanager
    def attached(self, module: Any) -> Iterator[None]:
        """While the block runs, each block of `module` computes with its adapter. Backward passes belong inside too.

        Args:
            module: the language model for which these were made, or one of the same form.

        Raises:
            BadInputError: it is of another form.
            RuntimeError: they are in place already, and would count twice.
        """
        if self._attached:
            raise RuntimeError("These adapters are attached already.")
        found = _blocks(module, self.spec)
        if len(found) != len(self.layers):
            raise BadInputError(f"Adapters of {len(self.layers)} layers were given to a model of {len(found)}.")
        hooks = [
            # Before any hook that is there, such as `feed_forward_at`'s: an adapter sees the block's own tensors.
            block.register_forward_hook(self._hook(cast(Adapter, own[where])), prepend=True, with_kwargs=True)
            for own, blocks in zip(cast(Any, self.layers), found, strict=True)
            for where, block in blocks.items()
        ]
        self._attached = True
        try:
            yield
        finally:
            self._attached = False
            for hook in hooks:
                hook.remove()

    def _hook(self, adapter: Adapter) -> Any:
        def add(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], made: Any) -> Any:
            output = made[0] if isinstance(made, tuple) else made
            given = args[0] if args else kwargs["hidden_states"]
            changed = output + adapter(output if self.spec.kind == "sequential" else given).to(output)
            return (changed, *made[1:]) if isinstance(made, tuple) else changed

        return add


def _linear(width: int, made: int) -> nn.Linear:
    """A layer of zeros, made without a draw from torch's own stream of random numbers."""
    layer = cast(nn.Linear, skip_init(nn.Linear, width, made))  # type: ignore[no-untyped-call]
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def _blocks(module: Any, spec: AdapterSpec) -> list[dict[str, nn.Module]]:
    """The blocks of each layer that get an adapter, by what they are."""
    stack = layers(module)
    if stack is None:
        raise BadInputError(
            f"The layers of {type(module).__name__} do not stand in one list. Adapters are for decoder-only language "
            "models of transformers' usual form."
        )
    return [{where: _block(layer, where, module, spec) for where in spec.where} for layer in stack]


def _block(layer: nn.Module, where: str, module: Any, spec: AdapterSpec) -> nn.Module:
    found = next((child for name in NAMES[where] if (child := getattr(layer, name, None)) is not None), None)
    if not isinstance(found, nn.Module):
        raise BadInputError(
            f"A layer of {type(module).__name__} has no {where} block of a usual name ({', '.join(NAMES[where])}); it "
            f"has {', '.join(name for name, _ in layer.named_children())}. Put adapters elsewhere: `where:` takes "
            f"{' and '.join(NAMES)}."
        )
    if spec.kind == "sequential" and "residual" in inspect.signature(type(found).forward).parameters:
        raise BadInputError(
            f"The {where} blocks of {type(module).__name__} add the residual themselves, so nothing can stand between. "
            "Take adapters of `kind: parallel`."
        )
    return found


def _device(block: nn.Module) -> torch.device:
    """Where a block computes, whatever brings its weights there."""
    found = ((part, weight) for part in block.modules() for weight in part.parameters(recurse=False))
    part, weight = next(found)
    return home(part, weight)
