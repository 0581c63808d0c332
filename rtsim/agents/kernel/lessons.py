"""Which transitions a learner learns from, on arrays; shared by all learners.

A lesson is one action of the agent: the state it is credited to, the reward, the state it led to. Two ways to credit:

by state (``settings[0]`` = 0)
    the transition of the step on which the action was applied;
by observation (1)
    from the observation the action was computed from to that of the agent's next action, with all rewards
    until that is applied, times ``scale``: one over the mean number of steps between actions.
"""

from __future__ import annotations


def gained(k, settings, scale, applied, rewards):
    """The reward of lesson k."""
    if settings[0]:
        total = 0.0
        for i in range(applied[k], applied[k + 1]):
            total += rewards[i]
        return total * scale
    return rewards[applied[k]]


def take(update, taken, step, batch, available, lows, highs):
    """An update begins: it takes the next lessons that were complete by ``step``; returns how many are taken by now."""
    lows[update] = taken
    while taken < len(available) and available[taken] <= step and taken - lows[update] < batch[update]:
        taken += 1
    highs[update] = taken
    return taken
