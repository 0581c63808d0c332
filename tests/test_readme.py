"""README, continuous integration and the package tell the same story."""

from __future__ import annotations

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rtsim

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_ci_runs_the_two_lines_of_the_readme_word_for_word():
    two = blocks("sh")[:2]
    assert [block.count("\n") for block in two] == [1, 1]
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    for block in two:
        assert block.strip() in ci
    assert "rtsim compare --alg max_time exp_time" in two[0]
    assert "pytest" in two[1]


def test_constraints_pin_every_dependency_exactly():
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin) for pin in pins)
    assert "torch==2.13.0" in pins
    pinned = {re.sub(r"[-_.]+", "-", pin.split("==")[0]).lower() for pin in pins}
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    names = {re.sub(r"[-_.]+", "-", re.split(r"[\[<>=]", d)[0]).lower() for d in wanted} - {"rtsim"}
    assert names <= pinned


@pytest.mark.parametrize("name", rtsim.__all__)
def test_public_name_is_documented_with_an_example_or_in_the_readme(name):
    value = getattr(rtsim, name)
    assert value.__doc__
    has_example = bool(doctest.DocTestParser().get_examples(value.__doc__))
    assert has_example or f"rtsim.{name}" in README or f"`{name}`" in README


def test_all_lists_exactly_what_is_exported():
    assert sorted(rtsim.__all__) == sorted(rtsim._HOMES)
    for name, home in rtsim._HOMES.items():
        assert getattr(importlib.import_module(home), name) is getattr(rtsim, name)


def test_modules_that_the_readme_names_are_there_after_import_rtsim_alone():
    named = set(re.findall(r"`rtsim\.([a-z]+)`", README.partition("and the modules")[2].partition("## ")[0]))
    assert named == set(rtsim._MODULES)
    assert named <= set(dir(rtsim))
    code = f"import rtsim, sys\nassert 'numpy' not in sys.modules\nfor name in {sorted(named)}: getattr(rtsim, name)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    with pytest.raises(AttributeError, match="'rtsim' has no attribute 'picture'"):
        rtsim.picture  # noqa: B018


def test_readme_python_examples_run():
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})


def test_readme_mdp_file_is_read_and_the_one_of_the_docstring(tmp_path):
    from rtsim import mdps

    (block,) = blocks("json")
    (tmp_path / "mine.json").write_text(block)
    assert mdps.of(str(tmp_path / "mine.json")).states == 2
    assert "".join(block.split()) in "".join((mdps.__doc__ or "").split())


def test_readme_names_every_rule():
    from rtsim.schedulers.registry import BUILTIN, LEARNER_RULES

    for name in [*BUILTIN, *LEARNER_RULES]:
        assert f"`{name}`" in README


def test_readme_pictures_exist():
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)


def test_readme_studies_are_understood(tmp_path):
    from rtsim.cli.main import parse
    from rtsim.cli.sweep import _grids

    studies = [block for block in blocks("toml") if block.startswith("# study.toml")]
    assert len(studies) == 2
    for block in studies:
        study = tmp_path / "study.toml"
        study.write_text(block)
        if "[[grid]]" in block:
            assert len(_grids(parse(["sweep", "run", "--config", str(study)]))) == block.count("[[grid]]")
        else:
            assert parse(["compare", "--config", str(study)]).seeds == 10
