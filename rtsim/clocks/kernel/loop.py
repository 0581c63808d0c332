# ruff: noqa: F403, F405 - the names of layout.py are the kernel's vocabulary
"""The event loop on arrays: what :mod:`rtsim.clocks.simpy_clock` does, for machines to read.

One call runs until the last step, or until something must be supplied
from outside (random numbers, room in a table). Everything lies in a few int64 arrays, so the
loop can stop and go on at any instant; few arrays, because each one costs time in every call:

``g``
    scalars, named below
``W``, shape (leaves, FIELDS), and ``tree``, int64
    workers, and the tournament that tells whose event is next: (time, worker) for each place,
    the winner's at place 1, the workers' own from place ``leaves`` on
``P``, ``Q``
    params and state of the rule
``R``, shape (9, n)
    inferences that have ended, see :data:`rtsim.clocks.gather.RAW_INFERENCE`; a ring if the
    run only counts, so n is a power of two
``X``
    everything else: tables of fixed size, of which ``g[O_…]`` says where they begin

The order of events at one instant is that of the SimPy clock, class by class.
"""

from __future__ import annotations

from rtsim.clocks.kernel.layout import *
from rtsim.clocks.kernel.learning import (
    begin_update,
    draw_learning,
    end_update,
    learn,
    learners_land,
    learns_now,
    wake_learners,
)
from rtsim.clocks.kernel.queues import (
    alone,
    deposit_hot,
    deposit_rare,
    hand_over,
    pop_later,
    put_hot,
    put_rare,
    record_hot,
    record_rare,
    replay,
    rotate_due,
    sort_due,
    sort_ints,
    stretched,
    wait_for,
)
from rtsim.clocks.kernel.rules import ask_end_hot, ask_end_rare, ask_start


@rare
def restart(g, W, tree, now, w, free):
    """Worker w asks for its next start at ``free``; true if that is now."""
    if free == now:
        W[w, KIND] = START
        return True
    put_rare(g, W, tree, w, START, free)
    return False


@rare
def after_learning(g, W, tree, X, now, w, free):
    """The rule sequential in the order act, learn: one update, then free."""
    if learns_now(g):
        begin_update(g, X, now, 0)
        duration = draw_learning(g, X, now, 0)
        if duration:
            W[w, FREE] = free
            put_rare(g, W, tree, w, LAND, now + duration)
            return -1
        end_update(g, X, now, 0)
    return max(free, now)


@hot
def draw(g, W, X, now, w):
    """Duration and component of an inference of worker w that starts now."""
    at = W[w, DRAWN]
    W[w, DRAWN] = at + 1
    if W[w, FILLED] - at < 4:
        g[NEED] = max(g[NEED], NEED_DRAWS)
    slot = at & (RING - 1)
    duration = stretched(g, X, 0, X[g[O_DRAWS] + RING * w + slot], now)
    if g[DISPATCH]:
        duration += stretched(g, X, 1, X[g[O_DISPATCH] + RING * w + slot], now)
    if g[PARTS]:
        W[w, COMPONENT] = X[g[O_PARTS] + RING * w + slot]
    return duration


@rare
def finish_at_once(g, W, tree, X, P, Q, R, now, w, count, observation, started, version):
    """An inference of zero length ends and its action is released at once; true if the worker is free now."""
    row = record_rare(g, R, w, count, observation, started, now, version, W[w, COMPONENT])
    release, free = ask_end_rare(g[END_RULE], now, w, started, observation, g[STEP], g[STEP_START], P, Q)
    if hand_over(g, X, now, w, row, release, 0):
        deposit_rare(g, X, R, now, w, row, 0)
    if g[LEARNS] == 1:
        free = after_learning(g, W, tree, X, now, w, free)
        if free < 0:
            return False
    return restart(g, W, tree, now, w, free)


