"""Rules that promise a step, not a time: logical execution time and earliest deadline first."""

from __future__ import annotations

from rtsim.errors import InvalidValue
from rtsim.schedulers.rule import DROP, Ints, Option, Options, Program, Rule, Setting, State, at_step
from rtsim.timing import units
from rtsim.timing.grammar import Percentile

DEADLINE, LATE = 0, 1


def hand_over(due: int, now: int, step: int, step_start: int, release_late: int) -> int:
    """Hold an action until step ``due``; if that step has read its action already, drop it or release it now."""
    if due > step:
        return at_step(due)
    if (due == step and now == step_start) or release_late:
        return now
    return DROP


def time_triggered_next_start(now: int, worker: int, step: int, step_start: int, params: Ints, state: State) -> int:
    """One start per step, by the first idle worker asked, at its very beginning; state (newest step claimed)."""
    if now == step_start and state[0] < step:
        state[0] = step
        return now
    return at_step(step + 1)


def time_triggered_on_end(
    now: int, worker: int, started: int, observation: int, step: int, step_start: int, params: Ints, state: State
) -> tuple[int, int]:
    """The action of observation i is for step i + D; the worker is free at once."""
    return hand_over(observation + params[DEADLINE], now, step, step_start, params[LATE]), now


def _deadline(options: Options, setting: Setting) -> int:
    deadline = options["deadline"]
    assert deadline is not None
    steps = setting.steps(deadline, "deadline")
    # Time left is counted in int64 ns: deadline · step must stay inside.
    if steps * setting.step >= 2**62:
        raise InvalidValue(f"deadline of {steps} steps is longer than 146 years; give fewer, e.g. deadline=40steps")
    return steps


_LATE = Option(
    "choice", "drop", "what becomes of an action that missed its step: drop it or release it late", ("drop", "release")
)

TIME_TRIGGERED = Rule(
    name="time_triggered",
    summary="one start per step by the lowest idle worker; the action is released exactly D steps later",
    source="ours; logical execution time as in Giotto (Henzinger et al. 2003)",
    prepare=lambda options, setting: Program(
        time_triggered_next_start,
        time_triggered_on_end,
        [_deadline(options, setting), int(options["late"] == "release")],
        [-1],
    ),
    options={
        "deadline": Option(
            "deadline", Percentile(99.99), "D: a quantile of the inference time, a time, or e.g. 40steps"
        ),
        "late": _LATE,
    },
)

NOMINAL, LOWEST, HIGHEST, RAISE, LOWER = 2, 3, 4, 5, 6
OPEN, NEEDED, DUE = 0, 1, 2


def earliest_deadline_next_start(now: int, worker: int, step: int, step_start: int, params: Ints, state: State) -> int:
    """Take the oldest open slot that can still be met; give up those that cannot; wait if none is open.

    state[OPEN] is the oldest open slot, by the step it is due at; step i opens the slot due
    at i + D. Time left is counted with the nominal step time.
    """
    while state[OPEN] <= step + params[DEADLINE]:
        due = state[OPEN]
        left = (due - step) * params[NOMINAL] - (now - step_start)
        state[OPEN] = due + 1
        if left >= state[NEEDED]:
            state[DUE + worker] = due
            return now
    return at_step(step + 1)


def earliest_deadline_on_end(
    now: int, worker: int, started: int, observation: int, step: int, step_start: int, params: Ints, state: State
) -> tuple[int, int]:
    """Hold the action until its slot is due; the worker is free at once.

    With an adaptive give-up the time needed rises a little after each late action and falls a
    hundred times less after each timely one, so that about 1 in 100 is late whenever slots
    are given up at all, and the lowest threshold rules where there is capacity to spare.
    """
    release = hand_over(state[DUE + worker], now, step, step_start, params[LATE])
    missed = state[DUE + worker] < step or (state[DUE + worker] == step and now > step_start)
    if missed:
        state[NEEDED] = min(state[NEEDED] + params[RAISE], params[HIGHEST])
    else:
        state[NEEDED] = max(state[NEEDED] - params[LOWER], params[LOWEST])
    return release, now


def _prepare_earliest_deadline(options: Options, setting: Setting) -> Program:
    deadline = _deadline(options, setting)
    nominal = int(setting.step)
    give_up = options["give_up"]
    adaptive = give_up is None
    lowest = setting.ns(Percentile(50.0) if give_up is None else give_up, "give_up")
    highest = deadline * nominal
    if lowest > highest:
        raise InvalidValue(
            f"deadline of {deadline} steps is {units.show(highest / 1e9)}, less than the {units.show(lowest / 1e9)} "
            "below which slots are given up, so no inference would ever start; give a later deadline"
        )
    # A hundred late actions in a row move the threshold from the lowest to the highest.
    gain = max((highest - lowest) // 100, 1) if adaptive else 0
    params = [deadline, int(options["late"] == "release"), nominal, lowest, highest, gain, gain // 100]
    return Program(
        earliest_deadline_next_start,
        earliest_deadline_on_end,
        params,
        [deadline, lowest] + [0] * setting.workers,
    )


EARLIEST_DEADLINE = Rule(
    name="earliest_deadline",
    summary="every step opens a slot due D steps later; a free worker takes the oldest that can still be met",
    source="ours; earliest deadline first (Liu & Layland 1973) with give-up",
    prepare=_prepare_earliest_deadline,
    options={
        "deadline": Option(
            "deadline", Percentile(99.99), "D: a quantile of the inference time, a time, or e.g. 40steps"
        ),
        "late": _LATE,
        "give_up": Option("time", None, "give a slot up below this time left, e.g. p50; adaptive if not given"),
    },
)
