"""Reads the texts that name laws, rules and MDPs: ``lognorm(mean=84ms, cv=0.02)``.

The same grammar serves ``--inference-time`` and ``--alg``; what the names mean is decided
by the rooms that own them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from rtsim.errors import InvalidValue
from rtsim.timing import units

if TYPE_CHECKING:
    from lark import Lark

MAX_TEXT = 100_000


@dataclass(frozen=True)
class Quantity:
    """A number with an optional unit, e.g. ``84ms``."""

    value: float
    unit: str


@dataclass(frozen=True)
class Percentile:
    """``p99.9``: the 0.999 quantile of the law it is applied to."""

    percent: float


@dataclass(frozen=True)
class Word:
    """A bare name, e.g. ``release`` or ``true``."""

    text: str


@dataclass(frozen=True)
class ProfileRef:
    """``profile:NAME#MODEL`` or ``profile:NAME#MODEL@batch16``."""

    profile: str
    model: str
    batch: int | None


@dataclass(frozen=True)
class Weighted:
    """``0.5: LAW`` inside a mixture."""

    weight: float
    value: Node


@dataclass(frozen=True)
class Call:
    """``name(positional, key=value)``."""

    name: str
    positional: tuple[Node, ...]
    keywords: dict[str, Node]


Node = Quantity | Percentile | Word | ProfileRef | Weighted | Call


@cache
def _parser() -> Lark:
    from lark import Lark

    text = (resources.files("rtsim.timing") / "calls.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr")


@lru_cache(maxsize=1024)  # sweeps read the same few texts in every cell; nodes are never changed
def parse(text: str, what: str) -> Node:
    """Parse one value.

    Parameters
    ----------
    text : str
    what : str
        What is being read, for the error message, e.g. ``"law"``.

    Raises
    ------
    InvalidValue
        Naming the column where the text stops making sense.

    >>> parse("84ms", "law")
    Quantity(value=84.0, unit='ms')
    """
    from lark import Token, Tree
    from lark.exceptions import UnexpectedInput

    def read(tree: Any) -> Node:
        token = str(tree.children[0]) if tree.children and isinstance(tree.children[0], Token) else ""
        if tree.data == "quantity":
            return Quantity(*units.split_quantity(token))
        if tree.data == "percentile":
            return Percentile(float(token[1:]))
        if tree.data == "profile":
            return _profile(token)
        if tree.data == "word":
            return Quantity(float(token), "") if token in ("nan", "inf", "-inf") else Word(token)
        if tree.data == "weighted":
            weight, unit = units.split_quantity(token)
            if unit:
                raise InvalidValue(f"weight {token!r} of a {what} must be a bare number, e.g. '0.5: 84ms'")
            return Weighted(weight, read(tree.children[1]))
        positional: list[Node] = []
        keywords: dict[str, Node] = {}
        for child in tree.children[1:]:
            if isinstance(child, Tree) and child.data == "keyword":
                key = str(child.children[0])
                if key in keywords:
                    raise InvalidValue(f"{what} {text!r} gives {key!r} twice; give it once")
                keywords[key] = read(child.children[1])
            elif child is not None:
                positional.append(read(child))
        return Call(token, tuple(positional), keywords)

    if not text.strip():
        raise InvalidValue(f"{what} is empty; give e.g. {EXAMPLES.get(what, EXAMPLES['law'])}")
    if len(text) > MAX_TEXT or text.count("(") > 50:
        raise InvalidValue(
            f"{what} is {len(text)} characters long or nested too deeply; use a profile for many samples"
        )
    try:
        return read(_parser().parse(text))
    except UnexpectedInput as error:
        column = error.column if isinstance(error.column, int) and error.column > 0 else len(text) + 1
        shown = text if len(text) <= 80 else text[:77] + "..."
        example = EXAMPLES.get(what, EXAMPLES["law"])
        if spread := _SPREAD.match(text):
            mean = spread[1]
            example = f'"lognorm(mean={mean}, cv=0.1)" for a spread of 10 %, "uniform(LOW, HIGH)", or "{mean}"'
        raise InvalidValue(f"{what} {shown!r} is not understood at column {column}; write e.g. {example}") from None


#: A time with a spread, as one writes it by hand: 84ms±10%, 84 ms +- 8ms, 84ms+/-8ms.
_SPREAD = re.compile(r"\s*([0-9.]+ ?(?:ns|us|ms|s))\s*(?:±|\+/?-)")


EXAMPLES = {
    "law": '"84ms", "lognorm(mean=84ms, cv=0.02)" or "profile:NAME#MODEL"',
    "rule": '"max_time" or "time_triggered(deadline=p99.99, late=release)"',
    "MDP": '"jump(n=10, p=0.9)", "gym:FrozenLake-v1" or a file ending in .json or .npz',
    "game": '"blocks(level=3)" or "atari:Boxing(sticky=0.25)"',
    "agent": '"best" or "qucb(bonus=0.1)"',
    "mailbox": '"latest" or "fifo(4)"',
}


def _profile(token: str) -> ProfileRef:
    body = token.removeprefix("profile:")
    name, separator, model = body.partition("#")
    model, at, batch = model.partition("@batch")
    if not name or not separator or not model or (at and not re.fullmatch(r"[1-9][0-9]{0,8}", batch)):
        raise InvalidValue(f"{token!r} must read profile:NAME#MODEL or profile:NAME#MODEL@batch16")
    return ProfileRef(name, model, int(batch) if at else None)
