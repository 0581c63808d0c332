"""Agents for tabular MDPs: policies, and learners whose updates land when a Schedule says."""

from rtsim.agents.policies import Oracle, Pending, Policy, Tabular

__all__ = ["Oracle", "Pending", "Policy", "Tabular"]
