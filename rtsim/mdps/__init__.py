"""Tabular asynchronous MDPs: the worst cases of the papers and others to hold against them, and files of your own.

An MDP file is JSON, one object; ``mdps.of("mine.json")`` and ``--mdp mine.json`` read it, ``rtsim mdps mine.json``
describes it::

    {"format": "rtsim-mdp", "version": 1,
     "states": 2, "actions": 2,
     "p": [[[0.9, 0.1], [0.5, 0.5]],
           [[0.2, 0.8], [0.0, 1.0]]],
     "r": [[0.0, -0.1],
           [1.0, 0.5]],
     "default": "stay",
     "start": 0}

``p[s][a][t]`` is the probability of state t one step after the agent's action a in state s, ``r[s][a]`` the expected
reward of that step. All else is optional:

default
    What the default policy does: ``"stay"`` (the state remains, nothing is earned; what is taken if not given),
    ``"random"`` (one of the agent's actions, each as likely) or the number of one of the agent's actions.
default_actions, p_default, r_default, default_policy
    Instead of that, all four: how many actions the default policy has of its own, their tables, and its probability of
    each of them in each state.
start
    The first state, or the probability of each.
reward
    ``"expected"`` (a simulated reward is r itself; what is taken if not given) or ``"bernoulli"`` (1 with probability
    r, else 0).
name
    A label.

``p`` and ``p_default`` may be given sparsely, ``{"sparse": [[state, action, next state, probability], ...]}``. The MDP
must be weakly communicating under the agent's actions. ``TabularMDP.save`` writes such files, and ``.npz`` for
large ones.
"""

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
