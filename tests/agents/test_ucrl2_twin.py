"""UCRL2 against a twin written from the paper's Figures 1 and 2, and the numbers of inferences against their names."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rtsim import mdps
from rtsim.agents import QUCB, UCRL2
from rtsim.agents.world import Draws, World, stream
from rtsim.mdps import TabularMDP
from rtsim.rollout import rollout, undelayed
from tests.agents.worlds import random_schedule


def most_optimistic(frequencies: np.ndarray, width: float, values: np.ndarray) -> np.ndarray:
    """Jaksch et al. 2010, Figure 2: all the mass there may be on the best state, taken from the worst ones."""
    p = frequencies.copy()
    order = sorted(range(len(p)), key=lambda s: -values[s])
    p[order[0]] = min(1.0, p[order[0]] + width / 2)
    for s in reversed(order[1:]):
        excess = p.sum() - 1.0
        if excess <= 1e-15:
            break
        p[s] = max(0.0, p[s] - excess)
    return p


def plan(counts, earned, went, time, confidence, values):
    """Extended value iteration until the changes differ by less than 1/√t; the greedy policy of the last sweep."""
    states, actions = counts.shape
    n = np.maximum(counts, 1)
    rewards = earned / n + np.sqrt(7 * math.log(2 * states * actions * time / confidence) / (2 * n))
    widths = np.sqrt(14 * states * math.log(2 * actions * time / confidence) / n)
    chances = np.where(counts[:, :, None] > 0, went / n[:, :, None], 1.0 / states)
    while True:
        ahead = np.array(
            [
                [rewards[s, a] + most_optimistic(chances[s, a], widths[s, a], values) @ values for a in range(actions)]
                for s in range(states)
            ]
        )
        change = ahead.max(axis=1) - values
        values = ahead.max(axis=1) - ahead.max(axis=1).min()
        if np.ptp(change) < 1 / math.sqrt(time):
            return ahead.argmax(axis=1), values


def ucrl2(mdp: TabularMDP, steps: int, seed: int, confidence: float = 0.05) -> list[int]:
    """Actions of Jaksch et al. 2010, Figure 1, with the two deviations that rtsim's UCRL2 states."""
    shape = mdp.states, mdp.actions
    counts, inside, earned, went = np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros((*shape, mdp.states))
    policy, values = plan(counts, earned, went, 1, confidence, np.zeros(mdp.states))
    state, actions = int(mdp.start.argmax()), []
    for time, u in enumerate(stream(seed, "transition").random(steps), start=1):
        a = int(policy[state])
        possible = np.flatnonzero(mdp.p[state, a])
        drawn = np.searchsorted(np.cumsum(mdp.p[state, a, possible]), u, "right")
        after = int(possible[min(drawn, len(possible) - 1)])
        actions.append(a)
        counts[state, a] += 1
        inside[state, a] += 1
        earned[state, a] += mdp.r[state, a]
        went[state, a, after] += 1
        if inside[state, a] >= max(counts[state, a] - inside[state, a], 1):
            policy, values = plan(counts, earned, went, time, confidence, values)
            inside[:] = 0
        state = after
    return actions


@pytest.mark.parametrize("credit", ["observation", "state"])
@pytest.mark.parametrize("seed", range(4))
def test_ucrl2_acts_as_its_twin(seed, credit):
    mdp = mdps.garnet(2 + seed % 3, 2 + seed % 2, 2, seed=seed)
    found = rollout(mdp, UCRL2(every_step=True, credit=credit), undelayed(1_500), seed)
    expected = np.array(ucrl2(mdp, 1_500, seed))
    differing = np.flatnonzero(found.actions != expected)
    assert len(differing) == 0, f"first differing step {differing[0]}"
    assert len(set(zip(found.states[:-1].tolist(), found.actions.tolist(), strict=True))) > mdp.states


def test_number_of_an_inference_is_named_by_worker_position_and_index():
    schedule = random_schedule(3, 400, 0.8, 3)
    found = Draws(World.of(mdps.of("jump(n=3)")), schedule, 7).of_inferences()
    seen = set()
    for i in np.flatnonzero(schedule.acted):
        name = [int(schedule.steps[c][i]) for c in ("worker", "chunk_index", "inference")]
        assert found[i] == stream(7, "policy", *name[:2]).random(name[2] + 1)[-1]
        seen.add(tuple(name[:2]))
    assert {(0, 1), (1, 0)} <= seen  # their sum is one name, they are two


@pytest.mark.parametrize(
    ("steps", "span", "expected"),
    [
        # Wei et al. 2020, Section 4, S·A = 6: √(span·T/(S A)), or (T/(S A ln(4T/δ)))^(1/3), the least, but 2.
        (10**6, 1e6, (10**6 / (6 * math.log(8e7))) ** (1 / 3)),
        (6_000_000, 9e-6, 3.0),
        (6, 1.0, 2.0),
    ],
)
def test_horizon_of_qucb_is_the_papers(steps, span, expected):
    found = QUCB(confidence=0.05)._horizon(mdps.garnet(3, 2, 2), steps, span)
    assert found == pytest.approx(expected)
