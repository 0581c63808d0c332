"""What do the tables of the learning figures say, and where do they miss the first paper's trends?

Trains nothing: it reads the tables that come with rtsim, which `rtsim figures` has made, draws them, and tells the
trends, each with its interval over seeds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rtsim.cli import scripts
from rtsim.cli.figures import drawn
from rtsim.intervals import Estimate
from rtsim.pictures import learning_rows, save_figure
from rtsim.studies import FIGURES, Row, find, points, shipped
from rtsim.studies.trends import Trend, trends

FOLDER = Path(__file__).parent
SCHEMA = "rtsim.validation.learning-figures/1"
SECTION = "learning-figures"


def told(trend: Trend) -> dict[str, Any]:
    """A trend as JSON values, and what it means."""
    return {
        "panel": trend.panel,
        "depth": trend.depth,
        "steps": trend.budget_steps,
        "seeds": len(trend.seeds),
        "reference": trend.reference,
        "no_delay": trend.no_delay,
        "delays": list(trend.delays),
        "sequential": list(trend.sequential),
        "staggered": list(trend.staggered),
        "ahead": [[found.mean, *(found.ci95 or (None, None))] for found in trend.ahead],
        "falls": trend.falls,
        "stays": trend.stays,
        "wins": list(trend.wins),
    }


def measure() -> list[dict[str, Any]]:
    """All figures of which there is a table."""
    found = []
    for number, figure in FIGURES.items():
        rows = shipped(number)
        if rows:
            found.append({"figure": number, "title": figure.title, "trends": [told(t) for t in trends(figure, rows)]})
    return found


def section(data: dict[str, Any] | None) -> str:
    """The section of README.md that belongs to some results."""
    if data is None:
        return scripts.UNMEASURED
    parts = [f"Trained on: {'; '.join(data['machines'])}."]
    for found in data["figures"]:
        rows = [_line(trend) for trend in found["trends"]]
        columns = [
            *("environment", "steps, seeds", "noop or random", "no delay", "delay (steps)", "sequential", "max_time"),
            *("max_time less sequential [95 %]", "sequential falls to noop or random", "max_time stays above"),
        ]
        parts += [
            "",
            f"**Figure {found['figure']}.** {found['title']}.",
            "",
            scripts.markdown(columns, rows),
            "",
            f"![Figure {found['figure']}](results/figure_{found['figure']}.png)",
        ]
    return "\n".join(parts)


def _line(trend: dict[str, Any]) -> list[str]:
    def several(values: list[float]) -> str:
        return ", ".join(map(_number, values))

    ahead = [Estimate(mean, None if low is None else (low, high)) for mean, low, high in trend["ahead"]]
    return [
        trend["panel"] + ("" if trend["depth"] == 15 else f", {trend['depth']} convolutions"),
        f"{trend['steps']:,}, {trend['seeds']}",
        _number(trend["reference"]),
        "-" if trend["no_delay"] is None else _number(trend["no_delay"]),
        ", ".join(map(str, trend["delays"])),
        several(trend["sequential"]),
        several(trend["staggered"]),
        ", ".join(_estimate(found) for found in ahead),
        _yes(trend["falls"]),
        _yes(trend["stays"]),
    ]


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _estimate(found: Estimate) -> str:
    interval = "" if found.ci95 is None else f" [{_number(found.ci95[0])}, {_number(found.ci95[1])}]"
    return _number(found.mean) + interval


def _yes(value: bool | None) -> str:
    return "-" if value is None else "**yes**" if value else "no"


def machines(rows: list[Row]) -> list[str]:
    """What trained them."""
    return sorted({f"{row.machine} (rtsim {row.rtsim})" for row in rows})


def main() -> int:
    parser = scripts.measuring("learning_figures.py", __doc__, "the tables alone, without pictures")
    arguments = scripts.parsed(parser, FOLDER)
    rows = [row for number in FIGURES for row in shipped(number)]
    data = {"schema": SCHEMA, "machines": machines(rows), "figures": measure()}
    scripts.write_results(arguments.out / "results" / "learning_figures.json", data)
    if not arguments.quick:
        for found in data["figures"]:
            known = points(shipped(found["figure"]))
            picture = arguments.out / "results" / f"figure_{found['figure']}.png"
            save_figure(drawn(find(found["figure"]), known), picture, learning_rows(known))
    scripts.write_section(arguments.out / "README.md", SECTION, section(scripts.rounded(data)))
    return 0


if __name__ == "__main__":
    raise SystemExit(scripts.guarded("learning_figures.py", main))
