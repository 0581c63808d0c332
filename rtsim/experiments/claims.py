"""A claim of a paper, the evidence on it, and the verdict that follows from the evidence.

A verdict is never written down by hand: it is computed from findings, each of which sets a number that was found
beside the number that somebody says it should be. So a verdict turns over when the simulator, or a formula, changes.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rtsim.errors import FileProblem, InvalidValue, UnknownName

#: Two-sided false-alarm rate of every statistical finding.
ALARM = 1e-6

#: What rounding may do to a number that is otherwise exact, relative to the larger of the two.
ROUNDING = 1e-9

#: ``claim``: the paper says so, and the verdict's condition (if there is one) is met. ``beyond``: it says so, but
#: the condition is not met. ``ours``: our own explanation of what is found.
Role = Literal["claim", "beyond", "ours"]
Relation = Literal["=", "<=", ">="]
Kind = Literal["holds", "holds if", "fails", "undecided"]


@dataclass(frozen=True)
class Finding:
    """One number that was found, and what it should be.

    Attributes
    ----------
    what : str
        The quantity, its unit and the setting.
    found : float
    relation : {"=", "<=", ">="}
        How ``found`` should stand to ``expected``.
    expected : float
        Computed from the paper's formula (``claim``, ``beyond``) or from ours.
    margin : float
        How far they may be apart: half the width of an interval, or what rounding can do.
    role : {"claim", "beyond", "ours"}
    how : str
        Where the margin comes from.
    """

    what: str
    found: float
    relation: Relation
    expected: float
    margin: float
    role: Role
    how: str

    @property
    def agrees(self) -> bool:
        """Whether the number found is as expected, within the margin."""
        difference = self.found - self.expected
        if self.relation == "=":
            return abs(difference) <= self.margin
        return difference <= self.margin if self.relation == "<=" else difference >= -self.margin

    def text(self) -> str:
        """One line.

        >>> exact("steps without an action", 3, 2, "claim").text()
        'no    claim   steps without an action: 3, should be = 2'
        """
        spread = f" ± {self.margin:.2g}" if self.how.startswith("Student") else ""
        says = f"{self.what}: {self.found:.6g}{spread}, should be {self.relation} {self.expected:.6g}"
        return f"{'yes' if self.agrees else 'no':<5} {self.role:<7} {says}"

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON values, numbers to six digits."""
        numbers = {"found": self.found, "expected": self.expected, "margin": self.margin}
        return {
            "what": self.what,
            "role": self.role,
            "relation": self.relation,
            **{name: float(f"{value:.6g}") for name, value in numbers.items()},
            "how": self.how,
            "agrees": self.agrees,
        }


def exact(
    what: str,
    found: float,
    expected: float,
    role: Role = "claim",
    relation: Relation = "=",
    margin: float | None = None,
    how: str = "rounding",
) -> Finding:
    """A finding without chance: a count, a computed gain, or a run whose luck is bounded.

    Parameters
    ----------
    margin : float, optional
        By default 1e-9 of the larger number. A larger one, such as the one step by which a count may be cut off at the
        ends of a run, needs ``how``.

    Raises
    ------
    InvalidValue
        For a margin without its reason, or numbers that are none.

    >>> exact("inaction", 0.5, 0.5).agrees, exact("inaction", 0.5, 0.4, relation="<=").agrees
    (True, False)
    """
    if margin is not None and how == "rounding":
        raise InvalidValue(f"margin {margin:g} of {what!r} must come with how it was derived")
    _finite(what, found, expected)
    if margin is None:
        margin = ROUNDING * max(abs(found), abs(expected), 1.0)
    return Finding(what, float(found), relation, float(expected), float(margin), role, how)


def estimated(
    what: str, values: Sequence[float] | Any, expected: float, role: Role = "claim", relation: Relation = "="
) -> Finding:
    """A finding from independent runs: Student's t test of their mean, false-alarm rate 1e-6.

    The interval is two-sided for "=", and that wide for the other relations too, whose false-alarm rate is half of
    it. Each value should be a mean over many steps, so that it is close to normal. If all values are alike nothing is
    left to chance, and the margin is that of rounding.

    Parameters
    ----------
    values : sequence of float, at least 8
        One number per independent run.

    Raises
    ------
    InvalidValue
        For fewer than 8 runs.

    >>> finding = estimated("mean", [1.0, 2.0, 1.5, 1.2, 1.8, 1.4, 1.6, 1.5], 1.5)
    >>> finding.agrees, finding.margin > 1  # so few runs say little
    (True, True)
    """
    import numpy as np
    from scipy.special import stdtrit

    data = np.asarray(values, dtype=np.float64)
    if data.ndim != 1 or len(data) < 8:
        raise InvalidValue(f"{what!r} was estimated from {data.size} runs; it must be at least 8")
    _finite(what, float(data.sum()), expected)
    mean, error = float(data.mean()), float(data.std(ddof=1)) / math.sqrt(len(data))
    if error <= ROUNDING * max(abs(mean), 1.0):
        return exact(what, mean, expected, role, relation, how="rounding")
    half = float(stdtrit(len(data) - 1, 1 - ALARM / 2)) * error
    return Finding(what, mean, relation, float(expected), half, role, f"Student's t, {len(data)} runs, alarm {ALARM:g}")


