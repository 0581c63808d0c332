"""Colours: stable, apart for everybody, and never those of theory or hardware."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest

from rtsim.pictures import style
from rtsim.pictures.delay_regret import COLOURS
from rtsim.pictures.regret import PART_LOOKS
from rtsim.schedulers.registry import BUILTIN

# Severity 1.0 in linear RGB: Machado, Oliveira & Fernandes 2009, Table 1.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def lab(colour: str, sight: str) -> np.ndarray:
    """CIE L*a*b* (D65) of a colour as seen."""
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(SIGHT[sight]) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ seen / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_of_builtin_rules_are_apart_as_far_as_okabe_and_ito_are(sight: str) -> None:
    # Okabe & Ito's own six coloured hues (without yellow) come as close as 16.05 under tritanopia.
    seen = {name: lab(colour, sight) for name, colour in {**style.COLOURS, "theory": "#000000"}.items()}
    nearest = min(itertools.combinations(seen, 2), key=lambda pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]))
    assert np.linalg.norm(seen[nearest[0]] - seen[nearest[1]]) >= 16, nearest


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("colours", [[look[0] for look in PART_LOOKS.values()], COLOURS], ids=["parts", "p_minimax"])
def test_colours_of_parts_and_of_chances_are_as_far_apart(colours: list[str], sight: str) -> None:
    seen = {colour: lab(colour, sight) for colour in [*colours, "#000000"]}
    nearest = min(itertools.combinations(seen, 2), key=lambda pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]))
    assert np.linalg.norm(seen[nearest[0]] - seen[nearest[1]]) >= 16, nearest


def test_colours_builtin_rules_have_one_each() -> None:
    assert set(style.COLOURS) == set(BUILTIN)
    assert len({*style.COLOURS.values(), *style.OTHER_COLOURS, "#000000"}) == 10 + len(style.OTHER_COLOURS) + 1


def test_look_every_builtin_rule_has_its_own_marker_and_none_a_square() -> None:
    markers = {style.look(name).marker for name in BUILTIN}
    assert len(markers) == len(BUILTIN)
    assert "s" not in style.MARKERS


def test_look_unknown_rule_same_in_another_process() -> None:
    code = "from rtsim.pictures import style; print(style.look('somebodys_rule'))"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert there == str(style.look("somebodys_rule"))
    assert style.colour("somebodys_rule") in style.OTHER_COLOURS


def test_looks_variants_of_one_rule_share_colour_and_differ_in_marker_and_line() -> None:
    keys = ["max_time", "max_time(printed=true)", "max_time(initial_max=p99.9)"]
    found = style.looks((key, "max_time") for key in keys)
    assert {look.colour for look in found.values()} == {style.COLOURS["max_time"]}
    assert len({look.marker for look in found.values()}) == len({look.line for look in found.values()}) == 3


def test_pictures_import_leaves_matplotlib_alone() -> None:
    code = "import sys, rtsim.pictures; print(any(name.startswith('matplotlib') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
