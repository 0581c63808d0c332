"""The registry of rules, and rules with their options: ``max_time(initial_max=p99.9)``.

A user's own package adds a rule through the entry-point group ``rtsim.rules``; each entry
point is a :class:`~rtsim.schedulers.rule.Rule`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from rtsim.errors import InvalidValue, RuleFault, UnknownName
from rtsim.schedulers import deadlines, free_running, learners, staggered
from rtsim.schedulers.learners import LearnerRule
from rtsim.schedulers.rule import OptionValue, Program, Rule, Setting
from rtsim.timing import grammar

GROUP = "rtsim.rules"

BUILTIN = {
    rule.name: rule
    for rule in (
        free_running.SEQUENTIAL,
        free_running.ONE_STEP_LAG,
        free_running.UNSTAGGERED,
        staggered.MAX_TIME,
        staggered.EXP_TIME,
        staggered.PHASE_LOCKED,
        deadlines.TIME_TRIGGERED,
        deadlines.EARLIEST_DEADLINE,
        free_running.CHUNKING,
        free_running.PIPELINE,
    )
}

LEARNER_RULES: Mapping[str, LearnerRule] = {
    rule.name: rule for rule in (learners.SEQUENTIAL, learners.ROUND_ROBIN, learners.LOCK_FREE, learners.PARALLEL)
}

_registered: dict[str, Rule] = {}


def register(rule: Rule, *, replace: bool = False) -> Rule:
    """Add a rule for this process; packages use the entry-point group ``rtsim.rules`` instead.

    Parameters
    ----------
    rule : Rule
    replace : bool
        Take the place of a rule registered before, as when a notebook cell runs again.

    Raises
    ------
    InvalidValue
        If the name is taken.
    """
    if rule.name in names() and not (replace and rule.name in _registered):
        raise InvalidValue(f"rule {rule.name!r} exists already; choose another name, or replace=True for one of yours")
    _registered[rule.name] = rule
    return rule


@cache
def _entry_points() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUP) if point.name not in BUILTIN}


def names() -> list[str]:
    """Names of all rules: built in, registered, and offered by installed packages."""
    return [*BUILTIN, *_registered, *(n for n in _entry_points() if n not in _registered)]


def find(name: str) -> Rule:
    """The rule of that name.

    Raises
    ------
    UnknownName
        Listing the valid names.
    RuleFault
        If a package offers the rule but fails to load it.
    """
    if name in BUILTIN:
        return BUILTIN[name]
    if name in _registered:
        return _registered[name]
    if name not in _entry_points():
        raise UnknownName("rule", name, names())
    point = _entry_points()[name]
    try:
        rule = point.load()
    except (Exception, SystemExit) as error:
        raise RuleFault(f"rule {name!r} of {point.value!r} cannot be loaded: {error}") from error
    if not isinstance(rule, Rule):
        raise RuleFault(
            f"entry point {name!r} of {point.value!r} is {type(rule).__name__}, not a rtsim.schedulers.Rule"
        )
    return rule


def find_learner(name: str) -> LearnerRule:
    """The learner rule of that name, or UnknownName."""
    if name not in LEARNER_RULES:
        raise UnknownName("learner rule", name, LEARNER_RULES)
    return LEARNER_RULES[name]


@dataclass(frozen=True)
class RuleSpec:
    """A rule with its options, all read and checked.

    >>> str(RuleSpec.of("time_triggered(late=release, deadline=p99.9)"))
    'time_triggered(deadline=p99.9, late=release)'
    """

    rule: Rule
    options: Mapping[str, OptionValue | None]

    @classmethod
    def of(cls, text: str | RuleSpec, **given: Any) -> RuleSpec:
        """A rule by name or text, with options from the text or as keywords.

        Raises
        ------
        InvalidValue, UnknownName
        """
        if isinstance(text, RuleSpec):
            return cls(text.rule, text.rule.resolve({**text.given(), **given}))
        if not isinstance(text, str):
            raise InvalidValue(f"rule {text!r} must be a text such as 'max_time(initial_max=p99.9)'; see rtsim rules")
        node = grammar.parse(text, "rule")
        if isinstance(node, grammar.Word):
            name, read = node.text, {}
        elif isinstance(node, grammar.Call) and not node.positional:
            name, read = node.name, dict(node.keywords)
        else:
            raise InvalidValue(f"rule {text!r} must read NAME or NAME(option=value, ...); see rtsim rules")
        rule = find(name)
        return cls(rule, rule.resolve({**read, **given}))

    # Functions do not travel between processes; the text, which is exact, does.
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (RuleSpec.of, (str(self),))

    def __hash__(self) -> int:
        return hash(str(self))

    def given(self) -> dict[str, OptionValue]:
        """The options that differ from their defaults."""
        return {
            name: value
            for name, value in self.options.items()
            if value is not None and value != self.rule.options[name].default
        }

    @property
    def name(self) -> str:
        return self.rule.name

    def __str__(self) -> str:
        inside = ", ".join(f"{name}={self.rule.options[name].spell(value)}" for name, value in self.given().items())
        return f"{self.rule.name}({inside})" if inside else self.rule.name

    def options_json(self) -> dict[str, Any]:
        """The given options as JSON values."""
        return {
            name: value if isinstance(value, bool | int) else self.rule.options[name].spell(value)
            for name, value in self.given().items()
        }

    def program(self, setting: Setting) -> Program:
        """The rule made ready for one run."""
        program = self.rule.prepare(self.options, setting)
        if not isinstance(program, Program):
            raise RuleFault(f"rule {self.name!r}: prepare returns {program!r}, not a Program")
        for what, said, does in (
            ("actions_per_inference", self.actions_per_inference, program.chunk),
            ("inferences_in_flight", self.inferences_in_flight, program.stages),
            ("learns_inline", self.rule.learns_inline, program.learns != ""),
        ):
            if said != does:
                raise RuleFault(f"rule {self.name!r} says {what} is {said}, but its program has {does}")
        if program.learns not in ("", "after", "before"):
            raise RuleFault(f"rule {self.name!r}: learns is {program.learns!r}; it must be '', 'after' or 'before'")
        return program

    @property
    def actions_per_inference(self) -> int:
        """k for chunking, else 1."""
        return self.rule.actions_per_inference(self.options)

    @property
    def inferences_in_flight(self) -> int:
        """L for a pipeline, else 1."""
        return self.rule.inferences_in_flight(self.options)

    @property
    def time_factor(self) -> float:
        """How much longer one inference of this rule is than the scenario's inference time."""
        return self.rule.time_factor(self.options)
