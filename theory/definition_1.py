"""Definition 1: the agent decides every ⌈τ_I/τ_M⌉ steps, ⌈τ_θ/τ_M⌉ steps late, the default policy between.

Claim. Step, interaction and inference times turn an asynchronous MDP into a delayed semi-MDP. Decisions are ⌈τ_I/τ_M⌉
steps apart, an action applies ⌈τ_θ/τ_M⌉ steps after its observation, and on the ⌈τ_θ/τ_M⌉ − 1 steps before it the
default policy acts.

Derivation. One process that waits for a fresh observation starts at some t_i, so that its action meets the first step
at or after t_i + τ_θ: step i + ⌈τ_θ/τ_M⌉. There the next inference starts, hence τ_I is that many steps, and all
between are the default policy's. With constant times the gain of a policy is then that of a finite chain, which
theory solves exactly; with random times the delay is k with probability F(k τ_M) − F((k − 1) τ_M). A process that
starts in the middle of a step reads an observation that is already old: one step more. And if several processes
infer, the steps before an action are other processes' steps: the last sentence of the definition is about one process
only.
"""

from __future__ import annotations

import numpy as np

import rtsim
from rtsim import agents, mdps
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, estimated, exact
from rtsim.rollout import rollout
from rtsim.theory import ceil_ratio, delayed_gain

WAITING = "sequential(wait_observation=true)"
TIME = 2.3


def claim(full: bool = False) -> Claim:
    steps, runs = (20_000, 64) if full else (4_000, 16)
    late = ceil_ratio(TIME, 1.0)
    waiting = rtsim.simulate(rtsim.Scenario(WAITING, TIME, step_time=1.0, steps=steps), engine="compiled")
    free = rtsim.simulate(rtsim.Scenario("sequential", TIME, step_time=1.0, steps=steps), engine="compiled")
    three = rtsim.simulate(rtsim.Scenario("max_time", 3.0, workers=3, step_time=1.0, steps=steps), engine="compiled")
    gaps = np.diff(np.flatnonzero(waiting.acted))
    between = np.diff(np.flatnonzero(three.acted))[10:] - 1
    findings = [
        exact("τ_θ = 2.3 steps, one process: fewest steps from one decision to the next", gaps.min(), late),
        exact("... most", gaps.max(), late),
        exact("... least delay, steps", waiting.delay_steps.min(), late),
        exact("... largest delay, steps", waiting.delay_steps.max(), late),
    ]
    law = rtsim.law("uniform(0.5s, 3.5s)")
    shares = np.zeros((runs, 5))
    for seed in range(runs):
        random = rtsim.simulate(rtsim.Scenario(WAITING, law, step_time=1.0, steps=steps, seed=seed), engine="compiled")
        shares[seed] = np.bincount(random.delay_steps, minlength=5) / len(random.delay_steps)
    for k in (1, 2, 3, 4):
        expected = law.cdf(float(k)) - law.cdf(k - 1.0)
        findings.append(
            estimated(f"τ_θ uniform in 0.5..3.5 steps: share of actions {k} steps late", shares[:, k], expected)
        )
    mdp = mdps.garnet(5, 3, 2, seed=1)
    policy = np.array([0, 1, 2, 0, 1])
    gains = [rollout(mdp, agents.Tabular(policy), waiting, seed).rewards[300:].mean() for seed in range(runs)]
    expected = delayed_gain(mdp, policy, late, every=late)
    findings += [
        estimated("gain of a policy on a random MDP of 5 states, against the semi-MDP's", gains, expected),
        exact("one process, starts in mid-step: largest delay, steps", free.delay_steps.max(), late, "beyond"),
        exact("three processes, τ_θ = 3 steps: most default steps before an action", between.max(), 3 - 1, "beyond"),
    ]
    return Claim(
        "definition_1",
        "Riemer et al. 2025, Definition 1 and App. B.1",
        __doc__ or "",
        tuple(findings),
        "a single process infers, and each of its inferences begins with a step",
    )


if __name__ == "__main__":
    show(claim)
