"""Rules that keep no offsets: sequential, one-step lag, unstaggered, chunking, pipeline."""

from __future__ import annotations

from rtsim.errors import InvalidValue
from rtsim.schedulers.rule import Ints, Option, Options, Program, Rule, Setting, State, at_step


def start_now(now: int, worker: int, step: int, step_start: int, params: Ints, state: State) -> int:
    """Start as soon as idle, on the newest observation, fresh or not."""
    return now


def start_fresh(now: int, worker: int, step: int, step_start: int, params: Ints, state: State) -> int:
    """Start only at the moment an observation is published."""
    if now == step_start:
        return now
    return at_step(step + 1)


def release_now(
    now: int, worker: int, started: int, observation: int, step: int, step_start: int, params: Ints, state: State
) -> tuple[int, int]:
    """Release the action at its end and be free at once."""
    return now, now


def _prepare_sequential(options: Options, setting: Setting) -> Program:
    start = start_fresh if options["wait_observation"] else start_now
    return Program(start, release_now, learns="after" if options["order"] == "act_learn" else "before")


SEQUENTIAL = Rule(
    name="sequential",
    summary="one process: infer, act, learn, one after the other",
    source="Riemer et al. 2025, Remark 1; Travnik et al. 2018 for acting before learning",
    prepare=_prepare_sequential,
    options={
        "order": Option(
            "choice",
            "act_learn",
            "act_learn: act, then learn; learn_act: learn from the observation, then act on it",
            ("act_learn", "learn_act"),
        ),
        "wait_observation": Option("flag", False, "start on fresh observations only"),
    },
    single_worker=True,
    learns_inline=True,
)


def hold_one_step(
    now: int, worker: int, started: int, observation: int, step: int, step_start: int, params: Ints, state: State
) -> tuple[int, int]:
    """Release at the end, but never for the step whose observation was read."""
    if step > observation:
        return now, now
    return at_step(observation + 1), now


ONE_STEP_LAG = Rule(
    name="one_step_lag",
    summary="one worker, starts on each fresh observation it can; acts one step later at the earliest",
    source="Ramstedt & Pal 2019",
    prepare=lambda options, setting: Program(start_fresh, hold_one_step),
    single_worker=True,
)

UNSTAGGERED = Rule(
    name="unstaggered",
    summary="N workers, no offsets kept: the control",
    source="Riemer et al. 2025, Sec. 3 (what staggering avoids)",
    prepare=lambda options, setting: Program(start_now, release_now),
)


def chunking_next_start(now: int, worker: int, step: int, step_start: int, params: Ints, state: State) -> int:
    """Start if the newest chunk was begun at least k steps ago; params (k), state (step of that start).

    Starts keep their distance, releases do not: with variable times chunks overlap and leave
    gaps, and more workers cannot close them. A newer chunk replaces what is left of older ones.
    """
    if state[0] < 0 or step >= state[0] + params[0]:
        state[0] = step
        return now
    return at_step(state[0] + params[0])


def _size(options: Options) -> int:
    size = options["size"]
    assert isinstance(size, int)
    return size


def _growth(options: Options) -> float:
    growth = options["growth"]
    assert isinstance(growth, float)
    return growth


CHUNKING = Rule(
    name="chunking",
    summary="one inference yields k actions for k successive steps; chunks start at least k steps apart",
    source="Riemer et al. 2025, App. B.5",
    prepare=lambda options, setting: Program(
        chunking_next_start, release_now, [_size(options)], [-1], chunk=_size(options)
    ),
    options={
        "size": Option("count", 4, "k, actions per inference"),
        "growth": Option("number", 0.0, "time added per further action, as a share of the one-action inference time"),
    },
    actions_per_inference=_size,
    time_factor=lambda options: 1.0 + _growth(options) * (_size(options) - 1),
)


def _layers(options: Options) -> int:
    layers = options["layers"]
    assert isinstance(layers, int)
    return layers


def _prepare_pipeline(options: Options, setting: Setting) -> Program:
    layers = _layers(options)
    if layers > 10_000:
        raise InvalidValue(f"option layers={layers} must be at most 10000")
    return Program(start_now, release_now, stages=layers, skip=bool(options["skip"]))


PIPELINE = Rule(
    name="pipeline",
    summary="L layers in parallel: one inference started every neuron time δ = τ/L, latency Lδ (δ with skip)",
    source="Anokhin et al. 2025, Sec. 3.1 and Prop. 1 and 3",
    prepare=_prepare_pipeline,
    options={
        "layers": Option("count", 4, "L; the inference time is that of all L layers"),
        "skip": Option("flag", False, "temporal skip connections: the freshest input is one neuron time old"),
    },
    single_worker=True,
    inferences_in_flight=_layers,
)
