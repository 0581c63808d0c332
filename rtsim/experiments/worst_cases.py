"""Regret on the papers' worst cases, simulated and predicted: rates against inference time, delay, learning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rtsim import mdps, theory
from rtsim.agents import Oracle, Policy, Tabular
from rtsim.clocks import engine_for, simulate
from rtsim.experiments.closed_forms import inaction_fraction, interaction_time
from rtsim.intervals import Interval, mean_ci95
from rtsim.mdps import TabularMDP
from rtsim.regret import regret_over_seeds
from rtsim.rollout import undelayed
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule
from rtsim.timing.units import NS, whole


@dataclass(frozen=True)
class RegretRate:
    """Inaction regret per second on the inaction worst case, for one scenario.

    Attributes
    ----------
    series : str
        What one line of a picture is about.
    rule : str
        With its options.
    workers : int
    inference_time_s, step_time_s : float
        Means, seconds.
    steps, seeds : int
    inaction_per_s : float
        Mean over the seeds, reward per second.
    inaction_per_s_ci95 : (float, float) or None
        Student t interval.
    theory_per_s : float or None
        Equation 3 with the interaction time that theory predicts; None where there is no closed form.
    """

    series: str
    rule: str
    workers: int
    inference_time_s: float
    step_time_s: float
    steps: int
    seeds: int
    inaction_per_s: float
    inaction_per_s_ci95: Interval | None
    theory_per_s: float | None


def regret_rates(series: Mapping[str, Sequence[Scenario]], *, seeds: int = 8) -> list[RegretRate]:
    """Regret per second on :func:`rtsim.mdps.inaction` for each scenario, beside Remarks 1 and 2.

    The theory is Equation 3 of Riemer et al. 2025 with a predicted mean interaction time, τ̄_M/(1 − q) for the
    inaction fraction q that the rule's closed form says: Remark 1 for ``sequential``, Remark 2 for ``max_time`` that
    starts warm (0 from N τ_M >= τ_θ^max on).

    Parameters
    ----------
    series : mapping of str to sequence of Scenario
    seeds : int
        How many, from each scenario's own on; each has a Schedule and a rollout of its own.

    Raises
    ------
    InvalidValue

    >>> points = [Scenario("sequential", time, step_time=0.1, steps=2_000) for time in (0.2, 0.4)]
    >>> for found in regret_rates({"sequential": points}, seeds=2):
    ...     print(round(found.inaction_per_s, 2), round(found.theory_per_s, 2))
    5.0 5.0
    7.5 7.5
    """
    count = whole(seeds, "seeds", 1, 10**6)
    mdp = mdps.inaction()
    policy = Tabular(theory.optimum(mdp).policy)
    runs = count * sum(map(len, series.values()))
    found = []
    for name, scenarios in series.items():
        for scenario in scenarios:
            longest: list[float] = []
            clock = engine_for(scenario, runs=runs)

            def run(
                seed: int, scenario: Scenario = scenario, longest: list[float] = longest, clock: str = clock
            ) -> Schedule:
                schedule = simulate(scenario.with_(seed=seed), engine=clock)
                longest.append(schedule.totals["longest_inference_ns"] / NS)
                return schedule

            numbers = range(scenario.seed, scenario.seed + count)
            rate, interval = regret_over_seeds(mdp, policy, run, numbers, best=policy, expected=False).per_second[
                "inaction"
            ]
            step = scenario.step_mean
            between = interaction_time(scenario, inaction_fraction(scenario, max(longest)))
            found.append(
                RegretRate(
                    name,
                    str(scenario.rule),
                    scenario.workers,
                    scenario.inference_mean,
                    step,
                    scenario.steps,
                    count,
                    rate,
                    interval,
                    None if between is None else theory.inaction_regret(1.0, between, step),
                )
            )
    return found


@dataclass(frozen=True)
class DelayLoss:
    """What a delay of k steps costs on one MDP, per action of the agent.

    Attributes
    ----------
    mdp, family : str
        Its name, and that of its family: ``jump(n=10, p=0.5)`` and ``jump``.
    states : int
    p_minimax : float
    delay : int
        k, steps.
    bound : float
        1 − p_minimax^k, Equation 4 of Riemer et al. 2025 per action.
    exact : float
        Optimal gain less that of the best memoryless policy k steps late.
    proved : bool
        Whether ``exact`` is that; else it is what the best policy found loses.
    measured : float
        Delay regret per action of that policy, mean over the seeds.
    measured_ci95 : (float, float) or None
        Student t interval.
    steps, seeds : int
    """

    mdp: str
    family: str
    states: int
    p_minimax: float
    delay: int
    bound: float
    exact: float
    proved: bool
    measured: float
    measured_ci95: Interval | None
    steps: int
    seeds: int


def delay_losses(
    names: Iterable[str | TabularMDP], delays: Iterable[int], *, steps: int = 20_000, seeds: int = 8
) -> list[DelayLoss]:
    """Equation 4's bound, the exact optimum and a simulation, for every MDP and delay.

    Parameters
    ----------
    names : iterable of str or TabularMDP
        E.g. ``"jump(n=10, p=0.9)"``.
    delays : iterable of int
        Steps, >= 0.
    steps, seeds : int
        Of the simulation.

    Raises
    ------
    InvalidValue, UnknownName

    >>> found = delay_losses(["delay(n=10, p=0.6)"], [2], steps=2_000, seeds=2)[0]
    >>> round(found.bound, 12), round(found.exact, 12), found.proved
    (0.64, 0.52, True)
    """
    given = [mdps.of(name) for name in names]
    schedules = {lag: late_schedule(lag, steps) for lag in (whole(delay, "delay", 0, 10**4) for delay in delays)}
    found = []
    for mdp in given:
        best_gain, p = theory.optimum(mdp).gain, theory.p_minimax(mdp)
        for lag, schedule in schedules.items():
            best = theory.best_delayed(mdp, lag)
            policy = Tabular(best.policy)
            lost = regret_over_seeds(mdp, policy, schedule, seeds, best=policy, expected=False)
            acted = int(schedule.acted.sum())
            measured, interval = mean_ci95([run.delay / acted for run in lost.runs])
            found.append(
                DelayLoss(
                    mdp.name,
                    mdp.name.partition("(")[0],
                    mdp.states,
                    p,
                    lag,
                    theory.delay_regret_per_action(p, lag),
                    best_gain - best.gain,
                    best.exact,
                    measured,
                    interval,
                    steps,
                    len(lost.seeds),
                )
            )
    return found


def late_schedule(delay: int, steps: int, step_time: float = 1.0, engine: str = "auto") -> Schedule:
    """A Schedule in which the agent acts on every step, k steps late; the first k are the default policy's.

    Parameters
    ----------
    delay : int
        k, steps.
    steps : int
    step_time : float
        Seconds.
    engine : str
        The clock.

    >>> set(late_schedule(3, 20).delay_steps.tolist())
    {3}
    """
    if delay == 0:
        return undelayed(steps, step_time)
    # Half a step short of k, so that rounding to ns cannot make it k + 1.
    rule, time = f"time_triggered(deadline={delay}steps)", (delay - 0.5) * step_time
    return simulate(Scenario(rule, time, workers=delay, step_time=step_time, steps=steps), engine=engine)


@dataclass(frozen=True)
class WorstLearning:
    """The learning regret after T steps on the worst MDP of the JAO family for that T.

    Attributes
    ----------
    steps : int
        T.
    epsilon : float
        Of the worst one.
    learn : float
        Mean over the seeds, reward.
    learn_ci95 : (float, float) or None
        Student t interval, not corrected for the choice of the worst.
    seeds : int
    """

    steps: int
    epsilon: float
    learn: float
    learn_ci95: Interval | None
    seeds: int


def worst_learning(
    learner: Policy, lengths: Iterable[int], epsilons: Iterable[float], *, seeds: int = 8
) -> list[WorstLearning]:
    """Learning regret against time as its lower bound means it: of each T, the worst MDP.

    On a single MDP the regret of a good learner ends up growing like log T. The Ω(√T) of Jaksch et al. 2010 (Theorem
    5; Equation 2 of Riemer et al. 2025) is about a family whose hardest member, a gap of about 1/√T, depends on T. The
    better action is the last one here, so that taking the first of equals is no help. No delay, no inaction.

    Parameters
    ----------
    learner : Policy
        That learns on every step, e.g. ``UCRL2(every_step=True)``.
    lengths : iterable of int
        T.
    epsilons : iterable of float
        Advantages of the better action, of :func:`rtsim.mdps.jao`.
    seeds : int

    >>> from rtsim.agents import UCRL2
    >>> worst_learning(UCRL2(every_step=True), [100, 1_000], [0.01, 0.1], seeds=2)[1].epsilon
    0.1
    """
    family = {}
    for epsilon in epsilons:
        made = mdps.jao(epsilon=epsilon)
        family[epsilon] = TabularMDP.of(made.p[:, ::-1], made.r[:, ::-1])
    found = []
    for length in lengths:
        schedule = undelayed(length)
        lost = {
            epsilon: [run.learn for run in regret_over_seeds(mdp, learner, schedule, seeds, best=Oracle()).runs]
            for epsilon, mdp in family.items()
        }
        worst = max(lost, key=lambda epsilon: float(np.mean(lost[epsilon])))
        found.append(WorstLearning(length, worst, *mean_ci95(lost[worst]), len(lost[worst])))
    return found
