"""The ledger: the recorded verdicts are found again, and a changed one is noticed.

The claims' own tests of chance have a false-alarm rate of 1e-6 each and fixed seeds.
"""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rtsim
from rtsim.cli.ledger import BEGIN, END, differences, main, read, table
from rtsim.errors import FileProblem, InvalidValue, UnknownName
from rtsim.experiments.claims import ALARM, Claim, estimated, exact, examine, names

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "theory"
CLAIMS = names(FOLDER)
ORDER = runpy.run_path(str(FOLDER / "ledger.py"))["ORDER"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, encoding="utf-8", cwd=ROOT
    )


@pytest.fixture(scope="module")
def recorded() -> dict:
    return read(FOLDER / "ledger.json")


@pytest.mark.parametrize("name", CLAIMS)
def test_claim_at_small_sizes_has_the_recorded_verdict(name: str, recorded: dict) -> None:
    found = examine(FOLDER, name)
    assert differences([found], recorded, complete=False) == [], found.text()
    assert found.verdict.kind != "undecided"


def test_ledger_holds_every_claim_once(recorded: dict) -> None:
    assert sorted(recorded["claims"]) == CLAIMS
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = page.split(BEGIN)[1].split(END)[0].strip().splitlines()[2:]
    assert [re.search(r"\((\w+)\.py\)", row)[1] for row in rows] == list(ORDER)  # type: ignore[index]
    assert sorted(ORDER) == CLAIMS
    assert len({claim["title"] for claim in recorded["claims"].values()}) == len(CLAIMS)


def test_ledger_is_recorded_at_full_size_by_this_version(recorded: dict) -> None:
    assert recorded["size"] == "full"
    assert recorded["rtsim"] == rtsim.__version__
    for name, claim in recorded["claims"].items():
        kind = claim["verdict"]["kind"]
        assert kind in ("holds", "holds if", "fails"), name
        refuted = [finding for finding in claim["findings"] if not finding["agrees"]]
        assert bool(refuted) == (kind != "holds"), name
        assert {finding["role"] for finding in refuted} == {
            "holds": set(), "holds if": {"beyond"}, "fails": {"claim"},
        }[kind], name  # fmt: skip


def test_readme_tells_the_recorded_verdicts(recorded: dict) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("## Do the papers' claims hold?")[1].split("\n## ")[0]
    told = re.findall(r"^\| \[[^\]]*\]\(theory/(\w+)\.py\) \| (holds if|holds|fails)", section, re.MULTILINE)
    assert len(told) > 5
    for name, kind in told:
        assert recorded["claims"][name]["verdict"]["kind"] == kind, name


def test_scripts_import_only_rtsim_and_its_libraries_and_never_each_other() -> None:
    for path in FOLDER.glob("*.py"):
        imported = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                imported.add(str(node.module).split(".")[0])
        assert imported <= {"rtsim", "numpy", *sys.stdlib_module_names}, path
        assert not imported & set(CLAIMS)


def test_names_of_scripts_are_unique_in_the_repository() -> None:
    others = {path.stem for room in ("rtsim", "tests") for path in (ROOT / room).rglob("*.py")}
    assert not others & set(CLAIMS)


def test_ledger_with_a_tampered_verdict_exits_with_1_and_writes_nothing(tmp_path: Path, recorded: dict) -> None:
    before = (FOLDER / "ledger.json").read_bytes()
    tampered = json.loads(json.dumps(recorded))
    tampered["claims"]["section_3_2_minimum"]["verdict"] = {"kind": "holds", "text": ""}
    (tmp_path / "ledger.json").write_text(json.dumps(tampered), encoding="utf-8")
    found = run("theory/ledger.py", "--only", "section_3_2_minimum", "--against", str(tmp_path / "ledger.json"))
    assert found.returncode == 1, found.stderr
    assert "section_3_2_minimum differs: recorded 'holds'" in found.stderr
    assert "Traceback" not in found.stderr
    assert (FOLDER / "ledger.json").read_bytes() == before
    assert run("theory/ledger.py", "--only", "section_3_2_minimum").returncode == 0


