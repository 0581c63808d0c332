# ruff: noqa: F403, F405 - the names of layout.py are the kernel's vocabulary
"""Who is next, who waits, what is held, and the mailbox."""

from __future__ import annotations

from rtsim.clocks.kernel.layout import *
from rtsim.schedulers.rule import DROP


@hot
def replay(g, tree, who, time):
    """Worker ``who``'s next event is at ``time``: play the matches above it again.

    The earlier time wins, then the lower index. Each place of the tree holds the time and the
    worker of its winner, so that nothing a match needs waits for the match below it.
    """
    place = (who + g[LEAVES]) & INDEX
    tree[2 * place] = time
    while place > 1:
        rival = tree[2 * (place ^ 1)]
        # 1 if the rival wins, without a branch, which would be a toss-up; the left one (even) wins a draw.
        lost = (rival - time - (place & 1)) >> 63 & 1
        winner = place ^ lost
        time = min(time, rival)
        place >>= 1
        tree[2 * place] = time
        tree[2 * place + 1] = tree[2 * winner + 1]


@hot
def alone(g, tree, who, time):
    """Whether nobody else's next event is at the same time as the winner's."""
    place = (who + g[LEAVES]) & INDEX
    while place > 1:
        if tree[2 * (place ^ 1)] == time:
            return False
        place >>= 1
    return True


def put(g, W, tree, w, kind, time):
    """Worker w's next event."""
    W[w, KIND] = kind
    replay(g, tree, w, time)


put_hot = hot(put)
put_rare = rare(put)


@rare
def wait_for(g, W, tree, X, w, step):
    """Worker w sleeps until observation ``step`` is published."""
    if step <= g[STEP]:
        g[NEED], g[FAULT_AT] = FAULT, step
    W[w, WAIT] = step
    ring = g[N_RING]
    if step - g[STEP] < ring:
        W[w, NEXT] = X[g[O_WAKE] + (step & (ring - 1))]
        X[g[O_WAKE] + (step & (ring - 1))] = w
    else:
        W[w, NEXT] = -2
        g[WORKER_FAR] = min(g[WORKER_FAR], step)
    put_rare(g, W, tree, w, WAITING, FAR)


@hot
def stretched(g, X, which, duration, now):
    """A duration lengthened if it starts in a slow spell; see rtsim.timing.streams.Spells."""
    permille = g[SLOW0 + which]
    if permille == 0:
        return duration
    at = g[SWITCH0 + which]
    while X[g[O_SWITCH0 + which] + at] <= now:
        at += 1
    g[SWITCH0 + which] = at
    if at % 2 == 0:
        return duration
    return duration // 1000 * permille + duration % 1000 * permille // 1000


@rare
def hold_for(g, X, step, w, row, position):
    """Keep an action until the start of a later step."""
    if step <= g[STEP]:
        g[NEED], g[FAULT_AT] = FAULT, step
        return
    if step >= g[STEPS]:
        return  # beyond the last step: never released
    ring = g[N_RING]
    entry = g[FREE_HOLD]
    if step - g[STEP] >= ring or entry < 0:
        g[NEED] = TOO_SMALL
        return
    g[FREE_HOLD] = X[g[O_HOLD] + 4 * entry]
    at = g[O_HOLD] + 4 * entry
    X[at], X[at + 1], X[at + 2], X[at + 3] = -1, w, row, position
    slot = step & (ring - 1)
    if X[g[O_FIRST] + slot] < 0:
        X[g[O_FIRST] + slot] = entry
    else:
        X[g[O_HOLD] + 4 * X[g[O_LAST] + slot]] = entry
    X[g[O_LAST] + slot] = entry


def deposit(g, X, R, now, w, row, position):
    """An action is released into the mailbox."""
    g[RELEASED] += 1
    if g[CHUNK] > 1:
        observation = R[OBSERVED, row & (R.shape[1] - 1)]
        if position and observation < g[NEWEST_CHUNK] and g[QUEUE] == 0:
            g[OVERWRITTEN] += 1
            return
        g[NEWEST_CHUNK] = max(g[NEWEST_CHUNK], observation)
    if position == 0:
        if g[FULL]:
            R[RELEASED_AT, row] = now
        if g[CHUNK] > 1:
            first = g[STEP] if now == g[STEP_START] else g[STEP] + 1
            for later in range(1, g[CHUNK]):
                hold_for(g, X, first + later, w, row, later)
    if g[QUEUE] == 0:
        g[OVERWRITTEN] += g[MAIL]
        g[MAIL] = 1
        at = g[O_MAIL]
        X[at], X[at + 1], X[at + 2] = row, position, now
        return
    if g[MAIL] == g[QUEUE]:
        g[DROPPED] += 1
        return
    ring = g[N_MAIL]
    if g[MAIL] == ring:
        g[NEED] = TOO_SMALL
        return
    at = g[O_MAIL] + 3 * ((g[MAIL_HEAD] + g[MAIL]) % ring)
    X[at], X[at + 1], X[at + 2] = row, position, now
    g[MAIL] += 1


