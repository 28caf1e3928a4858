"""What a study says about a feature adapter: the step that CLOSE puts between a text's features and the projection."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Kind = Literal["none", "noise", "mean_shift", "negated_mean", "random_shift", "linear", "covariance"]
ON_PAIRS: tuple[Kind, ...] = ("mean_shift", "negated_mean", "linear", "covariance")
"""Those that are fitted on pictures with their texts."""
SHIFTS: tuple[Kind, ...] = ("mean_shift", "negated_mean", "random_shift")
COVARIANCE_SCALE = 3.0
"""By how much CLOSE stretches what it draws from the covariance."""


class FeatureAdapterSpec(BaseModel):
    """One feature adapter (Gu et al. 2022, CLOSE, section 5 and tables 3 and 4).

    Attributes:
        kind: what is done to a text's features between two normalisations. `none` and `noise`: nothing but the noise;
            `mean_shift`: the mean difference of pictures and texts is added; `negated_mean`: it is taken off;
            `random_shift`: a vector in a direction drawn at random is added; `linear`: what a least squares fit says of
            the picture; `covariance`: the mean difference, and noise with the covariance of the differences.
        noise: standard deviation w of the Gaussian noise that training adds to every entry; CLOSE's default is 0.08.
        magnitude: length of the shift; None: that of the mean difference, which `random_shift` does not know.
        scale: by how much draws from the covariance are stretched; None: CLOSE's 3.
        ridge: penalty of the linear fit, as a share of the mean variance of a text's entries; 0 is plain least squares.
        paired: the study's data set of pictures with texts on which the adapter is fitted.
        seed: of the random direction, beside the fit's own seed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind = "none"
    noise: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    magnitude: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    scale: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    ridge: float = Field(default=1e-3, ge=0, allow_inf_nan=False)
    paired: str | None = None
    seed: int = Field(default=0, ge=0)

    @property
    def needs_pairs(self) -> bool:
        """Whether it is fitted on pictures with their texts."""
        return self.kind in ON_PAIRS

    def identity(self) -> dict[str, object]:
        """Everything that changes what it does; what stands at its default is left out."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if fault := _fault(self):
            raise ValueError(fault)
        return self


def _fault(spec: FeatureAdapterSpec) -> str | None:
    """What of an adapter's settings does not belong together, and what to write instead."""
    kind = spec.kind
    if kind == "noise" and spec.noise == 0:
        return (
            "The feature adapter `noise` needs `noise:`, a standard deviation such as 0.08; without any it is `none`."
        )
    if kind == "none" and spec.noise:
        return (
            f"The feature adapter `none` adds no noise, and `noise: {spec.noise:g}` asks for some. Say `kind: noise`."
        )
    if spec.needs_pairs and not spec.paired:
        wanted = "name the study's data set of pictures with captions as `paired:`"
        return f"The feature adapter `{kind}` is fitted on pictures with their captions: {wanted}."
    if spec.paired and not spec.needs_pairs:
        return f"The feature adapter `{kind}` is fitted on nothing. Leave `paired: {spec.paired}` out."
    if kind == "random_shift" and spec.magnitude is None:
        return "The feature adapter `random_shift` needs `magnitude:`, the length of the shift; CLOSE tries 0.2 to 2."
    if spec.magnitude is not None and kind not in SHIFTS:
        return f"`magnitude:` is the length of a shift ({', '.join(SHIFTS)}); `{kind}` has none. Leave it out."
    if spec.scale is not None and kind != "covariance":
        return f"`scale:` stretches what `covariance` draws; `{kind}` draws nothing from one. Leave it out."
    return None
