"""The rules by number: the very functions of rtsim/schedulers, compiled."""

from __future__ import annotations

from rtsim.clocks.jit import CALLED, compiled
from rtsim.clocks.kernel.layout import hot, rare
from rtsim.schedulers import deadlines, free_running, learners, staggered

# The built-in rules, by number: the very functions the other clocks call.
STARTING = (
    free_running.start_now,
    free_running.start_fresh,
    free_running.chunking_next_start,
    staggered.sleep_delay,
    staggered.phase_locked_next_start,
    deadlines.time_triggered_next_start,
    deadlines.earliest_deadline_next_start,
)
ENDING = (
    free_running.release_now,
    free_running.hold_one_step,
    staggered.max_time_on_end,
    staggered.exp_time_on_end,
    staggered.phase_locked_on_end,
    deadlines.time_triggered_on_end,
    deadlines.earliest_deadline_on_end,
)
LEARNING_START = (learners.start_after_warmup, learners.start_in_turn)
LEARNING_END = (learners.land_in_turn, learners.land_at_once, learners.land_together)

s0, s1, s2, s3, s4, s5, s6 = (compiled(f, **CALLED) for f in STARTING)
e0, e1, e2, e3, e4, e5, e6 = (compiled(f, **CALLED) for f in ENDING)
m0, m1 = (compiled(f, **CALLED) for f in LEARNING_START)
l0, l1, l2 = (compiled(f, **CALLED) for f in LEARNING_END)


@hot
def ask_start(rule, now, w, step, step_start, params, state):
    if rule == 0:
        return s0(now, w, step, step_start, params, state)
    if rule == 1:
        return s1(now, w, step, step_start, params, state)
    if rule == 2:
        return s2(now, w, step, step_start, params, state)
    if rule == 3:
        return s3(now, w, step, step_start, params, state)
    if rule == 4:
        return s4(now, w, step, step_start, params, state)
    if rule == 5:
        return s5(now, w, step, step_start, params, state)
    return s6(now, w, step, step_start, params, state)


def ask_end(rule, now, w, started, observation, step, step_start, params, state):
    if rule == 0:
        return e0(now, w, started, observation, step, step_start, params, state)
    if rule == 1:
        return e1(now, w, started, observation, step, step_start, params, state)
    if rule == 2:
        return e2(now, w, started, observation, step, step_start, params, state)
    if rule == 3:
        return e3(now, w, started, observation, step, step_start, params, state)
    if rule == 4:
        return e4(now, w, started, observation, step, step_start, params, state)
    if rule == 5:
        return e5(now, w, started, observation, step, step_start, params, state)
    return e6(now, w, started, observation, step, step_start, params, state)


# One copy stands in the hot loop, one is called where it is rare: every further copy costs compile time.
ask_end_hot = hot(ask_end)
ask_end_rare = rare(ask_end)


@rare
def ask_learn(rule, now, k, step, params, state):
    return m0(now, k, step, params, state) if rule else m1(now, k, step, params, state)


@rare
def ask_land(rule, k, params, state, landing):
    if rule == 0:
        return l0(k, params, state, landing)
    if rule == 1:
        return l1(k, params, state, landing)
    return l2(k, params, state, landing)
