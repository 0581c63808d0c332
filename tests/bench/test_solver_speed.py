"""How long the exact solvers take; each is held to its twin in tests/theory."""

from __future__ import annotations

import time

import pytest

from rtsim import mdps, theory


def timed(benchmark, function, *args, **options):
    """The result, and the processor time it took: other processes on the machine do not count."""
    spent = []

    def run():
        begin = time.process_time()
        found = function(*args, **options)
        spent.append(time.process_time() - begin)
        return found

    return benchmark(run), min(spent)


@pytest.mark.parametrize("text", ["garnet(states=1000)", "riverswim(states=1000)"])
def test_a_thousand_states_are_solved_within_ten_seconds(benchmark, text):
    found, seconds = timed(benchmark, theory.optimum, mdps.of(text))
    assert found.residual <= 1e-9
    assert seconds < 10


def test_sixteen_pending_actions_by_value_iteration(benchmark):
    mdp = mdps.garnet(states=10, actions=2)
    found, seconds = timed(benchmark, theory.pending_optimum, mdp, 16, method="value_iteration")
    assert found.bias.size == 655_360
    assert found.residual <= 1e-9
    assert seconds < 5  # within 1 s on an idle core


def test_pending_actions_on_a_line_directly(benchmark):
    found, seconds = timed(benchmark, theory.pending_optimum, mdps.riverswim(1000), 3, method="direct")
    assert found.residual <= 1e-9
    assert seconds < 20
