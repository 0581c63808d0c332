"""Tabular asynchronous MDPs: the worst cases of the papers and others to hold against them."""

from rtsim.mdps.learning import garnet, jao, riverswim
from rtsim.mdps.mazes import maze
from rtsim.mdps.registry import ENTRIES, Entry, Option, find, is_file, names, of
from rtsim.mdps.tabular import TabularMDP
from rtsim.mdps.toy_text import toy_text
from rtsim.mdps.transforms import repeat_default, sticky, sticky_actions
from rtsim.mdps.worst_cases import aliased, alternate, delay, forward, inaction, jump, pit

__all__ = [
    "ENTRIES",
    "Entry",
    "Option",
    "TabularMDP",
    "aliased",
    "alternate",
    "delay",
    "find",
    "forward",
    "garnet",
    "inaction",
    "is_file",
    "jao",
    "jump",
    "maze",
    "names",
    "of",
    "pit",
    "repeat_default",
    "riverswim",
    "sticky",
    "sticky_actions",
    "toy_text",
]
