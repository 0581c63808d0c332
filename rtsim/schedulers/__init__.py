"""Scheduler rules: when inferences start and when their actions are released."""

from rtsim.schedulers.learners import LearnerRule
from rtsim.schedulers.registry import LEARNER_RULES, RuleSpec, find, find_learner, names, register
from rtsim.schedulers.rule import DROP, Option, Program, Rule, Setting, Steps, at_step

__all__ = [
    "DROP",
    "LEARNER_RULES",
    "LearnerRule",
    "Option",
    "Program",
    "Rule",
    "RuleSpec",
    "Setting",
    "Steps",
    "at_step",
    "find",
    "find_learner",
    "names",
    "register",
]
