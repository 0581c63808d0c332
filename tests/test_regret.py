"""Regret: the identity on every run, parts against closed forms and expectations, and sums made step by step."""

from __future__ import annotations

import itertools
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
from rtsim.regret import best as best_room
from rtsim.rollout import rollout, undelayed
from rtsim.schedule import Schedule
from rtsim.theory import delayed_gain, jump_delay_regret, optimum
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
    best = reference(mdp, schedule).policy
    assert regret(mdp, best, schedule, 1).learn == 0.0
    assert regret(mdp, agents.Tabular(1 - np.asarray(best.table)), schedule, 1).learn > 0.0


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


def every_policy(mdp: TabularMDP) -> list[agents.Tabular]:
    return [agents.Tabular(np.array(p)) for p in itertools.product(range(mdp.actions), repeat=mdp.states)]


@given(st.integers(0, 10**6), schedules(), st.booleans())
def test_reference_is_expected_to_lose_least_of_all_policies_where_no_action_moves_the_state(
    seed: int, schedule: Schedule, alike: bool
):
    found = random_mdp(seed, 3, 2, 2)
    mdp = TabularMDP(
        np.repeat(found.p[:, :1], 2, axis=1), np.random.default_rng(seed).random((3, 2)),
        found.p_default, found.r_default, found.default_policy, found.start,
    )  # fmt: skip
    mdp = mdp.with_default("random") if alike else mdp
    best = reference(mdp, schedule)
    assert best.exact
    least = min(expected_gaps(mdp, policy, schedule).sum() for policy in every_policy(mdp))
    assert expected_gaps(mdp, best.policy, schedule).sum() == pytest.approx(least, abs=1e-7)


