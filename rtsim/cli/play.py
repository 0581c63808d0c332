"""``rtsim play``."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rtsim.cli import render
from rtsim.cli.arguments import Play
from rtsim.cli.settings import check_writable, needs_unit, step_time_of
from rtsim.errors import InvalidValue, Reservation

if TYPE_CHECKING:
    from rtsim.live import LivePlan, Status
    from rtsim.live.summary import LiveSummary
    from rtsim.schedule import Schedule

#: Bytes of a step and of an inference in a record, from above.
STEP_BYTES, INFERENCE_BYTES = 200, 100


def run(arguments: Play) -> int:
    """Play, tell what happened, and write what was asked for."""
    from rtsim.live import RunInterrupted, play

    if arguments.strict is not None and not 0 <= arguments.strict <= 1:
        raise InvalidValue(f"--strict {arguments.strict:g} must be a share of deadlines in 0..1, e.g. 0.01")
    check_writable(arguments.record, arguments.video, pictures=(arguments.histogram,), inputs=(arguments.config,))
    if arguments.video:
        from rtsim.live.video import check_video

        check_video(arguments.video)
    plan = plan_of(arguments)
    reservation = Reservation(arguments.record, _bytes(plan)) if arguments.record else None
    interrupted = False
    try:
        with _status_line(plan) as show:
            schedule: Schedule | None
            try:
                schedule = play(plan, on_status=show)
            except RunInterrupted as stop:
                schedule, interrupted = stop.schedule, True
        if schedule is not None and reservation is not None:
            render.wrote(reservation.fill(schedule.to_bytes()))
    finally:
        if reservation is not None:
            reservation.close()
    if schedule is None:
        raise KeyboardInterrupt
    return _tell(arguments, plan, schedule, interrupted)


def _tell(arguments: Play, plan: LivePlan, schedule: Schedule, interrupted: bool) -> int:
    from rtsim.live.summary import settled, summary

    found, statistics = summary(schedule), settled(schedule)
    lost = len(schedule) < plan.scenario.steps and not interrupted
    about = schedule.header["live"]
    for fault in about["faults"]:
        again = "started again" if fault["restarted"] else "not started again"
        render.note(f"rtsim: {fault['process']} {fault['what']} after {fault['time_s']:g} s; {again}")
    if found.disturbed:
        render.note("rtsim: the machine disturbed this run (see missed deadlines and stolen time); play it again")
    with render.printing():
        if arguments.json:
            render.dump(
                {
                    "schema": "rtsim.play/1",
                    "plan": plan.to_json(),
                    "summary": asdict(found),
                    "statistics": asdict(statistics),
                    **{key: about[key] for key in ("ended", "faults", "machine", "realtime_class", "own_core")},
                }
            )
        else:
            _tables(plan, schedule, found, statistics)
    if arguments.histogram:
        from rtsim import pictures as p

        axes = p.plot_lateness(schedule)
        for path in p.save_figure(p.figure_of(axes), arguments.histogram, p.lateness_rows(schedule)):
            render.wrote(path)
    if arguments.video and not interrupted:
        from rtsim.live.video import write_video

        with render.progress(counted=False) as report:
            path = write_video(schedule, arguments.video, on_progress=report)
        render.wrote(path)
    if interrupted:
        return 130
    if lost:
        render.note(f"rtsim: the environment was lost at step {len(schedule)} of {plan.scenario.steps}")
        return 1
    if arguments.strict is not None and found.missed_fraction > arguments.strict:
        render.note(f"rtsim: {found.missed_fraction:.3g} of the deadlines were missed; --strict {arguments.strict:g}")
        return 1
    return 0


def plan_of(arguments: Play) -> LivePlan:
    """The plan these arguments describe."""
    from rtsim.envs import make
    from rtsim.live import LivePlan
    from rtsim.live.agents import check_agent
    from rtsim.scenario import Scenario

    check_agent(arguments.agent)
    if not 0 < arguments.seconds <= 86_400:
        raise InvalidValue(f"--seconds {arguments.seconds:g} must lie in 0..86400 (a day), above 0")
    if arguments.inference not in ("timed", "real"):
        raise InvalidValue(f"--inference {arguments.inference} must be timed or real")
    for flag in ("inference_time", "learning_time"):
        needs_unit(flag, getattr(arguments, flag))
    with make(arguments.game) as emulator:
        game, fps = emulator.id, emulator.fps
    step_time = step_time_of(arguments.fps) if arguments.fps else f"{fps!r}fps"
    network = ""
    law = arguments.inference_time
    if arguments.profile:
        if law:
            raise InvalidValue("--profile and --inference-time exclude each other; give one")
        law, network = _profile(arguments.profile)
    if not law:
        raise InvalidValue(
            'give --inference-time, e.g. "lognorm(mean=84ms, cv=0.02)", or --profile, e.g. --profile epyc#resnet15-k7'
        )
    scenario = Scenario(
        arguments.alg,
        law,
        workers=1 if arguments.workers is None else arguments.workers,
        step_time=step_time,
        steps=max(math.ceil(arguments.seconds * float(step_time.removesuffix("fps"))), 1),
        seed=arguments.seed,
        mailbox=arguments.mailbox,
        learning_time=arguments.learning_time or None,
        learner_rule=arguments.learner_rule,
        learners=arguments.learners,
        learning_starts=arguments.learning_starts,
        batch=arguments.batch,
    )
    if arguments.workers is None:
        scenario = scenario.with_(workers=scenario.least_workers)
    if arguments.inference == "real" or arguments.agent.startswith("greedy"):
        _check_network(network, arguments)
    inference: Any = arguments.inference
    return LivePlan(scenario, game, arguments.agent, inference, network, arguments.processes)


def _profile(text: str) -> tuple[str, str]:
    """The law and the network of ``NAME#MODEL``."""
    from rtsim.timing import Profile

    name, _, model = text.removeprefix("profile:").partition("#")
    if not name or not model:
        raise InvalidValue(f"--profile {text} must read NAME#MODEL or FILE.json#MODEL, e.g. epyc#resnet15-k7")
    profile = Profile.load(name)
    found = profile.find(model)
    key = next(key for key, times in profile.models.items() if times is found)
    return f"profile:{name}#{key}", key


