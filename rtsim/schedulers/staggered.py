"""Rules that keep workers apart: Algorithms 1 and 2 of the first paper, and phase locking."""

from __future__ import annotations

from rtsim.errors import InvalidValue
from rtsim.schedulers.rule import Ints, Option, Options, Program, Rule, Setting, State
from rtsim.timing.grammar import Percentile

# Layout shared by the three rules. state[HEAD:HEAD + N] are the delays that others have put
# on each worker, the next N say who is sleeping its delay; then come the estimator's window
# in order of arrival and the same window sorted.
N, PRINTED, WINDOW, RANK = 0, 1, 2, 3
ESTIMATE, COUNT, TOTAL, ANCHOR = 0, 1, 2, 3
HEAD = 4
PPM = 1_000_000


def sleep_delay(now: int, worker: int, step: int, step_start: int, params: Ints, state: State) -> int:
    """Sleep the delay that others have put on this worker, then start.

    The delay is taken and then slept, so that what others add meanwhile counts for the next
    time. As printed (Algorithm 1, the first two lines of the loop) it is zeroed after sleeping, and additions
    made during the sleep are lost.
    """
    delay, asleep = HEAD + worker, HEAD + params[N] + worker
    if state[asleep]:
        state[asleep] = 0
        if params[PRINTED]:
            state[delay] = 0
        return now
    pause = state[delay]
    if pause == 0:
        return now
    state[asleep] = 1
    if not params[PRINTED]:
        state[delay] = 0
    return now + pause


def share_of_change(before: int, after: int, n: int) -> int:
    """One N-th of what an estimate has changed by, in whole ns: ⌈after/N⌉ − ⌈before/N⌉.

    Shares of successive changes add up to ⌈estimate/N⌉, so that nothing is lost to rounding. It
    is rounded up: N − 1 gaps of ⌈τ/N⌉ leave a last gap that is no longer, so with constant times
    no gap between releases is longer than a step that N times covers τ.
    """
    return -before // n - -after // n


def spread_later(worker: int, share: int, n: int, state: State) -> None:
    """Others wait dist · share more, dist = how many places they come after ``worker``."""
    for other in range(n):
        dist = other - worker if other >= worker else other - worker + n
        state[HEAD + other] += dist * share


def spread_sooner(worker: int, share: int, n: int, state: State) -> None:
    """The cycle became N shares shorter: others wait (N − dist) · share more, the nearer the more."""
    for other in range(n):
        # N − dist is how many places ``worker`` comes after the other; 0 for itself.
        left = worker - other if worker >= other else worker - other + n
        state[HEAD + other] += left * share


