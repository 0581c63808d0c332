"""The second paper's definitions of delay and inaction regret add up to the realtime regret.

Claim. With G^π(t, π') the reward that π earns, running all the time, on the steps that belong to π', delay regret is
G^π*(t, π_par) − G^π_par(t, π_par) and inaction regret G^π*(t, β) − G^β(t, β). Appendix H has the realtime regret as
their sum (and the learning part).

Derivation. Both terms compare runs of *one* policy. In the real run the two take turns, and each goes on from where
the other has led. If no action moves the state (``jump``) that makes no difference and the sum is exact. On ``pit``
with two rungs and an agent that has every other step, the parallel policy alone would stay on top and lose nothing,
and the default policy alone loses 1 on its half of the steps; taking turns they never reach the top. The definitions
add up to half of the true regret of 1 per step. Sums of gaps along the real run (see Equation 1) do not have this
fault.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import rtsim
from rtsim import agents, mdps
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, estimated, exact
from rtsim.mdps import TabularMDP
from rtsim.rollout import rollout
from rtsim.theory import jump_delay_regret, optimum


def claim(full: bool = False) -> Claim:
    steps, runs = (40_000, 48) if full else (4_000, 16)
    turns = rtsim.simulate(
        rtsim.Scenario("sequential(wait_observation=true)", 2.0, step_time=1.0, steps=steps), engine="compiled"
    )
    acted = turns.acted
    n, p = 10, 0.8
    jump = mdps.jump(n, p)
    # From the uniform start jump is stationary: the best policy loses its closed form on each of its steps, β all of 1.
    defined = (acted.sum() * jump_delay_regret(n, p, 2) + (~acted).sum()) / steps
    true = [1.0 - rollout(jump, agents.Tabular(range(n)), turns, seed).rewards.mean() for seed in range(runs)]

    pit = mdps.pit(2)
    best = _expected(pit, pit.p[:, 0], pit.r[:, 0], steps)
    moves, paid = pit.chain_under_default
    default = _expected(pit, moves, paid, steps)
    # The only action is the optimal one, so that acting late changes nothing: π_par alone is π*.
    delay = float((best - best)[acted].sum())
    inaction = float((best - default)[~acted].sum())
    run = rollout(pit, agents.Tabular([0, 0, 0]), turns)
    regret = float(best.sum() - run.rewards.sum())
    ends = {"margin": 4 / steps, "how": "the way down at the beginning"}
    findings = (
        estimated("jump, two steps late, every second step: regret per step, against the definitions", true, defined),
        exact("pit of depth 2, every second step: true regret per step, against the definitions", regret / steps,
              (delay + inaction) / steps, "beyond", **ends),
        exact("... the definitions", (delay + inaction) / steps, 0.5, "ours", **ends),
        exact("... the true regret", regret / steps, 1.0, "ours", **ends),
        exact("... optimal gain", optimum(pit).gain, 1.0, "ours"),
    )  # fmt: skip
    return Claim(
        "second_paper_regrets",
        "Anokhin et al. 2025, App. F (Eqs. 3 and 4) and App. H",
        __doc__ or "",
        findings,
        "no action, of the agent or of the default policy, changes where the state goes",
    )


def _expected(mdp: TabularMDP, p: NDArray[np.float64], r: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Expected reward on each step if the same chain runs all the time."""
    found, state = np.empty(steps), mdp.start.copy()
    for i in range(steps):
        found[i] = state @ r
        state = state @ p
    return found


if __name__ == "__main__":
    show(claim)
