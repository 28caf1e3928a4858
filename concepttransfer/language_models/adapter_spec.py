"""What a recipe says about adapters in the language model."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

Where = Literal["attention", "mlp"]


class AdapterSpec(BaseModel):
    """Adapters of one fit: small networks with a bottleneck, trained inside a frozen language model.

    Defaults are MAGMA's first version (Eichenberg et al. 2021): after each feed-forward, down-sampling factor 4. Its
    second has them after attention too, with factor 8; "MAGMA (ours)" of Merullo et al. 2022 after attention alone,
    with factor 4. MAGMA drops nothing inside its adapters.

    Attributes:
        where: in which blocks of each layer.
        kind: `sequential` adds to a block's output what the adapter makes of it (Houlsby et al. 2019); `parallel` what
            it makes of the block's input (He et al. 2022), and `scaled_parallel` the same times a number that is
            learnt, 1 at the start.
        downsample: the bottleneck is the model's width divided by this.
        layer_norm: a layer norm before the bottleneck.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    where: tuple[Where, ...] = Field(default=("mlp",), min_length=1)
    kind: Literal["sequential", "parallel", "scaled_parallel"] = "sequential"
    downsample: int = Field(default=4, ge=1)
    layer_norm: bool = False

    @field_validator("where")
    @classmethod
    def _each_once(cls, where: tuple[Where, ...]) -> tuple[Where, ...]:
        """In one order, so that the same adapters have one name and one draw."""
        return tuple(place for place in get_args(Where) if place in where)
