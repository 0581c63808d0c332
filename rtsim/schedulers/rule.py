"""What a scheduler rule is: two pure functions on small integer arrays.

A rule answers two questions. *When may this idle worker start its next inference?* and
*this inference took so long: when is its action released, and when is the worker free
again?* It has no clock, no randomness and no I/O, so every clock (SimPy, compiled, wall)
runs the same source::

    next_start(now, worker, step, step_start, params, state) -> answer
    on_end(now, worker, started, observation, step, step_start, params, state) -> (release, free)

All arguments and answers are integers; times are int64 ns.

``now``
    Time of the question. ``on_end`` is asked at the very end of an inference, ``next_start``
    whenever the worker is idle and whenever a time it answered before has come.
``step``, ``step_start``
    Index and start time of the newest environment step that has begun (its observation is
    the newest there is).
``started``, ``observation``
    When this inference started and which observation it read.
``params``, ``state``
    What the rule's ``prepare`` returned: constants, and the rule's memory, which it alone
    changes. The SimPy clock passes lists, the compiled clock int64 arrays.

``next_start`` answers ``now`` (and the inference starts at once: the rule may count on it), a
later time (ask me again then, and not before), or ``at_step(j)`` with j > step (ask me again
when observation j is published). ``now`` and ``step_start`` are logical times: a worker woken
by a publication is asked at ``now == step_start``, whatever a wall clock shows. ``release`` is
a time >= now, ``at_step(j)`` (held, released at the start of step j > step) or :data:`DROP`;
``free`` is a time >= now, and not looked at for pipelines, whose workers are free after one
stage. A worker that has made an inference of zero length is not asked again before the next
observation.

So that they can be compiled, the functions are module-level functions of plain integer
arithmetic on their arguments: they may call helpers of the same kind and read integer
constants of their module, but use no closures, keywords, defaults, floats or containers, and
``on_end`` returns a tuple of two integers. Products must stay below 2**62. A rule that keeps to
this runs on the compiled clock too, with the same Schedule: it is compiled once in a process
(some seven seconds; again if a constant it reads has changed), so ``engine="auto"`` does that
for long runs only. One that does not compile, or computes with floats, slices, lists or texts,
runs on the SimPy clock; ``engine="compiled"`` says what stands in the way.

A whole rule, which starts on every fresh observation and throws away what took more than a step::

    from rtsim import Rule, Scenario, register, simulate
    from rtsim.schedulers import DROP, Program, at_step

    def next_start(now, worker, step, step_start, params, state):
        return now if now == step_start else at_step(step + 1)

    def on_end(now, worker, started, observation, step, step_start, params, state):
        return (now if step == observation else DROP), now

    register(Rule("impatient", "drops what took more than a step", "an example",
                  prepare=lambda options, setting: Program(next_start, on_end)))
    simulate(Scenario("impatient", "8ms", steps=100))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, MutableSequence, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

from rtsim.errors import InvalidValue
from rtsim.timing import units
from rtsim.timing.grammar import Percentile, Quantity, Word
from rtsim.timing.laws import Law

#: Answer of ``on_end`` for an action that is thrown away.
DROP = -(1 << 62)

Ints = Sequence[int]
State = MutableSequence[int]
NextStart = Callable[[int, int, int, int, Ints, State], int]
OnEnd = Callable[[int, int, int, int, int, int, Ints, State], tuple[int, int]]


def at_step(step: int) -> int:
    """The answer that means "at the start of environment step ``step``".

    >>> at_step(0), at_step(41)
    (-1, -42)
    """
    return -1 - step


@dataclass(frozen=True)
class Steps:
    """An option value counted in environment steps, e.g. ``40steps``."""

    count: int


OptionValue = bool | int | float | str | Percentile | Steps


@dataclass(frozen=True)
class Option:
    """One option of a rule: its kind, default and meaning.

    ``kind`` is ``flag``, ``count`` (int >= 1), ``number``, ``time`` (seconds or a quantile of
    the inference time), ``deadline`` (steps, seconds or a quantile), ``quantile`` or ``choice``.
    """

    kind: Literal["flag", "count", "number", "time", "deadline", "quantile", "choice"]
    default: OptionValue | None
    help: str
    choices: tuple[str, ...] = ()

    def read(self, name: str, value: object) -> OptionValue:
        """Turn a value from Python or from the grammar into what the rule expects.

        Raises
        ------
        InvalidValue
        """
        if isinstance(value, Word):
            value = value.text
        if self.kind == "flag":
            if isinstance(value, bool):
                return value
            if isinstance(value, str) and value.lower() in ("true", "false"):
                return value.lower() == "true"
            raise InvalidValue(f"option {name}={_show(value)} must be true or false")
        if self.kind == "choice":
            if isinstance(value, str) and value in self.choices:
                return value
            raise InvalidValue(f"option {name}={_show(value)} must be one of {', '.join(self.choices)}")
        if isinstance(value, str):
            from rtsim.timing.grammar import parse

            value = parse(value, "law")
        if isinstance(value, Percentile) and self.kind in ("time", "deadline", "quantile"):
            if not 0 < value.percent <= 100:
                raise InvalidValue(f"option {name}=p{value.percent:g} must lie in p0..p100, above 0")
            return value
        if isinstance(value, bool) or value is None:
            raise InvalidValue(f"option {name}={value} must be a {self.kind}")
        if isinstance(value, Steps) or (isinstance(value, Quantity) and value.unit in ("step", "steps")):
            count = value.count if isinstance(value, Steps) else value.value
            if self.kind != "deadline" or not math.isfinite(count) or count != int(count) or not 1 <= count <= 10**9:
                raise InvalidValue(
                    f"option {name}={count:g}steps must be a whole number of steps in 1..1e9, where steps fit"
                )
            return Steps(int(count))
        number, unit = (value.value, value.unit) if isinstance(value, Quantity) else (value, "")
        if not isinstance(number, int | float):
            raise InvalidValue(f"option {name}={_show(value)} must be a {self.kind}")
        if self.kind in ("time", "deadline"):
            if isinstance(value, Quantity) and unit == "" and number != 0:
                raise InvalidValue(f'option {name}={number:g} needs a unit: "{number:g}ms" or a quantile "p99.9"')
            return units.seconds(number, unit, f"option {name}")
        if unit or self.kind == "quantile":
            raise InvalidValue(f"option {name}={number:g}{unit} must be a {self.kind}")
        if self.kind == "count" and (not math.isfinite(number) or number != int(number) or not 1 <= number <= 10**6):
            raise InvalidValue(f"option {name}={number:g} must be a whole number in 1..1000000")
        if self.kind == "number" and not (0 <= number < 1e9):
            raise InvalidValue(f"option {name}={number:g} must be finite and >= 0")
        return int(number) if self.kind == "count" else float(number)

    def spell(self, value: OptionValue) -> str:
        """The canonical text of a value, which :meth:`read` turns back into it."""
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, Percentile):
            return f"p{units.exact(value.percent)}"
        if isinstance(value, Steps):
            return f"{value.count}steps"
        if isinstance(value, float):
            return units.spell(value) if self.kind in ("time", "deadline") else units.exact(value)
        return str(value)


def _show(value: object) -> str:
    if isinstance(value, Quantity):
        return f"{value.value:g}{value.unit}"
    if isinstance(value, Percentile):
        return f"p{value.percent:g}"
    return str(value) if isinstance(value, str | int | float) else f"({type(value).__name__.lower()})"


@dataclass(frozen=True)
class Setting:
    """What a rule may know when it is prepared: never states, rewards or the draws to come.

    Attributes
    ----------
    workers : int
    law : Law
        Inference time.
    step : Fraction
        Nominal (mean) time between environment steps, ns.
    dispatch : Law, optional
        Overhead that lengthens every inference.
    """

    workers: int
    law: Law
    step: Fraction
    dispatch: Law | None = None

    def ns(self, value: OptionValue, name: str) -> int:
        """A ``time`` option in int ns: a duration, or a quantile of the inference time.

        With dispatch the two quantiles are added: exact if one of them is constant, and on the
        safe side for the high quantiles that deadlines are made of.
        """
        if isinstance(value, Percentile):
            found = self.law.quantile(value.percent / 100)
            if self.dispatch is not None:
                found += self.dispatch.quantile(value.percent / 100)
            if found * 1e9 > units.MAX_DURATION_NS:
                raise InvalidValue(
                    f"option {name}=p{value.percent:g} of {self.law} is {found:g} s; give a quantile below 1e6 s"
                )
            return units.ns(found)
        assert isinstance(value, float)
        return units.ns(value)

    def steps(self, value: OptionValue, name: str) -> int:
        """A ``deadline`` option in steps: the fewest that always cover the time, at least 1."""
        if isinstance(value, Steps):
            return value.count
        time = self.ns(value, name)
        # Step starts are rounded, but d whole periods that reach a whole number of ns also do when rounded.
        return max(math.ceil(time / self.step), 1)


@dataclass
class Program:
    """A rule made ready for one run: its functions, constants and memory.

    Attributes
    ----------
    params, state : list of int
    chunk : int
        Actions per inference, for successive steps.
    stages : int
        Inferences one worker may have in flight, started one stage time apart; they leave in
        the order they entered.
    skip : bool
        With stages: the action is released after one stage time (its freshest input).
    learns : str
        ``""``, ``"after"`` or ``"before"``: the worker itself learns after, or before, each
        inference.
    """

    next_start: NextStart
    on_end: OnEnd
    params: list[int] = field(default_factory=list)
    state: list[int] = field(default_factory=list)
    chunk: int = 1
    stages: int = 1
    skip: bool = False
    learns: str = ""


Options = Mapping[str, OptionValue | None]


@dataclass(frozen=True)
class Rule:
    """A named scheduler rule.

    Attributes
    ----------
    name, summary, source : str
        Summary is one line; source is the paper and place, or ``"ours"``.
    prepare : callable(options, setting) -> Program
    options : mapping of str to Option
    single_worker : bool
        The rule is one process by definition; more workers are not used.
    learns_inline : bool
        The process that infers also learns (``Program.learns`` says when); no other learner runs.
    actions_per_inference : callable(options) -> int
        Actions one inference yields for successive steps; 1 unless chunking. Must equal
        ``Program.chunk``.
    inferences_in_flight : callable(options) -> int
        Inferences one worker works on at a time; 1 unless a pipeline. Must equal
        ``Program.stages``.
    time_factor : callable(options) -> float
        How much longer than the inference law one inference of this rule is.
    """

    name: str
    summary: str
    source: str
    prepare: Callable[[Options, Setting], Program]
    options: Mapping[str, Option] = field(default_factory=dict)
    single_worker: bool = False
    learns_inline: bool = False
    actions_per_inference: Callable[[Options], int] = lambda options: 1
    inferences_in_flight: Callable[[Options], int] = lambda options: 1
    time_factor: Callable[[Options], float] = lambda options: 1.0

    def resolve(self, given: Mapping[str, Any]) -> dict[str, OptionValue | None]:
        """All options: the given ones read and checked, defaults for the rest."""
        for name in given:
            if name not in self.options:
                from rtsim.errors import UnknownName

                if not self.options:
                    raise InvalidValue(f"rule {self.name!r} takes no options; remove {name!r}")
                raise UnknownName("option", name, self.options, of=f"rule {self.name!r}")
        return {
            # A default may be written as text, as users write the option.
            name: option.default
            if name not in given and option.default is None
            else option.read(name, given.get(name, option.default))
            for name, option in self.options.items()
        }
