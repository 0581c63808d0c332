"""Appendix B.5, second question: with chunks of k actions the learning regret grows like √(|A|^k).

Claim. The lower bound Ω(√(τ |A|/τ̄_I)) on the learning regret becomes Ω(√(|A|^k)): exponentially worse.

Derivation. The bound is that of |A|^k actions whose effects are unrelated. If one of them is better by ε, and nature
chooses the worst ε for the time there is, a learner that takes each chunk for an action of its own has a regret that
grows with the number of chunks to the power of at least 1/2. But a chunk is applied one action per step, and what
each of its actions does is observed on that step. A learner that credits single actions has |A| of them to learn,
whatever k is: in the same world, chunks pay the mean of their actions, and its regret per chunk does not grow with
|A|^k. So the bound is one of learners that ignore what a chunk is.
"""

from __future__ import annotations

import numpy as np

import rtsim
from rtsim import agents
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, estimated
from rtsim.mdps import TabularMDP
from rtsim.regret import regret
from rtsim.rollout import undelayed


def claim(full: bool = False) -> Claim:
    chunks = 2**15 if full else 2**13
    batches, each = (16, 8) if full else (12, 3)
    sizes = np.arange(1, 7)
    epsilons = np.geomspace(0.02, 0.4, 10 if full else 8)
    whole, single = np.zeros((batches, len(sizes))), np.zeros((batches, len(sizes)))
    unrelated = agents.UCRL2(scale=0.3, every_step=True)
    by_action = agents.UCRL2(scale=0.3, every_step=True, credit="state")
    for at, k in enumerate(sizes.tolist()):
        schedule = rtsim.simulate(
            rtsim.Scenario(f"chunking(size={k})", 0.0, step_time=1.0, steps=chunks * k), engine="compiled"
        )
        assert schedule.acted.all()
        for epsilon in epsilons.tolist():
            for batch in range(batches):
                seeds = range(batch * each, (batch + 1) * each)
                lost = [
                    regret(_arms(2**k, epsilon), unrelated, undelayed(chunks), s, best=agents.Oracle()).learn
                    for s in seeds
                ]
                whole[batch, at] = max(whole[batch, at], float(np.mean(lost)))
                lost = [
                    regret(_arms(2, epsilon), by_action, schedule, s, best=agents.Oracle()).learn / k for s in seeds
                ]
                single[batch, at] = max(single[batch, at], float(np.mean(lost)))
    count = np.log(2.0**sizes)
    findings = (
        estimated("chunks as actions: exponent of the regret in |A|^k", np.polyfit(count, np.log(whole.T), 1)[0], 0.5,
                  relation=">="),
        estimated("single actions credited: exponent of the regret per chunk in |A|^k",
                  np.polyfit(count, np.log(single.T), 1)[0], 0.5, "beyond", ">="),
        estimated("... does not grow", np.polyfit(count, np.log(single.T), 1)[0], 0.0, "ours", "<="),
    )  # fmt: skip
    return Claim(
        "b5_chunking_learning",
        "Riemer et al. 2025, App. B.5 (second question)",
        __doc__ or "",
        findings,
        "a chunk is learned as one of |A|^k unrelated actions, without the effects of its single actions",
    )


def _arms(number: int, epsilon: float) -> TabularMDP:
    """One state; the last action pays with probability 1/2 + ε, the others with 1/2."""
    pay = np.full((1, number), 0.5)
    pay[0, -1] += epsilon
    return TabularMDP.of(
        np.ones((1, number, 1)), pay, default=(np.ones((1, 1, 1)), np.full((1, 1), 0.5)), reward="bernoulli"
    )


if __name__ == "__main__":
    show(claim)
