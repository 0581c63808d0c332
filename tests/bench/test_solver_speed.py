"""How long the exact solvers take; each is held to its twin in tests/theory."""

from __future__ import annotations

import time

import pytest

from rtsim import mdps, theory


def timed(benchmark, function, *args, rounds=1, **options):
    """The result, and the least processor time it took: other processes on the machine hardly count."""
    spent = []

    def run():
        begin = time.process_time()
        found = function(*args, **options)
        spent.append(time.process_time() - begin)
        return found

    for _ in range(rounds - 1):
        run()
    found = benchmark(run)
    benchmark.extra_info["processor_s"] = min(spent)
    return found, min(spent)


@pytest.mark.parametrize("text", ["garnet(states=1000)", "riverswim(states=1000)"])
def test_a_thousand_states_are_solved_within_ten_seconds(benchmark, text):
    found, seconds = timed(benchmark, theory.optimum, mdps.of(text))
    assert found.residual <= 1e-9
    assert seconds < 10


def test_sixteen_pending_actions_by_value_iteration(benchmark):
    mdp = mdps.garnet(states=10, actions=2)
    found, seconds = timed(benchmark, theory.pending_optimum, mdp, 16, method="value_iteration", rounds=3)
    assert found.bias.size == 655_360
    assert found.residual <= 1e-9
    assert seconds < 1


def test_pending_actions_on_a_line_directly(benchmark):
    found, seconds = timed(benchmark, theory.pending_optimum, mdps.riverswim(1000), 3, method="direct")
    assert found.residual <= 1e-9
    assert seconds < 10