def test_reference_weighs_all_delays_not_the_commonest():
    # Delays 1 (30 times in 70) and 2 and 3 (20 each) on a ring that always moves on, seen from where it was: after one
    # step a pays 1, after two or three b pays 1. The commonest delay alone says a.
    step = np.roll(np.eye(4), 1, axis=1)
    mdp = TabularMDP.of(np.stack([step, step], axis=1), [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    age = np.resize(np.repeat([1, 2, 3], [3, 2, 2]), 701)
    schedule = acting(np.arange(701) - age)
    found = reference(mdp, schedule)
    assert found.exact
    assert found.policy.table[0] == 1


def acting(observation: np.ndarray) -> Schedule:
    """The Schedule of these observations; negative where nobody acts."""
    made = undelayed(len(observation))
    observation = np.maximum(observation, -1)
    columns = {**made.steps, "observation": observation, "worker": np.where(observation < 0, -1, 0).astype(np.int32)}
    return Schedule(made.header, columns, made.updates, made.busy_ns, made.learner_busy_ns, made.totals)


@pytest.mark.parametrize("seed", range(6))
def test_reference_on_a_deterministic_world_is_the_best_of_all_policies_on_the_schedule_itself(seed: int):
    # Nothing is random here, so a rollout is exact. In theory, with one delay, many policies gain 1; most of them lose
    # nine tenths of it under a real Schedule.
    mdp = mdps.of("forward(states=5)")
    law = rtsim.law("gamma(mean=60ms, cv=0.5)")
    schedule = rtsim.simulate(rtsim.Scenario("max_time", law, workers=3, steps=2_000, seed=seed))
    best = reference(mdp, schedule)
    lost = {policy: step_gaps(mdp, rollout(mdp, policy, schedule)).sum() for policy in every_policy(mdp)}
    assert step_gaps(mdp, rollout(mdp, best.policy, schedule)).sum() == min(lost.values()) < 50
    assert np.median(list(lost.values())) > 1_000
    assert best.label == "best found"  # the delays differ


@pytest.mark.parametrize("seed", [5, 18])
def test_reference_looks_at_the_whole_of_a_long_schedule(seed: int):
    # In time for 3,000 steps, then one or two late: nothing of that is in its beginning. No transition is random.
    mdp = mdps.garnet(4, 2, 1, seed)
    steps = np.arange(9_000)
    schedule = acting(np.where(steps < 3_000, steps, steps - 1 - steps % 2))

    def lost(policy: agents.Policy) -> float:
        return float(step_gaps(mdp, rollout(mdp, policy, schedule)).sum())

    least = min(lost(policy) for policy in every_policy(mdp))
    assert lost(reference(mdp, schedule).policy) == least
    assert lost(agents.Tabular(optimum(mdp).policy)) > least + 1_000


@pytest.mark.parametrize("steps", [3_000, 40])
def test_reference_is_exact_for_one_delay_and_one_distance_only(steps: int):
    mdp = mdps.garnet(4, 2, 2, seed=1)
    one = np.where(np.arange(steps) % 3 == 2, np.arange(steps) - 2, -1)
    found = reference(mdp, acting(one))
    gains = [delayed_gain(mdp, policy.table, 2, every=3) for policy in every_policy(mdp)]
    assert found.exact
    assert delayed_gain(mdp, found.policy.table, 2, every=3) == pytest.approx(max(gains), abs=1e-12)
    once_late, once_left_out = one.copy(), one.copy()
    once_late[20] -= 1
    once_left_out[20] = -1
    for other in (once_late, once_left_out):
        assert reference(mdp, acting(other)).label == "best found"


def test_reference_knows_sequential_interaction():
    # Inferences of 3 steps: the agent acts on every third step, three steps late. On jump(p = 0.1) with n = 3 the
    # old state is the worst guess after an odd number of steps.
    constant = rtsim.simulate(rtsim.Scenario("sequential", 3.0, workers=1, step_time=1.0, steps=3_000))
    assert set(constant.delay_steps.tolist()) == {3}
    mdp = mdps.of("jump(n=3, p=0.1)")
    moved = 1 / 3 + 2 / 3 * (0.1 - 0.9 / 2) ** 3
    gain = delayed_gain(mdp, reference(mdp, constant).policy.table, 3, every=3)
    assert gain == pytest.approx((1 - moved) / 2 / 3, rel=1e-9)  # of every three steps one pays


def test_reference_of_schedule_without_actions_is_some_policy():
    schedule = random_schedule(0, 50, 0.0, 0)
    found = regret(mdps.of("inaction"), agents.Tabular([0, 0]), schedule)
    assert found.inaction == 50.0


def test_reference_is_a_search_that_says_so_where_policies_are_too_many(monkeypatch: pytest.MonkeyPatch):
    mdp = mdps.garnet(6, 3, 2, seed=1)  # 729 policies
    schedule = simulated("exp_time", 1, 2_000, 3.6, 3)

    def lost(policy: agents.Policy) -> float:
        return sum(step_gaps(mdp, rollout(mdp, policy, schedule, seed)).sum() for seed in range(20))

    labels = []
    for most, undelayed_too in ((10**7, False), (3_000_000, False), (1, True)):
        monkeypatch.setattr(best_room, "MOST_STEPS", most)
        found = reference(mdp, schedule)
        labels.append(found.label)
        assert (lost(found.policy) < lost(agents.Tabular(optimum(mdp).policy))) or undelayed_too
    assert labels == ["best found", "best found", "best found, search stopped"]


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
    assert found.means["inaction"] == (mean[-1], tuple(interval[-1]))
    assert found.means["inaction"].mean == mean[-1]
    assert found.means["inaction"].ci95 == tuple(interval[-1])
    with pytest.raises(InvalidValue, match="choose from inaction"):
        found.curve("gain")


@pytest.mark.parametrize("knowing", [agents.Oracle(), agents.Pending()])
def test_regret_over_seeds_holds_who_knows_more_against_themselves(knowing: agents.Policy):
    # A memoryless policy loses more on this ring, so that it would make learn negative.
    schedule = simulated("time_triggered(deadline=12steps)", 1, 500, 6.0, 16)
    for made in (schedule, lambda seed: schedule):
        found = regret_over_seeds(mdps.of("alternate"), knowing, made, 2)
        assert [run.learn for run in found.runs] == [0.0, 0.0]
    memoryless = reference(mdps.of("alternate"), schedule).policy
    assert regret(mdps.of("alternate"), knowing, schedule, best=memoryless).learn < -100


def test_regret_over_seeds_gives_each_schedule_its_own_reference():
    mdp = mdps.of("forward(states=5)")

    def make(seed: int) -> Schedule:
        return rtsim.simulate(rtsim.Scenario("max_time", "gamma(mean=60ms, cv=0.5)", workers=3, steps=500, seed=seed))

    policy = agents.Tabular([0, 0, 0, 0, 1])
    together = regret_over_seeds(mdp, policy, make, 4).runs
    assert together == tuple(regret(mdp, policy, make(seed), seed) for seed in range(4))


def test_regret_over_seeds_of_one_seed_has_no_interval():
    found = regret_over_seeds(mdps.of("jao"), agents.Tabular([0, 0]), undelayed(50), 1)
    assert found.means["total"].ci95 is None
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
