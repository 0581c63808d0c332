"""``rtsim figures``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtsim.cli import render
from rtsim.cli.arguments import Figures
from rtsim.errors import FileProblem, InvalidValue, MissingExtra

if TYPE_CHECKING:
    from rtsim.studies import Figure, Panel, Point, Row


def run(arguments: Figures) -> int:
    """Train what is missing, print tables, draw figures."""
    from rtsim.pictures import checked_suffix
    from rtsim.studies import find

    a = arguments
    if not a.figures:
        raise InvalidValue("name figures of the first paper, e.g. rtsim figures 5, or rtsim figures 5 --draw")
    checked_suffix("figure." + ("" if "/" in a.format else a.format))
    if a.seeds < 1 or (a.budget is not None and a.budget < 20):
        raise InvalidValue("--seeds must be at least 1, and --budget at least 20 environment steps")
    figures = [find(number) for number in dict.fromkeys(a.figures)]
    for package in () if a.draw else ("torch", "gymnasium"):
        if find_spec(package) is None:
            raise MissingExtra("training", package, "learning")
    for figure in figures:
        for env in a.only:
            figure.panel(env)
    folder = Path(a.out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileProblem(f"cannot make folder {a.out!r}: {error.strerror}") from error
    code, told = 0, []
    for figure in figures:
        rows, here = (_known(figure, folder), 0) if a.draw else _trained(figure, folder, a)
        code = max(code, here)
        points = _points(rows, a.only)
        if not points and here == 130:
            return here
        if not points:
            raise InvalidValue(f"there are no results of figure {figure.number} yet; run rtsim figures {figure.number}")
        missing = () if a.only else figure.untrained({point.panel for point in points})
        told.append(
            {
                "figure": figure.number,
                "title": figure.title,
                "untrained": [panel.env for panel in missing],
                "points": [asdict(point) for point in points],
            }
        )
        with render.printing():
            if not a.json:
                _print(figure, points, missing)
        _draw(figure, points, missing, folder, a.format)
        if here == 130:
            break
    if a.json:
        with render.printing():
            render.dump({"schema": "rtsim.figures/1", "figures": told})
    return code


def _known(figure: Figure, folder: Path) -> Sequence[Row]:
    from rtsim.studies import read, shipped

    own = folder / f"cells_{figure.table}.csv"
    return read(own) if own.exists() else shipped(figure.number)


def _trained(figure: Figure, folder: Path, a: Figures) -> tuple[Sequence[Row], int]:
    from rtsim.studies.design import find
    from rtsim.studies.run import run_cells

    cells = list(find(figure.table).cells(a.budget, a.quick, a.only, tuple(range(a.seeds))))
    with render.progress(counted=False) as update:
        told = render.Told(update)
        found = run_cells(
            cells,
            folder / f"cells_{figure.table}.csv",
            a.processes,
            lambda finished, cells, share: told(f"{finished} of {cells} cells", share),
        )
    if found.missing:
        cell, reason = next(iter(found.missing.items()))
        render.note(
            f"rtsim: {len(found.missing)} cells of figure {figure.number} failed; the first is {cell.method} on "
            f"{cell.panel}, {cell.delay_steps} steps late: {reason}"
        )
    if found.interrupted:
        render.note("rtsim: interrupted; the same command goes on")
    return found.rows, 130 if found.interrupted else 2 if found.missing else 0


def _points(rows: Sequence[Row], only: tuple[str, ...]) -> list[Point]:
    from rtsim.studies import points

    return [point for point in points(rows) if not only or point.panel in only]


def _remark(figure: Figure, missing: Sequence[Panel]) -> str:
    """Which panels have no results yet, and what their trainings take."""
    found = []
    for panel in missing:
        count = len(list(figure.cells(only=(panel.env,))))
        time = f", about {round(count * panel.cpu_seconds / 60)} min of a core" if panel.cpu_seconds else ""
        found.append(f"{panel.env} ({count} trainings of {panel.budget:,} steps{time})")
    return f"not trained yet: {', '.join(found)}" if found else ""


def _print(figure: Figure, points: Sequence[Point], missing: Sequence[Panel]) -> None:
    last: dict[tuple[str, str, int, int], Point] = {}
    for point in points:
        last[point.panel, point.method, point.depth, point.delay_steps] = point
    rows = []
    for point in last.values():
        value, interval = (
            (point.score, point.score_ci95) if figure.over == "size" else (point.reward, point.reward_ci95)
        )
        rows.append(
            [
                point.panel,
                point.method + ("" if point.depth == 15 else f", {point.depth} convolutions"),
                f"{point.delay_steps}",
                render.number(value, 3),
                figure.panel(point.panel).unit if figure.over == "size" else "reward",
                "-" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}",
                f"{point.budget_steps}",
                f"{point.seeds}",
            ]
        )
    what = "score" if figure.over == "size" else "reward gathered"
    columns = ["environment", "method", "delay (steps)", what, "unit", "95 %", "steps", "seeds"]
    render.table(f"Figure {figure.number}: {figure.title}", columns, rows, left=2)
    render.line("means over the seeds; 95 %: their Student t interval; noop and random players are never late")
    if missing:
        render.line(f"{_remark(figure, missing)}: rtsim figures {figure.number}")


def _draw(figure: Figure, points: Sequence[Point], missing: Sequence[Panel], folder: Path, suffix: str) -> None:
    from rtsim.pictures import learning_rows, save_figure

    picture = folder / f"figure_{figure.number}.{suffix}"
    for path in save_figure(drawn(figure, points, missing), picture, learning_rows(points)):
        render.wrote(path)


def _processor() -> str:
    """What the paper's delays were measured on, as people call it.

    >>> _processor()
    'Xeon Gold 6148'
    """
    from rtsim.timing import Profile

    return str(Profile.load("paper").machine["cpu"]).removeprefix("Intel ").partition(" @")[0]


def drawn(figure: Figure, points: Sequence[Point], missing: Sequence[Panel] = ()) -> Any:
    """The picture of a figure's points, with what belongs beside them, and the panels that have none yet."""
    from rtsim.pictures import plot_progress, plot_scores
    from rtsim.studies.theory import optima

    title = f"Figure {figure.number}: {figure.title}; delays as in the paper ({_processor()})"
    if missing:
        title += f"; {len(missing)} panel{'s' * (len(missing) > 1)} not trained"
    if figure.over != "size":
        return plot_progress(points, over=figure.over, title=title)
    units = {panel.env: panel.unit for panel in figure.panels}
    human = {panel.env: panel.human for panel in figure.panels}
    return plot_scores(points, title=title, units=units, human=human, optimum=optima(figure, points))