deposit_hot = hot(deposit)
deposit_rare = rare(deposit)


def record(g, R, w, count, observation, started, end, version, component):
    """A finished inference gets its row."""
    row = g[ROWS]
    g[ROWS] = row + 1
    at = row & (R.shape[1] - 1)
    R[OBSERVED, at], R[PARAMETERS_USED, at] = observation, version
    if g[FULL]:
        R[RAN_ON, at], R[RAN_AS, at], R[BEGAN, at], R[ENDED, at] = w, count, started, end
        R[RELEASED_AT, at], R[PART, at], R[USED_AT, at] = -1, component, -1
    g[LONGEST] = max(g[LONGEST], end - started)
    return row


record_hot = hot(record)
record_rare = rare(record)


@rare
def release_later(g, X, time, w, row):
    """A release at a future time of a worker that is free before: into the heap by (time, worker, sequence)."""
    size = g[QUEUE_SIZE]
    if size == g[N_LATER]:
        g[NEED] = TOO_SMALL
        return
    g[QUEUE_SIZE] = size + 1
    g[SEQUENCE] += 1
    base, place = g[O_LATER], size
    while place > 0:
        above = base + 5 * ((place - 1) >> 1)
        if X[above] < time or (X[above] == time and X[above + 1] <= w):
            break
        for column in range(5):
            X[base + 5 * place + column] = X[above + column]
        place = (place - 1) >> 1
    at = base + 5 * place
    X[at], X[at + 1], X[at + 2], X[at + 3], X[at + 4] = time, w, g[SEQUENCE], row, 0


@rare
def pop_later(g, X):
    """Remove the first release of the heap, having read it from its first row."""
    size = g[QUEUE_SIZE] - 1
    g[QUEUE_SIZE] = size
    base, place = g[O_LATER], 0
    while True:
        below = 2 * place + 1
        if below >= size:
            break
        if below + 1 < size and before(X, base + 5 * (below + 1), base + 5 * below):
            below += 1
        if before(X, base + 5 * size, base + 5 * below):
            break
        for column in range(5):
            X[base + 5 * place + column] = X[base + 5 * below + column]
        place = below
    for column in range(5):
        X[base + 5 * place + column] = X[base + 5 * size + column]


@rare
def before(X, a, b):
    """Whether release a comes before release b: time, worker, then order of asking."""
    if X[a] != X[b]:
        return X[a] < X[b]
    if X[a + 1] != X[b + 1]:
        return X[a + 1] < X[b + 1]
    return X[a + 2] < X[b + 2]


@hot
def hand_over(g, X, now, w, row, release, n_due):
    """What a rule says about an action: dropped, held for a step, or released now or later."""
    if release == now:
        X[g[O_DUE] + 3 * n_due], X[g[O_DUE] + 3 * n_due + 1], X[g[O_DUE] + 3 * n_due + 2] = w, row, 0
        return n_due + 1
    if release == DROP:
        g[RELEASED] += g[CHUNK]
        g[DROPPED] += g[CHUNK]
    elif release < 0:
        hold_for(g, X, -1 - release, w, row, 0)
    elif release < now:
        g[NEED], g[FAULT_AT] = FAULT, release
    else:
        release_later(g, X, release, w, row)
    return n_due


@hot
def sort_ints(X, base, n):
    """Insertion sort: short lists, nearly in order."""
    for i in range(1, n):
        value, at = X[base + i], i
        while at > 0 and X[base + at - 1] > value:
            X[base + at] = X[base + at - 1]
            at -= 1
        X[base + at] = value


@rare
def sort_due(X, base, n):
    """By worker; releases of one worker keep their order."""
    for i in range(1, n):
        w, row, position, at = X[base + 3 * i], X[base + 3 * i + 1], X[base + 3 * i + 2], base + 3 * i
        while at > base and X[at - 3] > w:
            X[at], X[at + 1], X[at + 2] = X[at - 3], X[at - 2], X[at - 1]
            at -= 3
        X[at], X[at + 1], X[at + 2] = w, row, position


@rare
def reverse(X, first, n):
    """Reverse n rows of three."""
    for i in range(n // 2):
        a, b = first + 3 * i, first + 3 * (n - 1 - i)
        for column in range(3):
            X[a + column], X[b + column] = X[b + column], X[a + column]


@rare
def rotate_due(X, base, held, n):
    """Releases planned for this instant before it came stand before those held for its step."""
    reverse(X, base, held)
    reverse(X, base + 3 * held, n - held)
    reverse(X, base, n)
