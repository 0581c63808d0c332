"""Trace-driven durations, on recorded runs that are simulations of a machine with slow spells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rtsim.clocks import simpy_clock
from rtsim.errors import InvalidValue
from rtsim.live.agreement import fitted_law, fitted_scenario
from rtsim.live.traces import TraceDurations
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule

#: Slow for 150 ms about once a second, all workers at once.
SPELLS = "contention(lognorm(mean=25ms, cv=0.02), factor=1.6, calm=1s, slow=150ms)"


def recorded(rule: str, workers: int, runs: int = 30, steps: int = 1200) -> list[Schedule]:
    scenario = Scenario(rule, SPELLS, workers=workers, steps=steps)
    return [simpy_clock.simulate(scenario.with_(seed=seed), spans=True) for seed in range(runs)]


@pytest.mark.parametrize("rule", ["max_time", "exp_time", "phase_locked", "earliest_deadline(deadline=5steps)"])
def test_run_that_is_not_turned_comes_out_as_it_was(rule: str) -> None:
    (run,) = recorded(rule, 3, runs=1, steps=600)
    scenario = Scenario.from_json(run.settings)
    again = simpy_clock.simulate(scenario, draws=TraceDurations(run, scenario, 0))
    # Inferences under way at the end did not end, so that nothing is known of them.
    same = run.steps["observation"] == again.steps["observation"]
    assert same[:-4].all()
    assert len(np.unique(run.steps["observation"])) > 100


def test_spells_that_meet_all_workers_are_kept_and_independent_draws_lose_them() -> None:
    def inaction(found: Schedule) -> float:
        return float(1 - found.acted.mean())

    def apart(mine: np.ndarray, others: np.ndarray) -> float:
        """Difference of the means, in standard errors."""
        return float(abs(mine.mean() - others.mean()) / np.hypot(*(x.std() / len(x) ** 0.5 for x in (mine, others))))

    runs = recorded("phase_locked", 3, steps=2400)
    scenarios = [fitted_scenario(Scenario.from_json(run.settings), fitted_law([run])).with_(seed=100) for run in runs]
    live = np.array([inaction(run) for run in runs])
    drawn = np.array([inaction(simpy_clock.simulate(s.with_(seed=k))) for k, s in enumerate(scenarios, 100)])
    traced = np.array(
        [
            inaction(simpy_clock.simulate(s, draws=TraceDurations(run, s, 37 * k + 1)))
            for k, (run, s) in enumerate(zip(runs, scenarios, strict=True))
        ]
    )
    assert apart(traced, live) < 3 < 4 < apart(drawn, live)


def test_time_goes_in_a_circle_and_a_worker_without_inferences_takes_those_of_all() -> None:
    (run,) = recorded("exp_time", 2, runs=1, steps=100)
    scenario, spans = Scenario.from_json(run.settings), run.spans
    assert spans is not None
    circle = int(run.steps["time_ns"][-1]) * 100 // 99
    first = TraceDurations(run, scenario, 7).inference(1)
    assert [first.draw(now) for now in (5, 10**8)] == [first.draw(now + circle) for now in (5, 10**8)]
    turned = TraceDurations(run, scenario, 107).inference(1)
    assert turned.draw(10**8) == first.draw(10**8)

    alone = replace(run, spans={name: column[spans["worker"] == 0] for name, column in spans.items()})
    taken = set((spans["end_ns"] - spans["start_ns"])[spans["worker"] == 0].tolist())
    assert TraceDurations(alone, scenario, 0).inference(1).draw(10**9)[0] in taken
    nothing = replace(run, spans={name: column[:0] for name, column in spans.items()})
    with pytest.raises(InvalidValue, match="no inference ended"):
        TraceDurations(nothing, scenario, 0)


def test_where_in_a_step_an_inference_begins_stays_where_it_was() -> None:
    # Every other inference begins with a step and takes 7 ms, those between begin within one and take 3 ms.
    scenario = Scenario("max_time", "5ms", workers=1, steps=400)
    (run,) = recorded("max_time", 1, runs=1, steps=400)
    starts = run.steps["time_ns"][:-1]
    began = np.sort(np.concatenate([starts, starts + 8_000_000]))
    taken = np.where(np.isin(began, starts), 7_000_000, 3_000_000)
    spans = {"worker": np.zeros(len(began), np.int32), "start_ns": began, "end_ns": began + taken}
    made = replace(run, spans=spans)
    for turned in (1, 17, 399):
        found = TraceDurations(made, scenario, turned).inference(0)
        # The last step has no inferences: whoever begins in it takes the one before.
        steps = [k for k in range(399) if (k + turned) % 400 != 399]
        assert {found.draw(int(run.steps["time_ns"][k]))[0] for k in steps} == {7_000_000}
        assert {found.draw(int(run.steps["time_ns"][k]) + 9_000_000)[0] for k in steps} == {3_000_000}
