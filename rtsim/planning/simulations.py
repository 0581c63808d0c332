"""What simulations of a row say: means and intervals, charged by the environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rtsim.clocks import simulate
from rtsim.intervals import fraction_ci95, mean_ci95
from rtsim.planning.environment import Environment
from rtsim.planning.predict import Run, simulated
from rtsim.planning.rows import Row, Simulated
from rtsim.planning.tabular import Tabular
from rtsim.regret import RegretCurve, reference, regret_over_seeds
from rtsim.scenario import Scenario

#: Points of the regret curves, one of which lies soon after the warm-up.
POINTS = 128


def summary(environment: Environment, step: float, found: list[Run], steps: int) -> Simulated:
    """Runs of so many steps as means and intervals, charged by the environment; ``step`` is a step's time, seconds."""
    parts = [environment.parts(run.inaction, run.delays) for run in found]
    by_seed = tuple(each.total / step for each in parts)
    regret, inaction = mean_ci95(by_seed), fraction_ci95([run.inaction for run in found])
    return Simulated(
        regret_per_s=regret.mean,
        regret_per_s_ci95=regret.ci95,
        inaction_per_s=float(np.mean([each.inaction for each in parts])) / step,
        delay_per_s=float(np.mean([each.delay for each in parts])) / step,
        inaction_fraction=inaction.mean,
        inaction_fraction_ci95=inaction.ci95,
        delay_steps_mean=simulated(found).delay_mean,
        seeds=len(found),
        steps=steps,
        regret_per_s_by_seed=by_seed,
    )


def on_mdp(environment: Tabular, scenario: Scenario, seeds: Sequence[int], found: Simulated) -> Simulated:
    """The same with the regret of the best delayed policy found, under the Schedules themselves."""
    mdp = environment.mdp
    schedules = {seed: simulate(scenario.with_(seed=seed), engine="compiled") for seed in seeds}
    policy = reference(mdp, schedules[seeds[0]], prove=False).policy
    lost = regret_over_seeds(mdp, policy, schedules.__getitem__, seeds, best=policy, points=POINTS)

    def rates(*parts: str) -> tuple[float, ...]:
        return tuple(settled_rate(curve, parts, scenario.steps - found.steps) for curve in lost.curves)

    total = mean_ci95(by_seed := rates("inaction", "delay"))
    return replace(
        found,
        regret_per_s=total.mean,
        regret_per_s_ci95=total.ci95,
        inaction_per_s=float(np.mean(rates("inaction"))),
        delay_per_s=float(np.mean(rates("delay"))),
        regret_per_s_by_seed=by_seed,
    )


def settled_rate(curve: RegretCurve, parts: Sequence[str], warmup_steps: int) -> float:
    """Sum of some parts of a regret per second, reward/s, from the first of the curve's points after the warm-up on.

    What the first steps cost, before the first action comes, is lost once and says nothing of the long run.

    >>> import rtsim
    >>> from rtsim import mdps
    >>> from rtsim.agents import Tabular
    >>> from rtsim.regret import regret_curve
    >>> late = rtsim.simulate(rtsim.Scenario("max_time", 1.5, workers=2, step_time=1.0, steps=100))
    >>> curve = regret_curve(mdps.of("jump(n=10, p=0.9)"), Tabular(range(10)), late)
    >>> round(settled_rate(curve, ("delay",), 10), 6)  # 1 − P(same after 2 steps)
    0.188889
    """
    begin = min(int(np.searchsorted(curve.steps, warmup_steps)), len(curve.steps) - 2)
    lost = sum(float(getattr(curve, part)[-1] - getattr(curve, part)[begin]) for part in parts)
    return lost / float(curve.seconds[-1] - curve.seconds[begin])


def disagrees(environment: Environment, step: float, row: Row, found: Simulated) -> str:
    """Which predicted number its simulation contradicts; counting steps is good to one per worker."""
    if row.inaction_source == "simulated" or row.prediction is None:
        return ""
    slack = row.workers / found.steps + row.prediction.uncertain

    def outside(value: float, interval: tuple[float, float] | None, by: float) -> bool:
        return interval is not None and not interval[0] - by <= value <= interval[1] + by

    if outside(row.inaction_fraction, found.inaction_fraction_ci95, slack):
        return "inaction"
    worth = slack * max(abs(environment.default_cost), 1e-9) / step
    return "regret" if outside(row.regret_per_s, found.regret_per_s_ci95, worth) else ""
