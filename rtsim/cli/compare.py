"""``rtsim compare``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from rtsim.cli import compare_tables, render
from rtsim.cli.arguments import Compare
from rtsim.cli.settings import check_writable, files_read, numbers, scenario_of
from rtsim.errors import InvalidValue

if TYPE_CHECKING:
    from rtsim.experiments import Comparison, Design

#: Points in time of each curve that --regret-plot draws, and most panels.
POINTS, MOST_PANELS = 64, 8


def run(arguments: Compare) -> int:
    """Compare, then print and write what was asked for."""
    from rtsim.experiments import compare

    check_writable(
        arguments.csv,
        arguments.trace,
        pictures=(arguments.plot, arguments.regret_plot),
        inputs=files_read(arguments),
    )
    design = _design(arguments)
    if arguments.regret_plot:
        _check_panels(design)
    if arguments.mdp and not arguments.learning_time and design.learns:
        render.learns_at_once(arguments.agent)
    with render.progress() as update:
        if design.clock == "compiled":
            update("loading the compiled clock (the first time it compiles, 10 to 30 s)", 0, 1)
            importlib.import_module("rtsim.clocks.compiled")
        result = compare(design, on_progress=update)
    if result.interrupted:
        render.note("rtsim: interrupted; what follows is what was finished")
    with render.printing():
        if arguments.json:
            render.dump(result.to_json())
        else:
            compare_tables.show(result)
    _write(arguments, result)
    if result.fault:
        render.note(f"rtsim: {result.fault}")
        return 2
    return 130 if result.interrupted else 0


def _design(arguments: Compare) -> Design:
    from rtsim.experiments import Design
    from rtsim.schedulers import RuleSpec

    if not arguments.alg:
        raise InvalidValue("--alg is empty; name at least one rule, e.g. --alg max_time exp_time (see rtsim rules)")
    specs = tuple(RuleSpec.of(text) for text in arguments.alg)
    workers = numbers("workers", arguments.workers)
    base = scenario_of(arguments, specs[0], 1)
    return Design(
        alg=specs,
        base=base,
        workers=workers,
        seeds=arguments.seeds,
        warmup_steps=arguments.warmup_steps,
        target=arguments.target,
        search=not arguments.no_search,
        max_workers=arguments.max_workers,
        engine=arguments.engine,
        mdp=arguments.mdp or None,
        agent=arguments.agent,
        regret_points=POINTS if arguments.regret_plot else 1,
    )


def _write(arguments: Compare, result: Comparison) -> None:
    """The files that were asked for."""
    if arguments.plot and result.rows:
        from rtsim.pictures import figure_of, inaction_rows, plot_inaction, save_figure

        for path in save_figure(figure_of(plot_inaction(result)), arguments.plot, inaction_rows(result)):
            render.wrote(path)
    if arguments.regret_plot and result.regrets:
        from rtsim.pictures import plot_regrets, regrets_rows, save_figure

        who = f"{result.scenario['agent']} on {result.scenario['mdp']}"
        panels = {
            f"{key}, {workers} worker{'s' * (workers > 1)}: {who}": found
            for (key, workers), found in result.regrets.items()
        }
        for path in save_figure(plot_regrets(panels), arguments.regret_plot, regrets_rows(panels)):
            render.wrote(path)
    if arguments.csv and result.rows:
        from rtsim.errors import write_atomically

        render.wrote(write_atomically(arguments.csv, csv_bytes(result)))
    if arguments.trace and not result.interrupted and not result.fault:
        _write_trace(arguments, result)


def _check_panels(design: Design) -> None:
    if design.mdp is None:
        raise InvalidValue('--regret-plot needs an MDP; give one, e.g. --mdp "jump(n=10, p=0.9)"')
    panels = sum(len(design.worker_numbers(spec)) for spec in design.alg)
    if panels > MOST_PANELS:
        raise InvalidValue(
            f"--regret-plot draws a panel per rule and number of workers, at most {MOST_PANELS}, not {panels}; "
            "name fewer with --alg and --workers, e.g. --workers 4 6"
        )


def csv_bytes(result: Comparison) -> bytes:
    """The rows of a comparison as CSV, settings in a leading comment line."""
    import csv
    import io
    import json

    from rtsim.experiments.regrets import regret_columns

    data = result.to_json()
    stream = io.StringIO()
    stream.write("# " + json.dumps(data["scenario"], ensure_ascii=False) + "\n")
    rows = data["rows"]
    for row, found in zip(rows, result.rows, strict=True):
        regret = row.pop("regret")
        if found.regret is not None:  # columns as of a sweep, and the intervals
            row |= regret_columns(found.regret)
            row |= {f"regret_{name}": value for name, value in regret.items() if name.endswith("_ci95")}
    if rows:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: json.dumps(v) if isinstance(v, dict | list | tuple) else v for k, v in row.items()})
    return stream.getvalue().encode()


def _write_trace(arguments: Compare, result: Comparison) -> None:
    from rtsim.clocks import simulate
    from rtsim.pictures import write_trace

    schedules = {}
    for spec in result.design.alg:
        key = str(spec)
        needed = result.required_workers.get(key)
        workers = (needed.workers if needed else None) or result.design.worker_numbers(spec)[-1]
        scenario = result.design.base.with_(rule=spec, workers=workers)
        schedules[f"{key}, {workers} workers"] = simulate(scenario.with_(steps=min(scenario.steps, 2000)), spans=True)
    render.wrote(write_trace(arguments.trace, schedules))
