"""Names of rules and their options as texts; rules added by users and by packages."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsim.clocks import simulate
from rtsim.errors import InvalidValue, RtsimError, RuleFault, UnknownName
from rtsim.scenario import Scenario
from rtsim.schedulers import Option, Program, Rule, RuleSpec, Steps, find, names, register, registry
from rtsim.timing.grammar import Percentile
from tests.contract.scenarios import RULES, rule_texts


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("max_time", "max_time"),
        ("max_time()", "max_time"),
        (" max_time ( printed = true ) ", "max_time(printed=true)"),
        ("max_time(printed=FALSE)", "max_time"),
        ("max_time(initial_max=0.09s)", "max_time(initial_max=90ms)"),
        ("max_time(initial_max=p99.90)", "max_time(initial_max=p99.9)"),
        ("max_time(quantile=p90, window=100)", "max_time(window=100, quantile=p90)"),
        ("time_triggered(late=release, deadline=p99.9)", "time_triggered(deadline=p99.9, late=release)"),
        ("time_triggered(deadline=p99.99, late=drop)", "time_triggered"),
        ("time_triggered(deadline=40steps)", "time_triggered(deadline=40steps)"),
        ("time_triggered(deadline=1step)", "time_triggered(deadline=1steps)"),
        ("time_triggered(deadline=40 steps)", "time_triggered(deadline=40steps)"),
        ("time_triggered(deadline=0.5s)", "time_triggered(deadline=500ms)"),
        ("earliest_deadline(give_up=p50)", "earliest_deadline(give_up=p50)"),
        ("chunking(size=4)", "chunking"),
        ("chunking(growth=0.5, size=8)", "chunking(size=8, growth=0.5)"),
        ("pipeline(skip=true)", "pipeline(skip=true)"),
        ("sequential(order=act_learn)", "sequential"),
        ("sequential(wait_observation=true, order=learn_act)", "sequential(order=learn_act, wait_observation=true)"),
    ],
)
def test_rule_text_has_one_canonical_spelling(text: str, canonical: str) -> None:
    spec = RuleSpec.of(text)
    assert str(spec) == canonical
    assert RuleSpec.of(str(spec)) == spec


@settings(max_examples=300)
@given(st.sampled_from(RULES).flatmap(lambda rule: rule_texts(rule, 4_185_677)))
def test_rule_text_canonical_spelling_is_read_back_as_the_same(text: str) -> None:
    spec = RuleSpec.of(text)
    assert RuleSpec.of(str(spec)) == spec
    assert str(RuleSpec.of(str(spec))) == str(spec)
    assert RuleSpec.of(spec.name, **spec.options_json()) == spec


@pytest.mark.parametrize("text", ["time_triggered(deadline=p99.999999)", "chunking(growth=0.123456789)"])
def test_rule_text_of_many_digits_canonical_spelling_is_read_back_as_the_same(text: str) -> None:
    assert RuleSpec.of(str(RuleSpec.of(text))) == RuleSpec.of(text)


def test_rule_options_as_keywords_override_those_of_the_text() -> None:
    spec = RuleSpec.of("max_time(window=5)", window=7, initial_max="90ms")
    assert spec.options["window"] == 7
    assert spec.options["initial_max"] == 0.09
    assert RuleSpec.of(spec, printed=True).given() == {"window": 7, "initial_max": 0.09, "printed": True}
    assert RuleSpec.of(spec) == spec
    assert RuleSpec.of("time_triggered", deadline=Percentile(90.0)).options["deadline"] == Percentile(90.0)
    assert RuleSpec.of("time_triggered", deadline=Steps(3)).options_json() == {"deadline": "3steps"}


BAD_RULES = [
    ("", ["empty", "max_time"]),
    ("max_tim", ["max_tim", "did you mean 'max_time'", "choose from"]),
    ("5ms", ["5ms", "NAME"]),
    ("max_time(", ["column"]),
    ("max_time(printed)", ["NAME(option=value"]),
    ("chunking(4)", ["NAME(option=value"]),
    ("max_time(wobble=1)", ["wobble", "epsilon"]),
    ("max_time(windw=1)", ["did you mean 'window'"]),
    ("unstaggered(size=1)", ["takes no options", "size"]),
    ("max_time(printed=true, printed=true)", ["printed", "twice"]),
    ("max_time(printed=yes)", ["printed=yes", "true or false"]),
    ("max_time(printed=1)", ["printed=1", "true or false"]),
    ("max_time(window=0)", ["window=0", "1..1000000"]),
    ("max_time(window=-3)", ["window=-3", "1..1000000"]),
    ("max_time(window=2.5)", ["window=2.5", "whole"]),
    ("max_time(window=5ms)", ["window=5ms"]),
    ("max_time(window=p50)", ["window"]),
    ("max_time(initial_max=90)", ["initial_max=90", "unit"]),
    ("max_time(initial_max=-1ms)", ["initial_max", "-1"]),
    ("max_time(initial_max=nan)", ["nan", "initial_max"]),
    ("max_time(initial_max=5steps)", ["steps", "initial_max"]),
    ("max_time(initial_max=p0)", ["p0", "above 0"]),
    ("max_time(initial_max=p101)", ["p101"]),
    ("max_time(quantile=0.9)", ["quantile=0.9"]),
    ("max_time(quantile=90ms)", ["quantile=90ms"]),
    ("max_time(epsilon=lognorm(1ms, 1))", ["epsilon"]),
    ("time_triggered(deadline=0steps)", ["deadline=0steps", "whole number of steps"]),
    ("time_triggered(deadline=1.5steps)", ["1.5", "whole"]),
    ("time_triggered(deadline=7)", ["deadline=7", "unit"]),
    ("time_triggered(late=never)", ["late=never", "drop, release"]),
    ("sequential(order=learn)", ["order=learn", "act_learn, learn_act"]),
    ("chunking(size=0)", ["size=0"]),
    ("chunking(size=10000000)", ["size=1e+07"]),
    ("chunking(growth=-1)", ["growth=-1", ">= 0"]),
    ("chunking(growth=nan)", ["growth=nan", "finite"]),
    ("chunking(growth=inf)", ["growth=inf", "finite"]),
    ("chunking(size=inf)", ["size=inf"]),
    ("chunking(size=nan)", ["size=nan"]),
    ("time_triggered(deadline=1e999steps)", ["deadline"]),
]


@pytest.mark.parametrize(("text", "said"), BAD_RULES, ids=lambda v: repr(v)[:40])
def test_rule_bad_text_is_refused_in_one_line(text: str, said: list[str]) -> None:
    with pytest.raises(RtsimError) as caught:
        RuleSpec.of(text)
    message = str(caught.value)
    assert "\n" not in message
    assert isinstance(caught.value, ValueError)
    for fragment in said:
        assert fragment in message


@pytest.mark.parametrize(
    "given_options",
    [{"window": True}, {"window": None}, {"window": 2.5}, {"printed": 1}, {"initial_max": -1.0}, {"quantile": 0.9}],
)
def test_rule_bad_keyword_is_refused(given_options: dict[str, object]) -> None:
    with pytest.raises(InvalidValue):
        RuleSpec.of("max_time", **given_options)


@pytest.mark.parametrize("value", [5, None, b"max_time"])
def test_rule_of_another_type_is_refused(value: object) -> None:
    with pytest.raises(RtsimError):
        RuleSpec.of(value)  # type: ignore[arg-type]


def test_names_lists_the_ten_rules_of_the_design() -> None:
    assert set(registry.BUILTIN) == {
        "sequential",
        "one_step_lag",
        "unstaggered",
        "max_time",
        "exp_time",
        "phase_locked",
        "time_triggered",
        "earliest_deadline",
        "chunking",
        "pipeline",
    }
    assert names()[: len(registry.BUILTIN)] == list(registry.BUILTIN)
    for name, rule in registry.BUILTIN.items():
        assert find(name) is rule
        assert rule.name == name
        assert rule.summary
        assert "\n" not in rule.summary
        assert rule.source
        for option in rule.options.values():
            assert option.help
            assert option.kind in ("flag", "count", "number", "time", "deadline", "quantile", "choice")


# Rules of one's own.


def every_other(now: int, worker: int, step: int, step_start: int, params: object, state: object) -> int:
    """Start on even observations only."""
    return now if now == step_start and step % 2 == 0 else -1 - (step + 1)


def at_once(
    now: int, worker: int, started: int, observation: int, step: int, step_start: int, params: object, state: object
) -> tuple[int, int]:
    return now, now


def polite(name: str = "polite") -> Rule:
    return Rule(
        name=name,
        summary="starts on even observations",
        source="this test",
        prepare=lambda options, setting: Program(every_other, at_once),
        options={"size": Option("count", 2, "nothing")},
    )


@pytest.fixture
def clean_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_registered", {})
    registry._entry_points.cache_clear()
    yield
    registry._entry_points.cache_clear()


@pytest.mark.usefixtures("clean_registry")
def test_register_own_rule_can_be_named_and_simulated() -> None:
    rule = register(polite())
    assert find("polite") is rule
    assert "polite" in names()
    schedule = simulate(Scenario("polite(size=3)", "5ns", step_time=Fraction(10), steps=6))
    assert schedule.steps["observation"].tolist() == [-1, 0, -1, 2, -1, 4]


@pytest.mark.usefixtures("clean_registry")
@pytest.mark.parametrize("name", ["max_time", "polite"])
def test_register_name_that_is_taken_is_refused(name: str) -> None:
    register(polite())
    with pytest.raises(InvalidValue, match="exists already"):
        register(polite(name))


PLUGIN = """
from rtsim.schedulers import Program, Rule

