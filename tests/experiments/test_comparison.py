"""compare(): its estimates, its search and its closed forms."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from rtsim import Design, RuleSpec, Scenario, compare, simulate
from rtsim.errors import InvalidValue
from rtsim.experiments import closed_forms
from rtsim.intervals import mean_ci95
from rtsim.statistics import percentile_of_counts, sum_of_squares


def design(*rules: str, inference: str = "90ms", workers: tuple[int, ...] = (6,), **changes) -> Design:
    steps = changes.pop("steps", 600)
    base = Scenario(rules[0], inference, steps=steps, **changes.pop("base", {}))
    return Design(tuple(RuleSpec.of(rule) for rule in rules), base, workers, **changes)


def test_mean_ci95_equals_scipys_t_interval():
    values = [0.2, 0.25, 0.22, 0.31]
    mean, interval = mean_ci95(values)
    expected = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert mean == pytest.approx(np.mean(values))
    assert interval == pytest.approx(expected)


def test_percentile_of_counts_equals_numpys_on_the_expanded_values():
    counts = [3, 0, 7, 90, 1]
    values = np.repeat(np.arange(5), counts)
    for q in (1, 3, 10, 50, 99, 100):
        assert percentile_of_counts(np.array(counts), q) == np.percentile(values, q, method="inverted_cdf")


def test_sum_of_squares_is_exact_beyond_int64():
    values = np.random.default_rng(0).integers(0, 2**61, 1000)
    assert sum_of_squares(values) == sum(int(v) ** 2 for v in values)


def test_rows_are_means_over_seeds_of_single_runs():
    plan = design("exp_time", inference="gamma(mean=84ms, cv=0.3)", seeds=3, search=False)
    row = compare(plan).rows[0]
    single = []
    for seed in range(3):
        scenario = Scenario("exp_time", "gamma(mean=84ms, cv=0.3)", workers=6, steps=600, seed=seed)
        single.append(simulate(scenario).statistics(plan.warmup).inaction_fraction)
    assert row.inaction_by_seed == tuple(single)
    assert row.inaction_fraction == pytest.approx(np.mean(single))


def test_paired_difference_of_a_rule_against_its_own_twin_is_small():
    # A warm start at 1 ns changes nothing but the name: the same schedule on the same numbers.
    plan = design(
        "max_time", "max_time(initial_max=1ns)", inference="lognorm(mean=84ms, cv=0.1)", seeds=3, search=False
    )
    found = compare(plan).paired_differences
    assert len(found) == 1
    assert found[0].mean == 0.0
    assert found[0].verdict == "not significant"


def test_paired_differences_cover_one_process_rules():
    found = compare(design("sequential", "phase_locked", workers=(2, 6), search=False)).paired_differences
    assert [(d.key, d.workers) for d in found] == [("phase_locked", 2), ("phase_locked", 6)]
    assert all(d.mean < 0 for d in found)


@pytest.mark.parametrize("rule", ["max_time", "phase_locked", "time_triggered(deadline=7steps)"])
def test_required_workers_of_constant_times_is_the_papers_number(rule):
    # 90 ms at 59.7275 frames/s is 5.38 steps: five workers leave 7 % to the default policy, six none.
    result = compare(design(rule))
    assert result.required_workers[str(RuleSpec.of(rule))].workers == 6


def test_required_workers_is_null_with_a_reason_where_nothing_reaches_the_target():
    result = compare(design("sequential", "unstaggered", max_workers=9))
    assert result.required_workers["sequential"].workers is None
    assert "one process" in str(result.required_workers["sequential"].reason)
    # Constant times and no offsets: all workers act as one, however many.
    assert result.required_workers["unstaggered"].workers is None
    assert "up to 9 workers" in str(result.required_workers["unstaggered"].reason)


def test_required_workers_tries_every_number_because_more_is_not_always_better(monkeypatch):
    """With a made-up rule world in which 7 and 9 workers do but 8 do not, 7 is found."""
    import rtsim.experiments.required as required

    real = required.run_once

    def fake(scenario, warmup, engine):
        cell = real(scenario.with_(steps=400), warmup, engine)
        inaction = 0.0 if scenario.workers in (7, 9) else 0.5
        from dataclasses import replace

        return replace(cell, statistics=replace(cell.statistics, inaction_fraction=inaction))

    monkeypatch.setattr(required, "run_once", fake)
    tried: list[int] = []
    found = required.required_workers(design("max_time"), RuleSpec.of("max_time"), 0.09, tried.append)
    assert found.workers == 7
    assert tried == [6, 7]


def test_paper_formula_of_an_unbounded_law_uses_the_largest_draw():
    scenario = Scenario("max_time", "lognorm(mean=84ms, cv=0.1)", step_time="10ms")
    assert closed_forms.paper_formula(scenario, longest=0.1234) == 13
    bounded = Scenario("max_time", "uniform(60ms, 100ms)", step_time="10ms")
    assert closed_forms.paper_formula(bounded, longest=0.095) == 10
    assert closed_forms.paper_formula(Scenario("exp_time", "uniform(60ms, 100ms)", step_time="10ms"), 0.095) == 8
    assert closed_forms.paper_formula(Scenario("unstaggered", "84ms"), 0.1) is None


@pytest.mark.parametrize(
    "rule, workers, inference, extra",
    [
        ("max_time", 4, "80ms", {}),
        ("phase_locked", 5, "80ms", {}),
        ("sequential", 1, "25ms", {}),
        ("sequential(wait_observation=true)", 1, "25ms", {}),
        ("sequential", 1, "25ms", {"learning_time": "30ms"}),
        ("pipeline(layers=4)", 1, "80ms", {}),
        ("pipeline(layers=4, skip=true)", 1, "80ms", {}),
    ],
)
def test_closed_form_of_constant_times_equals_the_simulation(rule, workers, inference, extra):
    # Constant times on a fixed rate repeat with a short period, so 4000 steps differ from the
    # long-run share by at most one period of 20 steps.
    scenario = Scenario(rule, inference, workers=workers, step_time="10ms", steps=4200, **extra)
    expected = closed_forms.inaction_fraction(scenario, longest=0.0)
    found = simulate(scenario).statistics(200).inaction_fraction
    assert expected is not None
    assert found == pytest.approx(expected, abs=20 / 4000)


def test_closed_form_is_silent_where_its_premises_fail():
    for changes in (
        {"dispatch_time": "1ms"},
        {"mailbox": "fifo(3)"},
        {"step_time": "exp(mean=16ms)"},
        {"inference_time": "contention(84ms, factor=2, calm=1s, slow=1s)"},
    ):
        scenario = Scenario(**{"rule": "exp_time", "inference_time": "84ms", "workers": 3, **changes})
        assert closed_forms.inaction_fraction(scenario, 0.1) is None
    assert closed_forms.inaction_fraction(Scenario("time_triggered", "84ms"), 0.1) is None


def test_comparison_json_round_trips_and_scenario_rebuilds():
    result = compare(design("chunking(size=4)", workers=(1, 2), search=False))
    data = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert data["rows"][0]["options"] == {}  # the default size
    assert data["rows"][1]["capacity_limit"] == pytest.approx(max(0, 1 - 2 * 4 / 5.375475), abs=1e-9)


@pytest.mark.parametrize(
    "changes, named",
    [
        ({"seeds": 0}, "seeds"),
        ({"target": 0.0}, "target"),
        ({"workers": (0,)}, "workers 0"),
        ({"max_workers": 0}, "max_workers"),
        ({"warmup_steps": 600}, "warmup_steps"),
        ({"seeds": 10**12}, "memory"),
    ],
)
def test_design_out_of_range_names_value_and_remedy(changes, named):
    with pytest.raises(InvalidValue, match=named):
        design("max_time", **changes)


def test_design_without_rules_is_refused():
    with pytest.raises(InvalidValue, match="--alg"):
        Design((), Scenario("max_time", "84ms"))


def test_interrupted_comparison_keeps_finished_rows(monkeypatch):
    import rtsim.experiments.comparison as comparison

    real, calls = comparison.run_once, []

    def stop_later(scenario, warmup, engine):
        calls.append(scenario.workers)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(scenario, warmup, engine)

    monkeypatch.setattr(comparison, "run_once", stop_later)
    result = compare(design("max_time", workers=(2, 3), seeds=2))
    assert result.interrupted
    assert [row.workers for row in result.rows] == [2]


def test_no_closed_form_where_no_inference_has_ended():
    row = compare(design("max_time", inference="lognorm(mean=120s, cv=0.1)", seeds=1, search=False, steps=500)).rows[0]
    assert (row.inaction_fraction, row.theory_inaction_fraction) == (1.0, None)
