"""``rtsim simulate``."""

from __future__ import annotations

from dataclasses import asdict

from rtsim.cli import render
from rtsim.cli.arguments import Simulate
from rtsim.cli.settings import check_writable, scenario_of


def run(arguments: Simulate) -> int:
    """Simulate one run, describe it, and write what was asked for."""
    from rtsim.clocks import simulate
    from rtsim.experiments import Design
    from rtsim.schedulers import RuleSpec
    from rtsim.theory import ceil_ratio

    check_writable(arguments.out, arguments.trace, pictures=(arguments.timeline, arguments.histogram))
    spec = RuleSpec.of(arguments.alg)
    scenario = scenario_of(arguments, spec, 1 if arguments.workers is None else arguments.workers)
    if arguments.workers is None:
        scenario = scenario.with_(workers=ceil_ratio(scenario.inference_mean, scenario.step_mean))
    design = Design((spec,), scenario, (scenario.workers,), 1, arguments.warmup_steps)
    schedule = simulate(scenario, spans=bool(arguments.timeline or arguments.trace))
    statistics = schedule.statistics(design.warmup)
    if arguments.out:
        schedule.save(arguments.out)
    if arguments.timeline or arguments.histogram:
        from rtsim import pictures as p

    if arguments.timeline:
        p.save_figure(p.figure_of(p.plot_timeline(schedule)), arguments.timeline, p.timeline_rows(schedule))
    if arguments.histogram:
        axes = p.plot_interaction_time(schedule, warmup_steps=design.warmup)
        p.save_figure(
            p.figure_of(axes), arguments.histogram, p.interaction_time_rows(schedule, warmup_steps=design.warmup)
        )
    if arguments.trace:
        from rtsim.pictures import write_trace

        write_trace(arguments.trace, {str(spec): schedule})
    settings = {**scenario.to_json(), "warmup_steps": design.warmup, "clock": "simpy"}
    if arguments.json:
        render.dump({"schema": "rtsim.simulate/1", "scenario": settings, "statistics": asdict(statistics)})
        return 0
    render.line(", ".join(f"{name} {value}" for name, value in settings.items() if value is not None))
    cells = [
        [name.removesuffix("_s2").removesuffix("_s").replace("_", " "), _show(name, value)]
        for name, value in asdict(statistics).items()
    ]
    render.table("Schedule", ["", "value"], cells)
    return 0


def _show(name: str, value: float | int | None) -> str:
    from rtsim.timing import units

    if value is None:
        return "-"
    if name.endswith("_s"):
        return units.show(value)
    if name.endswith("_s2"):
        return f"{value:.4g} s²"
    if "fraction" in name or "utilisation" in name:
        return render.percent(value)
    if isinstance(value, int):
        return str(value)
    return f"{value:.4g} steps" if "steps" in name else f"{value:.4g}"
