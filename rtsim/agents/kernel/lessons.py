"""Which transitions a learner learns from, on arrays; shared by all learners.

A lesson is one action of the agent: the state it is credited to, the reward, the state it led to. Two ways to credit:

by state (``settings[0]`` = 0)
    the transition of the step on which the action was applied;
by observation (1)
    from the observation the action was computed from to that of the agent's next action, with all rewards
    until that is applied, times ``scale``: one over the mean number of steps between actions.
"""

from __future__ import annotations


def completed(l, settings, scale, observation, states, rewards, last, total):  # noqa: E741
    """The lesson that the observation of step l completes, where all are learned from at once and in order.

    Returns the step of its action (-1: none is complete), the state it is credited to, its reward, where it led,
    and what to remember until the next one: the last step of the agent, and the rewards since.
    """
    if settings[0]:
        if l > 0:
            total += rewards[l - 1]
        if observation[l] < 0:
            return -1, 0, 0.0, 0, last, total
        seen = states[observation[last]] if last >= 0 else 0
        return last, seen, total * scale, states[observation[l]], l, 0.0
    if l < 1 or observation[l - 1] < 0:
        return -1, 0, 0.0, 0, last, total
    return l - 1, states[l - 1], rewards[l - 1], states[l], last, total


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
