"""Appendix B.6: in deterministic worlds staggered asynchronous inference has sublinear regret.

Claim. With enough processes there is no inaction, in deterministic worlds no regret from delay, and learning costs
Õ(√τ): the total regret is Õ(√τ).

Derivation. In a deterministic world the state in which an action will apply follows from the observed state and the
actions under way. A policy that knows them acts as if there were no delay, and a learner on states with their pending
actions is a learner on an ordinary MDP. So total regret is bounded for the policy that knows the world, under
``time_triggered`` and under Algorithm 1 started warm, and has an exponent of at most that of √(T ln T) for UCRL2 with
pending actions known. One process alone, with τ_θ > τ_M, loses as much per step as in the beginning for ever (Remark
1): exponent 1. A policy that sees only the old state has linear regret too, even in two states, and so the claim needs
the condition.
"""

from __future__ import annotations

import numpy as np

import rtsim
from rtsim import agents, mdps
from rtsim.cli.ledger import show
from rtsim.experiments.claims import Claim, Finding, estimated, exact
from rtsim.mdps import TabularMDP
from rtsim.regret import regret, regret_curve, step_gaps
from rtsim.rollout import rollout, undelayed
from rtsim.theory import sequential_inaction_rate
from rtsim.theory.pending import augmented


def claim(full: bool = False) -> Claim:
    steps = 2**18 if full else 2**14
    forward, alternate = mdps.forward(4), mdps.alternate()
    law = "uniform(3.5s, 4.5s)"

    def exponent(mdp: TabularMDP, policy: agents.Policy, rule: str, workers: int, seed: int) -> float:
        """Slope of log(1 + total regret) against log time over the second half of the decades."""
        schedule = rtsim.simulate(
            rtsim.Scenario(rule, law, workers=workers, step_time=1.0, steps=steps, seed=seed), engine="compiled"
        )
        curve = regret_curve(mdp, policy, schedule, seed, best=policy, points=40)
        late = curve.steps >= np.sqrt(steps)
        total = curve.total + curve.boundary
        return float(np.polyfit(np.log(curve.seconds[late]), np.log1p(np.maximum(total[late], 0.0)), 1)[0])

    lengths = 2 ** (np.arange(16, 24) if full else np.arange(13, 20))
    # Full widths explore for 2^16 steps before anything settles; 0.3 of them for 2^13.
    learner = agents.UCRL2(scale=1.0 if full else 0.3, every_step=True)
    root = float(np.polyfit(np.log(lengths), 0.5 * np.log(lengths * np.log(lengths)), 1)[0])
    findings: list[Finding] = []
    for rule, workers in (("time_triggered(deadline=5steps)", 5), ("max_time(initial_max=4.5s)", 5)):
        for name, mdp in (("forward", forward), ("alternate", alternate)):
            found = [exponent(mdp, agents.Pending(), rule, workers, seed) for seed in range(8)]
            what = f"{name}, {rule}, pending actions known: exponent of total regret"
            findings += [
                exact(f"{what}, largest of 8 runs", max(found), root, relation="<="),
                _end_of_interval(f"{what}, upper end of its interval", found, root),
            ]
    for k in (1, 2):
        # Nothing is random here: one run says it all.
        world = _with_pending(alternate, k)
        runs = [regret(world, learner, undelayed(number), best=agents.Oracle()) for number in lengths.tolist()]
        slope = float(np.polyfit(np.log(lengths), np.log([run.total + run.boundary for run in runs]), 1)[0])
        what = f"alternate, {k} steps late, UCRL2 with pending actions: exponent of total regret"
        findings.append(exact(what, slope, root, relation="<="))
    coin = agents.Tabular(np.full((2, 2), 0.5))
    blind = [exponent(alternate, coin, "time_triggered(deadline=5steps)", 5, seed) for seed in range(8)]
    alone, grown = [], []
    for seed in range(12):
        schedule = rtsim.simulate(
            rtsim.Scenario("sequential", law, step_time=1.0, steps=steps, seed=seed), engine="compiled"
        )
        run = rollout(mdps.inaction(), agents.Pending(), schedule, seed)
        lost = np.cumsum(step_gaps(mdps.inaction(), run))
        alone.append((lost[-1] - lost[steps // 2 - 1]) / (steps - steps // 2))
        at = np.unique(np.geomspace(np.sqrt(steps), steps, 40).astype(np.int64))
        grown.append(float(np.polyfit(np.log(at), np.log(lost[at - 1]), 1)[0]))
    findings += [
        exact("alternate, best policy of the old state: least exponent of 8 runs", min(blind), root, "beyond", "<="),
        estimated("one process: regret per step in the second half", alone, sequential_inaction_rate(4.0, 1.0), "ours"),
        estimated("one process: exponent of total regret", grown, 1.0, "ours"),
    ]
    return Claim(
        "b6_sublinear",
        "Riemer et al. 2025, App. B.6 and footnote 6",
        __doc__ or "",
        tuple(findings),
        "the policy knows the actions under way",
    )


def _end_of_interval(what: str, exponents: list[float], most: float) -> Finding:
    """The upper end of Student's interval (alarm 1e-6) against the largest exponent there may be."""
    mean = estimated(what, exponents, most)
    return exact(what, mean.found + mean.margin, most, relation="<=")


def _with_pending(mdp: TabularMDP, depth: int) -> TabularMDP:
    """The MDP whose state is the observed one with the actions under way."""
    model = augmented(mdp.p, mdp.r, depth)
    states = mdp.states * mdp.actions**depth
    return TabularMDP.of(np.asarray(model.p.todense()).reshape(states, mdp.actions, states), np.asarray(model.r))


if __name__ == "__main__":
    show(claim)
