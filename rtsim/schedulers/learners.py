"""Learner rules: when updates start, and in which order they land.

Pure functions on integer arrays, like the scheduler rules::

    may_start(now, learner, step, params, state) -> now (and the update starts) or at_step(j)
    on_learned(learner, params, state, landing) -> count

``on_learned`` is asked when a learner has computed its gradient; it writes into ``landing``
which learners' gradients are applied now, in order. A learner starts its next update only
after its last one has landed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rtsim.schedulers.rule import Ints, State, at_step

LEARNERS, STARTS, BATCH = 0, 1, 2
HEAD, LENGTH, QUEUE = 0, 1, 2
MayStart = Callable[[int, int, int, Ints, State], int]
OnLearned = Callable[[int, Ints, State, State], int]


def start_after_warmup(now: int, learner: int, step: int, params: Ints, state: State) -> int:
    """Start once the replay warm-up is over."""
    if step >= params[STARTS]:
        return now
    return at_step(params[STARTS])


def start_in_turn(now: int, learner: int, step: int, params: Ints, state: State) -> int:
    """Learner k first starts k batches of fresh transitions after learner 0: data is dealt out in turn.

    Who starts takes the last place in the queue of those that are to land; state[HEAD] and
    state[LENGTH] say where the queue stands in the N places from state[QUEUE] on.
    """
    first = params[STARTS] + learner * params[BATCH]
    if step < first:
        return at_step(first)
    state[QUEUE + (state[HEAD] + state[LENGTH]) % params[LEARNERS]] = learner
    state[LENGTH] += 1
    return now


def land_in_turn(learner: int, params: Ints, state: State, landing: State) -> int:
    """Updates land in the order in which they began; behind the queue stand N flags, who has finished."""
    n = params[LEARNERS]
    state[QUEUE + n + learner] = 1
    count = 0
    while state[LENGTH] and state[QUEUE + n + state[QUEUE + state[HEAD]]]:
        landing[count] = state[QUEUE + state[HEAD]]
        state[QUEUE + n + landing[count]] = 0
        state[HEAD] = (state[HEAD] + 1) % n
        state[LENGTH] -= 1
        count += 1
    return count


def land_at_once(learner: int, params: Ints, state: State, landing: State) -> int:
    """Whoever has finished applies its gradient, whatever others did meanwhile."""
    landing[0] = learner
    return 1


def land_together(learner: int, params: Ints, state: State, landing: State) -> int:
    """All wait for the last one; state[0] is how many have finished."""
    state[0] += 1
    if state[0] < params[LEARNERS]:
        return 0
    state[0] = 0
    for k in range(params[LEARNERS]):
        landing[k] = k
    return params[LEARNERS]


def state_size(learners: int) -> int:
    """How many integers of state, zero at first, a learner rule is given."""
    return QUEUE + 2 * learners


@dataclass(frozen=True)
class LearnerRule:
    """A named learner rule.

    Attributes
    ----------
    merged : bool
        What lands together is one update of a batch N times as large.
    inline : bool
        Learning happens in the inference process itself; needs the rule ``sequential``.
    """

    name: str
    summary: str
    source: str
    may_start: MayStart
    on_learned: OnLearned
    merged: bool = False
    inline: bool = False


SEQUENTIAL = LearnerRule(
    "sequential",
    "learning in the inference process itself (with the rule sequential only)",
    "Riemer et al. 2025, Fig. 1a",
    start_after_warmup,
    land_at_once,
    inline=True,
)
ROUND_ROBIN = LearnerRule(
    "round_robin",
    "delayed updates that land in the order in which they began",
    "Langford et al. 2009",
    start_in_turn,
    land_in_turn,
)
LOCK_FREE = LearnerRule(
    "lock_free",
    "updates land as they finish, over whatever landed meanwhile",
    "Riemer et al. 2025, Sec. 3.1",
    start_after_warmup,
    land_at_once,
)
PARALLEL = LearnerRule(
    "parallel",
    "all learners compute one update of an N times larger batch",
    "Riemer et al. 2025, Sec. 3.1 and Fig. 4",
    start_after_warmup,
    land_together,
    merged=True,
)
