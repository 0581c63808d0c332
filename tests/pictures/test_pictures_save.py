"""Figures on disk: whole, repeatable, and with their data beside them."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rtsim.errors import FileProblem, InvalidValue
from rtsim.pictures import figure_of, inaction_rows, plot_inaction, save_figure
from rtsim.schedule import Schedule

MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.mark.parametrize("suffix", MAGIC)
def test_save_figure_each_format_has_its_data_beside_it_and_same_bytes_again(
    comparison: Any, tmp_path: Path, suffix: str
) -> None:
    files = []
    for name in ("one", "other"):
        figure = figure_of(plot_inaction(comparison))
        path, table = save_figure(figure, tmp_path / f"{name}{suffix}", inaction_rows(comparison))
        assert (path, table) == (tmp_path / f"{name}{suffix}", tmp_path / f"{name}.csv")
        files.append(path.read_bytes())
    assert files[0].startswith(MAGIC[suffix])
    assert files[0] == files[1]
    with (tmp_path / "one.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["inaction_fraction"]) for row in rows] == [row.inaction_fraction for row in comparison.rows]


def test_save_figure_without_data_writes_the_figure_alone(comparison: Any, tmp_path: Path) -> None:
    (path,) = save_figure(figure_of(plot_inaction(comparison)), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes().startswith(b"\x89PNG")


def test_save_figure_leaves_nothing_but_figure_and_data(comparison: Any, tmp_path: Path) -> None:
    save_figure(figure_of(plot_inaction(comparison)), tmp_path / "a.png", inaction_rows(comparison))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.png"]


@pytest.mark.parametrize("name", ["figure.jpg", "figure", "figure.csv"])
def test_save_figure_other_suffix_lists_the_valid_ones_and_writes_nothing(
    comparison: Any, tmp_path: Path, name: str
) -> None:
    with pytest.raises(InvalidValue, match=r"\.png, \.svg, \.pdf"):
        save_figure(figure_of(plot_inaction(comparison)), tmp_path / name, [])
    assert not list(tmp_path.iterdir())


def test_save_figure_missing_directory_is_a_file_problem(comparison: Any, tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="cannot write"):
        save_figure(figure_of(plot_inaction(comparison)), tmp_path / "none" / "a.png", [])


def test_pictures_drawn_and_saved_never_touch_pyplot(schedules: dict[str, Schedule], tmp_path: Path) -> None:
    schedules["latest"].save(tmp_path / "run.npz")
    code = f"""
import sys
import matplotlib
from rtsim.pictures import *
from rtsim.schedule import Schedule
def settings():  # without asking for the backend, which would import pyplot
    return {{key: repr(dict.__getitem__(matplotlib.rcParams, key)) for key in dict.keys(matplotlib.rcParams)}}
before = settings()
run = Schedule.load({str(tmp_path / "run.npz")!r})
save_figure(figure_of(plot_timeline(run)), {str(tmp_path / "t.svg")!r}, timeline_rows(run))
save_figure(figure_of(plot_interaction_time(run)), {str(tmp_path / "h.png")!r}, interaction_time_rows(run))
print("matplotlib.pyplot" in sys.modules, settings() == before)
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"
