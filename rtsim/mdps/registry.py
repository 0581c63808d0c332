"""MDPs by name: ``jump(n=10, p=0.9)``, ``gym:FrozenLake-v1``, ``FILE.json``.

The same small grammar as for laws and rules. Every entry takes two options more than its own:
``default`` (``stay``, ``random`` or one of the agent's actions) replaces its default policy, ``reward``
(``expected`` or ``bernoulli``) says how rewards are sampled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from rtsim.errors import InvalidValue, UnknownName
from rtsim.mdps import learning, mazes, transforms, worst_cases
from rtsim.mdps.tabular import Default, Reward, TabularMDP
from rtsim.timing import grammar, units

Value = int | float


@dataclass(frozen=True)
class Option:
    """One option of an entry: a whole number or a number in low..high, its default and meaning."""

    kind: Literal["count", "number"]
    default: Value
    help: str
    low: float = 0
    high: float = 1

    def read(self, name: str, value: object) -> Value:
        """The value of a text's node, or given as a keyword.

        Raises
        ------
        InvalidValue
        """
        if isinstance(value, grammar.Quantity):
            if value.unit:
                raise InvalidValue(f"option {name}={value.value:g}{value.unit} must be a bare number")
            value = value.value
        if isinstance(value, grammar.Word):
            value = value.text
        if self.kind == "count":
            return units.whole(value, f"option {name}", int(self.low), int(self.high))
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            shown = value if isinstance(value, str | int | float) else type(value).__name__.lower()
            raise InvalidValue(f"option {name}={str(shown)[:40]} must be a number in {self.low:g}..{self.high:g}")
        return float(value)


@dataclass(frozen=True)
class Entry:
    """A family of MDPs: its name, one line on what it is, its source and its options.

    ``takes_mdp`` is true of those that change another MDP, given first: ``sticky(riverswim, stay=0.1)``.
    """

    name: str
    summary: str
    source: str
    build: Callable[..., TabularMDP]
    options: Mapping[str, Option] = field(default_factory=dict)
    takes_mdp: bool = False


def _states(default: int, high: int = 5_000) -> Option:
    return Option("count", default, "number of states", 2, high)


def _probability(default: float, what: str) -> Option:
    return Option("number", default, what)


SEED = Option("count", 0, "seed of the random tables", 0, 2**53)

ENTRIES: Mapping[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            "inaction",
            "two states; every default step costs 1",
            "Riemer et al. 2025, App. B.2, Eq. 3",
            worst_cases.inaction,
        ),
        Entry(
            "pit",
            "a ladder out of a pit; every default step falls to the bottom",
            "ours, against the upper bound in Eq. 3 of Riemer et al. 2025",
            worst_cases.pit,
            {"depth": Option("count", 10, "rungs", 1, 2_000)},
        ),
        Entry(
            "delay",
            "a cycle as printed: stay with probability p, else the next state; action i is right in state i",
            "Riemer et al. 2025, App. B.2, Eq. 4",
            worst_cases.delay,
            {"n": Option("count", 10, "states and actions", 2, 250), "p": _probability(0.9, "of staying")},
        ),
        Entry(
            "jump",
            "the corrected delay worst case: stay with probability p, else any other state",
            "ours",
            worst_cases.jump,
            {"n": Option("count", 10, "states and actions", 2, 250), "p": _probability(0.9, "of staying")},
        ),
        Entry(
            "aliased",
            "states change on every step, the optimal action seldom",
            "ours, for the tighter Eq. 4 of Riemer et al. 2025",
            worst_cases.aliased,
            {
                "groups": Option("count", 2, "groups of states with one optimal action", 2, 50),
                "copies": Option("count", 5, "states in a group", 1, 50),
                "p": _probability(0.9, "of staying in the group"),
            },
        ),
        Entry(
            "forward",
            "a deterministic cycle with a goal: move on or stay; default stay",
            "ours, against footnote 5 and App. B.6 of Riemer et al. 2025",
            worst_cases.forward,
            {"states": _states(4), "start": Option("count", 0, "first state", 0, 4_999)},
        ),
        Entry(
            "alternate",
            "deterministic; pays for every action unlike the one before; default action 0",
            "ours, against footnote 5 and App. B.6 of Riemer et al. 2025",
            worst_cases.alternate,
        ),
        Entry(
            "maze",
            "a deterministic grid; the goal leads back to the entrance",
            "ours, for App. B.6 of Riemer et al. 2025",
            mazes.maze,
            {
                "width": Option("count", 5, "cells across", 1, 60),
                "height": Option("count", 5, "cells down", 1, 60),
                "doors": _probability(0.1, "of opening each wall left by the spanning tree"),
                "seed": SEED,
            },
        ),
        Entry(
            "jao",
            "the two-state family that is hard to learn, or several copies of it",
            "Jaksch, Ortner & Auer 2010, Thm. 5",
            learning.jao,
            {
                "states": _states(2, 1_000),
                "actions": Option("count", 2, "actions of a copy", 1, 100),
                "delta": _probability(0.1, "of changing the state"),
                "epsilon": _probability(0.05, "added for the one good action"),
                "good": Option("count", 0, "which action is the good one", 0, 99),
            },
        ),
        Entry(
            "riverswim",
            "a small reward at the bottom, a large one up the river",
            "Strehl & Littman 2008; Osband et al. 2013",
            learning.riverswim,
            {"states": _states(6)},
        ),
        Entry(
            "garnet",
            "a random MDP",
            "Archibald et al. 1995",
            learning.garnet,
            {
                "states": _states(10),
                "actions": Option("count", 4, "actions", 1, 100),
                "branching": Option("count", 3, "successors of each action", 1, 5_000),
                "seed": SEED,
            },
        ),
        Entry(
            "sticky",
            "another MDP of which a step changes nothing with probability stay",
            "Puterman 1994, Section 8.5.4",
            transforms.sticky,
            {"stay": _probability(0.25, "that nothing changes")},
            takes_mdp=True,
        ),
        Entry(
            "sticky_actions",
            "another MDP that executes the previous action with probability repeat",
            "Machado et al. 2018",
            transforms.sticky_actions,
            {"repeat": _probability(0.25, "of executing the previous action")},
            takes_mdp=True,
        ),
        Entry(
            "repeat_default",
            "another MDP whose default policy repeats the agent's last action",
            "Riemer et al. 2025, Section 2",
            transforms.repeat_default,
            takes_mdp=True,
        ),
    )
}

COMMON = ("default", "reward")


def names() -> list[str]:
    """Names of all families in the library.

    >>> names()[:4]
    ['inaction', 'pit', 'delay', 'jump']
    """
    return list(ENTRIES)


def find(name: str) -> Entry:
    """The family of that name.

    Raises
    ------
    UnknownName
        Listing the valid ones.
    """
    if name not in ENTRIES:
        raise UnknownName("MDP", name, ENTRIES)
    return ENTRIES[name]


def is_file(text: str) -> bool:
    """Whether :func:`of` reads this text from a file.

    >>> is_file("mine.json"), is_file("jump(n=4)")
    (True, False)
    """
    return text.strip().endswith((".json", ".npz"))


def of(text: str | TabularMDP, **given: Any) -> TabularMDP:
    """An MDP from a text, as on the command line; its name is the canonical text.

    Parameters
    ----------
    text : str
        A family and its options, ``"jump(n=10, p=0.9)"``; a family that changes another MDP, ``"sticky(riverswim,
        stay=0.1)"``; a Gymnasium environment with a table, ``"gym:FrozenLake-v1"`` or
        ``"gym:FrozenLake-v1(is_slippery=false)"``; or a file ending in ``.json`` or ``.npz``. An MDP is returned as
        it is.
    given
        Options as keywords; they win over those of the text. ``default`` and ``reward`` work everywhere
        but for files.

    Raises
    ------
    UnknownName, InvalidValue, FileProblem, MissingExtra

    >>> of("jump(p=0.5, n=4)")
    TabularMDP('jump(n=4, p=0.5)', states=4, actions=4, default_actions=1)
    >>> of("jmp")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    rtsim.errors.UnknownName: MDP 'jmp' unknown (did you mean 'jump'?); choose from aliased, alternate, delay, ...
    """
    if isinstance(text, TabularMDP):
        if given:
            raise InvalidValue("an MDP that is built already takes no options")
        return text
    if not isinstance(text, str):
        raise InvalidValue(f"MDP {str(text)[:60]!r} must be a text such as 'jump(n=10, p=0.9)'")
    text = text.strip()
    if is_file(text):
        if given:
            raise InvalidValue("an MDP file takes no options; write them into the file")
        return TabularMDP.load(text)
    if text.startswith("gym:"):
        return _gymnasium(text, given)
    return _built(grammar.parse(text, "MDP"), text, given)


def _built(node: grammar.Node, text: str, given: Mapping[str, Any]) -> TabularMDP:
    inner: tuple[grammar.Node, ...] = ()
    if isinstance(node, grammar.Word):
        entry, read = find(node.text), dict(given)
    elif isinstance(node, grammar.Call):
        entry, inner, read = find(node.name), node.positional, {**node.keywords, **given}
    else:
        raise InvalidValue(f"MDP {text[:80]!r} must read NAME or NAME(option=value, ...)")
    if len(inner) != int(entry.takes_mdp):
        raise InvalidValue(
            f"{entry.name} changes another MDP: write {entry.name}(riverswim)"
            if entry.takes_mdp
            else f"options of {entry.name} are given by name: {entry.name}({next(iter(entry.options), 'default')}=...)"
        )
    for name in read:
        if name not in entry.options and name not in COMMON:
            raise UnknownName("option", name, [*entry.options, *COMMON], of=f"MDP {entry.name!r}")
    options = {
        name: option.read(name, read[name]) if name in read else option.default
        for name, option in entry.options.items()
    }
    inside = [_built(part, text, {}) for part in inner]
    spelt = [part.name for part in inside]
    spelt += [
        f"{name}={_spell(options[name])}" for name, option in entry.options.items() if options[name] != option.default
    ]
    return _finished(entry.build(*inside, **options), entry.name, spelt, read)


def _gymnasium(text: str, given: Mapping[str, Any]) -> TabularMDP:
    from rtsim.mdps.toy_text import toy_text

    environment, bracket, rest = text.removeprefix("gym:").partition("(")
    wrong = InvalidValue(f"MDP {text[:80]!r} must read gym:ENVIRONMENT or gym:ENVIRONMENT(option=value, ...)")
    try:
        node = grammar.parse(f"gym({rest}" if bracket else "gym()", "MDP")
    except InvalidValue:
        raise wrong from None  # the parser's message would show another text than was given
    if not isinstance(node, grammar.Call) or node.positional:
        raise wrong
    read = {**node.keywords, **given}
    options = {name: _plain(value) for name, value in read.items() if name not in COMMON}
    default = _default(read["default"]) if "default" in read else "stay"
    mdp = toy_text(environment.strip(), default=default, **options)
    spelt = [f"{name}={_spell(value)}" for name, value in sorted(options.items())]
    spelt += [f"default={default}"] if default != "stay" else []
    return _finished(mdp, f"gym:{environment.strip()}", spelt, {k: v for k, v in read.items() if k == "reward"})


def _finished(mdp: TabularMDP, name: str, spelt: list[str], read: Mapping[str, Any]) -> TabularMDP:
    """Apply the options every entry has, and name the MDP by its canonical text."""
    if "default" in read:
        default = _default(read["default"])
        mdp = mdp.with_default(default)
        spelt = [*spelt, f"default={default}"]
    reward = mdp.reward
    if "reward" in read:
        reward = cast(Reward, _plain(read["reward"]))
        spelt = [*spelt, f"reward={reward}"] if reward != mdp.reward else spelt
    label = f"{name}({', '.join(spelt)})" if spelt else name
    return TabularMDP(mdp.p, mdp.r, mdp.p_default, mdp.r_default, mdp.default_policy, mdp.start, reward, label)


def _default(value: object) -> Default:
    plain = _plain(value)
    if isinstance(plain, float) and plain.is_integer():
        return int(plain)
    return cast(Default, plain)


def _plain(value: object) -> object:
    """A node of the grammar as a Python value."""
    if isinstance(value, grammar.Word):
        return {"true": True, "false": False}.get(value.text.lower(), value.text)
    if isinstance(value, grammar.Quantity):
        if value.unit:
            raise InvalidValue(f"{value.value:g}{value.unit} must be a bare number")
        return int(value.value) if value.value.is_integer() else value.value
    if isinstance(value, str | int | float | tuple):
        return value
    raise InvalidValue(f"a {type(value).__name__.lower()} makes no sense as an option of an MDP")


def _spell(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return units.exact(value) if isinstance(value, int | float) else str(value)
