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
from rtsim.theory import capacity_limit
from rtsim.timing import Constant, Law, law, step_period, units

MAX_STEPS = 10**9
MAX_WORKERS = 100_000
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

    @classmethod
    def of(cls, text: str | Mailbox) -> Mailbox:
        """Read ``"latest"`` or ``"fifo(4)"``; InvalidValue otherwise."""
        if isinstance(text, Mailbox):
            return text
        match = re.fullmatch(r"\s*(latest|fifo\s*\(\s*(\d{1,9})\s*\))\s*", text)
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
    workers: int = 1
    step_time: Fraction | Law = Fraction(1)
    steps: int = 20_000
    seed: int = 0
    mailbox: Mailbox = Mailbox()
    dispatch_time: Law | None = None
    learning_time: Law | None = None
    learner_rule: str = "auto"
    learners: int = 1
    learning_starts: int = 0
    batch: int = 16

    def __init__(
        self,
        rule: RuleSpec | str,
        inference_time: Law | float | str,
        workers: int = 1,
        step_time: str | float | Fraction | Law = GAME_BOY,
        steps: int = 20_000,
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
        for name, value, low, high in (
            ("workers", workers, 1, MAX_WORKERS),
            ("steps", steps, 1, MAX_STEPS),
            ("seed", seed, 0, 2**63 - 1),
            ("learners", learners, 1, MAX_WORKERS),
            ("learning_starts", learning_starts, 0, MAX_STEPS),
            ("batch", batch, 1, 10**9),
        ):
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise InvalidValue(f"{name} {value} must be a whole number in {low}..{high}")
        if learner_rule != "auto" and find_learner(learner_rule).inline and spec.name != "sequential":
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
        if self.inference_mean == float("inf"):
            raise InvalidValue(f"inference_time {self.inference_time} has no finite mean")

    def with_(self, **changes: Any) -> Scenario:
        """The same scenario with some fields changed."""
        return replace(self, **changes)

    @property
    def duration_law(self) -> Law:
        """The law one inference of this rule draws from (a chunk may take longer), before dispatch."""
        return self.inference_time.scaled(self.rule.time_factor)

    @property
    def inference_mean(self) -> float:
        """Mean time a worker is taken by one inference, dispatch included, seconds."""
        return self.duration_law.mean + (self.dispatch_time.mean if self.dispatch_time else 0.0)

    @property
    def step_mean(self) -> float:
        """Mean time between environment steps, seconds."""
        return float(self.step_time) / units.NS if isinstance(self.step_time, Fraction) else self.step_time.mean

    @property
    def capacity_limit(self) -> float:
        """Least inaction fraction any rule can reach with these workers; see :func:`rtsim.theory.capacity_limit`."""
        actions = self.workers * self.rule.inferences_in_flight * self.rule.actions_per_inference
        return capacity_limit(actions, self.step_mean, self.inference_mean)

    @property
    def learner(self) -> LearnerRule:
        """The learner rule in force."""
        if self.rule.name == "sequential":
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
        return Setting(
            workers=self.workers,
            law=self.duration_law,
            step_ns=self.step_mean * units.NS,
            stochastic_steps=not isinstance(self.step_time, Fraction),
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
        if not 1 <= value <= units.MAX_DURATION_NS:
            raise InvalidValue(f"step time {float(value):g} ns must lie between 1 ns and 1e6 s")
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

    >>> spell_step_time(step_period("59.7275fps")), spell_step_time(step_period("16ms"))
    ('59.7275fps', '16ms')
    """
    if not isinstance(value, Fraction):
        return str(value)
    rate = float(Fraction(units.NS) / value)
    if value.denominator > 1 and step_period(f"{rate!r}fps") == value:
        return f"{rate!r}fps"
    return units.spell(float(value) / units.NS)
