"""What do the tables of the learning figures say, and where do they miss the first paper's trends?

Trains nothing: it reads the tables that come with rtsim, which `rtsim figures` has made, draws them, and tells the
trends, each with its interval over seeds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rtsim.cli import scripts
from rtsim.cli.figures import drawn
from rtsim.pictures import learning_rows, save_figure
from rtsim.studies import FIGURES, Row, find, points, shipped
from rtsim.studies.trends import Extra, Trend, extras, trends

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
        "silent": list(trend.silent),
    }


def told_extra(extra: Extra) -> dict[str, Any]:
    """What delay costs more in an environment than in another, as JSON values."""
    return {
        **{name: getattr(extra, name) for name in ("panel", "than", "depth", "method")},
        "delays": list(extra.delays),
        "lost": [[found.mean, *(found.ci95 or (None, None))] for found in extra.lost],
        "costlier": list(extra.costlier),
    }


def measure() -> list[dict[str, Any]]:
    """All figures of which there is a table."""
    found = []
    for number, figure in FIGURES.items():
        rows = shipped(number)
        if rows:
            known = trends(figure, rows)
            found.append(
                {
                    "figure": number,
                    "title": figure.title,
                    "trends": [told(trend) for trend in known],
                    "extras": [told_extra(extra) for extra in extras(known)],
                }
            )
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
            *_extras(found["extras"]),
            "",
            f"![Figure {found['figure']}](results/figure_{found['figure']}.png)",
        ]
    return "\n".join(parts)


def _extras(found: list[dict[str, Any]]) -> list[str]:
    """A table of what delay costs more where the world is less predictable."""
    if not found:
        return []
    columns = [
        "less predictable",
        "than",
        "method",
        "delay (steps)",
        "lost to delay, more than there [95 %]",
        "costs more at",
    ]
    rows = [
        [
            _name(extra),
            extra["than"],
            extra["method"],
            ", ".join(map(str, extra["delays"])),
            _estimates(extra["lost"]),
            ", ".join(map(str, extra["costlier"])) or "no delay, beyond the interval",
        ]
        for extra in found
    ]
    return ["", scripts.markdown(columns, rows)]


def _name(found: dict[str, Any]) -> str:
    return str(found["panel"]) + ("" if found["depth"] == 15 else f", {found['depth']} convolutions")


def _line(trend: dict[str, Any]) -> list[str]:
    def several(values: list[float]) -> str:
        return ", ".join(map(_number, values))

    return [
        _name(trend),
        f"{trend['steps']:,}, {trend['seeds']}",
        _number(trend["reference"]),
        "-" if trend["no_delay"] is None else _number(trend["no_delay"]),
        ", ".join(map(str, trend["delays"])),
        several(trend["sequential"]),
        ", ".join(
            _number(value) + " †" * (delay in trend["silent"])
            for delay, value in zip(trend["delays"], trend["staggered"], strict=True)
        ),
        _estimates(trend["ahead"]),
        _yes(trend["falls"]),
        _yes(trend["stays"]),
    ]


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _estimates(found: list[list[float | None]]) -> str:
    """Means with their intervals."""
    return ", ".join(
        _number(mean or 0.0) + ("" if low is None or high is None else f" [{_number(low)}, {_number(high)}]")
        for mean, low, high in found
    )


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
