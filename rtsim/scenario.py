"""A scenario: everything that decides a Schedule, and nothing else.

Clocks turn a scenario into a :class:`~rtsim.schedule.Schedule`. Two clocks given the same
scenario give the same Schedule.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from rtsim.errors import InvalidValue
from rtsim.schedulers import LearnerRule, Program, RuleSpec, Setting, find_learner
from rtsim.theory import capacity_limit, ceil_ratio
from rtsim.timing import Constant, Law, law, step_period, units
from rtsim.timing.grammar import Percentile

MAX_STEPS = 10**9
MAX_WORKERS = 100_000
MAX_WORK = 2e9
GAME_BOY = "59.7275fps"


@dataclass(frozen=True)
class Mailbox:
    """Where released actions wait for the next step.

    ``latest`` keeps the action released last (the one replaced is *overwritten*); ``fifo(n)``
    queues up to n in order of release (one that finds it full is *dropped*).

    >>> Mailbox.of("fifo(4)").capacity
    4
    """

    kind: str = "latest"
    capacity: int = 1

    def __post_init__(self) -> None:
        if self.kind not in ("latest", "fifo"):
            raise InvalidValue(f"mailbox {self.kind!r} must be latest or fifo")
        units.whole(self.capacity, "mailbox capacity", 1, 10**9)

    @classmethod
    def of(cls, text: str | Mailbox) -> Mailbox:
        """Read ``"latest"`` or ``"fifo(4)"``; InvalidValue otherwise."""
        if isinstance(text, Mailbox):
            return text
        if not isinstance(text, str):
            raise InvalidValue(f"mailbox {text!r} must be a text such as 'latest' or 'fifo(4)'")
        match = re.fullmatch(r"\s*(latest|fifo\s*\(\s*([0-9]{1,9})\s*\))\s*", text)
        if match is None or match[2] == "0" or (match[2] and int(match[2]) < 1):
            raise InvalidValue(f"mailbox {text!r} must be latest or fifo(n) with n >= 1, e.g. fifo(4)")
        return cls() if match[2] is None else cls("fifo", int(match[2]))

    def __str__(self) -> str:
        return self.kind if self.kind == "latest" else f"fifo({self.capacity})"


@dataclass(frozen=True)
class Scenario:
    """One run: a rule, its workers, how long things take, and for how many steps.

    Attributes
    ----------
    rule : RuleSpec or str
        E.g. ``"max_time(initial_max=p99.9)"``.
    inference_time : Law, float (seconds) or str
        Time of one inference, before dispatch.
    workers : int
        Inference processes, >= 1.
    step_time : str, float (seconds), Fraction (ns) or Law
        A fixed rate such as ``"59.7275fps"``, or a law of the time between steps.
    steps : int
        Environment steps to simulate.
    seed : int
        >= 0; names all random streams.
    mailbox : Mailbox or str
    dispatch_time : Law, optional
        Overhead of handing one inference to a worker and its result back. It lengthens the
        inference: the rule sees the sum, as a live worker would measure it.
    learning_time : Law, optional
        Time of one gradient update; without it nobody learns.
    learner_rule : str
        ``auto`` is ``round_robin``. The rule ``sequential`` always learns in its own process,
        whatever is given here.
    learners : int
        Learning processes; the rule ``sequential`` has none but its own.
    learning_starts : int
        First step at which an update may start (replay warm-up).
    batch : int
        Transitions per update.

    Raises
    ------
    InvalidValue, UnknownName
        On construction, for anything out of range.

    >>> Scenario("max_time", "84ms", workers=6).capacity_limit
    0.0
    >>> str(Scenario("unstaggered", 0.5).inference_time)
    '500ms'
    """

    rule: RuleSpec
    inference_time: Law
    workers: int
    step_time: Fraction | Law
    steps: int
    seed: int
    mailbox: Mailbox
    dispatch_time: Law | None
    learning_time: Law | None
    learner_rule: str
    learners: int
    learning_starts: int
    batch: int

    def __init__(
        self,
        rule: RuleSpec | str,
        inference_time: Law | float | str,
        workers: int = 1,
        step_time: str | float | Fraction | Law = GAME_BOY,
        steps: int = 10_000,
        seed: int = 0,
        mailbox: Mailbox | str = "latest",
        dispatch_time: Law | float | str | None = None,
        learning_time: Law | float | str | None = None,
        learner_rule: str = "auto",
        learners: int = 1,
        learning_starts: int = 0,
        batch: int = 16,
    ) -> None:
        spec = RuleSpec.of(rule)
        workers = units.whole(workers, "workers", 1, MAX_WORKERS)
        steps = units.whole(steps, "steps", 1, MAX_STEPS)
        seed = units.whole(seed, "seed", 0, 2**63 - 1)
        learners = units.whole(learners, "learners", 1, MAX_WORKERS)
        learning_starts = units.whole(learning_starts, "learning_starts", 0, MAX_STEPS)
        batch = units.whole(batch, "batch", 1, 10**9)
        if learner_rule != "auto" and find_learner(learner_rule).inline and not spec.rule.learns_inline:
            raise InvalidValue(
                f"learner rule {learner_rule!r} does not go with the rule {spec.name!r}: sequential learning happens "
                "inside the one process of the rule sequential; give --learner-rule auto"
            )
        fields: dict[str, Any] = {
            "rule": spec,
            "inference_time": law(inference_time),
            "workers": 1 if spec.rule.single_worker else workers,
            "step_time": _step_time(step_time),
            "steps": steps,
            "seed": seed,
            "mailbox": Mailbox.of(mailbox),
            "dispatch_time": None if dispatch_time is None else law(dispatch_time),
            "learning_time": None if learning_time is None else law(learning_time, batch=batch),
            "learner_rule": learner_rule,
            "learners": learners,
            "learning_starts": learning_starts,
            "batch": batch,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        measured = re.fullmatch(r"profile:.*@batch(\d+)", str(self.learning_time))
        if measured and int(measured[1]) != batch:
            raise InvalidValue(
                f"learning_time {self.learning_time} was measured at batch {measured[1]}, but batch is {batch}; "
                "give both alike"
            )
        for name in ("inference_time", "dispatch_time", "learning_time"):
            mean = 0.0 if getattr(self, name) is None else getattr(self, name).mean
            if not mean * units.NS <= units.MAX_DURATION_NS:
                raise InvalidValue(f"{name} has mean {mean:g} s; it must be at most 1e6 s (11.6 days)")
        if steps * self.step_mean * units.NS >= 2**62:
            raise InvalidValue(f"{steps} steps of {units.show(self.step_mean)} last longer than 146 years; give fewer")

        self._check_work()

    def _check_work(self) -> None:
        """Refuse what would take days, before it takes them."""
        horizon = self.steps * self.step_mean
        work = {"inferences": self.expected_inferences}
        if self.learning_time is not None and self.learning_time.mean > 0:
            work["updates"] = horizon * self.learner_count / self.learning_time.mean
        for times in (self.duration_law, self.dispatch_time, self.learning_time):
            if times is not None and times.spells is not None:
                work["slow spells"] = 100 * horizon / (times.spells.calm + times.spells.slow)
        for what, count in work.items():
            if count > MAX_WORK:
                raise InvalidValue(
                    f"{self.steps} steps, {units.show(horizon)} in all, would hold about {count:.2g} {what}, "
                    f"more than {MAX_WORK:.0e}; give fewer steps or longer times"
                )

    def with_(self, **changes: Any) -> Scenario:
        """The same scenario with some fields changed."""
        return replace(self, **changes)

    @property
    def duration_law(self) -> Law:
        """The law one inference of this rule draws from (a chunk may take longer), before dispatch."""
        return self.inference_time.scaled(self.rule.time_factor)

    @property
    def inference_mean(self) -> float:
        """Mean time of one inference, dispatch included, seconds."""
        return self.duration_law.mean + (self.dispatch_time.mean if self.dispatch_time else 0.0)

    @property
    def step_mean(self) -> float:
        """Mean time between environment steps, seconds."""
        return float(self.step_time) / units.NS if isinstance(self.step_time, Fraction) else self.step_time.mean

    @property
    def capacity_limit(self) -> float:
        """Least inaction fraction any rule can reach with these workers; see :func:`rtsim.theory.capacity_limit`."""
        least = self.duration_law.least_mean + (self.dispatch_time.least_mean if self.dispatch_time else 0.0)
        return capacity_limit(self.workers * self._actions_per_worker, self.step_mean, least)

    @property
    def _actions_per_worker(self) -> int:
        return self.rule.inferences_in_flight * self.rule.actions_per_inference

    @property
    def least_workers(self) -> int:
        """⌈τ̄_θ/τ_M⌉: about where the capacity limit reaches zero (⌈τ̄_θ/(k τ_M)⌉ for chunks of k)."""
        return ceil_ratio(self.inference_mean / self._actions_per_worker, self.step_mean)

    @property
    def settling_steps(self) -> int:
        """Steps that four long inferences take (0.999 quantile), at least 100, at most half of the run.

        The default warm-up: enough for a maximum to be found and for first offsets to act.
        ``exp_time`` drifts on for ≫ 1/c.v.² inferences per worker; give a longer one there.
        """
        setting = self.setting()
        long = min(setting.ns(Percentile(99.9), "warm-up"), units.MAX_DURATION_NS) / units.NS
        return min(max(4 * ceil_ratio(long, self.step_mean), 100), self.steps // 2)

    @property
    def expected_inferences(self) -> float:
        """About how many inferences the run will make if every worker is always busy."""
        per_step = self.step_mean / self.inference_mean if self.inference_mean else 1.0
        # Of zero length there is at most one for each observation.
        return self.steps * self.workers * self.rule.inferences_in_flight * per_step

    @property
    def learner(self) -> LearnerRule:
        """The learner rule in force."""
        if self.rule.rule.learns_inline:
            return find_learner("sequential")
        return find_learner("round_robin" if self.learner_rule == "auto" else self.learner_rule)

    @property
    def learner_count(self) -> int:
        """Learning processes in force: 0 without a learning time."""
        if self.learning_time is None:
            return 0
        return 1 if self.learner.inline else self.learners

    def setting(self) -> Setting:
        """What the rule may know about this scenario."""
        exact = isinstance(self.step_time, Fraction)
        return Setting(
            workers=self.workers,
            law=self.duration_law,
            step=self.step_time if exact else Fraction(self.step_mean * units.NS),  # type: ignore[arg-type]
            dispatch=self.dispatch_time,
        )

    def program(self) -> Program:
        """The rule made ready for this scenario."""
        return self.rule.program(self.setting())

    def to_json(self) -> dict[str, Any]:
        """The resolved settings as JSON values; :meth:`from_json` reads them back."""

        def text(value: Law | None) -> str | None:
            return None if value is None else str(value)

        return {
            "rule": str(self.rule),
            "inference_time": text(self.inference_time),
            "workers": self.workers,
            "step_time": spell_step_time(self.step_time),
            "steps": self.steps,
            "seed": self.seed,
            "mailbox": str(self.mailbox),
            "dispatch_time": text(self.dispatch_time),
            "learning_time": text(self.learning_time),
            "learner_rule": self.learner_rule,
            "learners": self.learners,
            "learning_starts": self.learning_starts,
            "batch": self.batch,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Scenario:
        """A scenario from :meth:`to_json`; InvalidValue for unknown keys."""
        try:
            return cls(**data)
        except TypeError as error:
            raise InvalidValue(f"not the settings of a scenario: {error}") from error


def _step_time(value: str | float | Fraction | Law) -> Fraction | Law:
    if isinstance(value, Fraction):
        if not 1 <= value <= units.MAX_DURATION_NS or value.denominator > 10**9:
            raise InvalidValue(f"step time {value} ns must lie between 1 ns and 1e6 s, with a denominator up to 1e9")
        return value
    if isinstance(value, str) and re.match(r"\s*[-+.\d]", value):
        return step_period(value)
    if isinstance(value, Law | str):
        found = law(value)
        if isinstance(found, Constant):
            return step_period(found.value)
        if found.spells is not None:
            raise InvalidValue("a step time cannot have contention(...); it is what all workers are measured against")
        if not found.mean * units.NS >= 1:
            raise InvalidValue(f"step time {found} has mean {found.mean:g} s; it must be at least 1 ns")
        return found
    return step_period(value)


def spell_step_time(value: Fraction | Law) -> str:
    """The text of a step time that :class:`Scenario` reads back.

    >>> spell_step_time(step_period("59.7275fps")), spell_step_time(Fraction(100_000_001, 7))
    ('59.7275fps', '100000001/7ns')
    """
    if not isinstance(value, Fraction):
        return str(value)
    rate = float(Fraction(units.NS) / value)
    for text in (f"{units.exact(rate)}fps", units.spell(float(value) / units.NS)):
        if "e" not in text and step_period(text) == value:
            return text
    return f"{value.numerator}/{value.denominator}ns"
