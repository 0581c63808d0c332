"""Agents for tabular MDPs: policies, and learners whose updates land when a Schedule says."""

from rtsim.agents.policies import Oracle, Pending, Policy, Tabular
from rtsim.agents.q_learning import QUCB, EpsilonGreedyQ
from rtsim.agents.ucrl2 import UCRL2

__all__ = ["QUCB", "UCRL2", "EpsilonGreedyQ", "Oracle", "Pending", "Policy", "Tabular"]
