"""``rtsim figures`` at tiny budgets: trained once, resumed, drawn without training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rtsim.cli.main import main
from rtsim.studies import read, shipped, write

PANEL = ["--only", "mdp:inaction", "--seeds", "1", "--quick"]


def figures(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["figures", *words])
    found = capsys.readouterr()
    return code, found.out, found.err


def test_cells_are_trained_once_and_drawn_again(tmp_path: Path, capsys) -> None:
    words = ("5", "--out", str(tmp_path), *PANEL)
    code, out, _ = figures(capsys, *words, "--json")
    assert code == 0
    found = json.loads(out)
    (told,) = found["figures"]
    methods = {point["method"] for point in told["points"]}
    assert methods == {"noop", "random", "no delay", "sequential", "max_time", "exp_time", "time_triggered"}
    table = tmp_path / "cells_5.csv"
    rows = read(table)
    assert {row.budget_steps for row in rows} == {300}
    assert {row.step for row in rows} == {300}
    # On this MDP every step is worth 1 after an action of the agent and 0 after the default policy's, but the first.
    for row in rows:
        assert abs(row.reward - (row.step - row.default_steps)) <= 1, row
    assert (tmp_path / "figure_5.png").exists()
    before = table.stat().st_mtime_ns
    code, again, _ = figures(capsys, *words, "--json")
    assert (code, again) == (0, out)
    assert table.stat().st_mtime_ns == before
    (tmp_path / "figure_5.png").unlink()
    code, again, error = figures(capsys, "5", "--out", str(tmp_path), "--draw")
    assert code == 0
    assert "sequential" in again
    assert "figure_5.png" in error
    assert table.stat().st_mtime_ns == before


def test_what_was_not_finished_is_trained_and_the_rest_is_not(tmp_path: Path, capsys) -> None:
    words = ("11", "--out", str(tmp_path), *PANEL)
    assert figures(capsys, *words)[0] == 0
    table = tmp_path / "cells_11.csv"
    whole = table.read_text()
    lines = whole.splitlines(keepends=True)
    table.write_text("".join(lines[:41]))  # the header, and two cells of twenty rows
    assert figures(capsys, *words)[0] == 0
    assert table.read_text() == whole


def test_panels_without_results_are_named_and_scores_have_units(tmp_path: Path, capsys) -> None:
    known = [row for row in shipped(5) if row.panel.startswith("mdp:")]
    assert known
    write(tmp_path / "cells_5.csv", known)
    code, out, _ = figures(capsys, "5", "--draw", "--out", str(tmp_path))
    assert code == 0
    (told,) = (line for line in out.splitlines() if line.startswith("not trained yet"))
    # Three seeds of noop, random, no delay, and of four methods at five delays.
    for name, steps in (("minatar:breakout(sticky=0)", "10,000"), ("blocks", "20,000")):
        assert f"{name} ({3 * (3 + 4 * 5)} trainings of {steps} steps" in told
    assert {"per", "step"} <= set(next(line for line in out.splitlines() if "mdp:inaction" in line).split())
    _, out, _ = figures(capsys, "5", "--draw", "--out", str(tmp_path), "--json")
    assert json.loads(out)["figures"][0]["untrained"] == ["minatar:breakout(sticky=0)", "blocks"]


@pytest.mark.parametrize(
    "words, says",
    [
        ([], "name figures"),
        (["7"], "figure 7 has no learning in it"),
        (["5", "--only", "block"], "did you mean 'blocks'"),
        (["5", "--budget", "3"], "at least 20"),
        (["5", "--format", "gif"], "must end in one of"),
        (["5", "--processes", "-1", "--only", "mdp:inaction", "--quick"], "processes -1"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(tmp_path: Path, capsys, words: list[str], says: str) -> None:
    code, out, error = figures(capsys, *words, "--out", str(tmp_path / "new"))
    assert (code, out) == (2, "")
    assert says in error
    assert len(error.splitlines()) == 1


def test_foreign_table_is_told_and_left_alone(tmp_path: Path, capsys) -> None:
    (tmp_path / "cells_5.csv").write_text("a,b\n")
    code, _, error = figures(capsys, "5", "--out", str(tmp_path), *PANEL)
    assert code == 2
    assert "no table of a figure" in error
    assert (tmp_path / "cells_5.csv").read_text() == "a,b\n"
