"""``rtsim replay``."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from rtsim.cli import render
from rtsim.cli.arguments import Replay
from rtsim.cli.settings import check_writable
from rtsim.errors import InvalidValue

if TYPE_CHECKING:
    from rtsim.live.agreement import Agreement
    from rtsim.live.rows import Row
    from rtsim.live.virtual import Replay as Replayed
    from rtsim.schedule import Schedule


def run(arguments: Replay) -> int:
    """Replay, simulate, compare, print."""
    from rtsim.live import agreement, virtual
    from rtsim.live.acceptance import in_words
    from rtsim.live.recording import check
    from rtsim.schedule import Schedule
    from rtsim.timing import units

    if not arguments.runs:
        raise InvalidValue("give at least one file of rtsim play --record: rtsim replay run.npz")
    units.whole(arguments.seeds, "--seeds", 2, 10_000)
    check_writable(arguments.video, arguments.trace, pictures=(arguments.timeline,), inputs=arguments.runs)
    schedules = [Schedule.load(path) for path in arguments.runs]
    for path, schedule in zip(arguments.runs, schedules, strict=True):
        check(schedule, path)
    replays = []
    with render.progress(counted=False) as report:
        for index, schedule in enumerate(schedules):
            report(f"replaying {arguments.runs[index]}", index, len(schedules))
            # A network's choices take as long as they took; the others are made again at once.
            replays.append(virtual.replay(schedule, agent=virtual.plan_of(schedule).chooses_again))
        cheap = all(virtual.plan_of(schedule).chooses_again for schedule in schedules)
        found = agreement.agree(
            schedules,
            seeds=arguments.seeds,
            with_rewards=cheap and not arguments.no_rewards,
            names=arguments.runs,
            on_progress=report,
        )
    with render.printing():
        if arguments.json:
            data = {**found.to_json(), "in_words": in_words(found)}
            data["replays"] = [{"file": path, **asdict(one)} for path, one in zip(arguments.runs, replays, strict=True)]
            render.dump(data)
        else:
            _tables(arguments.runs, schedules, replays, found)
    _draw(arguments, schedules[0])
    reasons = list(_reasons(arguments.runs, replays, found))
    for reason in reasons:
        render.note(f"rtsim: {reason}")
    return 1 if reasons else 0


def _reasons(files: tuple[str, ...], replays: list[Replayed], found: Agreement) -> Iterator[str]:
    """Why a check failed, a line each."""
    from rtsim.live.acceptance import IDENTICAL

    for path, one, same in zip(files, replays, found.identities, strict=True):
        if not one.faithful:
            yield f"{path} did not play again as it was recorded: {one.first_difference}"
        if same.share < IDENTICAL:
            yield (
                f"{path}: simulated with the recorded durations, {100 * same.share:.3f} % of the steps came out the "
                f"same, fewer than {100 * IDENTICAL:g} %"
            )


def _tables(files: tuple[str, ...], schedules: list[Schedule], replays: list[Replayed], found: Agreement) -> None:
    from rtsim.live.acceptance import IDENTICAL, in_words

    def share(count: int, of: int) -> str:
        return f"{count}/{of}" if of else "-"

    rows = [
        [
            path,
            share(one.rewards, one.steps),
            share(one.observations, one.steps),
            share(one.actions, one.actions_checked),
            render.percent(same.share, 3),
            str(len(schedule.header["live"]["faults"])),
        ]
        for path, schedule, one, same in zip(files, schedules, replays, found.identities, strict=True)
    ]
    columns = ["run", "rewards", "observations", "actions", "same source, simulated", "faults"]
    render.table("Played again, and simulated with the recorded durations", columns, rows)
    render.line(
        f"Same source: steps whose action came from the same observation. It should be all of them, and at least "
        f"{100 * IDENTICAL:g} %: a worker that wakes up late may swap turns with another, which no simulated one does."
    )
    for path, one in zip(files, replays, strict=True):
        if one.first_difference:
            render.line(f"{path}: {one.first_difference}")
    for path, same in zip(files, found.identities, strict=True):
        for mismatch in same.mismatches[:5]:
            render.line(
                f"{path}: step {mismatch.step} used observation {mismatch.recorded}, simulated {mismatch.simulated}: "
                f"{mismatch.reason}"
            )
    runs = f"live ({found.runs} run{'s' * (found.runs != 1)})"
    render.table(
        f"Simulated from the times of {found.fitted_on}, after {found.warmup_steps} steps of warm-up",
        ["", runs, "simulated", "error", "relative", "within the runs' 99 %"],
        [
            [
                f"{row.quantity} ({row.unit})" if row.unit else row.quantity,
                _value(row.live, row.live_ci99),
                _value(row.simulated, row.simulated_ci99),
                "-" if row.error is None else f"{row.error:+.4g}",
                "-" if row.relative_error is None else f"{100 * row.relative_error:+.2f} %",
                _within(row),
            ]
            for row in found.rows
        ],
    )
    render.line(
        "± is the 99 % interval of the mean over runs; the range instead, where it was cut to what is possible."
    )
    render.line(f"Kolmogorov-Smirnov distance of the delays: {found.delay_distance:.4f}")
    for limit in found.limits:
        render.line(f"known limit: {limit}")
    for sentence in in_words(found):
        render.line(sentence)


def _value(mean: float | None, interval: tuple[float, float] | None) -> str:
    """A mean with its interval: ± half of it, or from where to where if an end was cut off.

    >>> _value(0.5, (0.25, 0.75)), _value(0.25, (0.0, 0.75)), _value(0.5, None)
    ('0.5 ± 0.25', '0.25 (0 to 0.75)', '0.5')
    >>> _value(33.33, (33.33 - 3.2e-7, 33.33 + 3.2e-7))
    '33.33 ± 0'
    """
    if mean is None:
        return "-"
    if interval is None:
        return f"{mean:.4g}"
    low, high = interval
    if math.isclose(mean - low, high - mean, rel_tol=1e-6, abs_tol=1e-12) or render.is_rounding(high - low, mean):
        return f"{mean:.4g}" + render.plus_minus((high - low) / 2, mean)
    return f"{mean:.4g} ({low:.2g} to {high:.2g})"


def _within(row: Row) -> str:
    if row.within is None:
        return "-"
    return ("yes" if row.within else "no") if row.tells else "too few or too different runs to tell"


def _draw(arguments: Replay, schedule: Schedule) -> None:
    if arguments.timeline or arguments.trace:
        from rtsim import pictures as p

        if arguments.timeline:
            axes = p.plot_timeline(schedule)
            for path in p.save_figure(p.figure_of(axes), arguments.timeline, p.timeline_rows(schedule)):
                render.wrote(path)
        if arguments.trace:
            render.wrote(p.write_trace(arguments.trace, {str(schedule.settings["rule"]): schedule}))
    if arguments.video:
        from rtsim.live.video import write_video

        with render.progress(counted=False) as report:
            path = write_video(schedule, arguments.video, on_progress=report)
        render.wrote(path)
