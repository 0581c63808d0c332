"""How the world moves by one step, on arrays.

The agent's action a in state s has row s·A + a, the default policy's action b row S·A + s·B + b. Successors of
row j, of positive probability only, stand from ``first[j]`` to ``first[j + 1]`` in ``target``, with the
cumulated probabilities in ``cum``.
"""

from __future__ import annotations

#: Up to this many entries are looked through one by one, more by bisection.
FEW = 16


def place(cum, begin, last, u):
    """The first of the places begin..last whose cumulated probability exceeds u; the last one without asking."""
    if last - begin > FEW:
        low, high = begin, last
        while low < high:
            middle = (low + high) // 2
            if u >= cum[middle]:
                low = middle + 1
            else:
                high = middle
        return low
    found = begin
    for k in range(begin, last):
        found += u >= cum[k]
    return found


def default_row(i, s, sizes, default_cum, u_default):
    """The row of what the default policy does on step i."""
    choices = sizes[2]
    b = 0
    if len(u_default):
        b = place(default_cum, s * choices, s * choices + choices - 1, u_default[i]) - s * choices
    return sizes[0] * sizes[1] + s * choices + b


def leave(i, row, first, target, cum, r, u, u_reward, states, rewards):
    """Step i: the reward and the next state."""
    reward = r[row]
    if len(u_reward):
        reward = 1.0 if u_reward[i] < reward else 0.0
    rewards[i] = reward
    states[i + 1] = target[place(cum, first[row], first[row + 1] - 1, u[i])]


def walk(
    sizes, first, target, cum, r, default_cum, u, u_reward, u_default,
    observation, policy, policy_cum, u_policy, states, actions, rewards,
):  # fmt: skip
    """A policy that maps the observed state to an action, or to their probabilities if ``u_policy`` is given.

    sizes : int64 (3,), S, A and B.
    u, u_reward, u_default, u_policy : float64 (T,); the last three empty where nothing is to be drawn.
    observation : int64 (T,), -1 where the default policy acts.
    policy : int64 (S,); policy_cum : float64 (S·A,).
    states : int64 (T + 1,), the first one set; actions : int64 (T,); rewards : float64 (T,).
    """
    own = sizes[0] * sizes[1]
    n = sizes[1]
    for i in range(len(observation)):
        s, o = states[i], observation[i]
        if o >= 0:
            seen = states[o]
            a = place(policy_cum, seen * n, seen * n + n - 1, u_policy[i]) - seen * n if len(u_policy) else policy[seen]
            row = s * n + a
            actions[i] = a
        else:
            row = default_row(i, s, sizes, default_cum, u_default)
            actions[i] = row - own - s * sizes[2]
        leave(i, row, first, target, cum, r, u, u_reward, states, rewards)
    return 0


def faulty(observation, worker):
    """The first step whose observation is of the future, or does not say who acted; -1 if there is none."""
    for i in range(len(observation)):
        if observation[i] > i or (observation[i] < 0) != (worker[i] < 0):
            return i
    return -1
