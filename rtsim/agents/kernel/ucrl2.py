"""UCRL2: learning at once, and as updates land.

settings : int64 (1,)
    How lessons are credited.
knobs : float64 (5,)
    lowest reward, 1 / range of rewards, confidence parameter, factor of all widths, scale of lessons.
visits, inside : int64 (S·A,); went : int64 (S·A·S,); earned : float64 (S·A,)
    Counts, those since the episode began, transitions, rewards.
chances : float64 (S·A·S,); optimistic, half : float64 (S·A,); u, ahead : float64 (S,); order : int64 (S,)
    Scratch of the planning; u is kept from episode to episode.
policy : int64 (S,)
"""

from __future__ import annotations

from math import log, sqrt

from rtsim.agents.kernel.lessons import completed, gained, take
from rtsim.agents.kernel.moves import default_row, leave

MOST_SWEEPS = 100_000


def sweep(size, n, chances, optimistic, half, u, ahead, order, policy):
    """One sweep of extended value iteration; returns how far the changes of different states are apart."""
    for i in range(1, size):
        x = order[i]
        j = i
        while j > 0 and u[order[j - 1]] < u[x]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = x
    top = order[0]
    low, high = 0.0, 0.0
    for s in range(size):
        best, most = 0, 0.0
        for a in range(n):
            row = s * n + a
            at = row * size
            value = 0.0
            for t in range(size):
                value += chances[at + t] * u[t]
            moved = min(half[row], 1.0 - chances[at + top])
            value += optimistic[row] + moved * u[top]
            j = size - 1
            while moved > 0.0 and j > 0:
                x = order[j]
                part = min(chances[at + x], moved)
                value -= part * u[x]
                moved -= part
                j -= 1
            if a == 0 or value > most:
                best, most = a, value
        policy[s] = best
        ahead[s] = most
        change = most - u[s]
        if s == 0 or change < low:
            low = change
        if s == 0 or change > high:
            high = change
    least = ahead[0]
    for s in range(1, size):
        least = min(least, ahead[s])
    for s in range(size):
        u[s] = ahead[s] - least
    return high - low


def plan(size, n, time, knobs, visits, inside, went, earned, chances, optimistic, half, u, ahead, order, policy):
    """A new episode: the policy that is best in the best plausible MDP."""
    time = max(time, 1)
    of_reward = 3.5 * log(2.0 * size * n * time / knobs[2])
    of_move = 14.0 * size * log(2.0 * n * time / knobs[2])
    for row in range(size * n):
        count = max(visits[row], 1)
        optimistic[row] = earned[row] / count + knobs[3] * sqrt(of_reward / count)
        half[row] = 0.5 * knobs[3] * sqrt(of_move / count)
        inside[row] = 0
        for t in range(row * size, row * size + size):
            chances[t] = went[t] / count if visits[row] else 1.0 / size
    enough = 1.0 / sqrt(time)
    for _ in range(MOST_SWEEPS):
        if sweep(size, n, chances, optimistic, half, u, ahead, order, policy) < enough:
            break
    return 0


def learn(
    row, t, reward, size, n, time, knobs,
    visits, inside, went, earned, chances, optimistic, half, u, ahead, order, policy,
):  # fmt: skip
    """One lesson; the episode ends when a pair has been visited as often in it as in all episodes before."""
    earned[row] += (reward - knobs[0]) * knobs[1]
    went[row * size + t] += 1
    visits[row] += 1
    inside[row] += 1
    if inside[row] >= max(visits[row] - inside[row], 1):
        plan(size, n, time, knobs, visits, inside, went, earned, chances, optimistic, half, u, ahead, order, policy)
    return 0


def ucrl2_at_once(
    sizes, first, target, cum, r, default_cum, u_move, u_reward, u_default, observation, settings, knobs,
    visits, inside, went, earned, chances, optimistic, half, u, ahead, order, policy, states, actions, rewards,
):  # fmt: skip
    """Every lesson is learned as soon as the observation that completes it is there; see ``q_at_once``."""
    size, n = sizes[0], sizes[1]
    own = size * n
    arrived, last, total, time = 0, -1, 0.0, 0
    plan(size, n, 1, knobs, visits, inside, went, earned, chances, optimistic, half, u, ahead, order, policy)
    for i in range(len(observation)):
        s, o = states[i], observation[i]
        if o >= 0:
            while arrived <= o:
                begun, seen, reward, ended, last, total = completed(
                    arrived, settings, knobs[4], observation, states, rewards, last, total
                )
                arrived += 1
                if begun < 0:
                    continue
                time += 1
                learn(
                    seen * n + actions[begun], ended, reward, size, n, time, knobs,
                    visits, inside, went, earned, chances, optimistic, half, u, ahead, order, policy,
                )  # fmt: skip
            a = policy[states[o]]
            row = s * n + a
            actions[i] = a
        else:
            row = default_row(i, s, sizes, default_cum, u_default)
            actions[i] = row - own - s * sizes[2]
        leave(i, row, first, target, cum, r, u_move, u_reward, states, rewards)
    return 0


def ucrl2_as_landed(
    sizes, first, target, cum, r, default_cum, u_move, u_reward, u_default,
    observation, turns, versions, begun, begun_version, begun_step, batch,
    credited, led_to, available, applied, lows, highs, settings, knobs,
    visits, inside, went, earned, chances, optimistic, half, u, ahead, order, policy, states, actions, rewards,
):  # fmt: skip
    """Lessons are counted, and a new episode may begin, when an update lands; see ``q_as_landed``."""
    size, n = sizes[0], sizes[1]
    own = size * n
    turn, version, begin, taken, time = 0, 0, 0, 0, 0
    plan(size, n, 1, knobs, visits, inside, went, earned, chances, optimistic, half, u, ahead, order, policy)
    for i in range(len(observation)):
        s = states[i]
        if observation[i] >= 0:
            while actions[i] < 0:
                while version < versions[turn]:
                    while begin < len(begun) and begun_version[begin] <= version:
                        taken = take(begun[begin], taken, begun_step[begin], batch, available, lows, highs)
                        begin += 1
                    for k in range(lows[version], highs[version]):
                        time += 1
                        learn(
                            states[credited[k]] * n + actions[applied[k]], states[led_to[k]],
                            gained(k, settings, knobs[4], applied, rewards), size, n, time, knobs,
                            visits, inside, went, earned, chances, optimistic, half, u, ahead, order, policy,
                        )  # fmt: skip
                    version += 1
                at = turns[turn]
                turn += 1
                actions[at] = policy[states[observation[at]]]
            row = s * n + actions[i]
        else:
            row = default_row(i, s, sizes, default_cum, u_default)
            actions[i] = row - own - s * sizes[2]
        leave(i, row, first, target, cum, r, u_move, u_reward, states, rewards)
    return version
