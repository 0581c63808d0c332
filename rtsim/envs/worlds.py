"""Environments to learn in, by name: the games, MDPs, MinAtar's games, and whatever Gymnasium knows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import gymnasium

from rtsim.envs.gym import Game
from rtsim.envs.minatar import MinAtar
from rtsim.envs.registry import ENTRIES, kind_of
from rtsim.envs.tabular import Tabular
from rtsim.errors import InvalidValue, RtsimError
from rtsim.mdps.registry import Option
from rtsim.timing import grammar

Env = gymnasium.Env[Any, Any]
MINATAR = {
    "sticky": Option("number", 0.1, "probability that a step repeats the last action"),
    "ramping": Option("count", 1, "whether the game grows harder", 0, 1),
    "minimal": Option("count", 1, "only the actions that the game knows", 0, 1),
}


def environment(text: str, render_mode: str | None = None) -> Env:
    """An environment from a text, as on the command line.

    Parameters
    ----------
    text : str
        A game as for :func:`rtsim.envs.make`; ``"mdp:jump(n=10)"``, an MDP as for :func:`rtsim.mdps.of`;
        ``"minatar:breakout(sticky=0)"``; or the name of a Gymnasium environment, with options:
        ``"FrozenLake-v1(is_slippery=false)"``.
    render_mode : str, optional
        As for Gymnasium.

    Raises
    ------
    InvalidValue, UnknownName, MissingExtra

    >>> environment("CartPole-v1").action_space, environment("blocks(level=3)").action_space
    (Discrete(2), Discrete(6))
    >>> environment("minatar:breakout(sticky=0)").observation_space.shape
    (10, 10, 4)
    """
    kind = kind_of(text)
    if kind in ENTRIES:
        return Game(text, render_mode)
    if kind == "mdp":
        return Tabular(text.partition(":")[2])
    if kind == "minatar":
        return _minatar(text)
    options = {key: _plain(key, value) for key, value in _options(text).items()}
    if render_mode is not None:  # some constructors do not know it
        options["render_mode"] = render_mode
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions that are not the newest
            return gymnasium.make(text.partition("(")[0].strip(), disable_env_checker=True, **options)
    except RtsimError:
        raise
    except gymnasium.error.DependencyNotInstalled as error:
        raise InvalidValue(f"environment {text[:80]!r} cannot be made: {_short(error)}") from error
    except Exception as error:  # an environment's constructor may raise anything
        games = ", ".join(entry.shown for entry in ENTRIES.values())
        raise InvalidValue(
            f"environment {text[:80]!r} is neither a game ({games}), nor mdp:NAME, minatar:NAME, "
            f"nor one that Gymnasium knows: {_short(error)}"
        ) from error


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _options(text: str) -> Mapping[str, object]:
    """What stands in the parentheses of an environment's text, by name."""
    _, bracket, rest = text.strip().partition("(")
    node = grammar.parse(f"env({rest}" if bracket else "env()", "environment")
    if not isinstance(node, grammar.Call) or node.positional:
        raise InvalidValue(f"environment {text[:80]!r} must read NAME or NAME(option=value, ...)")
    return node.keywords


def _plain(name: str, value: object) -> Any:
    if isinstance(value, grammar.Word):
        return {"true": True, "false": False}.get(value.text.lower(), value.text)
    if isinstance(value, grammar.Quantity) and not value.unit:
        return int(value.value) if value.value.is_integer() else value.value
    raise InvalidValue(f"option {name} of an environment must be a number, a name, true or false")


def _minatar(text: str) -> Env:
    which = text.partition("(")[0].partition(":")[2].strip()
    options = _options(text)
    if not which or set(options) - set(MINATAR):
        raise InvalidValue(f"environment {text[:80]!r} must read minatar:GAME or minatar:GAME(sticky=0, ramping=0)")
    values = {n: o.read(n, options[n]) if n in options else o.default for n, o in MINATAR.items()}
    return MinAtar(which, float(values["sticky"]), bool(values["ramping"]), bool(values["minimal"]))


@contextmanager
def lent(env: Env, again: Callable[[], Env]) -> Iterator[Env]:
    """An environment to play in while another one stands still: ``again()`` is closed afterwards.

    A console has one emulator per process, so a game is lent itself, and brought back to where it stood.
    """
    game = env.unwrapped
    if isinstance(game, Game):
        state = game.emulator.save()
        try:
            yield game
        finally:
            game.emulator.restore(state)
        return
    other = again()
    try:
        yield other
    finally:
        other.close()
