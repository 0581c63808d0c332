"""Q-learning, with bonuses or without: learning at once, and as updates land.

settings : int64 (3,)
    how lessons are credited, whether values may only fall, whether an update reads the entry it changes when it begins.
knobs : float64 (7,)
    lowest reward, 1 / range of rewards, discount, horizon of the step size (H + 1)/(H + n), constant step
    size or 0, factor of the bonus 1/√n, scale of lessons.
q, bound : float64 (S·A,); value : float64 (S,); greedy, ties : int64 (S,); visits : int64 (S·A,)
    ``bound`` is what is acted on; without optimism it equals ``q``. ``value`` is its maximum over actions, ``ties`` how
    many actions reach that, ``greedy`` one of them.
chance : float64 (T,)
    Uniform in 0..1, decides between equals: the order in which an MDP names its actions must not matter.
"""

from __future__ import annotations

from math import sqrt

from rtsim.agents.kernel.lessons import completed, gained, take
from rtsim.agents.kernel.moves import default_row, leave


def improve(row, s, n, target, old, settings, knobs, q, bound, value, greedy, ties, visits):
    """One lesson changes one entry."""
    count = visits[row] + 1
    visits[row] = count
    rate = knobs[4] if knobs[4] > 0.0 else (knobs[3] + 1.0) / (knobs[3] + count)
    if not settings[2]:
        old = q[row]
    new = q[row] + rate * (target + knobs[5] / sqrt(count) - old)
    q[row] = new
    before = bound[row]
    if settings[1] and new >= before:
        return 0
    bound[row] = new
    if new > value[s]:
        value[s] = new
        greedy[s] = row - s * n
        ties[s] = 1
    elif before < value[s]:
        ties[s] += new == value[s]
    elif new < before:
        best, equal = 0, 1
        for b in range(1, n):
            if bound[s * n + b] > bound[s * n + best]:
                best, equal = b, 1
            elif bound[s * n + b] == bound[s * n + best]:
                equal += 1
        greedy[s] = best
        value[s] = bound[s * n + best]
        ties[s] = equal
    return 0


def prefer(s, n, chance, bound, value, greedy, ties):
    """An action of the greatest value, each of equals as likely."""
    found = greedy[s]
    if ties[s] > 1:
        left = int(chance * ties[s])
        for b in range(n):
            if bound[s * n + b] == value[s] and left >= 0:
                found = b
                left -= 1
    return found


def q_at_once(
    sizes, first, target, cum, r, default_cum, u, u_reward, u_default,
    observation, explored, chance, settings, knobs, q, bound, value, greedy, ties, visits, states, actions, rewards,
):  # fmt: skip
    """Every lesson is learned as soon as the observation that completes it is there.

    observation : int64 (T,), ascending where >= 0; explored : int64 (T,), actions to explore, else -1; or empty.
    """
    n, own = sizes[1], sizes[0] * sizes[1]
    arrived, last, total = 0, -1, 0.0
    for i in range(len(observation)):
        s, o = states[i], observation[i]
        if o >= 0:
            while arrived <= o:
                begun, seen, reward, ended, last, total = completed(
                    arrived, settings, knobs[6], observation, states, rewards, last, total
                )
                arrived += 1
                if begun < 0:
                    continue
                row = seen * n + actions[begun]
                goal = (reward - knobs[0]) * knobs[1] + knobs[2] * value[ended]
                improve(row, seen, n, goal, q[row], settings, knobs, q, bound, value, greedy, ties, visits)
            a = prefer(states[o], n, chance[i], bound, value, greedy, ties)
            if len(explored) and explored[i] >= 0:
                a = explored[i]
            row = s * n + a
            actions[i] = a
        else:
            row = default_row(i, s, sizes, default_cum, u_default)
            actions[i] = row - own - s * sizes[2]
        leave(i, row, first, target, cum, r, u, u_reward, states, rewards)
    return 0


def q_as_landed(
    sizes, first, target, cum, r, default_cum, u, u_reward, u_default,
    observation, explored, chance, turns, versions, begun, begun_version, begun_step, batch,
    credited, led_to, available, applied, lows, highs, goals, olds,
    settings, knobs, q, bound, value, greedy, ties, visits, states, actions, rewards,
):  # fmt: skip
    """Actions are computed with the parameters of their version, updates on those of their begin.

    turns, versions : int64 (K,)
        Steps on which the agent acts in the order of their inferences' starts, and the versions those used.
    begun, begun_version, begun_step : int64 (U,)
        Updates in the order of their starts, the version each read and the newest observation it knew.
    batch : int64 (U,)
    credited, led_to, applied : int64 (K,); available : int64 (L,)
        By lesson: the steps whose states it goes from and to, the step of its action, and the step that completes it.
    lows, highs : int64 (U,); goals, olds : float64 (K,)
        Scratch: which lessons an update has taken, and what it read.
    actions : int64 (T,)
        -1 until computed.
    """
    n, own = sizes[1], sizes[0] * sizes[1]
    turn, version, begin, taken = 0, 0, 0, 0
    for i in range(len(observation)):
        s = states[i]
        if observation[i] >= 0:
            while actions[i] < 0:
                while version < versions[turn]:
                    while begin < len(begun) and begun_version[begin] <= version:
                        k, update = taken, begun[begin]
                        taken = take(update, taken, begun_step[begin], batch, available, lows, highs)
                        begin += 1
                        while k < taken:
                            reward = gained(k, settings, knobs[6], applied, rewards)
                            goals[k] = (reward - knobs[0]) * knobs[1] + knobs[2] * value[states[led_to[k]]]
                            olds[k] = q[states[credited[k]] * n + actions[applied[k]]]
                            k += 1
                    for k in range(lows[version], highs[version]):
                        seen = states[credited[k]]
                        row = seen * n + actions[applied[k]]
                        improve(row, seen, n, goals[k], olds[k], settings, knobs, q, bound, value, greedy, ties, visits)
                    version += 1
                at = turns[turn]
                turn += 1
                actions[at] = prefer(states[observation[at]], n, chance[at], bound, value, greedy, ties)
                if len(explored) and explored[at] >= 0:
                    actions[at] = explored[at]
            row = s * n + actions[i]
        else:
            row = default_row(i, s, sizes, default_cum, u_default)
            actions[i] = row - own - s * sizes[2]
        leave(i, row, first, target, cum, r, u, u_reward, states, rewards)
    return version