@dataclass(frozen=True)
class Verdict:
    """Whether a claim holds. Equal verdicts have the same kind and the same text; numbers are not part of it."""

    kind: Kind
    text: str = ""

    def __str__(self) -> str:
        if not self.text:
            return self.kind
        return f"{self.kind} {self.text}" if self.kind == "holds if" else f"{self.kind}: {self.text}"


@dataclass(frozen=True)
class Claim:
    """What a paper says, and what was found.

    Attributes
    ----------
    name : str
        The file's, without its ending.
    source : str
        Paper and place.
    doc : str
        The file's docstring: a title of one line, then what is claimed and the derivation of what is expected.
    findings : tuple of Finding
    condition : str
        What must be true for the claim to hold, if findings beyond it refute the claim; begins in lower case.
    counterexample : str
        The smallest one known, if findings refute the claim.
    """

    name: str
    source: str
    doc: str
    findings: tuple[Finding, ...]
    condition: str = ""
    counterexample: str = ""

    @property
    def title(self) -> str:
        """The first line of the file's docstring."""
        return self.doc.strip().splitlines()[0].strip().rstrip(".")

    @property
    def verdict(self) -> Verdict:
        """What the findings say.

        "undecided" if an explanation of ours is not borne out, or a claim also agrees beyond its condition.
        """
        wrong = [finding.what for finding in self.findings if finding.role == "ours" and not finding.agrees]
        if wrong:
            return Verdict("undecided", f"our own prediction is wrong for {'; '.join(wrong)}")
        claims = [finding for finding in self.findings if finding.role == "claim"]
        beyond = [finding for finding in self.findings if finding.role == "beyond"]
        refuted = [finding.what for finding in claims if not finding.agrees]
        if refuted:
            return Verdict("fails", self.counterexample or "; ".join(refuted))
        if not claims:
            return Verdict("undecided", "no finding speaks about the claim")
        if not beyond:
            return Verdict("holds")
        unrefuted = [finding.what for finding in beyond if finding.agrees]
        if unrefuted:
            return Verdict("undecided", f"it also holds where the condition is not met: {'; '.join(unrefuted)}")
        return Verdict("holds if", self.condition)

    def text(self) -> str:
        """Everything, readable: what is claimed, each finding, the verdict."""
        lines = [self.doc.strip(), "", f"Source: {self.source}", "", "as expected?"]
        lines += [f"  {finding.text()}" for finding in self.findings]
        return "\n".join([*lines, "", f"Verdict: {self.verdict}"])

    def to_json(self) -> dict[str, Any]:
        """The claim as JSON values; what changes with the size of the runs is under ``findings`` only."""
        return {
            "title": self.title,
            "source": self.source,
            "verdict": {"kind": self.verdict.kind, "text": self.verdict.text},
            "findings": [finding.to_json() for finding in self.findings],
        }


def names(folder: Path) -> list[str]:
    """The claims in a folder: its Python files, but for ``ledger.py``.

    Raises
    ------
    FileProblem
        If there is none.
    """
    found = sorted(path.stem for path in folder.glob("*.py") if path.stem != "ledger")
    if not found:
        raise FileProblem(f"{folder} holds no claims")
    return found


def examine(folder: Path, name: str, full: bool = False) -> Claim:
    """Run the claim of one file.

    Parameters
    ----------
    folder : Path
    name : str
        File name without its ending.
    full : bool
        Sizes for publication instead of small ones.

    Raises
    ------
    UnknownName, InvalidValue
        If there is no such file, or the claim has another name than its file.
    """
    if name not in names(folder):
        raise UnknownName("claim", name, names(folder))
    spec = importlib.util.spec_from_file_location(f"rtsim_claim_{name}", folder / f"{name}.py")
    if spec is None or spec.loader is None:
        raise FileProblem(f"{folder / name}.py cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Claim = module.claim(full)
    if found.name != name:
        raise InvalidValue(f"the claim in {name}.py calls itself {found.name!r}; it must have the name of its file")
    return found


def _finite(what: str, *values: float) -> None:
    for value in values:
        if not math.isfinite(value):
            raise InvalidValue(f"{what!r} has the value {value:g}; it must be a finite number")
