"""What environments charge, and the floor under every rule."""

from __future__ import annotations

import numpy as np
import pytest

from rtsim import mdps, theory
from rtsim.delay_curve import DelayCurve, Point
from rtsim.errors import InvalidValue
from rtsim.planning import Measured, Tabular, WorstCase
from rtsim.planning.environment import added_up
from rtsim.planning.floor import floor
from rtsim.scenario import Scenario


def test_worst_case_is_equations_3_and_4_per_step():
    delays, inaction, step = np.array([0.0, 0.25, 0.75]), 0.2, 0.02
    found = WorstCase(0.8).parts(inaction, delays)
    interaction = step / (1 - inaction)
    assert found.inaction == pytest.approx(theory.inaction_regret(1.0, interaction, step) * step)
    assert found.delay == pytest.approx(theory.delay_regret(1.0, interaction, 0.8, delays) * step)


def test_curve_without_default_reward_needs_its_cost():
    curve = DelayCurve((Point(0, 1.0), Point(4, 0.6)))
    with pytest.raises(InvalidValue, match="--default-cost"):
        Measured(curve)
    assert Measured(curve, 0.7).parts(0.5, np.eye(5)[4]) == pytest.approx((0.35, 0.2))


@pytest.mark.parametrize("name", ["jump(n=10, p=0.9)", "delay(n=6, p=0.6)", "aliased(groups=2, copies=3, p=0.9)"])
def test_mdp_whose_states_nobody_moves_is_charged_what_the_solver_says(name: str):
    mdp, delays, inaction = mdps.of(name), np.array([0.0, 0.0, 0.5, 0.5]), 0.3
    found = Tabular(mdp).parts(inaction, delays)
    exact = theory.optimum(mdp).gain - theory.best_delayed(mdp, delays, inaction=inaction).gain
    assert found.total == pytest.approx(exact, abs=1e-9)
    # All states lose the same on a default step of these worlds, however many there are.
    assert Tabular(mdp).parts(2 * inaction, delays).inaction == pytest.approx(2 * found.inaction, rel=1e-6)


def test_jump_is_charged_its_closed_form():
    mdp = mdps.of("jump(n=10, p=0.9)")
    for delay in (0, 1, 4, 9):
        found = Tabular(mdp).parts(0.0, np.eye(10)[delay])
        assert found.delay == pytest.approx(theory.jump_delay_regret(10, 0.9, delay), abs=1e-9)
        assert found.inaction == pytest.approx(0.0, abs=1e-9)


def test_pit_is_charged_what_default_steps_spoil():
    found = Tabular(mdps.of("pit(depth=5)")).parts(0.1, np.ones(1))
    assert found.inaction == pytest.approx(theory.pit_inaction_regret(5, 0.1), abs=1e-6)


def test_floor_of_constant_times_is_capacity_and_rounded_up_delay():
    base = Scenario("sequential", "50ms", step_time=0.02)
    for workers in (1, 2, 3, 5):
        found = floor(base, WorstCase(0.9), workers)
        limit = theory.capacity_limit(workers, 0.02, 0.05)
        late = (1 - limit) * (1 - 0.9**3)
        assert found.inaction_fraction == pytest.approx(limit)
        assert found.regret_per_s == pytest.approx((limit + late) / 0.02)


def test_floor_uses_no_late_action_that_costs_more_than_none():
    base = Scenario("sequential", "50ms", step_time=0.02)
    found = floor(base, WorstCase(0.1, cost=0.2), 5)
    assert found.regret_per_s == pytest.approx(0.2 / 0.02)


def test_floor_of_many_workers_is_the_shortest_inferences_own_age():
    base = Scenario("sequential", "mixture(0.5: 15ms, 0.5: 85ms)", step_time=0.02)  # mean 50 ms: 1 or 5 steps
    one, many = floor(base, WorstCase(0.9), 3), floor(base, WorstCase(0.9), 5)
    assert one.delay_steps_mean == pytest.approx((0.6 * 1 + 0.4 * 5) / 1.0)
    assert many.delay_steps_mean == pytest.approx(1.0)


def test_floor_lets_actions_be_later_where_that_costs_less():
    found = added_up(np.array([0.5, 0.5, 0.0]), np.array([0.3, 0.1, 0.2]), 1.0)
    assert found.delay == pytest.approx(0.1)
