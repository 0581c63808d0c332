# ruff: noqa: F403, F405 - the names of layout.py are the kernel's vocabulary
"""Learners: updates begin, end and land."""

from __future__ import annotations

from rtsim.clocks.kernel.layout import *
from rtsim.clocks.kernel.queues import stretched
from rtsim.clocks.kernel.rules import ask_land, ask_learn


@rare
def put_learner(g, X, k, kind, time):
    """Learner k's next event; learners are few and slow, so the earliest is found by looking at all."""
    me = g[O_LEARNER] + FIELDS * k
    X[me + KIND] = kind
    X[me + TIME] = time
    g[NEXT_LEARNER], g[NEXT_LEARNER_TIME] = 0, FAR
    for j in range(g[LEARNERS]):
        time = X[g[O_LEARNER] + FIELDS * j + TIME]
        if time < g[NEXT_LEARNER_TIME]:
            g[NEXT_LEARNER], g[NEXT_LEARNER_TIME] = j, time


@rare
def begin_update(g, X, now, k):
    me = g[O_LEARNER] + FIELDS * k
    X[me + L_START], X[me + L_STEP] = now, g[STEP]
    X[me + L_VERSION], X[me + L_END] = g[VERSION], -1


@rare
def draw_learning(g, X, now, k):
    me = g[O_LEARNER] + FIELDS * k
    at = X[me + DRAWN]
    X[me + DRAWN] = at + 1
    if X[me + FILLED] - at < 4:
        g[NEED] = max(g[NEED], NEED_DRAWS)
    duration = stretched(g, X, 2, X[g[O_LEARNING] + RING * k + (at & (RING - 1))], now)
    X[me + BUSY] += duration
    X[me + BUSY_END] = now + duration
    return duration


@rare
def land(g, X, now, k, of, start, batch):
    """Learner k applies the gradient that began as learner ``of``'s; ``start`` is that of the first merged in it."""
    me = g[O_LEARNER] + FIELDS * of
    g[VERSION] += 1
    if g[STEP] >= g[WARMUP]:
        g[T_TRANSITIONS] += batch
        g[T_UPDATES] += 1
        g[T_STALENESS] += g[VERSION] - 1 - X[me + L_VERSION]
    g[UPDATES] += 1
    if g[FULL]:
        at = g[O_UPDATES] + 8 * g[KEPT_UPDATES]
        g[KEPT_UPDATES] += 1
        X[at], X[at + 1], X[at + 2], X[at + 3] = k, start, X[me + L_END], now
        X[at + 4], X[at + 5], X[at + 6], X[at + 7] = X[me + L_STEP], X[me + L_VERSION], g[VERSION], batch


@rare
def earlier(g, X, a, b):
    """Whether learner a began its update before learner b, by time and by step."""
    a, b = g[O_LEARNER] + FIELDS * a, g[O_LEARNER] + FIELDS * b
    if X[a + L_START] != X[b + L_START]:
        return X[a + L_START] < X[b + L_START]
    return X[a + L_STEP] < X[b + L_STEP]


@rare
def end_update(g, X, now, k):
    """Learner k has its gradient; its rule says whose gradients land now."""
    me = g[O_LEARNER] + FIELDS * k
    X[me + L_END] = now
    if not g[LEARNERS]:  # learning inside the inference process
        land(g, X, now, k, k, X[me + L_START], g[BATCH])
        return
    landing, state = X[g[O_LANDING] :], X[g[O_LEARNER_STATE] :]
    count = ask_land(g[LEARN_RULE], k, X[g[O_LEARNER_STATE] - 3 :], state, landing)
    if count and g[MERGED]:
        first = landing[0]
        for i in range(count):
            X[g[O_LEARNER] + FIELDS * landing[i] + L_END] = now
            if earlier(g, X, landing[i], first):
                first = landing[i]
        land(g, X, now, k, first, X[g[O_LEARNER] + FIELDS * first + L_START], count * g[BATCH])
    put_learner(g, X, k, WAITING, FAR)
    for i in range(count):
        j = landing[i]
        if not g[MERGED]:
            land(g, X, now, j, j, X[g[O_LEARNER] + FIELDS * j + L_START], g[BATCH])
        put_learner(g, X, j, LEARN, now)


@rare
def learn(g, X, now, k):
    """Learner k may start an update."""
    me = g[O_LEARNER] + FIELDS * k
    wait = -1
    if g[STEP] <= X[me + ZERO]:
        wait = X[me + ZERO] + 1
    else:
        answer = ask_learn(g[LEARN_RULE], now, k, g[STEP], X[g[O_LEARNER_STATE] - 3 :], X[g[O_LEARNER_STATE] :])
        if answer < 0:
            wait = -1 - answer
    if wait >= 0:
        X[me + WAIT] = wait
        g[LEARNER_WAKE] = min(g[LEARNER_WAKE], wait)
        put_learner(g, X, k, WAITING, FAR)
        return
    begin_update(g, X, now, k)
    duration = draw_learning(g, X, now, k)
    if duration:
        put_learner(g, X, k, LAND, now + duration)
    else:
        X[me + ZERO] = g[STEP]
        end_update(g, X, now, k)


@rare
def wake_learners(g, X, now):
    """Learners that waited for the step that begins now are asked again."""
    g[LEARNER_WAKE] = FAR
    for k in range(g[LEARNERS]):
        if X[g[O_LEARNER] + FIELDS * k + KIND] == WAITING and X[g[O_LEARNER] + FIELDS * k + WAIT] >= 0:
            if X[g[O_LEARNER] + FIELDS * k + WAIT] <= g[STEP]:
                X[g[O_LEARNER] + FIELDS * k + WAIT] = -1
                put_learner(g, X, k, LEARN, now)
            else:
                g[LEARNER_WAKE] = min(g[LEARNER_WAKE], X[g[O_LEARNER] + FIELDS * k + WAIT])


@rare
def learns_now(g):
    return g[LEARNING] and g[STEP] >= g[STARTS]


@rare
def learners_land(g, X, now):
    """Updates whose gradient is ready land, by index of the learner."""
    n = 0
    while g[NEXT_LEARNER_TIME] == now:
        k = g[NEXT_LEARNER]
        X[g[O_LANDS] + n] = k if X[g[O_LEARNER] + FIELDS * k + KIND] == LAND else -1 - k
        n += 1
        put_learner(g, X, k, X[g[O_LEARNER] + FIELDS * k + KIND], FAR)
    for i in range(n):
        if X[g[O_LANDS] + i] < 0:
            put_learner(g, X, -1 - X[g[O_LANDS] + i], LEARN, now)
    for i in range(n):
        if X[g[O_LANDS] + i] >= 0:
            end_update(g, X, now, X[g[O_LANDS] + i])
