"""``rtsim report``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rtsim.cli import render
from rtsim.cli.arguments import Report
from rtsim.errors import FileProblem, InvalidValue

if TYPE_CHECKING:
    from rtsim.experiments.report import Group, InactionCurves, RequiredPoint

#: What was searched for, of which there is a figure; also the name of its file.
FIGURES = ("required_workers", "required_learners")


def run(arguments: Report) -> int:
    """Read the results, print tables, draw figures."""
    from rtsim.experiments import results
    from rtsim.experiments.report import inaction_curves, required_points, statistics_by_group

    if not arguments.run:
        raise InvalidValue("name the directory of a run, e.g. rtsim report runs/first")
    from rtsim.pictures import checked_suffix

    folder = Path(arguments.out or arguments.run)
    checked_suffix("figure." + ("" if "/" in arguments.format else arguments.format))
    if arguments.out and not folder.is_dir():
        raise FileProblem(f"cannot write figures: folder {arguments.out!r} does not exist")
    rows = results(arguments.run)
    if not rows:
        raise InvalidValue(f"{arguments.run!r} has no finished cells yet")
    groups = statistics_by_group(rows)
    points = {measure: required_points(rows, measure) for measure in FIGURES}
    with render.printing():
        if arguments.json:
            render.dump(
                {
                    "schema": "rtsim.report/1",
                    "cells": len(rows),
                    "statistics": [asdict(group) for group in groups],
                    **{measure: [asdict(point) for point in found] for measure, found in points.items()},
                }
            )
        else:
            _print_statistics(groups)
            for measure, found in points.items():
                _print_required(measure, found)
    _draw(points, folder, arguments.format)
    _draw_inaction(inaction_curves(groups), folder, arguments.format)
    return 0


def _draw(points: dict[str, list[RequiredPoint]], folder: Path, suffix: str) -> None:
    from rtsim.pictures import plot_scaling, save_figure, scaling_rows

    for measure, found in points.items():
        if found:
            figure = plot_scaling(found)
            for path in save_figure(figure, folder / f"{measure}.{suffix}", scaling_rows(found)):
                render.wrote(path)


def _draw_inaction(found: list[InactionCurves], folder: Path, suffix: str) -> None:
    from rtsim.pictures import figure_of, inaction_rows, plot_inaction, save_figure

    for number, curves in enumerate(found, 1):
        name = f"inaction_{number}" if len(found) > 1 else "inaction"
        for path in save_figure(figure_of(plot_inaction(curves)), folder / f"{name}.{suffix}", inaction_rows(curves)):
            render.wrote(path)


def _print_statistics(groups: list[Group]) -> None:
    if not groups:
        return
    varied = [name for name in groups[0].settings if len({group.settings[name] for group in groups}) > 1]
    varied = varied or ["rule"]
    regret = next((group for group in groups if group.means["regret_total_per_s"] is not None), None)
    rows = []
    for group in groups:
        means, ci = group.means, group.inaction_fraction_ci95
        spread = "" if ci is None else f" [{100 * ci[0]:.2f}, {100 * ci[1]:.2f}]"
        wait = means["interaction_time_s"]
        rows.append(
            [
                *("-" if group.settings[name] is None else str(group.settings[name]) for name in varied),
                str(group.seeds),
                render.percent(means["inaction_fraction"]) + spread,
                render.percent(means["theory_inaction_fraction"]),
                render.percent(means["capacity_limit"]),
                "-" if wait is None else f"{1e3 * wait:.2f}",
                render.number(means["delay_steps_mean"], 1),
                render.percent(means["overwritten_fraction"], 1),
                render.number(means["transitions_per_step"], 3),
                *([] if regret is None else [_regret(group)]),
            ]
        )
    columns = [
        *(name.replace("_", " ") for name in varied),
        "seeds",
        "inaction [95 %]",
        "theory",
        "capacity limit",
        "interaction ms",
        "delay steps",
        "overwritten",
        "transitions per step",
        *([] if regret is None else ["regret/s: total (inaction, delay, learning), ± 95 %"]),
    ]
    render.table("Statistics, means over the seeds", columns, rows, left=len(varied))


def _regret(group: Group) -> str:
    if group.means["regret_total_per_s"] is None:
        return "-"
    total, *parts = (_rate(group, f"regret_{part}_per_s") for part in ("total", "inaction", "delay", "learn"))
    return f"{total} ({', '.join(parts)})"


def _rate(group: Group, name: str) -> str:
    ci95 = group.regret_ci95[name]
    half = "" if ci95 is None else f" ± {render.number((ci95[1] - ci95[0]) / 2, 3)}"
    return render.number(group.means[name], 3) + half


def _print_required(measure: str, points: list[RequiredPoint]) -> None:
    if not points:
        return
    workers = measure == "required_workers"
    rows = []
    for point in points:
        spread = "" if point.low == point.high else f" ({point.low} to {point.high or 'none'})"
        rows.append(
            [
                point.series,
                point.law,
                point.reason or "",
                "-" if point.parameters is None else f"{point.parameters:,}",
                f"{1e3 * point.time_s:.3f}",
                ("none" if point.median is None else str(point.median)) + spread,
                "-" if point.formula is None else str(point.formula),
                *([render.number(point.delay_steps, 1)] if workers else []),
            ]
        )
    targets = ", ".join(f"{100 * t:g} %" for t in sorted({p.target for p in points if p.target is not None}))
    title = (
        f"Workers required for inaction <= {targets}" if workers else "Learners required to learn from every transition"
    )
    columns = [
        "rule" if workers else "learners",
        "inference time" if workers else "learning time",
        "note",
        "parameters",
        "mean ms",
        "median (range) over seeds",
        "paper's formula",
        *(["delay there, steps"] if workers else []),
    ]
    render.table(title, columns, rows, left=3)
