"""``rtsim games``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rtsim.cli import render
from rtsim.cli.arguments import Games

if TYPE_CHECKING:
    from rtsim.envs.registry import Entry


def run(arguments: Games) -> int:
    """Print the registry of games, and which Atari games and ROMs are there."""
    from rtsim.envs import atari, integrations
    from rtsim.envs.registry import COMMON, ENTRIES

    there = {"atari": list(atari.games()), "retro": integrations.names()}
    if arguments.json:
        render.dump(
            {
                "schema": "rtsim.games/1",
                "games": [_described(entry) for entry in ENTRIES.values()],
                "common_options": _options(COMMON),
                **there,
            }
        )
        return 0
    rows = [[e.shown, e.summary, ", ".join([*e.options, *e.words, *COMMON]), e.source] for e in ENTRIES.values()]
    render.table("Games (--game)", ["game", "what it is", "options", "source"], rows, left=4)
    for kind, found in there.items():
        render.listing(kind, found)
    return 0


def _described(entry: Entry) -> dict[str, Any]:
    words = {name: {"kind": "name", "help": text} for name, text in entry.words.items()}
    return {
        "name": entry.name,
        "takes": entry.takes,
        "summary": entry.summary,
        "source": entry.source,
        "options": {**_options(entry.options), **words},
    }


def _options(options: Any) -> dict[str, Any]:
    return {
        name: {"kind": o.kind, "default": o.default, "help": o.help, "low": o.low, "high": o.high}
        for name, o in options.items()
    }
