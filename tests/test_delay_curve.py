"""Delay curves: what is read, what is refused, and what lies between the points."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rtsim.delay_curve import DelayCurve, Point
from rtsim.errors import FileProblem, InvalidValue
from rtsim.planning import Measured

GOOD = {
    "schema": "rtsim.delay_curve/1",
    "env": "demo",
    "fps": 60.0,
    "points": [
        {"delay_steps": 0, "reward_per_step": 1.0, "interval": 0.03},
        {"delay_steps": 4, "reward_per_step": 0.6, "interval": 0.04},
    ],
    "default": {"reward_per_step": 0.1, "interval": 0.01},
    "effective_p_minimax": 0.9,
}


def test_curve_read_and_written_is_the_same_with_what_else_the_file_says(tmp_path: Path):
    path = tmp_path / "curve.json"
    path.write_text(json.dumps(GOOD), encoding="utf-8")
    curve = DelayCurve.load(path)
    assert curve.to_json() == GOOD
    assert DelayCurve.load(curve.save(tmp_path / "again.json")) == curve


def test_loss_is_linear_between_points_and_level_beyond():
    curve = DelayCurve((Point(0, 1.0, 0.03), Point(4, 0.6, 0.04)))
    np.testing.assert_allclose(curve.lost([0, 1, 4, 9]), [0.0, 0.1, 0.4, 0.4])
    world, uncertain = Measured(curve, 0.0), Measured(DelayCurve((Point(0, 1.0), Point(4, 0.6, 0.04))), 0.0)
    late = world.weights(0.0, np.eye(5)[4])
    assert world.uncertainty(late) == pytest.approx(0.05)  # 3-4-5: two independent means
    assert world.uncertainty(world.weights(0.0, np.eye(5)[0])) == 0.0
    assert uncertain.uncertainty(late) is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schema": "rtsim.profile/1"}, "schema"),
        ({"points": []}, "point at delay_steps 0"),
        ({"points": [{"delay_steps": 1, "reward_per_step": 1}, {"delay_steps": 2, "reward_per_step": 1}]}, "steps 0"),
        ({"points": [{"delay_steps": 0, "reward_per_step": 1}] * 2}, "ascend"),
        ({"points": [{"delay_steps": 0}, {"delay_steps": 2, "reward_per_step": 1}]}, "no reward_per_step"),
        ({"points": [{"delay_steps": 0.5, "reward_per_step": 1}]}, "whole number"),
        ({"points": [{"delay_steps": 0, "reward_per_step": True}]}, "finite number"),
        ({"points": [{"delay_steps": 0, "reward_per_step": 10**400}]}, "must lie in"),
        ({"points": [{"delay_steps": 0, "reward_per_step": 1e308}]}, "must lie in"),
        ({"points": "many"}, "list of objects"),
        ({"fps": -1}, "fps"),
        ({"fps": "fast"}, "fps"),
        ({"default": {"interval": 1}}, "no reward_per_step"),
        ({"env": 7}, "env"),
    ],
)
def test_damaged_curve_is_refused_in_one_line_that_names_the_file(tmp_path: Path, change: dict[str, object], says: str):
    path = tmp_path / "curve.json"
    path.write_text(json.dumps({**GOOD, **change}), encoding="utf-8")
    with pytest.raises(FileProblem, match=says) as caught:
        DelayCurve.load(path)
    assert "curve.json" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("delay_steps\n0\n", "no column reward_per_step"),
        ("delay_steps,reward_per_step\n0,one\n", "one"),
        ("delay_steps,reward_per_step\n0,nan\n2,1\n", "finite"),
        ("", "no column"),
    ],
)
def test_damaged_table_is_refused(tmp_path: Path, text: str, says: str):
    path = tmp_path / "curve.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FileProblem, match=says):
        DelayCurve.load(path)


def test_not_json_is_refused(tmp_path: Path):
    path = tmp_path / "curve.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(FileProblem):
        DelayCurve.load(path)
    with pytest.raises(InvalidValue, match="must lie in"):
        Point(-1, 0.0)
