"""``rtsim simulate``."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rtsim.cli import render
from rtsim.cli.arguments import Simulate
from rtsim.cli.settings import check_writable, files_read, scenario_of

if TYPE_CHECKING:
    from rtsim.schedule import Schedule


def run(arguments: Simulate) -> int:
    """Simulate one run, describe it, and write what was asked for."""
    from rtsim.clocks import simulate
    from rtsim.experiments import Design
    from rtsim.schedulers import RuleSpec

    check_writable(
        arguments.out, arguments.trace, pictures=(arguments.timeline, arguments.histogram), inputs=files_read(arguments)
    )
    spec = RuleSpec.of(arguments.alg)
    scenario = scenario_of(arguments, spec, 1 if arguments.workers is None else arguments.workers)
    if arguments.workers is None:
        scenario = scenario.with_(workers=scenario.least_workers)
    design = Design((spec,), scenario, (scenario.workers,), 1, arguments.warmup_steps)
    schedule = simulate(scenario, spans=bool(arguments.timeline or arguments.trace), engine=arguments.engine)
    statistics = schedule.statistics(design.warmup)
    if arguments.out:
        render.wrote(schedule.save(arguments.out))
    settings = {**scenario.to_json(), "warmup_steps": design.warmup, "clock": schedule.header["clock"]}
    with render.printing():
        if arguments.json:
            render.dump({"schema": "rtsim.simulate/1", "scenario": settings, "statistics": asdict(statistics)})
        else:
            render.line(", ".join(f"{name} {value}" for name, value in settings.items() if value is not None))
            cells = [[_label(name), _show(name, value)] for name, value in _spreads(asdict(statistics)).items()]
            render.table("Schedule", ["", "value"], cells)
    _draw(arguments, schedule, design.warmup)
    return 0


def _draw(arguments: Simulate, schedule: Schedule, warmup: int) -> None:
    if arguments.timeline or arguments.histogram or arguments.trace:
        from rtsim import pictures as p

    if arguments.timeline:
        first, steps = arguments.timeline_from, arguments.timeline_steps
        if steps is not None and min(steps, len(schedule) - first) > MOST_STEPS:
            render.note(
                f"rtsim: of {steps} steps in one picture each is narrower than a pixel; give --timeline-steps "
                f"{MOST_STEPS} or fewer, or --trace for Perfetto, which zooms"
            )
        axes = p.plot_timeline(schedule, first_step=first, steps=steps)
        rows = p.timeline_rows(schedule, first_step=first, steps=steps)
        for path in p.save_figure(p.figure_of(axes), arguments.timeline, rows):
            render.wrote(path)
    if arguments.histogram:
        axes = p.plot_interaction_time(schedule, warmup_steps=warmup)
        rows = p.interaction_time_rows(schedule, warmup_steps=warmup)
        for path in p.save_figure(p.figure_of(axes), arguments.histogram, rows):
            render.wrote(path)
    if arguments.trace:
        render.wrote(p.write_trace(arguments.trace, {arguments.alg: schedule}))


#: More steps than these are narrower than a timeline's pixels.
MOST_STEPS = 500


def _spreads(statistics: dict[str, Any]) -> dict[str, Any]:
    """Standard deviations in place of variances: they have the unit of the mean they stand below."""
    names = {"interaction_time_var_s2": "interaction_time_sd_s", "interaction_steps_var": "interaction_steps_sd"}
    return {
        names.get(name, name): math.sqrt(value) if name in names and value is not None else value
        for name, value in statistics.items()
    }


def _label(name: str) -> str:
    return name.removesuffix("_s").replace("_", " ").replace("delay steps", "delay")


def _show(name: str, value: float | int | None) -> str:
    from rtsim.timing import units

    if value is None:
        return "-"
    if name.endswith("_s"):
        return units.show(value)
    if "fraction" in name or "utilisation" in name:
        return render.percent(value)
    unit = " steps" if name.startswith(("delay_steps", "interaction_steps")) else ""
    return f"{value}{unit}" if isinstance(value, int) else f"{value:.4g}{unit}"
