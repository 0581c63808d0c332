"""Proposition 2: what follows a delayed state is not Markov, and with the actions under way it is.

Claim. A policy that bases its actions on s_(t−Nδ) alone meets non-Markovian transitions; with the actions since then
in the state they are Markovian.

Derivation. The state in which an action will be applied is distributed as p^(a_1) ⋯ p^(a_k) from the observed state.
If that depends on the actions under way, the same observed state is followed by one thing under one policy and by
another under another; given the actions, it is a fixed product. Both are seen here on a random MDP: two constant
policies differ in P(s_t | s_(t−2)) by as much as the products of their matrices do, and two random ones do not differ
given the actions. If no action moves the state the first half fails: then a delayed state is Markovian as it is
(``jump``, the worst case of Proposition 1, is such a world).
"""

from __future__ import annotations

import numpy as np

import rtsim
from rtsim import agents, mdps
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, estimated, exact
from rtsim.rollout import Rollout, rollout
from rtsim.theory import pending_influence


def claim(full: bool = False) -> Claim:
    steps, runs = (60_000, 32) if full else (8_000, 16)
    mdp = mdps.garnet(4, 2, 2, seed=3)
    late = rtsim.simulate(
        rtsim.Scenario("time_triggered(deadline=2steps)", 2.0, workers=3, step_time=1.0, steps=steps), engine="compiled"
    )
    squares = [np.linalg.matrix_power(mdp.p[:, a], 2) for a in (0, 1)]
    # The observed state after which the two constant policies differ most, and what they then differ in.
    state, then = np.unravel_index(np.abs(squares[0] - squares[1]).argmax(), squares[0].shape)

    def share(run: Rollout, actions: tuple[int, int] | None) -> float:
        """How often ``then`` is the state two steps after ``state``, given the two actions or not."""
        old = run.states[10:-3] == state
        if actions is not None:
            old &= (run.actions[10:-2] == actions[0]) & (run.actions[11:-1] == actions[1])
        return float((run.states[12:-1][old] == then).mean())

    constant = [agents.Tabular(np.full(4, a)) for a in (0, 1)]
    random = [agents.Tabular(np.tile([chance, 1 - chance], (4, 1))) for chance in (0.3, 0.7)]
    apart, alike, product = [], [], []
    for seed in range(runs):
        apart.append(np.subtract(*(share(rollout(mdp, policy, late, seed), None) for policy in constant)))
        given = [share(rollout(mdp, policy, late, seed + runs * which), (0, 1)) for which, policy in enumerate(random)]
        alike.append(np.subtract(*given))
        product.append(float(np.mean(given)))
    differ = float((squares[0] - squares[1])[state, then])
    findings = (
        exact("random MDP, two steps late: pending actions matter (1: yes)", float(pending_influence(mdp, 2) > 0), 1.0),
        exact("forward: pending actions matter", float(pending_influence(mdps.forward(), 2) > 0), 1.0),
        estimated("random MDP: difference of P(s_t | s_(t−2)) between two policies", apart, differ),
        exact("... is not zero (1: not)", float(abs(differ) > 0.01), 1.0, "ours"),
        estimated("... given the actions under way", alike, 0.0),
        estimated("... and is the product of their matrices", product, float((mdp.p[:, 0] @ mdp.p[:, 1])[state, then])),
        exact("jump: pending actions matter", float(pending_influence(mdps.jump(4, 0.9), 2) > 0), 1.0, "beyond"),
    )
    return Claim(
        "proposition_2",
        "Anokhin et al. 2025, Proposition 2",
        __doc__ or "",
        findings,
        "actions change where the state goes",
    )


if __name__ == "__main__":
    show(claim)
