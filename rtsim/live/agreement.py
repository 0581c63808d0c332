"""How far the simulator is from what happened: the agreement report.

A recorded run is simulated twice. With its own recorded durations the simulator must make the
same Schedule, step for step: what differs is the clock's fault. Without them the statistics must agree: what
differs then is what the profile does not know. Timed inference is simulated from the plan's own law, at the seeds
of the runs, so that both draw the same times; real inference, which has slow spells, from what it took at each
moment of another run (:mod:`rtsim.live.traces`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsim.clocks import simpy_clock
from rtsim.clocks import simulate as simulate_on_any
from rtsim.clocks.draws import RecordedDurations
from rtsim.errors import InvalidValue
from rtsim.live import virtual
from rtsim.live.plan import LivePlan
from rtsim.live.rows import Row, row_of
from rtsim.live.summary import warmup_steps
from rtsim.live.traces import TraceDurations
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule
from rtsim.schedulers import RuleSpec
from rtsim.schedulers.rule import Steps
from rtsim.timing import Empirical, Law
from rtsim.timing.grammar import Percentile

#: Durations that a fitted law keeps; more are thinned out evenly.
SAMPLES = 20_000
#: Simulated runs without the recorded durations, and of how many of them the rewards are told, which take longest.
SEEDS, REWARDED = 20, 20
#: Longer than any run: what was still going on when the recording ended never ends.
NEVER = 2**60

LIMITS = (
    "timed inference takes what the plan's law says, and what the machine adds to it is not simulated; real inference "
    "takes what it took at some moment of another run, so how workers slow each other down is that run's",
    "a worker that the environment started is taken to begin with its step; what it began late is in its duration",
    "inferences under way when the recording ended are not in the fit, which favours short ones a little in short runs",
)
#: The same for runs that learnt.
LEARNT = "weights are not kept version by version: actions of a run that learnt are replayed, not chosen again"


@dataclass(frozen=True)
class Mismatch:
    """A step whose action came from another observation in the simulation.

    Attributes
    ----------
    step : int
    recorded, simulated : int
        Step of the observation behind the action; -1: the default policy acted.
    reason : str
        Why, in words; ``"not explained"`` is the clock's fault.
    """

    step: int
    recorded: int
    simulated: int
    reason: str


@dataclass(frozen=True)
class Identity:
    """One recorded run against its simulation with the recorded durations.

    Attributes
    ----------
    steps, same_source, same_worker : int
        Steps; those with the same observation behind the action, or the default policy in both;
        those with the same worker besides.
    mismatches : tuple of Mismatch
        The first hundred.
    """

    steps: int
    same_source: int
    same_worker: int
    mismatches: tuple[Mismatch, ...]

    @property
    def share(self) -> float:
        """Share of steps with the same source."""
        return self.same_source / self.steps


def simulate_recorded(schedule: Schedule) -> Schedule:
    """The scenario of a recorded run, simulated with the durations that were recorded."""
    virtual.recorded(schedule)
    assert schedule.spans is not None
    scenario = Scenario.from_json(schedule.settings)
    spans, updates = schedule.spans, schedule.updates
    lengths = spans["end_ns"] - spans["start_ns"]
    inferences = [
        _in_order(spans["inference"][own], lengths[own])
        for own in (np.flatnonzero(spans["worker"] == w) for w in range(scenario.workers))
    ]
    taken = updates["end_ns"] - updates["start_ns"]
    # Updates that land as one are recorded as one, with the time of the slowest: it is what all of them wait for.
    merged = scenario.learner.merged
    learned = [
        _in_order(updates["start_ns"][own], taken[own])
        for own in (np.flatnonzero(merged | (updates["learner"] == k)) for k in range(scenario.learner_count))
    ]
    return simpy_clock.simulate(scenario, spans=True, draws=RecordedDurations(inferences, learned, NEVER))


def _in_order(index: NDArray[np.int64], lengths: NDArray[np.int64]) -> tuple[list[int], list[int]]:
    found = lengths[np.argsort(index)].tolist()
    return found, [0] * len(found)


def identity(schedule: Schedule) -> Identity:
    """Compare a recorded run with its simulation from the recorded durations, step by step."""
    simulated = simulate_recorded(schedule)
    was, now = schedule.steps["observation"], simulated.steps["observation"]
    same = was == now
    same_worker = same & (schedule.steps["worker"] == simulated.steps["worker"])
    reasons = _Reasons(schedule)
    rows = np.flatnonzero(~same)[:100].tolist()
    mismatches = tuple(Mismatch(step, int(was[step]), int(now[step]), reasons.of(step)) for step in rows)
    return Identity(len(schedule), int(same.sum()), int(same_worker.sum()), mismatches)


class _Reasons:
    """Why a simulated step differs from the recorded one: the first cause found, in this order."""

    def __init__(self, schedule: Schedule) -> None:
        about = schedule.header["live"]
        self._lost_at = min((fault["time_s"] for fault in about["faults"]), default=np.inf)
        self._rows_lost = about["rows_lost"]
        self._starts = schedule.steps["time_ns"]
        self._stages = Scenario.from_json(schedule.settings).program().stages
        self._standstill = _first_standstill(schedule)

    def of(self, step: int) -> str:
        time = int(self._starts[step])
        if self._lost_at * 1e9 <= time:
            return "after a process was lost, with what it was doing"
        if self._rows_lost:
            return "rows of the record were overwritten before they were taken"
        if self._stages > 1:
            return "a stage of a pipeline ends with the drawn time, not with the recorded one"
        if self._standstill <= time:
            return (
                "the environment was late: what ended meanwhile counts as ending at one time, and was taken in another "
                "order than the simulation takes it"
            )
        return "not explained"


def _first_standstill(schedule: Schedule) -> float:
    """When several inferences first ended at the very moment before a step that was late, ns; inf: never."""
    assert schedule.spans is not None
    ends, starts = schedule.spans["end_ns"], schedule.steps["time_ns"]
    before = np.intersect1d(ends, starts - 1)
    together = [int(time) for time in before.tolist() if (ends == time).sum() > 1]
    return float(min(together)) if together else np.inf


@dataclass(frozen=True)
class Agreement:
    """How far simulation and reality differ for one plan.

    Attributes
    ----------
    runs : int
    identities : tuple of Identity, one per run
    rows : tuple of Row
    delay_distance : float
        Kolmogorov–Smirnov distance of the delay distributions, fitted simulation against live, 0..1.
    live_delays, simulated_delays : tuple of float
        Share of the agent's steps by delay, from 0 steps on, all runs together.
    fitted_on : str
        Which runs the durations come from.
    warmup_steps : int
        First steps of every run that the rows leave out, rewards excepted.
    limits : tuple of str
        What the comparison does not say.
    """

    runs: int
    identities: tuple[Identity, ...]
    rows: tuple[Row, ...]
    delay_distance: float
    live_delays: tuple[float, ...]
    simulated_delays: tuple[float, ...]
    fitted_on: str
    limits: tuple[str, ...] = field(default=LIMITS)
    warmup_steps: int = 0

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "schema": "rtsim.agreement/1",
            "runs": self.runs,
            "fitted_on": self.fitted_on,
            "warmup_steps": self.warmup_steps,
            "identical_source": [one.share for one in self.identities],
            "identities": [asdict(one) for one in self.identities],
            "rows": [{**asdict(row), "tells": row.tells} for row in self.rows],
            "delay_distance": self.delay_distance,
            "live_delays": list(self.live_delays),
            "simulated_delays": list(self.simulated_delays),
            "limits": list(self.limits),
        }


def fitted_law(schedules: Sequence[Schedule]) -> Law:
    """The law of all inference times of some runs: every one of them equally likely.

    Raises
    ------
    InvalidValue
        If no inference ended in them.
    """
    found = _equally_likely([_durations(schedule) for schedule in schedules])
    if found is None:
        raise InvalidValue("no inference ended in these runs, so nothing can be fitted; record longer ones")
    return found


def fitted_learning(schedules: Sequence[Schedule]) -> Law | None:
    """The law of all learning times of some runs: every one of them equally likely; None without any.

    What learners that land in turn wait for each other is no part of a learning time, see :mod:`rtsim.live.landings`.
    """
    return _equally_likely([schedule.updates["end_ns"] - schedule.updates["start_ns"] for schedule in schedules])


def fitted_scenario(scenario: Scenario, law: Law, learning: Law | None = None) -> Scenario:
    """A scenario with another law for everything an inference takes, and, if given, for learning.

    Options that were quantiles of the scenario's own law keep the values they had.
    """
    setting, spec = scenario.setting(), scenario.rule
    fixed: dict[str, Any] = {}
    for name, value in spec.options.items():
        if isinstance(value, Percentile) and spec.rule.options[name].kind == "deadline":
            fixed[name] = Steps(setting.steps(value, name))
        elif isinstance(value, Percentile) and spec.rule.options[name].kind == "time":
            fixed[name] = setting.ns(value, name) / 1e9
    rule = RuleSpec(spec.rule, {**spec.options, **fixed})
    found = scenario.with_(rule=rule, inference_time=law.scaled(1 / spec.time_factor), dispatch_time=None)
    return found if learning is None else found.with_(learning_time=learning)


def _equally_likely(durations: Sequence[NDArray[np.int64]]) -> Law | None:
    """The law of durations in ns, of several runs."""
    times = np.sort(np.concatenate(durations)) / 1e9
    if len(times) == 0:
        return None
    if len(times) > SAMPLES:
        times = times[np.linspace(0, len(times) - 1, SAMPLES).round().astype(int)]
    return Empirical(tuple(times.tolist()), f"fitted({len(times)} samples)")


def _durations(schedule: Schedule) -> NDArray[np.int64]:
    assert schedule.spans is not None
    return np.asarray(schedule.spans["end_ns"] - schedule.spans["start_ns"], dtype=np.int64)


def agree(
    schedules: Sequence[Schedule],
    *,
    seeds: int = SEEDS,
    with_rewards: bool = True,
    names: Sequence[str] = (),
    on_progress: Callable[[str, float, float], None] | None = None,
) -> Agreement:
    """Compare runs of one plan with the simulator.

    Parameters
    ----------
    schedules : sequence of Schedule
        Recorded; they may differ in the seed and in nothing else. Of real inference and learning each half is
        simulated from the times of the other, and all simulations together are held against all runs (each half
        alone: :attr:`Row.unseen`); a single run from its own.
    seeds : int
        Simulated runs. Of timed inference the first ones have the seeds of the recorded runs, others come after; of
        real inference there are as many from each recorded run, if it divides by their number.
    with_rewards : bool
        Play the simulated Schedules on the emulator, too: the first :data:`REWARDED`.
    names : sequence of str, optional
        Of the runs, e.g. their files, for error messages; "run 1" and so on if not given.
    on_progress : callable(what, done, total), optional

    Returns
    -------
    Agreement

    Raises
    ------
    InvalidValue
        If the runs follow different plans, naming the first run and setting that differ.
    """
    plans = [virtual.plan_of(schedule) for schedule in schedules]
    first = plans[0]
    _check_alike(plans, names or [f"run {index}" for index in range(1, len(plans) + 1)])
    report = on_progress or (lambda what, done, total: None)
    identities = []
    for index, schedule in enumerate(schedules):
        report("recorded durations", index, len(schedules))
        identities.append(identity(schedule))
    warmup = min(map(warmup_steps, schedules))
    real, count = first.inference == "real", len(schedules)
    fits = _fits(schedules, real, first.learning is not None)
    simulated, rewards = [], []
    for index in range(seeds):
        report("without them", index, seeds)
        source, again = index % count, not real and index < count
        scenario = fits[source % 2] or first.scenario
        scenario = scenario.with_(
            seed=plans[index].scenario.seed if again else 1000 + index, steps=len(schedules[index % count])
        )
        simulated.append(_simulated(scenario, schedules[source], real))
        if with_rewards and index < REWARDED:
            rewards.append(_rate(virtual.rewards(simulated[-1], plans[source]), first.scenario))
    quantities = {**QUANTITIES, **(LEARNING if first.scenario.learner_count else {})}
    fitted = fits[0] is not None
    rows = [
        _row(name, unit, [what(s, warmup) for s in schedules], [what(s, warmup) for s in simulated], fitted)
        for name, (unit, what) in quantities.items()
    ]
    if with_rewards:
        live_rewards = [_rate(virtual.recorded(s)["reward"], first.scenario) for s in schedules]
        rows.append(_row("reward rate", "1/s", live_rewards, rewards, fitted))
    delays = [np.concatenate([_delays(s, warmup) for s in group]) for group in (schedules, simulated)]
    fitted_on = ("the other half of the runs" if count > 1 else "the same run") if fitted else "the plan"
    return Agreement(
        len(schedules),
        tuple(identities),
        tuple(rows),
        _distance(*delays),
        _shares(delays[0]),
        _shares(delays[1]),
        fitted_on,
        limits=LIMITS if first.learning is None else (*LIMITS, LEARNT),
        warmup_steps=warmup,
    )


def _simulated(scenario: Scenario, source: Schedule, real: bool) -> Schedule:
    """One simulated run of a scenario with a fitted law; of real inference, with the times of a recorded run."""
    if not real or source.spans is None or not len(source.spans["start_ns"]):
        return simulate_on_any(scenario)
    turned = int(np.random.default_rng(scenario.seed).integers(scenario.steps))
    return simpy_clock.simulate(scenario, draws=TraceDurations(source, scenario, turned))


def _fits(schedules: Sequence[Schedule], real: bool, learns: bool) -> list[Scenario | None]:
    """The scenario with the laws of each half of the runs; None: the plan's own, of timed inference without learning.

    What is held back takes what the scenario says; what really computes takes its own time.
    """
    scenario = virtual.plan_of(schedules[0]).scenario
    halves = [schedules[0::2], schedules[1::2]] if len(schedules) > 1 else [schedules, schedules]
    learning = [fitted_learning(half) if learns else None for half in halves]
    if real:
        return [fitted_scenario(scenario, fitted_law(half), law) for half, law in zip(halves, learning, strict=True)]
    return [None if law is None else scenario.with_(learning_time=law) for law in learning]


def _row(quantity: str, unit: str, live: list[float], simulated: list[float], fitted: bool) -> Row:
    """The row of a quantity; ``simulated[i]`` was made from the times of recorded run i modulo their number, if any."""
    count = len(live)
    if not fitted:
        return row_of(quantity, unit, live, simulated)
    by_source = [simulated[source::count] for source in range(min(count, len(simulated)))]
    # Simulations from the times of one run are no more independent of each other than it is one run.
    row = row_of(quantity, unit, live, [float(np.mean(one)) for one in by_source])
    if count < 2 or len(by_source) < count:
        return row
    return replace(
        row,
        unseen=tuple(
            row_of(quantity, unit, live[half::2], [value for one in by_source[1 - half :: 2] for value in one]).error
            for half in (0, 1)
        ),
    )


def _rate(rewards: NDArray[np.float64], scenario: Scenario) -> float:
    """Reward per second, of the rewards of every step."""
    return float(rewards.sum() / (len(rewards) * scenario.step_mean))


def _check_alike(plans: Sequence[LivePlan], names: Sequence[str]) -> None:
    """Runs may differ in the seed and in nothing else."""
    first = _settings(plans[0])
    for plan, name in zip(plans[1:], names[1:], strict=True):
        for setting, value in _settings(plan).items():
            if value != first[setting]:
                raise InvalidValue(
                    f"these runs follow different plans: {setting} is {value} in {name}, and {first[setting]} in "
                    f"{names[0]}; compare runs of one plan, which may differ in the seed"
                )


def _settings(plan: LivePlan) -> dict[str, Any]:
    """All settings of a plan by name, except the seed."""
    found = plan.to_json()
    return {**{k: v for k, v in found.pop("scenario").items() if k != "seed"}, **found}


def _gaps(schedule: Schedule, warmup: int) -> NDArray[np.int64]:
    times = schedule.steps["time_ns"][warmup:]
    return np.asarray(np.diff(times[schedule.acted[warmup:]]), dtype=np.int64)


def _delays(schedule: Schedule, warmup: int) -> NDArray[np.int64]:
    acted = np.flatnonzero(schedule.acted[warmup:]) + warmup
    return np.asarray(acted - schedule.steps["observation"][acted], dtype=np.int64)


def _quantile(values: NDArray[np.int64], q: float) -> float:
    return float(np.quantile(values, q, method="inverted_cdf")) if len(values) else np.nan


def _mean(values: NDArray[np.int64]) -> float:
    return float(values.mean()) if len(values) else np.nan


#: What is compared: unit, and how it is computed from a Schedule without its first steps.
QUANTITIES: dict[str, tuple[str, Callable[[Schedule, int], float]]] = {
    "inaction fraction": ("", lambda s, w: float(1 - s.acted[w:].mean())),
    "interaction time, mean": ("ms", lambda s, w: _mean(_gaps(s, w)) / 1e6),
    "interaction time, p99": ("ms", lambda s, w: _quantile(_gaps(s, w), 0.99) / 1e6),
    "delay, mean": ("steps", lambda s, w: _mean(_delays(s, w))),
    "delay, p99": ("steps", lambda s, w: _quantile(_delays(s, w), 0.99)),
    "overwritten": ("", lambda s, w: float(s.steps["overwritten"][w:].sum() / max(s.steps["released"][w:].sum(), 1))),
}
#: The same of learning.
LEARNING: dict[str, tuple[str, Callable[[Schedule, int], float]]] = {
    "updates": ("per step", lambda s, w: s.tally(w).updates / (len(s) - w)),
    "staleness of gradients, mean": ("updates", lambda s, w: _ratio(s.tally(w).staleness, s.tally(w).updates)),
    "staleness of actions, mean": ("updates", lambda s, w: _ratio(s.tally(w).age, s.tally(w).used)),
}


def _ratio(total: float, count: int) -> float:
    return total / count if count else np.nan


def _shares(delays: NDArray[np.int64]) -> tuple[float, ...]:
    found: list[float] = (np.bincount(delays) / max(len(delays), 1)).tolist()
    return tuple(found)


def _distance(live: NDArray[np.int64], simulated: NDArray[np.int64]) -> float:
    """Kolmogorov–Smirnov distance of the delays."""
    from scipy.stats import ks_2samp

    if min(len(live), len(simulated)) == 0:
        return float(len(live) != len(simulated))
    return float(ks_2samp(live, simulated).statistic)
