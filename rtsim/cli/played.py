"""What ``rtsim play`` tells of a run: while it goes on, as notes, and as tables."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rtsim.cli import render
from rtsim.cli.settings import deadline_text

if TYPE_CHECKING:
    from rtsim.live import LivePlan, Status
    from rtsim.live.summary import LiveSummary, Times
    from rtsim.schedule import Schedule
    from rtsim.statistics import Statistics

#: Names of the bins of the lateness histogram.
BINS = (*(f"up to {end}" for end in ("1 us", "10 us", "100 us", "1 ms", "5 ms", "16 ms")), "later")


@contextmanager
def status_line(plan: LivePlan) -> Iterator[Callable[[Status], None]]:
    """One line on stderr that is kept up to date, if that is a terminal; else a line at the start."""
    starting = f"rtsim: starting {1 + len(plan.hosts) + len(plan.learner_hosts)} processes"
    if not sys.stderr.isatty():
        render.note(starting)
        yield lambda status: None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    seconds = plan.scenario.steps * plan.scenario.step_mean
    letters = "; in brackets the workers: b busy, . waiting, x its process is gone" * (plan.scenario.workers <= 32)
    render.note(f"rtsim: /s is steps per second{letters}")
    console = Console(stderr=True)
    with Live(Text(starting), console=console, transient=True, auto_refresh=False) as live:

        def show(status: Status) -> None:
            live.update(Text(status_text(status, seconds), overflow="ellipsis", no_wrap=True), refresh=True)

        yield show


def status_text(status: Status, seconds: float) -> str:
    """A status of a run of so many seconds as one line: time, rate, lateness, inaction, delay, reward, workers."""
    import numpy as np

    if status.elapsed_s < 0:
        return f"starting a run of {seconds:.0f} s"
    late = np.sort(status.late_ns)
    p99 = f"{late[int(0.99 * (len(late) - 1))] / 1e3:.0f} µs" if len(late) else "-"
    rate = status.step / status.elapsed_s if status.elapsed_s > 0 else 0.0
    delay = "-" if status.delay_steps is None else f"{status.delay_steps:.1f}"
    workers = status.workers if len(status.workers) <= 32 else f"{status.workers.count('b')} busy"
    faults = f"  faults {status.faults}" if status.faults else ""
    words = (
        f"{status.elapsed_s:5.1f} of {seconds:.0f} s",
        f"{rate:.1f}/s",
        f"late p99 {p99}",
        f"inaction {render.percent(status.inaction_fraction, 0)}",
        f"delay {delay}",
        f"reward {status.reward:g}",
        *([f"updates {status.updates}"] if status.updates else []),
        f"[{workers}]{faults}",
    )
    return "  ".join(words)


def workers_text(count: int) -> str:
    """How many workers, in words.

    >>> workers_text(1), workers_text(2)
    ('1 worker', '2 workers')
    """
    return f"{count} worker{'s' * (count != 1)}"


def without_rewards(game: str) -> bool:
    """Whether a game is one of the user's whose integration does not say what is a reward."""
    from rtsim.envs import integrations, registry

    found = registry.read(game)
    scenario = found.options.get("scenario", "scenario")
    return found.entry.name == "retro" and not integrations.defines_rewards(found.which, scenario)


def notes(plan: LivePlan, schedule: Schedule, found: LiveSummary) -> list[str]:
    """What is not as it should be with a run, a line each; the most important comes last."""
    told = []
    for fault in schedule.header["live"]["faults"]:
        again = "started again" if fault["restarted"] else "not started again"
        told.append(f"{fault['process']} {fault['what']} after {fault['time_s']:g} s; {again}")
    told += [text for text in (_held_for_one(plan, schedule, found), _overran(found)) if text]
    if found.disturbed:
        told.append(
            "the machine disturbed this run (see missed deadlines, inferences that overran and stolen time); "
            "play it again"
        )
    return told


def _overran(found: LiveSummary) -> str:
    if not found.overran:
        return ""
    busy = (
        ""
        if found.busy_fraction is None
        else f" (its processors were busy {render.percent(found.busy_fraction, 0)} of the time)"
    )
    return (
        f"{found.overran} of {found.inferences} inferences took longer than was drawn by more than a step: the machine "
        f"did not keep up{busy}; what follows holds for these times, not for those of the law"
    )


