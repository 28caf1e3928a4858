"""Colours stay apart in grey and to the colour-blind, and an encoder keeps its look on the whole page."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from concepttransfer.report import fits
from concepttransfer.report.asked import _SHAPES
from concepttransfer.result.figures import DASHES, MARKERS, PALETTE, looks_of

SEEN = {
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""How linear RGB is seen: Machado, Oliveira & Fernandes 2009, severity 1."""
LEAST = {"deuteranopia": 28, "protanopia": 28, "tritanopia": 21}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
FIRST = 6


def linear(colours):
    rgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colours])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    t = np.clip(rgb, 0, 1) @ TO_XYZ.T / TO_XYZ.sum(1)
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def nearest(values):
    apart = np.linalg.norm(values[:, None] - values[None], axis=-1)
    return apart[np.triu_indices(len(values), 1)].min()


def test_the_measure_of_colours_knows_black_and_white():
    assert np.allclose(lab(linear(["#000000", "#ffffff"])), [[0, 0, 0], [100, 0, 0]], atol=0.05)
    assert np.allclose(lab(linear(["#ff0000"])), [[53.24, 80.09, 67.20]], atol=0.1)


@pytest.mark.parametrize("sight", SEEN)
def test_the_first_colours_are_told_apart_by_the_colour_blind(sight):
    seen = linear(PALETTE[:FIRST]) @ np.array(SEEN[sight]).T
    assert nearest(lab(seen)) >= LEAST[sight]


def test_the_first_colours_are_told_apart_in_grey_and_all_in_colour():
    assert nearest(lab(linear(PALETTE[:FIRST]))[:, :1]) >= 7
    assert nearest(lab(linear(PALETTE))) >= 23
    assert lab(linear(PALETTE))[:, 0].max() < 78


def test_colour_and_marker_together_are_unique():
    encoders = [f"encoder-{n}" for n in range(10)]
    looks = looks_of(encoders)
    assert len({(look.colour, look.marker) for look in looks.values()}) == 10
    assert len({(look.marker, look.dashes) for look in looks.values()}) == 10
    assert set(MARKERS) == set(_SHAPES)
    assert len(DASHES) >= FIRST


def test_a_look_is_of_the_study_and_not_of_the_choice():
    study = ["beit", "beit-ft", "beit-random", "clip", "clip-random"]
    all_of_them = looks_of(study, study)
    for chosen in (["clip"], ["clip-random", "beit"], study[::-1]):
        assert looks_of(chosen, study) == {name: all_of_them[name] for name in chosen}
    control, encoder = all_of_them["clip-random"], all_of_them["clip"]
    assert (control.colour, control.marker, control.fill) == (encoder.colour, encoder.marker, "white")
    assert encoder.fill == encoder.colour


def test_loss_curves_have_the_colours_of_the_study():
    rows = [(name, 0, step, 1.0 / (1 + step), None, 1e-3) for name in ("clip", "beit") for step in range(9)]
    frame = pd.DataFrame(rows, columns=list(fits.COLUMNS)).astype({"validation_loss": float})
    figure = fits.draw(frame, ["beit", "clip"])
    drawn = {text.get_text(): line.get_color() for text, line in _legend(figure)}
    assert drawn == {"beit": PALETTE[0], "clip": PALETTE[1]}
    assert {line.get_color() for line in figure.axes[0].lines if len(line.get_xdata())} == set(PALETTE[:2])


def _legend(figure):
    legend = figure.legends[0]
    return zip(legend.get_texts(), legend.get_lines(), strict=True)
