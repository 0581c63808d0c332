"""Regret: the identity on every run, parts against closed forms and expectations, and sums made step by step."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtrit

import rtsim
from rtsim import agents, mdps
from rtsim.errors import InvalidValue
from rtsim.mdps import TabularMDP
from rtsim.regret import (
    PARTS,
    Regret,
    checkpoints,
    decompose,
    elapsed,
    expected_gaps,
    reference,
    regret,
    regret_curve,
    regret_over_seeds,
    step_gaps,
)
from rtsim.rollout import rollout, undelayed
from rtsim.schedule import Schedule
from rtsim.theory import jump_delay_regret, optimum
from tests.agents.worlds import random_mdp, random_schedule, schedules, simulated, worlds


def policies(mdp: TabularMDP, seed: int) -> list[agents.Policy]:
    random = np.random.default_rng(seed)
    return [
        agents.Tabular(random.integers(mdp.actions, size=mdp.states)),
        agents.Tabular(random.dirichlet(np.ones(mdp.actions), size=mdp.states)),
        agents.Oracle(),
        agents.Pending(),
    ]


def assert_identity(found: Regret, run_rewards: float) -> None:
    """Relative to the largest number that goes into it: total is itself the difference of two sums."""
    sides = found.inaction + found.delay + found.learn, found.total + found.boundary + found.noise
    parts = [abs(getattr(found, part)) for part in PARTS]
    assert math.isclose(*sides, rel_tol=0, abs_tol=1e-9 * max(*parts, abs(run_rewards), abs(found.gain) * found.steps))


@given(worlds(), schedules(), st.integers(0, 10**9))
def test_regret_parts_add_up_to_total_boundary_and_noise(mdp: TabularMDP, schedule: Schedule, seed: int):
    first, *others = policies(mdp, seed)
    for policy in others:
        found = regret(mdp, policy, schedule, seed, best=first)
        assert_identity(found, rollout(mdp, policy, schedule, seed).rewards.sum())


@given(worlds(), schedules(), st.integers(0, 10**9))
def test_regret_equals_sums_made_step_by_step(mdp: TabularMDP, schedule: Schedule, seed: int):
    best, policy, *_ = policies(mdp, seed)
    solved = optimum(mdp)
    run, other = (rollout(mdp, p, schedule, seed) for p in (policy, best))
    curve = decompose(mdp, run, other, schedule, points=7)

    def gap(which, i: int) -> float:
        s, a = which.states[i], which.actions[i]
        p, r = (mdp.p[s, a], mdp.r[s, a]) if which.acted[i] else (mdp.p_default[s, a], mdp.r_default[s, a])
        return solved.gain + solved.bias[s] - r - p @ solved.bias

    each = step_gaps(mdp, run)
    np.testing.assert_allclose(each, [gap(run, i) for i in range(len(run))], rtol=0, atol=1e-9 * (1 + np.ptp(each)))
    scale = 1e-9 * (1 + len(schedule) * (np.abs(solved.bias).max() + 1))
    for at, *values in zip(
        curve.steps, curve.inaction, curve.delay, curve.learn, curve.total, curve.boundary, curve.inaction_on_run,
        strict=True,
    ):  # fmt: skip
        theirs = [gap(other, i) for i in range(at)]
        mine = [gap(run, i) for i in range(at)]
        expected = [
            math.fsum(g for g, agent in zip(theirs, run.acted, strict=False) if not agent),
            math.fsum(g for g, agent in zip(theirs, run.acted, strict=False) if agent),
            math.fsum(mine) - math.fsum(theirs),
            at * solved.gain - math.fsum(run.rewards[:at]),
            solved.bias[run.states[0]] - solved.bias[run.states[at]],
            math.fsum(g for g, agent in zip(mine, run.acted, strict=False) if not agent),
        ]
        np.testing.assert_allclose(values, expected, rtol=0, atol=scale)


def test_regret_noise_of_bernoulli_rewards_has_its_own_sign():
    # No transition is random: the noise is what the rewards were above their mean, and the gaps know nothing of it.
    mdp = TabularMDP.of([[[1.0]]], [[0.3]], default=([[[1.0]]], [[0.1]]), reward="bernoulli")
    schedule = random_schedule(1, 500, 0.5, 0)
    run = rollout(mdp, agents.Tabular([0]), schedule, 5)
    found = regret(mdp, agents.Tabular([0]), schedule, 5)
    defaults = int((~schedule.acted).sum())
    lucky = run.rewards.sum() - 0.3 * (500 - defaults) - 0.1 * defaults
    assert abs(lucky) > 1
    assert found.noise == pytest.approx(lucky, abs=1e-9)
    assert found.inaction == pytest.approx(0.2 * defaults, abs=1e-9)
    assert found.total == pytest.approx(0.3 * 500 - run.rewards.sum(), abs=1e-9)


def test_regret_noise_is_zero_in_the_mean():
    """400 seeds; a t test with false-alarm rate 1e-6."""
    mdp = random_mdp(4, 5, 3, 2, "bernoulli")
    schedule = simulated("max_time", 3, 300, 2.6, 2)
    noise = [regret(mdp, agents.Tabular(np.arange(5) % 3), schedule, seed, best=agents.Oracle()).noise
             for seed in range(400)]  # fmt: skip
    assert np.std(noise) > 1
    assert abs(np.mean(noise)) < stdtrit(399, 1 - 0.5e-6) * np.std(noise, ddof=1) / 20


@pytest.mark.parametrize("rule", ["sequential", "max_time", "exp_time", "unstaggered", "earliest_deadline"])
def test_regret_on_inaction_worst_case_is_the_number_of_default_steps(rule: str):
    # Riemer et al. 2025, App. B.2, Equation 3: every step without an action costs exactly 1, delay nothing.
    schedule = simulated(rule, 7, 3_000, 3.3, 3)
    found = regret(mdps.of("inaction"), agents.Tabular([1, 0]), schedule)
    assert found.inaction == found.inaction_on_run == (~schedule.acted).sum() > 0
    assert found.delay == found.learn == found.noise == 0.0
    assert found.total + found.boundary == found.inaction


def test_regret_on_jump_is_the_closed_form_of_delay():
    """64 seeds of 2,000 steps, three steps late; a t test with false-alarm rate 1e-6."""
    schedule = simulated("time_triggered(deadline=3steps)", 7, 2_000, 1.0, 6)
    late = schedule.delay_steps
    assert set(late.tolist()) == {3}
    found = regret_over_seeds(mdps.of("jump(n=6, p=0.8)"), agents.Tabular(np.arange(6)), schedule, 64, expected=False)
    values = np.array([run.delay for run in found.runs])
    error = values.std(ddof=1) / 8
    assert abs(values.mean() - len(late) * jump_delay_regret(6, 0.8, 3)) < stdtrit(63, 1 - 0.5e-6) * error
    assert all(run.learn == 0.0 for run in found.runs)


@given(worlds(), schedules(), st.integers(0, 10**9), st.booleans())
def test_regret_is_expected_or_rolled_out_and_only_noise_tells_the_difference(
    mdp: TabularMDP, schedule: Schedule, seed: int, learns: bool
):
    best, policy, *_ = policies(mdp, seed)
    policy = policy if learns else best
    known = expected_gaps(mdp, best, schedule)
    found, rolled = (regret(mdp, policy, schedule, seed, best=best, expected=e) for e in (True, False))
    assert (found.reference == "expected") is (known is not None) is bool((mdp.p == mdp.p[:, :1]).all())
    assert rolled.reference == "rollout"
    for part in ("learn", "total", "boundary", "inaction_on_run"):
        assert getattr(found, part) == getattr(rolled, part)
    if known is not None:
        assert found.inaction == pytest.approx(known[~schedule.acted].sum(), abs=1e-9)
        assert found.delay == pytest.approx(known[schedule.acted].sum(), abs=1e-9)
    else:
        assert found.noise == rolled.noise


def test_regret_of_the_reference_itself_has_nothing_to_learn():
    mdp = mdps.garnet(5, 2, 2, seed=3)
    schedule = simulated("max_time", 3, 500, 2.6, 4)
    best, found = reference(mdp, schedule)
    assert found is not None
    assert found.exact
    assert regret(mdp, best, schedule, 1).learn == 0.0
    assert regret(mdp, agents.Tabular(1 - found.policy), schedule, 1).learn > 0.0


@given(worlds(), schedules(), st.integers(0, 10**9))
def test_regret_of_agent_steps_is_never_negative(mdp: TabularMDP, schedule: Schedule, seed: int):
    found = regret(mdp, policies(mdp, seed)[0], schedule, seed, best=policies(mdp, seed)[1])
    solved = optimum(mdp)
    assert found.delay >= -len(schedule) * (solved.residual + 1e-12 * (1 + np.abs(solved.bias).max()))


def test_regret_of_pending_on_deterministic_world_has_no_delay_part_after_the_first_actions():
    schedule = simulated("time_triggered(deadline=12steps)", 1, 2_000, 6.0, 16)
    found = regret_curve(mdps.of("forward(states=9)"), agents.Pending(), schedule, points=20)
    assert found.last.delay == pytest.approx(0.0, abs=1e-9)
    assert found.last.learn == 0.0
    memoryless = regret(mdps.of("forward(states=9)"), agents.Tabular([0] * 8 + [1]), schedule, best=agents.Pending())
    assert memoryless.learn > 1_000  # as Riemer et al. 2025, App. B.6, does not say


def test_reference_knows_sequential_interaction():
    # Inferences of 3 steps: the agent acts on every third step, three steps late. On jump(p = 0.1) with n = 3 the
    # old state is the worst guess after an odd number of steps.
    schedule = simulated("sequential", 3, 3_000, 3.0, 1)
    constant = rtsim.simulate(rtsim.Scenario("sequential", 3.0, workers=1, step_time=1.0, steps=3_000))
    assert set(constant.delay_steps.tolist()) == {3}
    _, found = reference(mdps.of("jump(n=3, p=0.1)"), constant)
    assert found is not None
    moved = 1 / 3 + 2 / 3 * (0.1 - 0.9 / 2) ** 3
    assert found.gain == pytest.approx((1 - moved) / 2 / 3, rel=1e-3)  # of every three steps one pays
    assert reference(mdps.of("jao"), schedule)[1] is not None


def test_reference_knows_how_often_no_action_comes():
    # Undelayed where it acts, every action pays 1, the default's none.
    schedule = random_schedule(2, 4_000, 0.7, 0)
    _, found = reference(mdps.of("jump(n=4)"), schedule)
    assert found is not None
    assert found.gain == pytest.approx(schedule.acted.mean(), abs=6e-4)  # the share is taken to three digits


def test_reference_of_schedule_without_actions_is_some_policy():
    schedule = random_schedule(0, 50, 0.0, 0)
    found = regret(mdps.of("inaction"), agents.Tabular([0, 0]), schedule)
    assert found.inaction == 50.0


def test_reference_of_delayed_chain_too_large_is_the_undelayed_optimum():
    made = undelayed(400)
    late = np.arange(400) - 70
    columns = {**made.steps, "observation": np.maximum(late, -1), "worker": np.where(late >= 0, 0, -1).astype(np.int32)}
    schedule = Schedule(made.header, columns, made.updates, made.busy_ns, made.learner_busy_ns)
    mdp = mdps.garnet(4, 2, 2)
    policy, found = reference(mdp, schedule)
    assert found is None
    assert isinstance(policy, agents.Tabular)
    np.testing.assert_array_equal(policy.table, optimum(mdp).policy)


def test_regret_per_second_divides_by_the_time_of_the_schedule():
    schedule = rtsim.simulate(rtsim.Scenario("sequential", 0.1, workers=1, step_time="50fps", steps=1_000))
    found = regret(mdps.of("inaction"), agents.Tabular([0, 0]), schedule)
    assert found.per_second(schedule)["inaction"] == pytest.approx(found.inaction / 20.0, rel=1e-12)
    over = regret_over_seeds(mdps.of("inaction"), agents.Tabular([0, 0]), schedule, 3)
    assert over.per_second["inaction"][0] == pytest.approx(found.inaction / 20.0, rel=1e-12)
    with pytest.raises(InvalidValue, match="999 steps"):
        found.per_second(undelayed(999))
    with pytest.raises(InvalidValue, match="single step"):
        regret(mdps.of("inaction"), agents.Tabular([0, 0]), undelayed(1)).per_second(undelayed(1))


def test_regret_curve_ends_with_the_regret_and_never_goes_back_in_time():
    schedule = simulated("exp_time", 2, 5_000, 2.6, 2)
    mdp = mdps.of("jump(n=4, p=0.8)")
    curve = regret_curve(mdp, agents.Tabular(np.zeros(4, int)), schedule, 3)
    whole = regret(mdp, agents.Tabular(np.zeros(4, int)), schedule, 3)
    for part in PARTS:
        assert getattr(curve.last, part) == pytest.approx(getattr(whole, part), rel=1e-9, abs=1e-9)
    assert (np.diff(curve.steps) > 0).all()
    assert (np.diff(curve.seconds) > 0).all()
    assert curve.seconds[-1] == 5_000.0
    assert (np.diff(curve.inaction) >= 0).all()


def test_elapsed_of_a_long_schedule_is_no_overflow():
    # 4,000 steps of a thousand seconds: 4e15 ns times 4,000 is more than an int64 holds.
    assert elapsed(undelayed(4_000, 1_000.0), np.array([1, 4_000])).tolist() == [1e3, 4e6]


def test_regret_over_seeds_takes_a_schedule_of_each_seed():
    def make(seed: int) -> Schedule:
        return simulated("exp_time", seed, 300, 2.6, 2)

    found = regret_over_seeds(mdps.of("inaction"), agents.Tabular([0, 0]), make, [5, 9], points=5)
    assert found.seeds == (5, 9)
    assert [run.inaction for run in found.runs] == [(~make(s).acted).sum() for s in (5, 9)]
    mean, interval = found.curve("inaction")
    assert mean[-1] == np.mean([run.inaction for run in found.runs])
    assert interval.shape == (len(mean), 2)
    assert found.means["inaction"][1] == tuple(interval[-1])
    with pytest.raises(InvalidValue, match="choose from inaction"):
        found.curve("gain")


def test_regret_over_seeds_of_one_seed_has_no_interval():
    found = regret_over_seeds(mdps.of("jao"), agents.Tabular([0, 0]), undelayed(50), 1)
    assert found.means["total"][1] is None
    assert np.isnan(found.curve("total")[1]).all()


@pytest.mark.parametrize("seeds", [0, [], -3])
def test_regret_over_no_seeds_says_so(seeds: object):
    with pytest.raises(InvalidValue, match="seed"):
        regret_over_seeds(mdps.of("jao"), agents.Tabular([0, 0]), undelayed(50), seeds)  # type: ignore[arg-type]


def test_regret_over_schedules_of_different_length_says_so():
    with pytest.raises(InvalidValue, match="same number of steps"):
        regret_over_seeds(mdps.of("jao"), agents.Tabular([0, 0]), lambda seed: undelayed(50 + seed), 2)


def test_decompose_of_runs_under_different_schedules_says_so():
    mdp = mdps.of("jao")
    runs = [rollout(mdp, agents.Tabular([0, 0]), random_schedule(s, 50, 0.5, 1)) for s in (1, 2)]
    with pytest.raises(InvalidValue, match="under the Schedule given"):
        decompose(mdp, *runs, random_schedule(1, 50, 0.5, 1))


@pytest.mark.parametrize("steps", [1, 2, 10, 999])
def test_checkpoints_end_with_the_last_step_and_come_once(steps: int):
    found = checkpoints(steps, 40)
    assert found[0] == 1
    assert found[-1] == steps
    assert (np.diff(found) > 0).all()


def test_importing_regret_loads_neither_numba_nor_scipy():
    code = "import sys, rtsim.regret; sys.exit('numba' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
