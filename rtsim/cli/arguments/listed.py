"""Arguments of the commands that list what there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from rtsim.cli.arguments.fields import Flag, Text


@dataclass
class Rules:
    """List the scheduler and learner rules, one line each, or the options of one rule.

    Rules of your own (README, "Rules") are listed too; both clocks run them if they compile, else simpy does.
    """

    rule: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="[NAME]")] = ""
    """A rule, to explain its options."""
    json: Flag = False
    """Print JSON."""


@dataclass
class Mdps:
    """List the MDPs that come with rtsim, one line each, and the agents that act on them; or describe one MDP.

    A file of your own: {"format": "rtsim-mdp", "version": 1, "states": 2, "actions": 1, "p": [[[0, 1]], [[0.5, 0.5]]],
    "r": [[0], [1]], "default": "stay"}, where p[s][a][t] is the probability of state t after action a in state s, and
    default is stay, random or an action; README has a larger one.
    """

    mdp: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="[MDP]")] = ""
    """A family, to explain its options; or an MDP, to describe it: "jump(n=10)", FILE.json, gym:FrozenLake-v1."""
    json: Flag = False
    """Print JSON."""


@dataclass
class Games:
    """List the games that can be played: our own, Atari's, and your ROMs."""

    json: Flag = False
    """Print JSON."""


@dataclass
class ImportRom:
    """Bring a Game Boy ROM of yours, to be played as retro:NAME; it is copied into your data folder."""

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FILE|FOLDER")] = ""
    """The ROM (.gb), or a folder with it and with integration files in the layout of stable-retro."""
    integration: Text = ""
    """Name for it; if stable-retro knows the game by this name, its rewards and states are used."""
    replace: Flag = False
    """Replace the integration of that name."""


@dataclass
class Profiles:
    """List the models of the profiles that come with rtsim, or of one profile file."""

    profile: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="[NAME|FILE]")] = ""
    """A shipped profile's name or a file of rtsim calibrate."""
    json: Flag = False
    """Print JSON."""
