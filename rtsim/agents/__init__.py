"""Agents for tabular MDPs: policies, and learners whose updates land when a Schedule says."""

from rtsim.agents.policies import Oracle, Pending, Policy, Tabular
from rtsim.agents.q_learning import QUCB, EpsilonGreedyQ
from rtsim.agents.registry import AGENTS, AgentSpec, of
from rtsim.agents.ucrl2 import UCRL2

__all__ = [
    "AGENTS",
    "QUCB",
    "UCRL2",
    "AgentSpec",
    "EpsilonGreedyQ",
    "Oracle",
    "Pending",
    "Policy",
    "Tabular",
    "of",
]
