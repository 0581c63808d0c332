"""Any environment by name, as the command line takes it: games, MDPs, MinAtar, and whatever Gymnasium knows."""

from __future__ import annotations

from typing import Any

import gymnasium

from rtsim.envs import registry
from rtsim.envs.gym import Game
from rtsim.envs.minatar import MinAtar
from rtsim.envs.tabular import Tabular
from rtsim.errors import InvalidValue, UnknownName
from rtsim.mdps.registry import Option
from rtsim.timing import grammar

#: What may stand for an environment, for messages and help.
EXAMPLES = ("blocks(level=3)", "atari:Boxing", "minatar:breakout(sticky=0)", "mdp:delay(n=10, p=0.9)", "CartPole-v1")
#: Options of MinAtar's games.
MINATAR = {
    "sticky": Option("number", 0.1, "probability that a step repeats the last action instead"),
    "ramping": Option("count", 1, "1: the game grows harder; 0: it does not", 0, 1),
    "minimal": Option("count", 1, "1: only the actions that this game knows; 0: all six", 0, 1),
}


def environment(text: str, render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
    """An environment from a text.

    Parameters
    ----------
    text : str
        A game (:func:`rtsim.envs.make`); ``mdp:`` and an MDP (:func:`rtsim.mdps.of`); ``minatar:`` and one of its
        games, with ``sticky``, ``ramping`` and ``minimal``; or the name of a registered Gymnasium environment.
    render_mode : str, optional
        ``"rgb_array"`` for pictures, where the environment makes any.

    Raises
    ------
    UnknownName, InvalidValue, MissingExtra, FileProblem

    >>> environment("mdp:delay(n=3, p=0.5)").observation_space.shape, environment("CartPole-v1").action_space
    ((3,), Discrete(2))
    """
    text = text.strip()
    kind, colon, rest = text.partition(":")
    if colon and kind == "mdp":
        return Tabular(rest)
    if colon and kind == "minatar":
        return _minatar(rest)
    name = text.partition("(")[0].strip()
    if name in registry.ENTRIES or (colon and kind in registry.ENTRIES):
        return Game(text, render_mode)
    given: dict[str, Any] = {} if render_mode is None else {"render_mode": render_mode}
    try:
        return gymnasium.make(text, **given)
    except (gymnasium.error.Error, ModuleNotFoundError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InvalidValue(f"no environment {text[:80]!r}: {reason[:200]}; give e.g. {', '.join(EXAMPLES)}") from error


def _minatar(text: str) -> MinAtar:
    node = grammar.parse(text, "MinAtar game")
    if isinstance(node, grammar.Word):
        return MinAtar(node.text)
    if not isinstance(node, grammar.Call) or node.positional:
        raise InvalidValue(f"MinAtar game {text[:80]!r} must read GAME or GAME(sticky=0)")
    found: dict[str, Any] = {}
    for name, value in node.keywords.items():
        if name not in MINATAR:
            raise UnknownName("option", name, MINATAR, of=f"MinAtar game {node.name!r}")
        found[name] = MINATAR[name].read(name, value)
    sticky = float(found.get("sticky", MINATAR["sticky"].default))
    return MinAtar(node.name, sticky, bool(found.get("ramping", 1)), bool(found.get("minimal", 1)))
