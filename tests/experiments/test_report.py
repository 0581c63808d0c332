"""What is said of a finished sweep."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from rtsim.experiments import Grid, results, sweep
from rtsim.experiments.cells import FOUND, SETTINGS
from rtsim.experiments.report import family, required_points, statistics_by_group


def row(**changes: Any) -> dict[str, Any]:
    """A row of required workers, unless told otherwise."""
    base: dict[str, Any] = dict.fromkeys(("cell", *SETTINGS, *FOUND))
    base |= {
        "measure": "required_workers", "rule": "exp_time", "inference_time": "profile:epyc#resnet15-k7",
        "inference_time_s": 0.03, "inference_parameters": 10**7, "step_time_s": 0.0167, "batch": 16,
        "learner_rule": "auto", "target": 0.01, "seed": 0, "clock": "compiled",
    }  # fmt: skip
    return base | changes


def test_groups_are_means_over_seeds(tmp_path):
    grid = Grid(("exp_time",), ("gamma(mean=84ms, cv=0.3)",), workers=(6, 9), steps=500, seeds=4)
    sweep(tmp_path / "run", grid, processes=1)
    rows = results(tmp_path / "run")
    groups = statistics_by_group(rows)
    assert [(group.settings["workers"], group.seeds) for group in groups] == [(6, 4), (9, 4)]
    for group in groups:
        mine = [r for r in rows if r["workers"] == group.settings["workers"]]
        for name in ("inaction_fraction", "delay_steps_mean", "released"):
            assert group.means[name] == pytest.approx(np.mean([r[name] for r in mine]))
        values = [r["inaction_fraction"] for r in mine]
        low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
        assert group.inaction_fraction_ci95 == pytest.approx((max(low, 0), min(high, 1)))
        assert "seed" not in group.settings


def test_required_is_the_median_and_none_found_counts_as_larger_than_any():
    def point(*required: int | None) -> Any:
        (found,) = required_points([row(seed=i, required=n) for i, n in enumerate(required)], "required_workers")
        return found

    assert (point(7, 5, 6).median, point(7, 5, 6).low, point(7, 5, 6).high) == (6, 5, 7)
    assert (point(7, None, 6).median, point(7, None, 6).high, point(7, None, 6).not_found) == (7, None, 1)
    assert (point(None, None, 6).median, point(None, None, 6).low) == (None, 6)
    assert point(None).low is None


def test_points_are_one_for_each_rule_and_law_and_the_clock_makes_no_difference():
    rows = [row(seed=0, required=5), row(seed=1, required=5, clock="simpy"), row(rule="max_time", required=6)]
    found = required_points(rows, "required_workers")
    assert [(p.series, p.seeds, p.parameters) for p in found] == [("exp_time", 2, 10**7), ("max_time", 1, 10**7)]
    assert required_points(rows, "required_learners") == []


def test_parameters_travel_with_the_cell():
    import pickle

    from rtsim.experiments.grid import cells_of

    grid = Grid(("exp_time",), ("profile:epyc#resnet15-k1",), ("profile:epyc#resnet15-k7",), steps=100, seeds=1)
    cell = pickle.loads(pickle.dumps(cells_of([grid])[0]))
    assert cell.sizes == (903_718, 10_368_742)


def test_whatever_else_varies_tells_series_apart():
    rows = [row(step_time=step, mailbox="latest", required=1) for step in ("30fps", "60fps")]
    assert [p.series for p in required_points(rows, "required_workers")] == [
        "exp_time, step time 30fps", "exp_time, step time 60fps",
    ]  # fmt: skip
    rows = [row(target=target, required=1) for target in (0.01, 0.05)]
    assert [p.series for p in required_points(rows, "required_workers")] == [
        "exp_time, target 0.01", "exp_time, target 0.05",
    ]  # fmt: skip


def test_learners_are_told_apart_by_rule_and_batch():
    rows = [
        row(measure="required_learners", learning_time="40ms", learning_time_s=0.04, batch=batch, learner_rule=rule,
            required=1, target=None)
        for batch in (16, 32) for rule in ("auto", "parallel")
    ]  # fmt: skip
    names = [p.series for p in required_points(rows, "required_learners")]
    assert names == ["round_robin, batch 16", "parallel, batch 16", "round_robin, batch 32", "parallel, batch 32"]


@pytest.mark.parametrize(
    "law, expected",
    [
        ("profile:epyc#resnet15-k0.0625", "profile:epyc#resnet15-k*"),
        ("profile:epyc#resnet30-k0.75@batch32", "profile:epyc#resnet30-k*"),
        ("profile:./mine.json#mlp", "profile:./mine.json#mlp"),
        ("gamma(mean=84ms, cv=0.3)", "gamma(mean=*, cv=0.3)"),
        ("500ms", "constant times"),
        ("uniform(60ms, 100ms)", "uniform(60ms, 100ms)"),
    ],
)
def test_the_family_of_a_law_leaves_its_size_out(law, expected):
    assert family(law) == expected