def test_claim_run_alone_prints_findings_and_verdict(recorded: dict) -> None:
    found = run("theory/section_3_2_minimum.py")
    assert found.returncode == 0
    assert found.stdout.splitlines()[-1].startswith("Verdict: fails: constant times")
    assert "Source: Riemer et al. 2025" in found.stdout


SMALL = """\"\"\"A claim about {name}.

Claim. {found} is 1.
\"\"\"

from rtsim.experiments.claims import Claim, exact


def claim(full=False):
    return Claim("{called}", "nobody", __doc__, (exact("number", {found}, 1.0),), counterexample="it is {found}")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("first_claim", "second_claim"):
        (tmp_path / f"{name}.py").write_text(SMALL.format(name=name, called=name, found=1.0))
    (tmp_path / "ledger.py").write_text("")
    (tmp_path / "README.md").write_text(f"Before.\n{BEGIN}\n{END}\nAfter.\n")
    return tmp_path


def test_ledger_records_compares_and_accepts_only_when_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(folder, ["--processes", "1"]) == 1
    assert "first_claim is not recorded" in capsys.readouterr().err
    assert not (folder / "ledger.json").exists()
    assert main(folder, ["--record", "--full", "--processes", "1"]) == 0
    first = (folder / "ledger.json").read_bytes()
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert page.startswith("Before.\n")
    assert page.endswith("After.\n")
    assert "| [A claim about first_claim](first_claim.py) | nobody | **holds** |" in page
    # A small run agrees and leaves the numbers of the full one; a claim that turns over writes nothing.
    assert main(folder, ["--processes", "1"]) == 0
    (folder / "second_claim.py").write_text(SMALL.format(name="second_claim", called="second_claim", found=2.0))
    capsys.readouterr()
    assert main(folder, ["--processes", "2", "--full"]) == 1
    assert "second_claim differs: recorded 'holds' '', found 'fails' 'it is 2.0'" in capsys.readouterr().err
    assert (folder / "ledger.json").read_bytes() == first
    assert main(folder, ["--record", "--processes", "1"]) == 0
    assert json.loads((folder / "ledger.json").read_text())["claims"]["second_claim"]["verdict"]["kind"] == "fails"
    # The claims are told in the order given, others after them.
    assert main(folder, ["--record", "--processes", "1"], order=("second_claim",)) == 0
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert page.index("second_claim.py") < page.index("first_claim.py")
    # A file that is gone is a difference too.
    (folder / "second_claim.py").unlink()
    assert main(folder, ["--processes", "1"]) == 1
    assert "second_claim is recorded, but its file is gone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ful"], "unrecognized arguments: --ful"),
        (["--processes", "0"], "--processes 0 must lie in 1..1024"),
        (["--processes", "many"], "invalid int value"),
        (["--only", "third_claim"], "claim 'third_claim' unknown"),
        (["--only", "first_claim", "--record"], "--record takes all claims"),
        (["--against", "nowhere.json"], "nowhere.json"),
    ],
)
def test_ledger_with_bad_flags_says_so_in_one_line(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(folder, arguments)
    except SystemExit as left:
        code = int(str(left.code))
    found = capsys.readouterr()
    assert code == 2
    assert found.out == ""
    assert found.err.count("\n") == 1
    assert message in found.err


def test_script_with_bad_flag_says_so_in_one_line() -> None:
    found = run("theory/section_3_2_minimum.py", "--fast")
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1)
    assert "section_3_2_minimum.py: unrecognized arguments: --fast" in found.stderr


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"schema": "rtsim.ledger/1"}',
        '{"schema": "other", "claims": {}}',
        pytest.param("1" + "0" * 5_000, id="endless number"),
        pytest.param("[" * 100_000, id="endlessly nested"),
    ],
)
def test_ledger_file_that_is_none_says_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "ledger.json").write_text(text)
    with pytest.raises(FileProblem, match="not a ledger"):
        read(tmp_path / "ledger.json")


def test_page_without_marks_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "README.md").write_text("nothing")
    assert main(folder, ["--record", "--processes", "1"]) == 2
    assert "must hold the lines" in capsys.readouterr().err


def test_claim_with_another_name_than_its_file_says_so(folder: Path) -> None:
    (folder / "first_claim.py").write_text(SMALL.format(name="a", called="b", found=1.0))
    with pytest.raises(InvalidValue, match="calls itself 'b'"):
        examine(folder, "first_claim")
    with pytest.raises(UnknownName, match="choose from first_claim, second_claim"):
        examine(folder, "ledger")


def verdict(*findings: tuple[str, bool]) -> str:
    """The verdict of findings given by role and whether they agree."""
    made = tuple(exact(f"f{i}", 1.0, 1.0 if agrees else 2.0, role) for i, (role, agrees) in enumerate(findings))  # type: ignore[arg-type]
    return str(Claim("c", "s", "Title.", made, "it rains", "a desert").verdict)


def test_verdict_follows_from_the_findings() -> None:
    assert verdict(("claim", True)) == "holds"
    assert verdict(("claim", True), ("ours", True)) == "holds"
    assert verdict(("claim", True), ("beyond", False)) == "holds if it rains"
    assert verdict(("claim", True), ("claim", False)) == "fails: a desert"
    assert verdict(("claim", False), ("beyond", False)) == "fails: a desert"
    assert verdict(("claim", True), ("ours", False)) == "undecided: our own prediction is wrong for f1"
    assert verdict(("claim", True), ("beyond", True)) == "undecided: it also holds where the condition is not met: f1"
    assert verdict(("ours", True)) == "undecided: no finding speaks about the claim"


def test_table_escapes_bars() -> None:
    claim = Claim("c", "s", "Title.", (exact("a", 1.0, 2.0),), counterexample="|A|^k")
    assert table([claim]).splitlines()[-1] == r"| [Title](c.py) | s | **fails**: \|A\|^k |"


@pytest.mark.parametrize(("relation", "agrees"), [("=", False), ("<=", False), (">=", True)])
def test_exact_finding_compares_within_rounding(relation: str, agrees: bool) -> None:
    assert exact("a", 1.0 + 1e-6, 1.0, relation=relation).agrees is agrees  # type: ignore[arg-type]
    assert exact("a", 1.0 + 1e-12, 1.0, relation=relation).agrees  # type: ignore[arg-type]


def test_findings_of_no_use_say_so() -> None:
    with pytest.raises(InvalidValue, match="finite"):
        exact("a", float("nan"), 1.0)
    with pytest.raises(InvalidValue, match="how it was derived"):
        exact("a", 1.0, 1.0, margin=0.1)
    with pytest.raises(InvalidValue, match="at least 8"):
        estimated("a", [1.0] * 7, 1.0)
    with pytest.raises(FileProblem, match="no claims"):
        names(Path(__file__).parent / "nowhere")


def test_estimated_finding_raises_false_alarms_no_more_often_than_it_says() -> None:
    """200,000 means of 8 normal numbers: at most 6 beyond an interval of rate 1e-6 (P = 3e-10 for 0.2 expected)."""
    assert ALARM == 1e-6
    from scipy.special import stdtrit

    random = np.random.default_rng(0).standard_normal((200_000, 8))
    values = random[0]
    finding = estimated("a", values, 0.0)
    factor = finding.margin / (values.std(ddof=1) / np.sqrt(8))
    assert factor == pytest.approx(float(stdtrit(7, 1 - 0.5e-6)), rel=1e-12)
    beyond = np.abs(random.mean(axis=1)) > factor * random.std(axis=1, ddof=1) / np.sqrt(8)
    assert beyond.sum() <= 6


def test_estimated_finding_without_spread_is_exact() -> None:
    finding = estimated("a", [0.25] * 9, 0.25)
    assert finding.agrees
    assert finding.margin == pytest.approx(1e-9)