def start(now, worker, step, step_start, params, state):
    return now

def end(now, worker, started, observation, step, step_start, params, state):
    return now, now

RULE = Rule("guest", "as unstaggered", "a package", lambda options, setting: Program(start, end))
NOT_A_RULE = 5
"""


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clean_registry: None) -> None:
    """An installed package that offers rules, three of them badly."""
    (tmp_path / "rtsim_guest_rules.py").write_text(PLUGIN)
    (tmp_path / "rtsim_broken_rules.py").write_text("raise ImportError('no such library')")
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [
        importlib.metadata.EntryPoint("guest", "rtsim_guest_rules:RULE", registry.GROUP),
        importlib.metadata.EntryPoint("missing", "rtsim_guest_rules:NOTHING", registry.GROUP),
        importlib.metadata.EntryPoint("broken", "rtsim_broken_rules:RULE", registry.GROUP),
        importlib.metadata.EntryPoint("number", "rtsim_guest_rules:NOT_A_RULE", registry.GROUP),
        importlib.metadata.EntryPoint("max_time", "rtsim_guest_rules:RULE", registry.GROUP),
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points if group == "rtsim.rules" else [])
    registry._entry_points.cache_clear()


@pytest.mark.usefixtures("offered")
def test_entry_point_rule_is_loaded_when_named() -> None:
    assert {"guest", "missing", "broken", "number"} <= set(names())
    one = simulate(Scenario("guest", "84ms", workers=3, steps=100))
    other = simulate(Scenario("unstaggered", "84ms", workers=3, steps=100))
    assert one.diff(other) is None


@pytest.mark.usefixtures("offered")
def test_entry_point_cannot_replace_a_built_in_rule() -> None:
    assert names().count("max_time") == 1
    assert find("max_time") is registry.BUILTIN["max_time"]


@pytest.mark.usefixtures("offered")
@pytest.mark.parametrize(
    ("name", "said"),
    [("missing", "NOTHING"), ("broken", "no such library"), ("number", "int, not a rtsim.schedulers.Rule")],
)
def test_entry_point_that_fails_is_a_rule_fault_in_one_line(name: str, said: str) -> None:
    with pytest.raises(RuleFault, match=said) as caught:
        RuleSpec.of(name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    # The others still work.
    assert RuleSpec.of("guest").name == "guest"


@pytest.mark.usefixtures("offered")
def test_find_unknown_name_lists_offered_rules_too() -> None:
    with pytest.raises(UnknownName, match="guest"):
        find("gest")


def test_a_default_may_be_written_as_text():
    from rtsim.schedulers import Option

    rule = Rule(
        "own", "", "", prepare=lambda options, setting: None, options={"deadline": Option("deadline", "p50", "")}
    )
    assert rule.resolve({})["deadline"] == rule.resolve({"deadline": "p50"})["deadline"]
