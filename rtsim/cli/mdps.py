"""``rtsim mdps``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rtsim.cli import render
from rtsim.cli.arguments import Mdps

if TYPE_CHECKING:
    from rtsim.mdps import Entry


def run(arguments: Mdps) -> int:
    """Print the registry of MDPs, and the agents."""
    from rtsim.experiments.named_agents import AGENTS
    from rtsim.mdps import ENTRIES, find

    if arguments.mdp:
        return _explain(find(arguments.mdp), arguments.json)
    if arguments.json:
        agents = [{"name": a.name, "summary": a.summary, "source": a.source} for a in AGENTS.values()]
        render.dump({"schema": "rtsim.mdps/1", "mdps": [_described(e) for e in ENTRIES.values()], "agents": agents})
        return 0
    render.table(
        "MDPs (--mdp); also FILE.json, FILE.npz and gym:NAME of a Gymnasium environment with a table",
        ["MDP", "what it is", "options", "source"],
        [[e.name, e.summary, _options(e), e.source] for e in ENTRIES.values()],
        left=4,
    )
    render.table(
        "Agents (--agent)",
        ["agent", "what it does", "source"],
        [[a.name, a.summary, a.source] for a in AGENTS.values()],
        left=3,
    )
    return 0


def _options(entry: Entry) -> str:
    shown = [f"{name}={option.default:g}" for name, option in entry.options.items()]
    return ", ".join(["MDP", *shown] if entry.takes_mdp else shown) or "-"


def _described(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "summary": entry.summary,
        "source": entry.source,
        "takes_mdp": entry.takes_mdp,
        "options": {
            name: {"kind": o.kind, "default": o.default, "help": o.help, "low": o.low, "high": o.high}
            for name, o in entry.options.items()
        },
    }


def _explain(entry: Entry, as_json: bool) -> int:
    """Print one MDP with the meaning of its options."""
    if as_json:
        render.dump({"schema": "rtsim.mdp/1", **_described(entry)})
        return 0
    render.line(f"{entry.name}: {entry.summary} ({entry.source})")
    rows = [[name, f"{o.default:g}", o.kind, f"{o.help}, {o.low:g} to {o.high:g}"] for name, o in entry.options.items()]
    if rows:
        first = "MDP, " if entry.takes_mdp else ""
        render.table(
            f'Options, as in "{entry.name}({first}{rows[0][0]}=...)"',
            ["option", "default", "kind", "meaning"],
            rows,
            left=4,
        )
    return 0
