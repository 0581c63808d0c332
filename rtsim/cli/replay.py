"""``rtsim replay``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from rtsim.cli import render
from rtsim.cli.arguments import Replay
from rtsim.cli.settings import check_writable
from rtsim.errors import InvalidValue

if TYPE_CHECKING:
    from rtsim.live.agreement import Agreement
    from rtsim.live.virtual import Replay as Replayed
    from rtsim.schedule import Schedule

#: Least share of steps with the same source, simulated from the recorded durations.
IDENTICAL = 0.999


def run(arguments: Replay) -> int:
    """Replay, simulate, compare, print."""
    from rtsim.live import agreement, virtual
    from rtsim.schedule import Schedule
    from rtsim.timing import units

    if not arguments.runs:
        raise InvalidValue("give at least one file of rtsim play --record: rtsim replay run.npz")
    units.whole(arguments.seeds, "--seeds", 2, 10_000)
    check_writable(arguments.video, arguments.trace, pictures=(arguments.timeline,), inputs=arguments.runs)
    schedules = [Schedule.load(path) for path in arguments.runs]
    for path, schedule in zip(arguments.runs, schedules, strict=True):
        virtual.check(schedule, path)
    replays = []
    with render.progress(counted=False) as report:
        for index, schedule in enumerate(schedules):
            report(f"replaying {arguments.runs[index]}", index, len(schedules))
            # A network's choices take as long as they took; the others are made again at once.
            cheap = virtual.plan_of(schedule).inference == "timed"
            replays.append(virtual.replay(schedule, agent=cheap))
        cheap = all(virtual.plan_of(schedule).inference == "timed" for schedule in schedules)
        found = agreement.agree(
            schedules,
            seeds=arguments.seeds,
            with_rewards=cheap and not arguments.no_rewards,
            on_progress=report,
        )
    with render.printing():
        if arguments.json:
            data = found.to_json()
            data["replays"] = [{"file": path, **asdict(one)} for path, one in zip(arguments.runs, replays, strict=True)]
            render.dump(data)
        else:
            _tables(arguments.runs, schedules, replays, found)
    _draw(arguments, schedules[0])
    good = all(one.faithful for one in replays) and all(one.share >= IDENTICAL for one in found.identities)
    return 0 if good else 1


def _tables(files: tuple[str, ...], schedules: list[Schedule], replays: list[Replayed], found: Agreement) -> None:
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
    for path, one in zip(files, replays, strict=True):
        if one.first_difference:
            render.line(f"{path}: {one.first_difference}")
    for path, same in zip(files, found.identities, strict=True):
        for mismatch in same.mismatches[:5]:
            render.line(
                f"{path}: step {mismatch.step} used observation {mismatch.recorded}, simulated {mismatch.simulated}: "
                f"{mismatch.reason}"
            )
    render.table(
        f"Simulated from a profile fitted to {found.fitted_on}",
        ["", f"live ({found.runs} runs)", "simulated", "error", "relative", "within the runs' 99 %"],
        [
            [
                f"{row.quantity} ({row.unit})" if row.unit else row.quantity,
                _value(row.live, row.live_ci99),
                _value(row.simulated, row.simulated_ci99),
                "-" if row.error is None else f"{row.error:+.4g}",
                "-" if row.relative_error is None else f"{100 * row.relative_error:+.2f} %",
                {True: "yes", False: "no", None: "-"}[row.within],
            ]
            for row in found.rows
        ],
    )
    render.line(f"Kolmogorov-Smirnov distance of the delays: {found.delay_distance:.4f}")
    for limit in found.limits:
        render.line(f"known limit: {limit}")


def _value(mean: float | None, interval: tuple[float, float] | None) -> str:
    if mean is None:
        return "-"
    return f"{mean:.4g}" if interval is None else f"{mean:.4g} ± {(interval[1] - interval[0]) / 2:.2g}"


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
