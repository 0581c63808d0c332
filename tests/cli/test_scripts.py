"""Sections of pages, results and exit codes of scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtsim.cli import scripts
from rtsim.errors import FileProblem, InvalidValue

PAGE = "Before.\n<!-- a: begin -->\nold\n<!-- a: end -->\n<!-- b: begin -->\nother\n<!-- b: end -->\nAfter.\n"


def test_section_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(PAGE)
    scripts.write_section(page, "a", r"new \1 line")
    assert scripts.section(page, "a") == r"new \1 line"
    assert page.read_text() == PAGE.replace("old", r"new \1 line")


def test_page_without_both_marks_once_is_refused_and_stays(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    for text in ("no marks", PAGE + PAGE, PAGE.replace("<!-- a: end -->", "")):
        page.write_text(text)
        with pytest.raises(FileProblem, match="a: begin"):
            scripts.write_section(page, "a", "new")
        assert page.read_text() == text


def test_results_are_read_back_and_others_refused(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.json"
    assert scripts.read_results(path, "x/1") is None
    scripts.write_results(path, {"schema": "x/1", "value": 1 / 3, "pair": (1, 2.0)})
    assert scripts.read_results(path, "x/1") == {"schema": "x/1", "value": 0.333333, "pair": [1, 2.0]}
    with pytest.raises(FileProblem, match="schema y/1"):
        scripts.read_results(path, "y/1")
    path.write_text("{")
    with pytest.raises(FileProblem, match="not JSON"):
        scripts.read_results(path, "x/1")


def test_exit_codes_of_errors_and_of_interruption(capsys: pytest.CaptureFixture[str]) -> None:
    def bad() -> int:
        raise InvalidValue("too\nlarge")

    def stopped() -> int:
        raise KeyboardInterrupt

    assert scripts.guarded("a.py", lambda: 1) == 1
    assert scripts.guarded("a.py", bad) == 2
    assert scripts.guarded("a.py", stopped) == 130
    assert capsys.readouterr().err == "a.py: too large\na.py: interrupted\n"
