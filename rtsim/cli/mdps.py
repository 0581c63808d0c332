"""``rtsim mdps``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rtsim.cli import render
from rtsim.cli.arguments import Mdps

if TYPE_CHECKING:
    from rtsim.mdps import Entry, TabularMDP


def run(arguments: Mdps) -> int:
    """Print the registry of MDPs, and the agents."""
    from rtsim.agents import AGENTS
    from rtsim.mdps import ENTRIES, find, is_file, of

    if arguments.mdp:
        if is_file(arguments.mdp) or any(character in arguments.mdp for character in "(:"):
            return _describe(of(arguments.mdp), arguments.json)
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
    if not entry.takes_mdp:
        from rtsim.mdps import of

        _describe(of(entry.name), as_json=False)
    return 0


#: Of more states the diameter takes longer than one wants to wait.
MOST_STATES = 200


def _describe(mdp: TabularMDP, as_json: bool) -> int:
    """Print what an MDP is like."""
    from rtsim import theory

    found: dict[str, Any] = {
        "mdp": mdp.name,
        "states": mdp.states,
        "actions": mdp.actions,
        "default": _default(mdp),
        "rewards": [float(mdp.r.min()), float(mdp.r.max())],
        "optimal_gain_per_step": theory.optimum(mdp).gain,
        "p_minimax": theory.p_minimax(mdp),
        "diameter_steps": theory.diameter(mdp) if mdp.states <= MOST_STATES else None,
    }
    if as_json:
        infinite = found["diameter_steps"] == math.inf
        render.dump({"schema": "rtsim.mdp-described/1", **found, **({"diameter_steps": None} if infinite else {})})
        return 0
    render.table(
        f"MDP {mdp.name}" if mdp.name else "MDP",
        ["", "value"],
        [
            ["states", str(mdp.states)],
            ["actions", str(mdp.actions)],
            ["default policy", found["default"]],
            ["rewards", " to ".join(dict.fromkeys(f"{reward:g}" for reward in found["rewards"]))],
            ["optimal gain", f"{found['optimal_gain_per_step']:.6g} per step"],
            ["p_minimax", f"{found['p_minimax']:.6g}"],
            ["diameter", _steps(found["diameter_steps"])],
        ],
        left=2,
    )
    return 0


def _steps(diameter: float | None) -> str:
    if diameter is None:
        return f"not computed above {MOST_STATES} states"
    return f"{diameter:.6g} steps" if math.isfinite(diameter) else "infinite: some state is out of reach of another"


def _default(mdp: TabularMDP) -> str:
    """What the default policy does, in the words that an MDP file has for it."""
    import numpy as np

    tables = ("p_default", "r_default", "default_policy")
    known = {"stay": "stay", "random": "random"} | {str(action): action for action in range(mdp.actions)}
    for name, default in known.items():
        other = mdp.with_default(default)
        if all(np.array_equal(getattr(mdp, table), getattr(other, table)) for table in tables):
            return name if name in ("stay", "random") else f"the agent's action {name}"
    return f"{mdp.default_actions} action{'s' * (mdp.default_actions > 1)} of its own"
