"""Designs, tables and their sums over seeds."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from rtsim.errors import FileProblem, InvalidValue, UnknownName
from rtsim.studies import FIGURES, Cell, Row, find, points, read, shipped, write
from rtsim.studies.cells import scenario, settings
from rtsim.studies.theory import best

ROW = Row(
    5, "blocks", "max_time", 15, 10**6, 5, 0, 100, 100, 1.7, 60, 5, 90, 12.0, 3, 4.0, None, 1.5, "0.1.0", 'a "CPU", old'
)


def test_published_delays_are_those_of_the_paper() -> None:
    # Riemer et al. 2025, Sec. 5 and App. A: 0, 1, 5, 8, 70, 596 steps; at depth 30 3, 29, 47, 80, 750.
    delays = {depth: sorted({c.delay_steps for c in find(6).cells() if c.depth == depth}) for depth in (15, 30)}
    assert delays == {15: [0, 1, 5, 8, 70, 596], 30: [3, 29, 47, 80, 750]}
    assert {number: {c.delay_steps for c in find(number).cells()} - {0} for number in (4, 11, 12)} == {
        4: {70}, 11: {5}, 12: {8}
    }  # fmt: skip
    assert {cell.seed for cell in find(4).cells()} == {0, 1, 2}
    assert find(13).table == 4


def test_parallel_baseline_is_that_of_the_paper() -> None:
    # "33 times larger with 33 times fewer updates", learning every 5 steps (Fig. 4 and Sec. 5.1).
    cell = next(c for c in find(4).cells() if c.method == "max_time, parallel learning")
    found = scenario(cell, 60, 16)
    assert (found.learner_count, cell.learning_steps, found.workers) == (33, 165, 70)
    assert found.with_(learner_rule="round_robin").learner_count == 33
    alone = scenario(replace(cell, method="sequential"), 60, 16)
    assert (alone.workers, alone.learner_count) == (1, 1)


def test_trials_are_small_and_only_panels_that_exist_are_run() -> None:
    quick = list(find(5).cells(quick=True, only=("blocks",), seeds=(0,)))
    assert {cell.budget_steps for cell in quick} == {200}
    assert {cell.delay_steps for cell in quick} == {0, 1, 596}
    assert {cell.panel for cell in quick} == {"blocks"}
    with pytest.raises(UnknownName, match="did you mean 'blocks'"):
        list(find(5).cells(only=("block",)))
    with pytest.raises(InvalidValue, match="figure 7 has no learning in it; give one of 4, 5, 6"):
        find(7)


@pytest.mark.parametrize("number", FIGURES)
def test_every_panel_has_a_learner_and_every_cell_a_scenario(number: int) -> None:
    figure = find(number)
    for panel in figure.panels:
        for budget in (panel.budget, panel.quick):
            chosen = settings(panel.preset, budget, budget)
            assert chosen.exploration_steps <= budget
            assert chosen.capacity >= min(budget, 20_000)
    for cell in figure.cells():
        # Whoever makes few decisions explores for few, and learns from few.
        chosen = settings(figure.panel(cell.panel).preset, cell.budget_steps, cell.decisions)
        assert chosen.exploration_steps <= cell.decisions / 4
        assert chosen.learning_starts <= max(cell.decisions / 20, 1)
    for cell in figure.cells(quick=True):
        if cell.method not in ("noop", "random"):
            found = scenario(cell, 59.7275, 16)
            assert cell.delay_steps - 1 < found.inference_mean * 59.7275 <= max(cell.delay_steps, 1e-9)


def test_table_comes_back_as_it_was_written(tmp_path) -> None:
    path = tmp_path / "cells_5.csv"
    assert read(path) == []
    rows = [ROW, replace(ROW, seed=1, score=None, episodes=0, staleness=None, late_score=0.125)]
    write(path, rows)
    assert read(path) == rows
    assert rows[0].cell == Cell(5, "blocks", "max_time", 15, 10**6, 5, 0, 100)


@pytest.mark.parametrize(
    "spoil, says",
    [
        (lambda text: text.replace("panel", "pane", 1), "no table of a figure"),
        (lambda text: text + "1,2\n", "line 3 of .* is no result"),
        (lambda text: text.replace("12,3,4", "x,3,4"), "line 2 of .* is no result"),
        (lambda text: text.replace("12,3,4", "9" * 101 + ",3,4"), "too large"),
        (lambda text: text.replace(f",{ROW.method},", ",guess,"), "no method 'guess'"),
        (lambda text: "", "no table of a figure"),
    ],
)
def test_foreign_tables_are_refused_with_the_line(tmp_path, spoil, says) -> None:
    path = tmp_path / "cells_5.csv"
    write(path, [ROW])
    path.write_text(spoil(path.read_text()))
    with pytest.raises(FileProblem, match=says) as found:
        read(path)
    assert "\n" not in str(found.value)


def test_points_are_means_over_seeds_of_the_largest_budget() -> None:
    rows = [replace(ROW, seed=seed, score=score) for seed, score in enumerate((1.0, 2.0, 3.0))]
    rows += [replace(ROW, budget_steps=50, score=100.0), replace(ROW, panel="walk", budget_steps=50, score=None)]
    found = points(rows)
    assert [(p.panel, p.budget_steps, p.seeds, p.score) for p in found] == [
        ("blocks", 100, 3, 2.0),
        ("walk", 50, 1, None),
    ]
    low, high = found[0].score_ci95
    # Student's t with two degrees of freedom: 4.3027 times the standard error of 1/sqrt(3).
    assert (high - low) / 2 == pytest.approx(4.3027 / 3**0.5, rel=1e-4)
    assert found[1].score_ci95 is None


def test_tables_that_come_with_rtsim_are_of_their_figures() -> None:
    for number in FIGURES:
        for row in shipped(number):
            assert row.figure == find(number).table
            assert row.machine
            assert row.step <= row.budget_steps
            find(row.figure).panel(row.panel)


def test_theory_beside_the_figures_is_that_of_the_worst_cases() -> None:
    # Every default step of the inaction worst case costs 1: an action every d - 1/2 steps (Remark 1).
    for delay in (5, 70):
        assert best("inaction", "sequential", delay, 6_950) == pytest.approx(1 / (delay - 0.5), abs=2 / 6_950)
    assert best("inaction", "max_time", 5, 1_000) >= 1 - 5 / 1_000
    # 1/n + (1 - 1/n) lambda^d, lambda = p - (1 - p)/(n - 1), once the first action is there.
    late = 0.1 + 0.9 * (0.99 - 0.01 / 9) ** 70
    assert best("jump(n=10, p=0.99)", "time_triggered", 70, 2_000) == pytest.approx(late * (1 - 70 / 2_000))
    assert best("jump(n=10, p=0.99)", "max_time", 0, 100) == 1.0


def test_the_readme_names_the_panels_of_every_table_that_comes_with_rtsim(pytestconfig) -> None:
    text = (pytestconfig.rootpath / "README.md").read_text(encoding="utf-8")
    lines = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| `cells_")}
    for number in {figure.table for figure in FIGURES.values()}:
        rows = [row for row in shipped(number) if row.method not in ("noop", "random")]
        name = f"`cells_{number}.csv`"
        assert (name in lines) == bool(rows)
        if not rows:
            continue
        _, _, panels, methods, delays, *_ = lines[name].split("|")
        assert set(re.findall(r"`(.*?)`", panels)) == {row.panel for row in rows}
        assert re.findall(r"`(.*?)`", methods) == list(dict.fromkeys(row.method for row in rows))
        assert [int(word) for word in delays.split(",")] == sorted({row.delay_steps for row in rows})
