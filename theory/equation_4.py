"""Equation 4: some world makes every action that is k steps late cost 1 − p_minimax^k.

Claim. In the worst case Δ_delay(τ) ∈ Ω(τ/τ̄_I · E[1 − p_minimax^⌈τ_θ/τ_M⌉]); for a uniformly random world of many
states that is linear in time (footnote 5).

Derivation. A worst case is needed, and the printed one is none (it has its own line). On ``jump``, whose n states
stay with probability p and else move to any other alike, no action moves the state and action i is right in state i,
so the best policy guesses the likeliest state k steps on: the observed one, as long as p >= 1/n. Its regret is 1
− P(same after k) = (1 − 1/n)(1 − λ^k), where λ = p − (1 − p)/(n − 1) <= p. So the bound is reached but for a factor 1
− 1/n, which tends to 1. For random delays it is the mean over them. With p = 1/n the state is drawn anew on every
step and the regret is 1 − 1/n.
"""

from __future__ import annotations

import numpy as np

import rtsim
from rtsim import agents, mdps
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, estimated, exact
from rtsim.regret import regret
from rtsim.theory import best_delayed, delay_regret, delay_regret_per_action, jump_delay_regret, p_minimax


def claim(full: bool = False) -> Claim:
    steps, runs = (50_000, 48) if full else (5_000, 16)
    findings = []
    for n in (3, 10, 100):
        for p in (0.5, 0.9, 0.99):
            mdp = mdps.jump(n, p)
            for k in (1, 2, 5, 20):
                found = 1.0 - best_delayed(mdp, k).gain
                setting = f"jump, n = {n}, p = {p:g}, k = {k}: least regret per action"
                findings.append(
                    exact(setting, found, (1 - 1 / n) * delay_regret_per_action(p_minimax(mdp), k), relation=">=")
                )
                if n == 100:
                    findings.append(
                        exact("... closed form", found, jump_delay_regret(n, p, k), "ours", margin=1e-8,
                              how="rounding in the stationary distribution")
                    )  # fmt: skip
    n, p = 40, 0.9
    mdp = mdps.jump(n, p)
    bound = 1 - 1 / n
    for k in (1, 5):
        schedule = rtsim.simulate(
            rtsim.Scenario(f"time_triggered(deadline={k}steps)", float(k), workers=k + 1, step_time=1.0, steps=steps),
            engine="compiled",
        )
        assert set(schedule.delay_steps.tolist()) == {k}
        lost = [
            regret(mdp, agents.Tabular(range(n)), schedule, seed, expected=False).delay / schedule.acted.sum()
            for seed in range(runs)
        ]
        what = f"jump, n = {n}, p = {p:g}, simulated {k} steps late: regret per action"
        findings += [
            estimated(what, lost, bound * delay_regret_per_action(p, k), relation=">="),
            estimated("... closed form", lost, jump_delay_regret(n, p, k), "ours"),
        ]
    law = rtsim.law("uniform(0.5s, 3.5s)")
    chances = np.diff([0.0, *(law.cdf(float(k)) for k in range(5))], prepend=0.0)
    lost = []
    for seed in range(runs):
        random = rtsim.simulate(
            rtsim.Scenario("sequential(wait_observation=true)", law, step_time=1.0, steps=steps, seed=seed),
            engine="compiled",
        )
        lost.append(regret(mdp, agents.Tabular(range(n)), random, seed, expected=False).delay / random.acted.sum())
    findings += [
        estimated(
            f"jump, n = {n}, p = {p:g}, τ_θ uniform in 0.5..3.5 steps: regret per action", lost,
            bound * delay_regret(1.0, 1.0, p, chances[1:]), relation=">=",
        ),
        exact(
            "uniformly random, 100 states, k = 1: regret per step", 1.0 - best_delayed(mdps.jump(100, 0.01), 1).gain,
            1 - 1 / 100, margin=1e-8, how="rounding in the stationary distribution",
        ),
    ]  # fmt: skip
    return Claim("equation_4", "Riemer et al. 2025, Theorem 1, Eq. 4 and footnote 5", __doc__ or "", tuple(findings))


if __name__ == "__main__":
    show(claim)
