"""Texts to laws: what the names of the grammar mean in this room."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction

from rtsim.errors import InvalidValue, UnknownName
from rtsim.timing import grammar, units
from rtsim.timing.composite import Annealed, Contention, Empirical, Mixture, Scaled
from rtsim.timing.grammar import Call, Node, ProfileRef, Quantity, Weighted, Word
from rtsim.timing.laws import Constant, Exponential, Gamma, Law, Lognormal, Pareto, Uniform
from rtsim.timing.profiles import Profile


def law(value: Law | float | str, *, batch: int | None = None) -> Law:
    """A law from a law, a number of seconds, or a text.

    Parameters
    ----------
    value : Law, float (seconds) or str
        E.g. ``"84ms"``, ``"lognorm(mean=84ms, cv=0.02)"``, ``"gamma(mean=84ms, cv=0.3)"`` (or ``sd=8ms``),
        ``"uniform(60ms, 100ms)"``, ``"exp(mean=84ms)"``, ``"pareto(mean=84ms, alpha=2.5)"``,
        ``"mixture(0.5: 1us, 0.5: 84ms)"``, ``"empirical(80ms, 84ms, 90ms)"``,
        ``"contention(84ms, factor=2, calm=10s, slow=1s)"``, ``"scaled(84ms, factor=1.5)"``,
        ``"anneal(1us, 84ms, start=1, end=0.05, over=100000)"``, ``"profile:NAME#MODEL"``
        (inference), ``"profile:NAME#MODEL@batch16"`` (one gradient update) or
        ``"profile:NAME#live.dispatch"`` (what the live loop costs).
    batch : int, optional
        Where a learning time is wanted: ``profile:NAME#MODEL`` then means this batch size.

    Raises
    ------
    InvalidValue, UnknownName, FileProblem

    >>> law("lognorm(mean=84ms, cv=0.02)").mean
    0.084
    >>> str(law("gamma(mean=60ms, sd=15ms)"))
    'gamma(mean=60ms, cv=0.25)'
    >>> str(law("mixture(0.5: 1us, 0.5: 84ms)"))
    'mixture(0.5: 1us, 0.5: 84ms)'
    """
    if isinstance(value, Law):
        return value
    if isinstance(value, str):
        return _law(grammar.parse(value, "law"), value, batch)
    return Constant(units.duration(value))


def _law(node: Node, text: str, batch: int | None) -> Law:
    if isinstance(node, Quantity):
        return Constant(units.seconds(node.value, node.unit, "time"))
    if isinstance(node, ProfileRef):
        wanted = node.batch if node.batch is not None else batch
        samples = Profile.load(node.profile).samples(node.model, wanted)
        suffix = f"@batch{wanted}" if wanted is not None else ""
        return Empirical.of(samples, f"profile:{node.profile}#{node.model}{suffix}")
    if isinstance(node, Call):
        if node.name not in _BUILDERS:
            raise UnknownName("law", node.name, _BUILDERS)
        return _BUILDERS[node.name](_Arguments(node, text, batch))
    if isinstance(node, Word) and node.text in _BUILDERS:
        _BUILDERS[node.text](_Arguments(Call(node.text, (), {}), text, batch))  # says which arguments it needs
    if isinstance(node, Word):
        raise UnknownName("law", node.text, _BUILDERS)
    raise InvalidValue(f"law {text!r} is not understood; write e.g. {grammar.EXAMPLES['law']}")


class _Arguments:
    """Hands out the arguments of one call and complains about what is missing or left over."""

    def __init__(self, call: Call, text: str, batch: int | None) -> None:
        self.call, self.text, self.batch = call, text, batch
        self.positional = list(call.positional)
        self.keywords = dict(call.keywords)

    def take(self, name: str, example: str) -> Node:
        if name in self.keywords:
            return self.keywords.pop(name)
        if self.positional:
            return self.positional.pop(0)
        raise InvalidValue(f"{self.call.name}(...) needs {name}; write e.g. {example}")

    def time(self, name: str, example: str) -> float:
        node = self.take(name, example)
        if not isinstance(node, Quantity):
            raise InvalidValue(f"{self.call.name} {name} must be a time; write e.g. {example}")
        return units.seconds(node.value, node.unit, f"{self.call.name} {name}")

    def number(self, name: str, example: str) -> float:
        node = self.take(name, example)
        if not isinstance(node, Quantity) or node.unit:
            raise InvalidValue(f"{self.call.name} {name} must be a bare number; write e.g. {example}")
        return node.value

    def law(self, name: str, example: str) -> Law:
        return _law(self.take(name, example), self.text, self.batch)

    def done(self) -> None:
        if self.keywords:
            raise InvalidValue(f"{self.call.name}(...) has no argument {next(iter(self.keywords))!r} in {self.text!r}")
        if self.positional:
            raise InvalidValue(f"{self.call.name}(...) has too many arguments in {self.text!r}")


def _family(kind: type[Lognormal] | type[Gamma], name: str) -> Callable[[_Arguments], Law]:
    def build(a: _Arguments) -> Law:
        example = f'"{name}(mean=84ms, cv=0.3)"'
        mean = a.time("mean", example)
        if "sd" not in a.keywords:
            cv = a.number("cv", example)
        elif "cv" in a.keywords or a.positional:
            raise InvalidValue(f"{name}(...) takes cv (standard deviation / mean) or sd (a time), not both")
        else:
            # A mean of 0 is refused by the law itself.
            cv = a.time("sd", f'"{name}(mean=84ms, sd=8ms)"') / (mean or 1.0)
        result = kind(mean, cv)
        a.done()
        return result

    return build


def _uniform(a: _Arguments) -> Law:
    example = '"uniform(60ms, 100ms)"'
    result = Uniform(a.time("low", example), a.time("high", example))
    a.done()
    return result


def _exponential(a: _Arguments) -> Law:
    result = Exponential(a.time("mean", '"exp(mean=84ms)"'))
    a.done()
    return result


def _pareto(a: _Arguments) -> Law:
    example = '"pareto(mean=84ms, alpha=2.5)"'
    result = Pareto(a.time("mean", example), a.number("alpha", example))
    a.done()
    return result


def _mixture(a: _Arguments) -> Law:
    example = '"mixture(0.5: 1us, 0.5: 84ms)"'
    parts = a.positional
    a.positional = []
    a.done()
    weights, laws = [], []
    for part in parts:
        if not isinstance(part, Weighted):
            raise InvalidValue(f"every part of a mixture needs a weight; write e.g. {example}")
        weights.append(part.weight)
        laws.append(_law(part.value, a.text, a.batch))
    return Mixture(tuple(weights), tuple(laws))


def _anneal(a: _Arguments) -> Law:
    example = '"anneal(1us, 84ms, start=1, end=0.05, over=100000)"'
    first, then = a.law("first", example), a.law("then", example)
    start, end, over = (a.number(name, example) for name in ("start", "end", "over"))
    a.done()
    if not math.isfinite(over) or over != int(over):
        raise InvalidValue(f"anneal over {over:g} must be a whole number of inferences; write e.g. {example}")
    return Annealed(first, then, start, end, int(over))


def _empirical(a: _Arguments) -> Law:
    values = tuple(a.time(f"sample {i + 1}", '"empirical(80ms, 84ms)"') for i in range(len(a.positional)))
    a.done()
    return Empirical(values)


def _contention(a: _Arguments) -> Law:
    example = '"contention(84ms, factor=2, calm=10s, slow=1s)"'
    result = Contention(
        a.law("law", example), a.number("factor", example), a.time("calm", example), a.time("slow", example)
    )
    a.done()
    return result


def _scaled(a: _Arguments) -> Law:
    example = '"scaled(84ms, factor=1.5)"'
    result = Scaled(a.law("law", example), a.number("factor", example))
    a.done()
    return result


_BUILDERS: dict[str, Callable[[_Arguments], Law]] = {
    "lognorm": _family(Lognormal, "lognorm"),
    "gamma": _family(Gamma, "gamma"),
    "uniform": _uniform,
    "exp": _exponential,
    "pareto": _pareto,
    "mixture": _mixture,
    "anneal": _anneal,
    "empirical": _empirical,
    "contention": _contention,
    "scaled": _scaled,
}


def step_period(value: float | str) -> Fraction:
    """The exact period of a fixed rate in nanoseconds, from ``"59.7275fps"``, ``"16.7ms"``, ``"50/3ns"`` or seconds.

    Decimal digits are taken at their word, so step i starts at round(i · period) without drift.

    >>> step_period("50fps")
    Fraction(20000000, 1)
    >>> float(step_period("59.7275fps"))
    16742706.458499016
    """
    ratio = re.fullmatch(r"\s*(\d{1,30})/(\d{1,30})ns\s*", value) if isinstance(value, str) else None
    if ratio and int(ratio[2]) and 1 <= Fraction(int(ratio[1]), int(ratio[2])) <= units.MAX_DURATION_NS:
        return Fraction(int(ratio[1]), int(ratio[2])).limit_denominator(10**9)
    number, unit = units.split_quantity(value) if isinstance(value, str) else (units.duration(value, "step time"), "")
    in_seconds = units.seconds(number, unit, "step time")  # checks sign, finiteness and unit
    if in_seconds * 1e9 < 1 or in_seconds * 1e9 > units.MAX_DURATION_NS:
        raise InvalidValue(f"step time {in_seconds:g} s must lie between 1 ns and 1e6 s; give e.g. '59.7275fps'")
    exact = Fraction(repr(number))
    period = (
        Fraction(units.NS) / exact
        if unit in units.RATES
        else exact * Fraction(repr(units.UNITS[unit or "s"])) * units.NS
    )
    return period.limit_denominator(10**9)
