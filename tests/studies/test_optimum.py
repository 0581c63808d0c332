"""DQN under a Schedule against the exact optimum for that Schedule, at small size."""

from __future__ import annotations

import pytest
import torch

from rtsim.studies.optimum import PLAYED, learn

SEQUENTIAL = "sequential(wait_observation=true)"


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    "mdp, rule, delay",
    [
        ("inaction", SEQUENTIAL, 3),
        ("inaction", "max_time", 3),
        # Two steps later the state has most likely moved by one: whoever repeats what he sees gains half of it.
        ("delay(n=4, p=0.5)", "time_triggered(deadline=2steps)", 2),
        ("jump(n=4, p=0.9)", "max_time", 2),
        ("jump(n=4, p=0.9)", SEQUENTIAL, 2),
    ],
)
def test_learnt_rate_is_within_three_per_cent_of_the_exact_optimum(mdp: str, rule: str, delay: int) -> None:
    found = learn(mdp, rule, delay, decisions=1_500)
    assert found.rate >= 0.97 * found.optimum, found
    # What it gains when it plays: bounded rewards in 20,000 correlated steps, seven standard deviations away.
    assert found.played == pytest.approx(found.rate, abs=7 * 0.5 * (20 / PLAYED) ** 0.5)


def test_optimum_under_delay_is_that_of_the_papers_chain() -> None:
    # P(Binomial(2, 1/2) = 1) = 1/2 on a cycle, against 1 without delay (Riemer et al. 2025, App. B.2); two steps pass
    # before the first action is there.
    found = learn("delay(n=4, p=0.5)", "time_triggered(deadline=2steps)", 2, decisions=20)
    assert (found.optimum, found.undelayed) == (pytest.approx(0.5 * (1 - 2 / PLAYED)), 1.0)
