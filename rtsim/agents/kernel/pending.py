"""A policy that knows which actions were applied since its observation."""

from __future__ import annotations

from rtsim.agents.kernel.moves import default_row, leave


def anticipate(
    sizes, first, target, cum, r, default_cum, u, u_reward, u_default,
    observation, p, p_default, values, belief, ahead, states, actions, rewards,
):  # fmt: skip
    """The best action for what the state is likely to be by now.

    p : float64 (S·A·S,); p_default : float64 (S·S,), the chain under the default policy; values : float64 (S·A,).
    belief, ahead : float64 (S,), scratch.
    """
    size, n = sizes[0], sizes[1]
    for i in range(len(observation)):
        s, o = states[i], observation[i]
        if o >= 0:
            for k in range(size):
                belief[k] = 0.0
            belief[states[o]] = 1.0
            for j in range(o, i):
                for t in range(size):
                    ahead[t] = 0.0
                for k in range(size):
                    weight = belief[k]
                    if weight > 0.0:
                        if observation[j] >= 0:
                            at = (k * n + actions[j]) * size
                            for t in range(size):
                                ahead[t] += weight * p[at + t]
                        else:
                            at = k * size
                            for t in range(size):
                                ahead[t] += weight * p_default[at + t]
                for t in range(size):
                    belief[t] = ahead[t]
            best, most = 0, 0.0
            for a in range(n):
                value = 0.0
                for k in range(size):
                    value += belief[k] * values[k * n + a]
                if a == 0 or value > most:
                    best, most = a, value
            row = s * n + best
            actions[i] = best
        else:
            row = default_row(i, s, sizes, default_cum, u_default)
            actions[i] = row - size * n - s * sizes[2]
        leave(i, row, first, target, cum, r, u, u_reward, states, rewards)
    return 0
