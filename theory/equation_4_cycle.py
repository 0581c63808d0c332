"""The example that proves Equation 4 attains it: on the cycle the best policy k steps late loses 1 − p^k per step.

Claim. On a cycle of n states that stays with probability p and else moves to the *next* state, no state overtakes the
observed one as the likeliest k steps later, so that the regret of the best delayed policy is 1 − p^k as n → ∞, with p
= p_minimax.

Derivation of the counterexample. The number of moves in k steps is Binomial(k, 1 − p), whatever the agent does. The
best policy guesses its mode, modulo n; that is not 0 once (k + 1)(1 − p) > 1. For k < n its regret is 1 − max_j C(k,
j) (1 − p)^j p^(k − j), and n does not matter. And p_minimax of the cycle is max(p, 1 − p). The bound itself survives:
see Equation 4, on another example.
"""

from __future__ import annotations

import rtsim
from rtsim import agents, mdps
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, estimated, exact
from rtsim.regret import regret
from rtsim.theory import best_delayed, cycle_delay_regret, delay_regret_per_action, p_minimax

ROUNDING = {"margin": 1e-8, "how": "rounding in the stationary distribution"}


def claim(full: bool = False) -> Claim:
    steps, runs = (50_000, 48) if full else (5_000, 16)
    findings = []
    for n in (3, 10, 100):
        for p, k in ((0.6, 2), (0.9, 5), (0.9, 20), (0.99, 20)):
            mdp = mdps.delay(n, p)
            found = best_delayed(mdp, k)
            what = f"cycle, n = {n}, p = {p:g}, k = {k}: least regret per step"
            findings.append(exact(what, 1 - found.gain, cycle_delay_regret(n, p, k), "ours", **ROUNDING))
            if n == 100:
                findings.append(exact(f"{what}, paper", 1 - found.gain, delay_regret_per_action(p, k), **ROUNDING))
    n, p, k = 100, 0.6, 2
    mdp = mdps.delay(n, p)
    schedule = rtsim.simulate(
        rtsim.Scenario(f"time_triggered(deadline={k}steps)", float(k), workers=k + 1, step_time=1.0, steps=steps),
        engine="compiled",
    )
    policy = agents.Tabular(best_delayed(mdp, k).policy)
    lost = [regret(mdp, policy, schedule, seed, expected=False).delay / schedule.acted.sum() for seed in range(runs)]
    paper, ours = delay_regret_per_action(p, k), cycle_delay_regret(n, p, k)
    findings += [
        estimated(f"cycle, n = {n}, p = {p:g}, k = {k}, simulated: regret per action", lost, paper),
        estimated("... the mode of the binomial", lost, ours, "ours"),
        exact("p_minimax of the cycle with p = 0.3", p_minimax(mdps.delay(n, 0.3)), 0.3),
    ]
    return Claim(
        "equation_4_cycle",
        "Riemer et al. 2025, App. B.2 (proof of Eq. 4)",
        __doc__ or "",
        tuple(findings),
        counterexample=f"for p = {p:g}, k = {k} and any n > {k}, guessing that the state has moved on by one loses "
        f"{ours:.2f} per step, less than 1 − p^k = {paper:.2f}",
    )


if __name__ == "__main__":
    show(claim)