@hot
def infer(g, W, tree, X, P, Q, R, now, w):
    """Worker w computes, on the observation it has read; true if it is to be asked again at this instant."""
    duration = draw(g, W, X, now, w)
    count = W[w, COUNT]
    W[w, COUNT] = count + 1
    W[w, STARTED], W[w, PARAMETERS] = now, g[VERSION]
    if duration == 0:
        W[w, ZERO] = W[w, OBSERVATION]
    stage = duration if g[STAGES] == 1 else (duration + g[STAGES] - 1) // g[STAGES]
    W[w, BUSY] += stage
    W[w, BUSY_END] = now + stage
    if g[STAGES] == 1:
        if duration == 0:
            return finish_at_once(g, W, tree, X, P, Q, R, now, w, count, W[w, OBSERVATION], now, g[VERSION])
        else:
            put_hot(g, W, tree, w, END, now + duration)
        return False
    end = max(now + (stage if g[SKIP] else duration), g[LEFT_LAST])
    g[LEFT_LAST] = end
    if end == now:
        return finish_at_once(g, W, tree, X, P, Q, R, now, w, count, W[w, OBSERVATION], now, g[VERSION])
    if g[PIPE] == g[N_PIPE]:
        g[NEED] = TOO_SMALL
        return False
    at = (g[PIPE_HEAD] + g[PIPE]) % g[N_PIPE]
    g[PIPE] += 1
    p = g[O_PIPE] + 6 * at
    X[p], X[p + 1], X[p + 2], X[p + 3] = end, count, W[w, OBSERVATION], now
    X[p + 4], X[p + 5] = g[VERSION], W[w, COMPONENT]
    return restart(g, W, tree, now, w, now + stage)


@hot
def begin(g, W, tree, X, P, Q, R, now, w):
    """Worker w is idle: ask its rule, and start if it says now; true if it is to be asked again at this instant."""
    if W[w, KIND] == LAND_FIRST:  # it has read its observation, learned, and computes now
        W[w, KIND] = START
        return infer(g, W, tree, X, P, Q, R, now, w)
    if g[STEP] <= W[w, ZERO]:
        wait_for(g, W, tree, X, w, W[w, ZERO] + 1)
        return False
    answer = ask_start(g[START_RULE], now, w, g[STEP], g[STEP_START], P, Q)
    if answer != now:
        if answer < 0:
            wait_for(g, W, tree, X, w, -1 - answer)
        else:
            if answer < now:
                g[NEED], g[FAULT_AT] = FAULT, answer
            put_hot(g, W, tree, w, START, answer)
        return False
    W[w, OBSERVATION] = g[STEP]
    if g[LEARNS] == 2 and learns_now(g):
        begin_update(g, X, now, 0)
        duration = draw_learning(g, X, now, 0)
        if duration:
            put_hot(g, W, tree, w, LAND_FIRST, now + duration)
            return False
        end_update(g, X, now, 0)
    return infer(g, W, tree, X, P, Q, R, now, w)


@hot
def square(g, low, high, product):
    g[low] += product & 0xFFFFFFFF
    g[high] += product >> 32


@hot
def read(g, X, R, now):
    """The step reads the mailbox, or the default policy acts."""
    row, position, release = -1, -1, -1
    if g[MAIL]:
        head = g[MAIL_HEAD]
        row, position, release = X[g[O_MAIL] + 3 * head], X[g[O_MAIL] + 3 * head + 1], X[g[O_MAIL] + 3 * head + 2]
        g[MAIL] -= 1
        if g[QUEUE]:
            g[MAIL_HEAD] = (head + 1) % g[N_MAIL]
    step = g[STEP]
    mask = R.shape[1] - 1
    if step >= g[WARMUP]:
        g[T_RELEASED] += g[RELEASED]
        g[T_OVERWRITTEN] += g[OVERWRITTEN]
        g[T_DROPPED] += g[DROPPED]
        if row >= 0:
            if g[ROWS] - row > mask:
                g[NEED] = TOO_SMALL
                return
            g[T_USED] += 1
            g[T_AGE] += g[VERSION] - R[PARAMETERS_USED, row & mask]
            delay = step - R[OBSERVED, row & mask]
            if delay >= g[N_DELAYS]:
                g[NEED] = TOO_SMALL
                return
            X[g[O_DELAYS] + delay] += 1
            if g[T_LAST_STEP] >= 0:
                gap, gap_ns = step - g[T_LAST_STEP], now - g[T_LAST_NS]
                g[T_GAPS] += 1
                g[T_NS] += gap_ns
                g[T_STEPS] += gap
                g[T_STEPS2] += gap * gap
                top, bottom = gap_ns >> 31, gap_ns & 0x7FFFFFFF
                if top:
                    square(g, T_HH0, T_HH1, top * top)
                    square(g, T_HL0, T_HL1, top * bottom)
                square(g, T_LL0, T_LL1, bottom * bottom)
            g[T_LAST_STEP], g[T_LAST_NS] = step, now
    if g[FULL]:
        if position == 0:
            R[USED_AT, row] = step
        at, n = g[O_STEPS] + step, g[STEPS]
        X[at], X[at + n], X[at + 2 * n], X[at + 3 * n] = now, row, position, release
        X[at + 4 * n], X[at + 5 * n], X[at + 6 * n] = g[RELEASED], g[OVERWRITTEN], g[DROPPED]
    g[RELEASED] = g[OVERWRITTEN] = g[DROPPED] = 0