def _check_network(network: str, arguments: Play) -> None:
    """Real inference and greedy agents need a network that can be built, and torch."""
    own = arguments.inference == "timed" and arguments.agent.startswith("greedy:")  # the file may say what it holds
    if not network and not own:
        raise InvalidValue(
            f"--inference {arguments.inference} with --agent {arguments.agent} needs a network; "
            "give --profile NAME#MODEL, e.g. --profile epyc#resnet15-k7"
        )
    from importlib.util import find_spec

    from rtsim.errors import MissingExtra

    if find_spec("torch") is None:
        raise MissingExtra("a forward pass", "torch", "live")
    if network and not re.fullmatch(r"resnet(15|30)-k[0-9.]+", network):
        raise InvalidValue(f"model {network} of the profile is none of the papers' networks, such as resnet15-k7")


def _bytes(plan: LivePlan) -> int:
    scenario = plan.scenario
    # Workers that are faster than the scenario says make more inferences.
    return int(10_000 + STEP_BYTES * scenario.steps + 3 * INFERENCE_BYTES * (scenario.expected_inferences + 1000))


@contextmanager
def _status_line(plan: LivePlan) -> Iterator[Callable[[Status], None]]:
    """One line on stderr that is kept up to date, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda status: None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(stderr=True)
    with Live(Text("starting the processes"), console=console, transient=True, auto_refresh=False) as live:

        def show(status: Status) -> None:
            live.update(Text(status_text(status), overflow="ellipsis", no_wrap=True), refresh=True)

        yield show


def status_text(status: Status) -> str:
    """A status as one line: time, rate, lateness, inaction, delay, reward, workers."""
    import numpy as np

    late = np.sort(status.late_ns)
    p99 = f"{late[int(0.99 * (len(late) - 1))] / 1e3:.0f} µs" if len(late) else "-"
    rate = status.step / status.elapsed_s if status.elapsed_s > 0 else 0.0
    delay = "-" if status.delay_steps is None else f"{status.delay_steps:.1f}"
    workers = status.workers if len(status.workers) <= 32 else f"{status.workers.count('b')} busy"
    faults = f"  faults {status.faults}" if status.faults else ""
    words = (
        f"{status.elapsed_s:5.1f} s",
        f"{rate:.2f} steps/s",
        f"late p99 {p99}",
        f"inaction {render.percent(status.inaction_fraction, 0)}",
        f"delay {delay}",
        f"reward {status.reward:g}",
        f"[{workers}]{faults}",
    )
    return "  ".join(words)


def _tables(plan: LivePlan, schedule: Schedule, found: LiveSummary, statistics: Any) -> None:
    from rtsim.timing import units

    def time(value: float | None) -> str:
        return "-" if value is None else units.show(value)

    scenario, about = plan.scenario, schedule.header["live"]
    render.line(
        f"{plan.game}, agent {plan.agent}, {scenario.rule}, {scenario.workers} workers, {plan.inference} inference "
        f"{scenario.inference_time}, mailbox {scenario.mailbox}, seed {scenario.seed}"
    )
    rows = [
        ["steps", f"{found.steps} in {found.seconds:.2f} s"],
        ["inaction", render.percent(statistics.inaction_fraction)],
        ["interaction time", time(statistics.interaction_time_s)],
        ["delay, mean / p99", f"{render.number(statistics.delay_steps_mean)} / {statistics.delay_steps_p99} steps"],
        ["overwritten", render.percent(statistics.overwritten_fraction)],
        ["reward", f"{found.reward:g} ({found.reward_per_s:.4g} per second), {found.episodes} episodes ended"],
        ["actions of a former episode", str(found.stale_episode)],
        ["lateness p50 / p99 / longest", " / ".join(map(time, (found.late_p50_s, found.late_p99_s, found.late_max_s)))],
        ["lateness of the last step", time(found.drift_s)],
        ["deadlines missed (by more than 1 ms)", render.percent(found.missed_fraction)],
        ["runtime per step, median", time(found.runtime_p50_s)],
        ["emulator per step, median", time(found.emulator_p50_s)],
        ["taking up an inference, median", time(found.dispatch_p50_s)],
        ["handing an action over, median", time(found.hand_over_p50_s)],
        ["real-time scheduling class", "yes" if about["realtime_class"] else "not permitted"],
        ["a core for the environment alone", "yes" if about["own_core"] else "no: too few cores, or not permitted"],
        ["stolen by the hypervisor", render.percent(about["machine"]["steal_fraction"])],
    ]
    render.table("Live run", ["", "value"], rows)
    bins = ("1 us", "10 us", "100 us", "1 ms", "5 ms", "16 ms")
    names = [f"up to {name}" for name in bins] + ["later"]
    widest = max(found.histogram)
    render.table(
        "Lateness",
        ["steps that began", "steps", ""],
        [
            [name, str(count), "#" * math.ceil(40 * count / widest)]
            for name, count in zip(names, found.histogram, strict=True)
        ],
    )
