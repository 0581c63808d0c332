"""Expected gaps: sums over pairs of states, closed forms, and the mean of many rollouts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtrit

from rtsim import agents, mdps
from rtsim.agents import kernel
from rtsim.agents.kernel import loop
from rtsim.experiments.worst_cases import late_schedule
from rtsim.mdps import TabularMDP
from rtsim.regret import expected as expected_room
from rtsim.regret import expected_gaps, reference, regret, step_gaps
from rtsim.rollout import rollout
from rtsim.schedule import Schedule
from rtsim.theory import cycle_delay_regret, jump_delay_regret, optimum
from tests.agents.worlds import random_mdp, random_schedule, schedules, simulated, worlds


def unmoved(seed: int, states: int, actions: int) -> TabularMDP:
    """No action moves the state; the default policy's own do, otherwise."""
    found = random_mdp(seed, states, actions, 2)
    return TabularMDP(
        np.repeat(found.p[:, :1], actions, axis=1), np.random.default_rng(seed).random((states, actions)),
        found.p_default, found.r_default, found.default_policy, found.start,
    )  # fmt: skip


@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 3), schedules(), st.booleans())
def test_expected_gaps_equal_sums_over_all_pairs_of_states(
    seed: int, states: int, actions: int, schedule: Schedule, alike: bool
):
    mdp = unmoved(seed, states, actions)
    if alike:
        mdp = mdp.with_default("random")
    chances = np.random.default_rng(seed).dirichlet(np.ones(actions), size=states)
    found = expected_gaps(mdp, agents.Tabular(chances), schedule)
    assert found is not None
    solved = optimum(mdp)
    gap = solved.gain + solved.bias[:, None] - mdp.r - mdp.p @ solved.bias
    own = solved.gain + solved.bias[:, None] - mdp.r_default - mdp.p_default @ solved.bias
    moves = [mdp.p[:, 0] if acts else mdp.chain_under_default[0] for acts in schedule.acted]
    for i, o in enumerate(schedule.steps["observation"].tolist()):
        at = np.linalg.multi_dot([mdp.start, np.eye(states), *moves[: i if o < 0 else o]])
        if o < 0:
            expected = (at[:, None] * mdp.default_policy * own).sum()
        else:
            pairs = at[:, None] * np.linalg.multi_dot([np.eye(states), np.eye(states), *moves[o:i]])
            expected = np.einsum("st,sa,ta->", pairs, chances, gap)
        assert found[i] == pytest.approx(expected, abs=1e-9 * (1 + np.abs(solved.bias).max()))


@pytest.mark.parametrize("kind, exact", [("delay", cycle_delay_regret), ("jump", jump_delay_regret)])
@pytest.mark.parametrize("n, p, k", [(3, 0.5, 5), (10, 0.9, 2), (100, 0.99, 20)])
def test_expected_gaps_are_the_closed_forms_of_delay(kind: str, exact: Callable[..., float], n: int, p: float, k: int):
    # From the first action on, wherever the state is by then; that of the cycle is still far from anywhere.
    schedule = late_schedule(k, 2_000)
    mdp = mdps.of(kind, n=n, p=p)
    found = expected_gaps(mdp, reference(mdp, schedule).policy, schedule)
    np.testing.assert_allclose(found[k:], exact(n, p, k), rtol=0, atol=1e-9)
    np.testing.assert_allclose(found[:k], 1.0, rtol=0, atol=1e-9)


def test_expected_gaps_on_inaction_worst_case_are_the_default_steps():
    schedule = simulated("unstaggered", 7, 3_000, 3.3, 3)
    found = regret(mdps.of("inaction"), agents.Tabular([1, 0]), schedule)
    assert found.reference == "expected"
    assert found.inaction == (~schedule.acted).sum()


@pytest.mark.parametrize("alike", [True, False])
def test_expected_gaps_are_the_mean_of_many_rollouts(alike: bool):
    """400 seeds of 600 steps with random delays; two t tests with false-alarm rate 1e-6 each."""
    mdp = unmoved(3, 5, 3)
    mdp = mdp.with_default("random") if alike else mdp
    schedule = simulated("exp_time", 5, 600, 3.6, 3)
    assert len(set(schedule.delay_steps.tolist())) > 3
    policy = agents.Tabular(np.random.default_rng(0).dirichlet(np.ones(3), size=5))
    known = expected_gaps(mdp, policy, schedule)
    runs = np.array([step_gaps(mdp, rollout(mdp, policy, schedule, seed)) for seed in range(400)])
    for which in (schedule.acted, ~schedule.acted):
        sums = runs[:, which].sum(axis=1)
        assert sums.std() > 1
        assert abs(sums.mean() - known[which].sum()) < stdtrit(399, 1 - 0.5e-6) * sums.std(ddof=1) / 20


def test_expected_gaps_once_stationary_go_on_unchanged():
    # A lazy walk that has mixed long before the end, against powers of its matrix.
    mdp = mdps.of("jump(n=4, p=0.9)").with_default("random")
    schedule = random_schedule(0, 3_000, 0.6, 4)
    policy = agents.Tabular([0, 0, 1, 3])
    found = expected_gaps(mdp, policy, schedule)
    gap = 1.0 - mdp.r
    for i in (10, 500, 2_999):
        o = int(schedule.steps["observation"][i])
        power = np.linalg.matrix_power(mdp.p[:, 0], i if o < 0 else o)[0]
        late = np.linalg.matrix_power(mdp.p[:, 0], i - o) @ gap
        expected = power @ (gap.mean(axis=1) if o < 0 else late[np.arange(4), [0, 0, 1, 3]])
        assert found[i] == pytest.approx(expected, abs=2e-9)


def test_expected_gaps_are_not_known_where_they_take_too_long_or_actions_move_the_state(
    monkeypatch: pytest.MonkeyPatch,
):
    schedule = late_schedule(2, 100)
    assert expected_gaps(mdps.of("jao"), agents.Tabular([0, 0]), schedule) is None
    assert expected_gaps(mdps.of("jump"), agents.Oracle(), schedule) is None
    jump = agents.Tabular(range(10))
    assert expected_gaps(mdps.of("jump"), jump, schedule) is not None
    monkeypatch.setattr(expected_room, "MOST_KEPT", 1_000)
    assert expected_gaps(mdps.of("jump"), jump, late_schedule(20, 100)) is None
    monkeypatch.setattr(expected_room, "MOST_WORK", 200 * 60)
    assert expected_gaps(mdps.of("jump(n=10, p=0.2)"), jump, schedule) is not None  # stationary by then
    monkeypatch.setattr(expected_room, "MOST_WORK", 200 * 5)
    assert expected_gaps(mdps.of("jump"), jump, schedule) is None
    assert regret(mdps.of("jump"), jump, schedule).reference == "rollout"


@given(worlds(), schedules())
def test_expected_gaps_compiled_equal_the_plain_loop(mdp: TabularMDP, schedule: Schedule):
    policy = agents.Tabular(np.zeros(mdp.states, int))
    found = expected_gaps(mdp, policy, schedule)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "loop", lambda which: loop(which) if which != "expect" else kernel.source(which))
        np.testing.assert_array_equal(found, expected_gaps(mdp, policy, schedule))