@rare
def publish(g, W, X, step):
    """A step begins: actions held for it are due, workers that waited for it start."""
    n_due = n_start = 0
    slot = step & (g[N_RING] - 1)
    entry = X[g[O_FIRST] + slot]
    while entry >= 0:
        after = X[g[O_HOLD] + 4 * entry]
        X[g[O_DUE] + 3 * n_due], X[g[O_DUE] + 3 * n_due + 1], X[g[O_DUE] + 3 * n_due + 2] = (
            X[g[O_HOLD] + 4 * entry + 1],
            X[g[O_HOLD] + 4 * entry + 2],
            X[g[O_HOLD] + 4 * entry + 3],
        )
        n_due += 1
        X[g[O_HOLD] + 4 * entry] = g[FREE_HOLD]
        g[FREE_HOLD] = entry
        entry = after
    X[g[O_FIRST] + slot] = -1
    w = X[g[O_WAKE] + slot]
    while w >= 0:
        X[g[O_STARTERS] + n_start] = w
        n_start += 1
        w = W[w, NEXT]
    X[g[O_WAKE] + slot] = -1
    if step >= g[WORKER_FAR]:
        g[WORKER_FAR] = FAR
        for w in range(g[WORKERS]):
            if W[w, KIND] == WAITING and W[w, NEXT] == -2:
                if W[w, WAIT] == step:
                    W[w, NEXT] = -1
                    X[g[O_STARTERS] + n_start] = w
                    n_start += 1
                else:
                    g[WORKER_FAR] = min(g[WORKER_FAR], W[w, WAIT])
    # Lists are built from the back; the newest came first.
    for i in range(n_start // 2):
        X[g[O_STARTERS] + i], X[g[O_STARTERS] + n_start - 1 - i] = (
            X[g[O_STARTERS] + n_start - 1 - i],
            X[g[O_STARTERS] + i],
        )
    return n_due, n_start


@rare
def leave_pipeline(g, W, tree, X, P, Q, R, now, n_due):
    """Inferences that leave the pipeline now."""
    while g[PIPE] and X[g[O_PIPE] + 6 * g[PIPE_HEAD]] == now:
        at = g[PIPE_HEAD]
        g[PIPE_HEAD] = (at + 1) % g[N_PIPE]
        g[PIPE] -= 1
        p = g[O_PIPE] + 6 * at
        row = record_rare(g, R, 0, X[p + 1], X[p + 2], X[p + 3], now, X[p + 4], X[p + 5])
        release, _ = ask_end_rare(g[END_RULE], now, 0, X[p + 3], X[p + 2], g[STEP], g[STEP_START], P, Q)
        n_due = hand_over(g, X, now, 0, row, release, n_due)
    return n_due


def advance_source(g, W, tree, X, P, Q, R):
    """Run until the last step is done or something is needed; returns the reason."""
    g[NEED] = DONE
    while True:
        # One instant: the earliest of the next step, worker, learner, pipeline and later release.
        coming = g[STEP] + 1
        if g[NEED]:
            return g[NEED]
        if coming >= g[STEPS]:
            return DONE
        if coming >= g[STEPS_KNOWN]:
            return NEED_STEPS
        begins = X[g[O_TIMES] + (coming & (STEP_RING - 1))]
        earliest = tree[2]
        now = min(begins, earliest)
        if g[LEARNERS]:
            now = min(now, g[NEXT_LEARNER_TIME])
        if g[PIPE]:
            now = min(now, X[g[O_PIPE] + 6 * g[PIPE_HEAD]])
        if g[QUEUE_SIZE]:
            now = min(now, X[g[O_LATER]])
        g[NOW] = now
        if g[FULL] and (
            g[ROWS] + 2 * g[WORKERS] + g[PIPE] + 2 > R.shape[1] or g[KEPT_UPDATES] + 2 * g[LEARNERS] + 2 > g[N_UPDATES]
        ):
            return NEED_ROOM
        if g[SWITCHES_END] <= now:
            return NEED_SWITCHES

        n_end = n_start = n_due = n_land = 0
        stepping = begins == now
        if stepping:
            g[STEP], g[STEP_START] = coming, now
            if g[LEARNER_WAKE] <= coming:
                wake_learners(g, X, now)
            slot = coming & (g[N_RING] - 1)
            if X[g[O_FIRST] + slot] >= 0 or X[g[O_WAKE] + slot] >= 0 or g[WORKER_FAR] <= coming:
                n_due, n_start = publish(g, W, X, coming)
        held = n_due
        if earliest == now:
            first = tree[3] & INDEX
            single = alone(g, tree, first, now)
            while True:
                kind = W[first, KIND]
                if kind == END:
                    X[g[O_ENDS] + n_end] = first
                    n_end += 1
                elif kind == START:
                    X[g[O_STARTERS] + n_start] = first
                    n_start += 1
                elif kind == RELEASE_START:
                    X[g[O_DUE] + 3 * n_due], X[g[O_DUE] + 3 * n_due + 1], X[g[O_DUE] + 3 * n_due + 2] = (
                        first,
                        W[first, ENDS],
                        0,
                    )
                    n_due += 1
                    X[g[O_STARTERS] + n_start] = first
                    n_start += 1
                else:
                    n_land = 1
                if single:
                    break
                replay(g, tree, first, FAR)
                if tree[2] != now:
                    break
                first = tree[3] & INDEX
        while g[QUEUE_SIZE] and X[g[O_LATER]] == now:
            X[g[O_DUE] + 3 * n_due], X[g[O_DUE] + 3 * n_due + 1], X[g[O_DUE] + 3 * n_due + 2] = (
                X[g[O_LATER] + 1],
                X[g[O_LATER] + 3],
                X[g[O_LATER] + 4],
            )
            n_due += 1
            pop_later(g, X)
        if held and n_due > held:
            rotate_due(X, g[O_DUE], held, n_due)

        for i in range(n_end):
            w = X[g[O_ENDS] + i] & INDEX
            row = record_hot(
                g, R, w, W[w, COUNT] - 1, W[w, OBSERVATION], W[w, STARTED], now, W[w, PARAMETERS], W[w, COMPONENT]
            )
            release, free = ask_end_hot(
                g[END_RULE], now, w, W[w, STARTED], W[w, OBSERVATION], g[STEP], g[STEP_START], P, Q
            )
            if free < now:
                g[NEED], g[FAULT_AT] = FAULT, free
                return FAULT
            if release == free and release > now and g[LEARNS] != 1:
                W[w, ENDS] = row
                put_hot(g, W, tree, w, RELEASE_START, free)
                continue
            n_due = hand_over(g, X, now, w, row, release, n_due)
            if g[LEARNS] == 1:
                free = after_learning(g, W, tree, X, now, w, free)
                if free < 0:
                    continue
            if free == now:
                X[g[O_STARTERS] + n_start] = w
                n_start += 1
            else:
                put_hot(g, W, tree, w, START, free)
        if g[PIPE]:
            n_due = leave_pipeline(g, W, tree, X, P, Q, R, now, n_due)
        if n_land:  # the rule sequential: worker 0 has learned
            kind = W[0, KIND]
            end_update(g, X, now, 0)
            if kind == LAND and W[0, FREE] > now:
                put_hot(g, W, tree, 0, START, W[0, FREE])
            else:
                X[g[O_STARTERS] + n_start] = 0
                n_start += 1
        if g[LEARNERS] and g[NEXT_LEARNER_TIME] == now:
            learners_land(g, X, now)
        if n_due > 1:
            sort_due(X, g[O_DUE], n_due)
        for i in range(n_due):
            deposit_hot(g, X, R, now, X[g[O_DUE] + 3 * i], X[g[O_DUE] + 3 * i + 1], X[g[O_DUE] + 3 * i + 2])
        if n_start > 1:
            sort_ints(X, g[O_STARTERS], n_start)
        for i in range(n_start):
            while begin(g, W, tree, X, P, Q, R, now, X[g[O_STARTERS] + i] & INDEX):
                pass
        if g[LEARNERS]:
            while g[NEXT_LEARNER_TIME] == now:
                learn(g, X, now, g[NEXT_LEARNER])
        if stepping:
            read(g, X, R, now)
