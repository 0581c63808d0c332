"""Chains by elimination and by sweeps, against squared matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from rtsim.theory import chains
from tests.theory.test_average_reward import long_run


def draw_chain(seed):
    """A random chain with sparse rows: several classes, periods and transient states included."""
    random = np.random.default_rng(seed)
    n = int(random.integers(1, 8))
    p = random.random((n, n)) * (random.random((n, n)) < random.choice([0.2, 0.5]))
    empty = p.sum(axis=1) == 0
    p[empty] = np.eye(n)[random.integers(n, size=int(empty.sum()))]
    return p / p.sum(axis=1, keepdims=True), random.random(n)


@settings(max_examples=200)
@given(st.integers(0, 10**6), st.booleans())
def test_long_run_rewards_and_frequencies_are_those_of_the_limit(seed, swept):
    p, r = draw_chain(seed)
    limit = long_run(p)
    with pytest.MonkeyPatch.context() as patch:
        if swept:
            patch.setattr(chains, "SWEPT", 0)
        assert chains.long_run_rewards(sparse.csr_array(p), r) == pytest.approx(limit @ r, abs=1e-9)
    start = np.full(len(p), 1 / len(p))
    assert chains.long_run_frequencies(sparse.csr_array(p), start) == pytest.approx(start @ limit, abs=1e-9)


@settings(max_examples=100)
@given(st.integers(0, 10**6))
def test_recurrent_classes_are_the_states_with_a_share_in_the_limit(seed):
    p, _ = draw_chain(seed)
    limit = long_run(p)
    classes = chains.recurrent_classes(sparse.csr_array(p))
    assert sorted(np.concatenate(classes).tolist()) == np.flatnonzero(limit.diagonal() > 1e-12).tolist()
    for inside in classes:
        assert p[inside][:, inside].sum(axis=1) == pytest.approx(np.ones(len(inside)))
        assert (limit[np.ix_(inside, inside)] > 0).all()


def test_sweeps_give_up_on_slow_chains_and_elimination_takes_over(monkeypatch):
    monkeypatch.setattr(chains, "SWEPT", 0)
    monkeypatch.setattr(chains, "MAX_SWEEPS", 10)
    p = sparse.csr_array([[1 - 1e-4, 1e-4], [2e-4, 1 - 2e-4]])
    assert chains.long_run_rewards(p, np.array([0.0, 3.0])) == pytest.approx([1.0, 1.0], abs=1e-12)


def test_evaluation_moves_away_from_a_state_that_is_hardly_ever_visited():
    # Up with 0.9 on 12 states: state 0 is visited once in about 9^11 steps. By detailed balance the last state's share
    # is 1/(1 + 1/9 + … + 1/9^11).
    n = 12
    p = np.zeros((n, n))
    p[np.arange(n), np.minimum(np.arange(n) + 1, n - 1)] = 0.9
    p[np.arange(n), np.maximum(np.arange(n) - 1, 0)] += 0.1
    gain, bias = chains.evaluate(sparse.csr_array(p), np.eye(n)[-1], stop=0)
    assert gain == pytest.approx(1 / sum(9.0**-j for j in range(n)), abs=1e-14)
    assert bias[0] != 0  # it waited elsewhere
    assert p @ bias - bias + np.eye(n)[-1] == pytest.approx(np.full(n, gain), abs=1e-12)


def test_matrix_singular_in_floating_point_is_answered_with_nan():
    for n in (3, 2 * chains.DENSE_UNKNOWNS):
        zero = sparse.csr_array(np.diag(np.r_[0.0, np.ones(n - 1)]))
        assert np.isnan(chains.solver(zero)(np.ones(n))).all()
