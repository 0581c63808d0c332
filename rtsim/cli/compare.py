"""``rtsim compare``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from rtsim.cli import render
from rtsim.cli.arguments import Compare
from rtsim.cli.settings import check_writable, deadline_text, files_read, numbers, scenario_of
from rtsim.errors import InvalidValue

if TYPE_CHECKING:
    from rtsim.experiments import Comparison, Design

#: Points in time of each curve that --regret-plot draws, and most panels.
POINTS, MOST_PANELS = 64, 8


def run(arguments: Compare) -> int:
    """Compare, then print and write what was asked for."""
    from rtsim.experiments import Design, compare
    from rtsim.schedulers import RuleSpec

    check_writable(
        arguments.csv,
        arguments.trace,
        pictures=(arguments.plot, arguments.regret_plot),
        inputs=files_read(arguments),
    )
    if not arguments.alg:
        raise InvalidValue("--alg is empty; name at least one rule, e.g. --alg max_time exp_time (see rtsim rules)")
    specs = tuple(RuleSpec.of(text) for text in arguments.alg)
    workers = numbers("workers", arguments.workers)
    base = scenario_of(arguments, specs[0], 1)
    design = Design(
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
            _print(result)
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
    if result.fault:
        render.note(f"rtsim: {result.fault}")
        return 2
    return 130 if result.interrupted else 0


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


def _print(result: Comparison) -> None:
    from rtsim.timing import units

    settings, step = result.scenario, result.step_time_s
    render.line(
        f"inference {settings['inference_time']} (mean {units.show(result.inference_time_s)}), "
        f"step {settings['step_time']} ({units.show(step)}), mailbox {settings['mailbox']}; "
        f"{settings['steps']} steps, of which {settings['warmup_steps']} warm-up; "
        f"seeds {settings['seed']} to {settings['seed'] + settings['seeds'] - 1}"
    )
    if settings["dispatch_time"] is not None:
        render.line(f"dispatch {settings['dispatch_time']}, part of every inference")
    for spec in result.design.alg:
        deadline = deadline_text(result.design.base.with_(rule=spec))
        if deadline:
            render.line(f"{spec}: {deadline}")
    if settings["learning_time"] is not None:
        render.line(
            f"learning {settings['learning_time']}; learners {settings['learners']} ({settings['learner_rule']}), "
            f"batch {settings['batch']}, from step {settings['learning_starts']}"
        )
    differences = {(d.key, d.workers): d for d in result.paired_differences}
    first = str(result.design.alg[0])
    rows = []
    for row in result.rows:
        ci = row.inaction_fraction_ci95
        spread = "" if ci is None else f" [{100 * ci[0]:.2f}, {100 * ci[1]:.2f}]"
        found = differences.get((row.key, row.workers))
        against = "" if found is None else f"{100 * found.mean:+.2f} %"
        if found is not None and found.ci95 is not None:
            against = f"{100 * found.mean:+.2f} ± {100 * (found.ci95[1] - found.mean):.2f} %"
            against += {"not significant": " n.s.", "small": " small"}.get(found.verdict, "")
        wait = row.interaction_time_s
        cells = [
            row.key,
            str(row.workers),
            render.percent(row.inaction_fraction) + spread,
            render.percent(row.theory_inaction_fraction),
            render.percent(row.capacity_limit),
            "-" if wait is None else f"{wait * 1e3:.2f} ± {(row.interaction_time_std_s or 0) * 1e3:.2f}",
            f"{render.number(row.delay_steps_mean, 1)} / {'-' if row.delay_steps_p99 is None else row.delay_steps_p99}",
            render.percent(row.overwritten_fraction, 1),
        ]
        rows.append(cells + ([against] if len(result.design.alg) > 1 else []))
    columns = [
        "rule",
        "workers",
        "inaction [95 %]",
        "theory",
        "capacity limit",
        "interaction ms ± sd",
        "delay mean / p99 steps",
        "overwritten",
    ]
    if len(result.design.alg) > 1:
        columns.append(f"against {first}, paired")
    render.table("Steps left to the default policy", columns, rows)
    if settings["learning_time"] is not None:
        _print_learning(result)
    if settings["mdp"] is not None:
        _print_regret(result)
    if result.required_workers:
        render.table(
            f"Workers required for inaction <= {100 * settings['target']:g} %",
            ["rule", "note", "simulated", "paper's formula"],
            [
                [
                    key,
                    found.reason or f"inaction {render.percent(found.inaction_fraction)}",
                    "none" if found.workers is None else str(found.workers),
                    "-" if found.paper_formula is None else str(found.paper_formula),
                ]
                for key, found in result.required_workers.items()
            ],
            left=2,
        )


def _print_regret(result: Comparison) -> None:
    def rate(value: float | None, ci: tuple[float, float] | None = None) -> str:
        text = "-" if value is None else render.number(value, 3)
        return text if ci is None else f"{text} ± {render.number((ci[1] - ci[0]) / 2, 3)}"

    rows, told = [], []
    for row in result.rows:
        found = row.regret
        if found is None:
            continue
        told.append(found)
        cells = [
            row.key,
            str(row.workers),
            rate(found.total_per_s, found.total_per_s_ci95),
            rate(found.inaction_per_s, found.inaction_per_s_ci95),
            rate(found.delay_per_s, found.delay_per_s_ci95),
            rate(found.learn_per_s, found.learn_per_s_ci95),
            rate(-found.boundary_per_s - found.noise_per_s),
            f"{rate(found.bound['inaction_per_s'])} / {rate(found.bound['delay_per_s'])}",
        ]
        rows.append(cells + ([rate(found.bound["learn_per_s"])] if result.design.learns else []))
    settings = result.scenario
    gain = told[0].gain_per_step if told else 0.0
    columns = [
        "rule",
        "workers",
        "total [95 %]",
        "inaction",
        "delay",
        "learning",
        "rest",
        "worst case: inaction / delay",
    ]
    columns += ["learning: lower bound, constant 1"] if result.design.learns else []
    render.table(
        f"Regret on {settings['mdp']}, agent {settings['agent']}, reward per second (optimal gain {gain:.4g} per step)",
        columns,
        rows,
    )
    how = {"expected": "expected values", "rollout": "of one rollout per seed"}
    known = " or ".join(sorted({how[each.reference] for each in told}))
    best = " or ".join(sorted({each.best for each in told}))
    whose = "the agent itself" if best == "agent" else f"the best memoryless delayed policy of each Schedule ({best})"
    render.line(f"Inaction and delay are those of {whose}: {known}.")
    render.line(
        "The rest is luck, and what the last state is worth more or less than the first; with it the parts add up."
    )
    if settings["warmup_steps"]:
        render.line("Regret is that of all steps; inaction in per cent, above, leaves the warm-up out.")


def _print_learning(result: Comparison) -> None:
    from rtsim.theory import required_learners

    base = result.design.base
    assert base.learning_time is not None
    needed = required_learners(base.learning_time.mean, base.batch, base.step_mean)
    render.line(f"To learn from every transition takes ⌈τ_L/(B τ_M)⌉ = {needed} round-robin learners.")
    render.table(
        "Learning",
        ["rule", "workers", "transitions per step", "update staleness, mean updates"],
        [
            [r.key, str(r.workers), render.number(r.transitions_per_step, 3), render.number(r.update_staleness_mean)]
            for r in result.rows
        ],
    )


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