def window_maximum(tau: int, params: Ints, state: State) -> int:
    """The running maximum of inference times, or a quantile of the last WINDOW of them, ns.

    Until the window has filled, the estimate only rises, so that a warm start is not thrown
    away by the first sample.
    """
    size = params[WINDOW]
    if size == 0:
        return max(state[ESTIMATE], tau)
    count = state[COUNT]
    ring = HEAD + 2 * params[N]
    ordered = ring + size
    filled = min(count, size)
    place = filled
    if count >= size:
        # Take the oldest out of the sorted copy: find it, close the gap.
        oldest = state[ring + count % size]
        place = 0
        while state[ordered + place] != oldest:
            place += 1
        while place + 1 < size:
            state[ordered + place] = state[ordered + place + 1]
            place += 1
    state[ring + count % size] = tau
    while place > 0 and state[ordered + place - 1] > tau:
        state[ordered + place] = state[ordered + place - 1]
        place -= 1
    state[ordered + place] = tau
    state[COUNT] = count + 1
    filled = min(count + 1, size)
    value = state[ordered + (params[RANK] * filled + PPM - 1) // PPM - 1]
    if count + 1 < size:
        return max(state[ESTIMATE], value)
    return value


def max_time_on_end(
    now: int, worker: int, started: int, observation: int, step: int, step_start: int, params: Ints, state: State
) -> tuple[int, int]:
    """Algorithm 1: hold every action until the estimated maximum has passed; spread what it changes by."""
    tau = now - started
    estimate = window_maximum(tau, params, state)
    before = state[ESTIMATE]
    if estimate != before:
        state[ESTIMATE] = estimate
        share = share_of_change(before, estimate, params[N])
        if share > 0:
            spread_later(worker, share, params[N], state)
        elif share < 0:
            spread_sooner(worker, -share, params[N], state)
    release = now + max(estimate - tau, 0)
    return release, release


def exp_time_on_end(
    now: int, worker: int, started: int, observation: int, step: int, step_start: int, params: Ints, state: State
) -> tuple[int, int]:
    """Algorithm 2: release at once; spread what the estimated mean changes by."""
    n = params[N]
    state[TOTAL] += now - started
    state[COUNT] += 1
    mean = state[TOTAL] // state[COUNT]
    share = share_of_change(state[ESTIMATE], mean, n)
    state[ESTIMATE] = mean
    if share > 0:
        spread_later(worker, share, n, state)
    elif share < 0 and params[PRINTED]:
        # As printed: (N − 1) · dist · |δ| / N, which moves the farther ones more although the
        # listing's own comment says "wait more closer to the current process".
        spread_later(worker, (n - 1) * -share, n, state)
    elif share < 0:
        spread_sooner(worker, -share, n, state)
    return now, now


def next_on_grid(now: int, worker: int, params: Ints, state: State) -> int:
    """First time >= now on this worker's release grid: anchor + worker · M / N + whole multiples of M."""
    cycle = state[ESTIMATE]
    if cycle == 0:
        return now
    phase = state[ANCHOR] + worker * cycle // params[N]
    return phase - (phase - now) // cycle * cycle


def phase_locked_next_start(now: int, worker: int, step: int, step_start: int, params: Ints, state: State) -> int:
    """Start on the worker's own grid."""
    return next_on_grid(now, worker, params, state)


def phase_locked_on_end(
    now: int, worker: int, started: int, observation: int, step: int, step_start: int, params: Ints, state: State
) -> tuple[int, int]:
    """Release on the worker's own grid; a changed maximum re-anchors the grid at this very action.

    Workers in flight when the maximum rises land on the new grid at their next release,
    which is what Algorithm 1's relative delays cannot do.
    """
    estimate = window_maximum(now - started, params, state)
    if estimate != state[ESTIMATE]:
        state[ESTIMATE] = estimate
        state[ANCHOR] = now - worker * estimate // params[N]
    release = next_on_grid(now, worker, params, state)
    return release, release


_ESTIMATOR = {
    "initial_max": Option("time", None, "warm start: the maximum expected, e.g. p99.9 or 90ms; offsets k·max/N"),
    "window": Option("count", None, "forget inferences older than the last WINDOW (all workers together)"),
    "quantile": Option(
        "quantile", None, "this quantile of the window instead of its maximum (window 1000 if not given)"
    ),
}


def _layout(options: Options, setting: Setting) -> tuple[list[int], list[int]]:
    """Params and zeroed state with the warm start and the estimator's window put in."""
    n = setting.workers
    window, quantile, initial = (options.get(name) for name in ("window", "quantile", "initial_max"))
    if quantile is not None and window is None:
        window = 1000
    size = window if isinstance(window, int) else 0
    if size > 100_000:
        raise InvalidValue(f"option window={size} must be at most 100000 inferences")
    # In millionths; at least one, so that the smallest of the window is the lowest answer.
    rank = max(round(quantile.percent * 10_000), 1) if isinstance(quantile, Percentile) else PPM
    state = [0] * (HEAD + 2 * n + 2 * size)
    if initial is not None:
        state[ESTIMATE] = setting.ns(initial, "initial_max")
    return [n, int(bool(options.get("printed"))), size, rank], state


def _prepare_max_time(options: Options, setting: Setting) -> Program:
    params, state = _layout(options, setting)
    n = setting.workers
    epsilon = options["epsilon"]
    first = setting.ns(epsilon, "epsilon") if epsilon else 0
    # The warm start counts as spread already, epsilon does not: it stays when the maximum rises.
    share = share_of_change(0, state[ESTIMATE], n)
    for worker in range(n):
        state[HEAD + worker] = worker * share + worker * first // n
    return Program(sleep_delay, max_time_on_end, params, state)


def _prepare_exp_time(options: Options, setting: Setting) -> Program:
    params, state = _layout(options, setting)
    return Program(sleep_delay, exp_time_on_end, params, state)


def _prepare_phase_locked(options: Options, setting: Setting) -> Program:
    params, state = _layout(options, setting)
    return Program(phase_locked_next_start, phase_locked_on_end, params, state)


MAX_TIME = Rule(
    name="max_time",
    summary="Algorithm 1: every action is held until the longest inference time seen has passed",
    source="Riemer et al. 2025, Alg. 1",
    prepare=_prepare_max_time,
    options={
        "printed": Option(
            "flag", False, "zero the delay after sleeping it, as printed (loses what others add meanwhile)"
        ),
        "epsilon": Option("time", None, "first offsets epsilon·k/N, as printed; 0 by default: they stay for ever"),
        **_ESTIMATOR,
    },
)

EXP_TIME = Rule(
    name="exp_time",
    summary="Algorithm 2: workers are spaced by the running mean inference time; nothing is held",
    source="Riemer et al. 2025, App. A, Alg. 2",
    prepare=_prepare_exp_time,
    options={"printed": Option("flag", False, "the listing's own decreasing branch and zeroing, as printed")},
)

PHASE_LOCKED = Rule(
    name="phase_locked",
    summary="Algorithm 1 on an absolute release grid, re-anchored whenever the maximum rises",
    source="ours",
    prepare=_prepare_phase_locked,
    options=_ESTIMATOR,
)
