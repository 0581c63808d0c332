"""Games by name: ``blocks``, ``walk``, ``atari:Boxing(sticky=0.25)``, ``retro:NAME``.

The same small grammar as for laws, rules and MDPs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rtsim.envs import atari
from rtsim.envs.emulator import Emulator
from rtsim.errors import InvalidValue, UnknownName
from rtsim.mdps.registry import Option
from rtsim.timing import grammar, units

#: Options of every game.
COMMON: Mapping[str, Option] = {
    "sticky": Option("number", 0.0, "probability that a frame repeats the last action instead (Machado et al. 2018)"),
    "noops": Option(
        "count", 0, "an episode begins with a random number of frames without buttons, at most this", 0, 10_000
    ),
}


@dataclass(frozen=True)
class Entry:
    """A game, or a kind of games.

    Attributes
    ----------
    name : str
        How its texts begin.
    summary, source : str
        What ``rtsim games`` tells of it: what it is, and whose.
    takes : str
        What stands after the colon; empty where nothing does.
    options, words : mapping of str to Option, and of str to str
        Options that are numbers, and those that are names, with what they mean.
    """

    name: str
    summary: str
    source: str
    takes: str = ""
    options: Mapping[str, Option] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """How its text begins, e.g. ``atari:GAME``."""
        return f"{self.name}:{self.takes}" if self.takes else self.name


ENTRIES: Mapping[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            "blocks",
            "falling blocks on the Game Boy: who waits loses; reward is what the score gains",
            "ours, for the Tetris of Riemer et al. 2025, Sec. 5.2",
            options={"level": Option("count", 0, "first level: from 30 frames a row (0) to 4 (9)", 0, 9)},
        ),
        Entry(
            "walk",
            "a walk through mazes on the Game Boy: waiting costs only time; reward for new places and goals",
            "ours, for the Pokémon of Riemer et al. 2025, Sec. 5.1",
        ),
        Entry(
            "atari",
            "an Atari 2600 game, one frame a step, e.g. atari:Boxing",
            "ale-py, which brings the games",
            takes="GAME",
            options={
                "limit": Option("count", 108_000, "frames after which an episode is truncated; 0: never", 0, 10**9)
            },
        ),
        Entry(
            "retro",
            "a Game Boy ROM of yours; see rtsim import-rom",
            "stable-retro",
            takes="INTEGRATION",
            words={"state": "saved state that episodes begin in", "scenario": "file that says what is a reward"},
        ),
    )
}


def kind_of(text: str) -> str:
    """What stands first in an environment's text, before a colon or options.

    >>> kind_of(" atari: Boxing(sticky=0.25)"), kind_of("CartPole-v1")
    ('atari', 'CartPole-v1')
    """
    return text.partition("(")[0].partition(":")[0].strip()


def find(name: str) -> Entry:
    """The entry of that name.

    Raises
    ------
    UnknownName
        Listing the valid ones.
    """
    if name not in ENTRIES:
        raise UnknownName("game", name, [entry.shown for entry in ENTRIES.values()])
    return ENTRIES[name]


@dataclass(frozen=True)
class Game:
    """A game's text, understood: its entry, which of its games, and the options that are not the default."""

    entry: Entry
    which: str
    options: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The canonical text: ``read(game.text) == game``."""
        name = f"{self.entry.name}:{self.which}" if self.which else self.entry.name
        spelt = [f"{key}={_spell(value)}" for key, value in self.options.items()]
        return f"{name}({', '.join(spelt)})" if spelt else name


def _spell(value: object) -> str:
    return units.exact(value) if isinstance(value, int | float) else str(value)


def read(text: str) -> Game:
    """Understand a game's text without starting it.

    Raises
    ------
    UnknownName, InvalidValue, MissingExtra

    >>> read("blocks( level = 3, sticky=0 )").text
    'blocks(level=3)'
    >>> read("tetris")
    Traceback (most recent call last):
    rtsim.errors.UnknownName: game 'tetris' unknown; choose from atari:GAME, blocks, retro:INTEGRATION, walk
    """
    if not isinstance(text, str):
        raise InvalidValue(f"game {str(text)[:60]!r} must be a text such as 'blocks' or 'atari:Boxing'")
    name, bracket, rest = text.strip().partition("(")
    kind, colon, which = (part.strip() for part in name.partition(":"))
    entry = find(kind)
    if bool(entry.takes) != bool(which) or (colon and not entry.takes):
        raise InvalidValue(f"game {text[:80]!r} must read {entry.shown} or {entry.shown}(option=value, ...)")
    if kind == "atari":
        which = atari.find(which)
    node = grammar.parse(f"{kind}({rest}" if bracket else f"{kind}()", "game")
    if not isinstance(node, grammar.Call) or node.positional:
        raise InvalidValue(f"options of a game are given by name: {entry.shown}({_example(entry)})")
    return Game(entry, which, _options(entry, node.keywords))


def _example(entry: Entry) -> str:
    return f"{next(iter({**entry.options, **entry.words, **COMMON}))}=..."


def _options(entry: Entry, given: Mapping[str, grammar.Node]) -> dict[str, Any]:
    numbers = {**entry.options, **COMMON}
    for name in given:
        if name not in numbers and name not in entry.words:
            raise UnknownName("option", name, [*numbers, *entry.words], of=f"game {entry.name!r}")
    found: dict[str, Any] = {}
    for name in entry.words:
        if name in given:
            node = given[name]
            if not isinstance(node, grammar.Word):
                raise InvalidValue(f"option {name} of game {entry.name!r} must be a name")
            found[name] = node.text
    for name, option in numbers.items():
        value = option.read(name, given[name]) if name in given else option.default
        if value != option.default:
            found[name] = value
    return found


def make(text: str) -> Emulator:
    """An emulator from a text, as on the command line; call ``reset`` first, and ``close`` last.

    Parameters
    ----------
    text : str
        ``"blocks"``, ``"walk"``, ``"atari:NAME"`` or ``"retro:INTEGRATION"``, with options in parentheses.

    Raises
    ------
    UnknownName, InvalidValue
    MissingExtra
        If ale-py or stable-retro is not installed.
    FileProblem
        If an integration has no ROM, or lacks files.

    >>> with make("atari:Boxing") as game:
    ...     observation = game.reset(seed=1)
    ...     _, reward, terminated, truncated, info = game.step(game.noop)
    >>> observation.shape, observation.dtype, reward, terminated
    ((84, 84, 1), dtype('uint8'), 0.0, False)
    """
    game = read(text)
    if game.entry.name == "atari":
        return atari.Atari(game.which, game.text, **game.options)
    from rtsim.envs import game_boy, integrations

    if game.entry.name == "retro":
        return game_boy.GameBoy(game.text, game.which, integrations.find(game.which), **game.options)
    return game_boy.OwnGame(game.text, game.entry.name, **game.options)