def _held_for_one(plan: LivePlan, schedule: Schedule, found: LiveSummary) -> str:
    """A maximum that is never forgotten, and came from a single long inference."""
    from rtsim.timing import units

    rule, spans = plan.scenario.rule, schedule.spans
    windowed = any(rule.options.get(name) is not None for name in ("window", "quantile"))
    if rule.name not in ("max_time", "phase_locked") or windowed or found.inference is None or spans is None:
        return ""
    warm = rule.options.get("initial_max")
    longest = found.inference.max_s
    if longest <= 2 * found.inference.p50_s or (
        warm and plan.scenario.setting().ns(warm, "initial_max") / 1e9 >= longest
    ):
        return ""
    taken = spans["end_ns"] - spans["start_ns"]
    held = "holds every action" if rule.name == "max_time" else "makes every cycle"
    return (
        f"{rule.name} {held} {units.show(longest)} because of one inference at "
        f"{spans['end_ns'][taken.argmax()] / 1e9:.1f} s (their median is {units.show(found.inference.p50_s)}); "
        f"{rule.name}(window=1000) forgets it"
    )


def tables(plan: LivePlan, schedule: Schedule, found: LiveSummary, settled: Statistics, warmup: int) -> None:
    """Print a run; ``settled`` are its statistics after ``warmup`` steps."""
    scenario, about = plan.scenario, schedule.header["live"]
    rule = ", ".join(filter(None, (str(scenario.rule), deadline_text(scenario))))
    render.line(
        f"{plan.game}, agent {plan.agent}, {rule}, {workers_text(scenario.workers)}, "
        f"{plan.inference} inference {scenario.inference_time}, mailbox {scenario.mailbox}, seed {scenario.seed}; "
        f"{found.steps} steps, of which {warmup} warm-up"
    )
    everything = schedule.statistics(0)
    rows = [
        ["steps", f"{found.steps} in {found.seconds:.2f} s"],
        [
            "inaction",
            f"{render.percent(settled.inaction_fraction)} after {warmup} steps of warm-up "
            f"({render.percent(everything.inaction_fraction)} with them)",
        ],
        ["interaction time", _time(settled.interaction_time_s)],
        ["delay, mean / p99", f"{render.number(settled.delay_steps_mean)} / {settled.delay_steps_p99} steps"],
        ["overwritten", render.percent(settled.overwritten_fraction)],
        ["reward", f"{found.reward:g} ({found.reward_per_s:.4g} per second), {found.episodes} episodes ended"],
        ["actions of a former episode", str(found.stale_episode)],
        *_inference_rows(found),
        [
            "lateness p50 / p99 / longest",
            " / ".join(map(_time, (found.late_p50_s, found.late_p99_s, found.late_max_s))),
        ],
        ["lateness of the last step", _time(found.drift_s)],
        ["deadlines missed (by more than 1 ms)", render.percent(found.missed_fraction)],
        ["runtime per step, median", _time(found.runtime_p50_s)],
        ["waking workers per step, median", _time(found.waking_p50_s)],
        ["emulator per step, median", _time(found.emulator_p50_s)],
        ["taking up an inference, median / p99 / longest", _three(found.dispatch)],
        ["handing an action over, median / p99 / longest", _three(found.hand_over)],
        ["real-time scheduling class", "yes" if about["realtime_class"] else "not permitted"],
        ["a core for the environment alone", "yes" if about["own_core"] else "no: too few cores, or not permitted"],
        ["stolen by the hypervisor", render.percent(about["machine"]["steal_fraction"])],
        ["processors of the machine busy", render.percent(found.busy_fraction, 0)],
    ]
    render.table("Live run", ["", "value"], rows)
    widest = max(found.histogram)
    render.table(
        "Lateness",
        ["steps that began", "steps", ""],
        [
            [name, str(count), "#" * math.ceil(40 * count / widest)]
            for name, count in zip(BINS, found.histogram, strict=True)
            if count
        ],
    )


def _inference_rows(found: LiveSummary) -> list[list[str]]:
    """How long inferences took, beside what was drawn; with real inference the forward pass comes first."""
    rows = [["inference time, mean / p99 / longest", _three(found.inference, mean=True)]]
    if found.forward:
        rows.insert(0, ["forward pass, mean / p99 / longest", _three(found.forward, mean=True)])
    if found.drawn:
        overran = f"{found.overran} of {found.inferences} ({render.percent(found.overran_fraction)})"
        rows += [
            ["    drawn from the law", _three(found.drawn, mean=True)],
            ["    longer than drawn by more than a step", overran],
        ]
    return rows


def _three(times: Times | None, *, mean: bool = False) -> str:
    if times is None:
        return "-"
    return " / ".join(map(_time, (times.mean_s if mean else times.p50_s, times.p99_s, times.max_s)))


def _time(value: float | None) -> str:
    from rtsim.timing import units

    return "-" if value is None else units.show(value)
