"""Theorem 1: in the worst case the realtime regret is at least the sum of Equations 3 and 4, and it is linear in time.

Claim. The realtime regret decomposes into learning, inaction and delay, with the worst-case lower bounds of Equations
2, 3 and 4.

Derivation. On ``jump`` (n states, p the probability of staying) a default step earns nothing, and an action k steps
late is right if the state is the observed one: both worst cases live in one MDP, because nothing the agent does moves
the state. One process with inferences of k steps acts on every k-th step, k steps late, so that of τ/τ_M steps
τ/τ_I·(τ_I − τ_M)/τ_M are lost to inaction and τ/τ_I·(1 − P(same after k)) to delay. P(same after k) is 1/n + (1
− 1/n) λ^k with 0 <= λ <= p, so the second part is at least (1 − 1/n) of Equation 4. Nothing is learned here; Equation
2 has its own line, and so has the question whether the parts add up elsewhere.
"""

from __future__ import annotations

import rtsim
from rtsim import agents, mdps
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, estimated
from rtsim.regret import regret
from rtsim.theory import jump_delay_regret, p_minimax, realtime_regret


def claim(full: bool = False) -> Claim:
    steps, runs = (60_000, 64) if full else (6_000, 24)
    n, p = 40, 0.9
    mdp = mdps.jump(n, p)
    findings = []
    for k in (2, 5):
        schedule = rtsim.simulate(
            rtsim.Scenario("sequential(wait_observation=true)", float(k), step_time=1.0, steps=steps * k),
            engine="compiled",
        )
        bound = realtime_regret(1.0, float(k), 1.0, p_minimax(mdp), k)
        total, inaction, delay = [], [], []
        for seed in range(runs):
            found = regret(mdp, agents.Tabular(range(n)), schedule, seed, expected=False)
            total.append((found.total + found.boundary) / found.steps)
            inaction.append(found.inaction / found.steps)
            delay.append(found.delay / found.steps)
        least = bound.inaction + (1 - 1 / n) * bound.delay
        first = k / len(schedule)  # the first k steps are the default policy's, whatever comes later
        findings += [
            estimated(f"k = {k}: total regret per step", total, least, relation=">="),
            estimated(f"k = {k}: inaction per step, at least Equation 3", inaction, bound.inaction, relation=">="),
            estimated(f"k = {k}: delay per step", delay, (1 - first) * jump_delay_regret(n, p, k) / k, "ours"),
        ]
    return Claim("theorem_1", "Riemer et al. 2025, Theorem 1 and App. B.2", __doc__ or "", tuple(findings))


if __name__ == "__main__":
    show(claim)
