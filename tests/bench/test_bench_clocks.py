"""Timings for ``pytest tests/bench --benchmark-enable``; without it each runs once, and small."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rtsim.clocks import compiled
from tests.bench import report


@pytest.mark.parametrize("workers", report.WORKERS)
@pytest.mark.parametrize("rule", report.RULES)
@pytest.mark.parametrize("clock", ["compiled statistics", "compiled Schedule", "simpy"])
def test_bench_clock(benchmark: Any, clock: str, rule: str, workers: int) -> None:
    benchmark.group = f"{rule}, N = {workers}"
    scenario = report.scenario(rule, workers, 300 if benchmark.disabled else 50_000)
    run = {
        "compiled statistics": compiled.tally,
        "compiled Schedule": lambda s: compiled.simulate(s).tally(),
        "simpy": report.simpy_statistics,
    }[clock]
    run(scenario)  # compiled or loaded before it is timed
    found = benchmark(run, scenario)
    assert found == compiled.tally(scenario)
    benchmark.extra_info["events"] = scenario.steps + found.released


def test_bench_report_has_every_section_and_ratios_for_both_clocks(capsys: pytest.CaptureFixture[str]) -> None:
    report.main(["--quick", "--json"])
    data = json.loads(capsys.readouterr().out)
    assert data["machine"]["cores"] >= 1
    against = [row for row in data["rows"] if row["simpy"] is not None]
    assert len(against) == 2 * len(report.RULES) * len(report.WORKERS)
    assert all(row["value"] > 0 for row in data["rows"])
    for row in against:
        assert row["ratio"] == pytest.approx(row["value"] / row["simpy"])
    one, two = (row for row in data["rows"] if row["benchmark"] == "sweep")
    assert two["ratio"] == pytest.approx(two["value"] / one["value"])
    assert {row["unit"] for row in data["rows"]} == {"M events/s", "cells/s", "s", "MiB", "ns/step"}
    held = {row["case"]: row["target"] for row in data["rows"] if row["target"] is not None}
    assert len(held) == 7
    assert held["16 pending actions, n = 10, A = 2, value iteration"] == 1.0
