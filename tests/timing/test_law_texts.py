"""The texts that name laws: every spelling, the canonical text, and what is refused."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from rtsim.errors import InvalidValue, RtsimError, UnknownName
from rtsim.timing import (
    Annealed,
    Constant,
    Contention,
    Empirical,
    Exponential,
    Gamma,
    Law,
    Lognormal,
    Mixture,
    Pareto,
    Scaled,
    Uniform,
    law,
    step_period,
)
from rtsim.timing import units as u

MS = 1e-3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("84ms", Constant(0.084)),
        (" 84ms ", Constant(0.084)),
        ("84 ms", Constant(0.084)),
        ("+84ms", Constant(0.084)),
        ("8.4e1ms", Constant(0.084)),
        ("0.084", Constant(0.084)),
        (".084s", Constant(0.084)),
        ("84000us", Constant(0.084)),
        ("84000µs", Constant(0.084)),
        ("84000000ns", Constant(0.084)),
        ("2min", Constant(120.0)),
        ("2h", Constant(7200.0)),
        ("0", Constant(0.0)),
        ("0ms", Constant(0.0)),
        ("50fps", Constant(0.02)),
        ("50hz", Constant(0.02)),
        ("50Hz", Constant(0.02)),
        ("lognorm(mean=84ms, cv=0.02)", Lognormal(0.084, 0.02)),
        ("lognorm(84ms, 0.02)", Lognormal(0.084, 0.02)),
        ("lognorm(cv=0.02,mean=84ms)", Lognormal(0.084, 0.02)),
        ("lognorm( mean = 84ms , cv = 0.02 )", Lognormal(0.084, 0.02)),
        ("gamma(mean=84ms, cv=0.3)", Gamma(0.084, 0.3)),
        ("uniform(60ms, 100ms)", Uniform(0.06, 0.1)),
        ("uniform(low=60ms, high=100ms)", Uniform(0.06, 0.1)),
        ("exp(mean=84ms)", Exponential(0.084)),
        ("exp(84ms)", Exponential(0.084)),
        ("pareto(mean=84ms, alpha=2.5)", Pareto(0.084, 2.5)),
        ("mixture(0.5: 1us, 0.5: 84ms)", Mixture((0.5, 0.5), (Constant(1e-6), Constant(0.084)))),
        (
            "mixture(0.25: 1us, 0.75: lognorm(mean=84ms, cv=0.02))",
            Mixture((0.25, 0.75), (Constant(1e-6), Lognormal(0.084, 0.02))),
        ),
        ("empirical(80ms, 84ms, 90ms)", Empirical((0.08, 0.084, 0.09))),
        ("empirical(84ms)", Empirical((0.084,))),
        ("contention(84ms, factor=2, calm=10s, slow=1s)", Contention(Constant(0.084), 2.0, 10.0, 1.0)),
        ("scaled(84ms, factor=1.5)", Scaled(Constant(0.084), 1.5)),
        (
            "anneal(1us, 84ms, start=1, end=0.05, over=100000)",
            Annealed(Constant(1e-6), Constant(0.084), 1.0, 0.05, 100_000),
        ),
        (
            "contention(mixture(0.5: 1us, 0.5: scaled(exp(84ms), 2)), factor=1.5, calm=1min, slow=500ms)",
            Contention(Mixture((0.5, 0.5), (Constant(1e-6), Scaled(Exponential(0.084), 2.0))), 1.5, 60.0, 0.5),
        ),
    ],
)
def test_law_documented_spelling_is_read(text: str, expected: Law) -> None:
    assert law(text) == expected


def test_law_number_is_seconds_and_a_law_is_itself() -> None:
    assert law(0.084) == law(np.float64(0.084)) == Constant(0.084)
    assert law(2) == Constant(2.0)
    given = Exponential(0.1)
    assert law(given) is given


@pytest.mark.parametrize("model", ["55k", "1M", "resnet15-k1"])
def test_law_profile_text_is_its_samples(model: str) -> None:
    found = law(f"profile:paper#{model}")
    assert isinstance(found, Empirical)
    assert str(found) == f"profile:paper#{model}"
    assert law(str(found)) == found


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0.084", "84ms"),
        ("1e-6s", "1us"),
        ("0", "0s"),
        ("20s", "20s"),
        ("lognorm(0.084, 2e-2)", "lognorm(mean=84ms, cv=0.02)"),
        ("mixture(.5:1us,.5:84ms)", "mixture(0.5: 1us, 0.5: 84ms)"),
        ("anneal(1us, 84ms, 1, .05, 100000)", "anneal(1us, 84ms, start=1, end=0.05, over=100000)"),
        ("contention(84ms, 2, 10s, 1s)", "contention(84ms, factor=2, calm=10s, slow=1s)"),
    ],
)
def test_law_text_canonical_form_is_short(text: str, canonical: str) -> None:
    assert str(law(text)) == canonical


# Round trip.

TIMES = st.one_of(
    st.integers(1, 10**12).map(lambda n: n / 1e9),
    st.sampled_from([0.084, 1e-6, 0.02, 1 / 60, 20.0, 59.7275, 1e-9]),
    st.floats(1e-9, 1e6),
)
#: At most four decimal digits, as people write them.
SHORT_VALUES = frozenset(n / 1000 for n in range(1, 10_000))
SHORT = st.sampled_from(sorted(SHORT_VALUES))
ANY_FACTOR = st.floats(1e-3, 100)


def nested(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[Law]:
    simple = st.one_of(
        st.one_of(st.just(0.0), TIMES).map(Constant),
        st.builds(Lognormal, TIMES, numbers),
        st.builds(Gamma, TIMES, numbers),
        st.builds(Exponential, TIMES),
        st.builds(Pareto, TIMES, numbers.map(lambda a: round(a + 1, 3) if a in SHORT_VALUES else a + 1)),
        st.tuples(TIMES, TIMES).filter(lambda p: p[0] < p[1]).map(lambda p: Uniform(*p)),
        st.lists(TIMES, min_size=1, max_size=5).map(lambda v: Empirical(tuple(v))),
    )

    def extend(inner: st.SearchStrategy[Law]) -> st.SearchStrategy[Law]:
        weights = st.sampled_from([(0.5, 0.5), (0.25, 0.75), (0.1, 0.2, 0.7), (1.0, 0.0)])
        return st.one_of(
            st.builds(Scaled, inner, numbers),
            weights.flatmap(lambda w: st.tuples(*[inner] * len(w)).map(lambda laws: Mixture(w, laws))),
            st.builds(
                Annealed,
                inner,
                inner,
                st.sampled_from([0.0, 0.05, 1.0]),
                st.sampled_from([0.0, 0.25, 1.0]),
                st.integers(1, 10**9),
            ),
        )

    return st.recursive(simple, extend, max_leaves=5)


def read_back(found: Law) -> Law | str:
    """The law of the canonical text, or the refusal."""
    try:
        return law(str(found))
    except RtsimError as error:
        return str(error)


@settings(max_examples=300)
@given(nested(SHORT))
def test_law_canonical_text_is_read_back_as_the_same_law(found: Law) -> None:
    assert read_back(found) == found
    assert str(law(str(found))) == str(found)


@settings(max_examples=100)
@given(nested(SHORT), st.integers(1000, 9999), TIMES, TIMES)
def test_contention_canonical_text_is_read_back_as_the_same_law(
    inner: Law, permille: int, calm: float, slow: float
) -> None:
    assume(min(calm, slow) >= 1e-6)
    found = Contention(inner, permille / 1000, calm, slow)
    assert read_back(found) == found


@settings(max_examples=200)
@given(nested(ANY_FACTOR))
@example(Lognormal(0.084, 0.123456789))
@example(Mixture((1 / 3, 2 / 3), (Constant(0.001), Constant(0.002))))
@example(Annealed(Constant(0.001), Constant(0.002), 1 / 3, 0.1234567, 10))
def test_law_of_many_digits_canonical_text_is_read_back_as_the_same_law(found: Law) -> None:
    # What a header says must be what was simulated.
    assert read_back(found) == found


# What is refused.

BAD_TEXTS = [
    ("", ["empty", "84ms"]),
    ("   ", ["empty", "84ms"]),
    ("-5ms", ["-5", ">= 0", "84ms"]),
    ("nan", ["nan", "finite", "84ms"]),
    ("inf", ["inf", "finite", "84ms"]),
    ("-inf", ["inf", "finite", "84ms"]),
    ("1e400s", ["inf", "finite"]),
    ("1e7s", ["1e+07", "1e6 s"]),
    ("84kg", ["kg", "ms"]),
    ("0fps", ["fps", "> 0", "60fps"]),
    ("p99", ["p99", "84ms"]),
    ("ms", ["ms", "unknown", "lognorm"]),
    ("84ms 85ms", ["84ms 85ms", "column"]),
    ("84\nms", ["column"]),
    ("84ms\x00", ["column"]),
    ("lognormal(mean=84ms, cv=0.02)", ["lognormal", "did you mean 'lognorm'"]),
    ("wobble(84ms)", ["wobble", "choose from", "lognorm"]),
    ("lognorm(mean=84ms, cv=0.02", ["column", "84ms"]),
    ("lognorm)(", ["column"]),
    ("lognorm(mean=84ms)", ["cv", "lognorm(mean=84ms, cv=0.3)"]),
    ("lognorm()", ["mean", "write e.g."]),
    ("lognorm(84ms, 0.02, 7)", ["too many", "lognorm"]),
    ("lognorm(mean=84ms, cv=0.02, spread=1)", ["spread"]),
    ("lognorm(mean=84ms, mean=85ms, cv=1)", ["mean", "twice"]),
    ("lognorm(mean=84ms, cv=2ms)", ["cv", "bare number"]),
    ("lognorm(mean=84ms, cv=0)", ["cv", "84ms"]),
    ("lognorm(mean=84ms, cv=-1)", ["-1", "cv"]),
    ("lognorm(mean=84ms, cv=nan)", ["nan", "cv"]),
    ("lognorm(mean=84ms, cv=inf)", ["inf", "cv"]),
    ("lognorm(mean=0ms, cv=0.1)", ["mean", "> 0", "84ms"]),
    ("lognorm(mean=exp(1ms), cv=0.1)", ["mean", "must be a time"]),
    ("gamma(mean=-1ms, cv=0.1)", ["-1", ">= 0"]),
    ("gamma(mean=84ms, cv=1e9)", ["1e+09", "cv"]),
    ("exp(mean=0)", ["mean", "> 0"]),
    ("pareto(mean=84ms, alpha=1)", ["alpha", "> 1", "2.5"]),
    ("pareto(mean=84ms, alpha=nan)", ["alpha", "nan"]),
    ("uniform(100ms, 60ms)", ["60 ms", "100 ms", "uniform(60ms, 100ms)"]),
    ("uniform(60ms, 60ms)", ["above low"]),
    ("empirical()", ["sample", "empirical(80ms, 84ms)"]),
    ("empirical(80ms, -1ms)", ["-1", ">= 0"]),
    ("empirical(80ms, lognorm(1ms, 1))", ["must be a time"]),
    ("mixture(84ms, 1us)", ["weight", "mixture(0.5: 1us, 0.5: 84ms)"]),
    ("mixture(1: 84ms)", ["2 to 127", "mixture(0.5: 1us, 0.5: 84ms)"]),
    ("mixture(0.5: 84ms, 0.6: 1us)", ["0.5, 0.6", "sum to 1"]),
    ("mixture(-0.5: 84ms, 1.5: 1us)", ["-0.5", "0..1"]),
    ("mixture(0.5ms: 84ms, 0.5: 1us)", ["weight", "bare number"]),
    ("mixture(0.5: 1us, 0.5: contention(84ms, factor=2, calm=1s, slow=1s))", ["contention", "outermost"]),
    ("anneal(contention(84ms, factor=2, calm=1s, slow=1s), 1ms, 1, 0, 10)", ["contention", "outermost"]),
    ("contention(contention(84ms, 2, 1s, 1s), 2, 1s, 1s)", ["contention", "outermost"]),
    ("contention(84ms, factor=0.5, calm=1s, slow=1s)", ["0.5", "1..1000"]),
    ("contention(84ms, factor=nan, calm=1s, slow=1s)", ["nan", "factor"]),
    ("contention(84ms, factor=2, calm=0s, slow=1s)", ["calm"]),
    ("contention(84ms, factor=2, calm=1s, slow=1ns)", ["slow", "1 us"]),
    ("anneal(1us, 84ms, start=2, end=0, over=10)", ["start", "2", "0..1"]),
    ("anneal(1us, 84ms, start=1, end=-1, over=10)", ["end", "-1", "0..1"]),
    ("anneal(1us, 84ms, start=1, end=0, over=0)", ["over", "0", ">= 1"]),
    ("anneal(1us, 84ms, start=1, end=0, over=1.5)", ["over", "1.5", "whole"]),
    ("anneal(1us, 84ms, start=1, end=0, over=inf)", ["over", "inf"]),
    ("anneal(1us, 84ms, start=1, end=0, over=nan)", ["over", "nan"]),
    ("anneal(1us, 84ms, start=1, end=0, over=1e999)", ["over", "inf"]),
    ("scaled(84ms, factor=0)", ["factor", "> 0"]),
    ("scaled(84ms, factor=nan)", ["factor", "nan"]),
    ("profile:nowhere#1M", ["nowhere", "paper"]),
    ("profile:paper#nothing", ["nothing", "choose from"]),
    ("profile:paper", ["profile:NAME#MODEL"]),
    ("profile:#1M", ["profile:NAME#MODEL"]),
    ("profile:paper#1M@batch", ["batch"]),
    ("profile:paper#1M@batchx", ["batch"]),
    ("profile:paper#1M@batch²", ["batch"]),
    ("profile:paper#1M@batch16", ["batch 16", "calibrate"]),
    ("(" * 60 + "84ms" + ")" * 60, ["nested"]),
    ("empirical(" + "1ms, " * 30_000 + "1ms)", ["long", "profile"]),
]


@pytest.mark.parametrize(("text", "said"), BAD_TEXTS, ids=lambda v: repr(v)[:40])
def test_law_bad_text_is_refused_in_one_line(text: str, said: list[str]) -> None:
    with pytest.raises(RtsimError) as caught:
        law(text)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 1000
    for fragment in said:
        assert fragment in message
    assert isinstance(caught.value, ValueError | OSError)


@pytest.mark.parametrize("number", [-1, -1e-12, math.nan, math.inf, -math.inf, 1e7])
def test_law_bad_number_is_refused(number: float) -> None:
    with pytest.raises(InvalidValue, match=r"84ms|1e6 s"):
        law(number)


@pytest.mark.parametrize("value", [None, [1], b"84ms", {}, 10**400], ids=["none", "list", "bytes", "dict", "huge"])
def test_law_value_of_another_type_is_refused(value: object) -> None:
    with pytest.raises(RtsimError):
        law(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["lognorm", "empirical", "mixture"])
def test_law_family_without_arguments_message_asks_for_them(name: str) -> None:
    # "law 'lognorm' unknown (did you mean 'lognorm'?)" helps nobody.
    with pytest.raises(RtsimError) as caught:
        law(name)
    assert "unknown" not in str(caught.value)


@settings(max_examples=400)
@given(
    st.one_of(
        st.text(max_size=30),
        st.text("lognrmixtue(84ms,.5:=cv)p-+ ", max_size=40),
        st.lists(
            st.sampled_from(["lognorm", "mixture", "(", ")", "84ms", ",", "0.5:", "mean=", "cv=", "nan"]), max_size=9
        ).map("".join),
    )
)
def test_law_any_text_is_a_law_or_an_error_of_ours(text: str) -> None:
    try:
        found = law(text)
    except RtsimError as error:
        said = str(error)
    else:
        said = str(found)
        assert law(said) is not None
    assert "\n" not in said


def test_law_unknown_name_is_also_a_value_error() -> None:
    with pytest.raises(ValueError, match="choose from"):
        law("wobble(84ms)")
    with pytest.raises(UnknownName):
        law("wobble(84ms)")


# Units.


@settings(max_examples=500)
@given(TIMES)
def test_spell_any_time_is_read_back_as_the_same_float(value: float) -> None:
    assert u.duration(u.spell(value)) == value


@settings(max_examples=300)
@given(st.floats(0, 1e6, allow_subnormal=True))
def test_spell_tiny_or_zero_time_is_read_back_as_the_same_float(value: float) -> None:
    assert u.duration(u.spell(value)) == value


@settings(max_examples=300)
@given(st.integers(0, 10**15))
def test_ns_whole_nanoseconds_survive_seconds_and_back(count: int) -> None:
    assert u.ns(count / 1e9) == count
    assert u.ns(u.duration(f"{count}ns")) == count


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("84ms", 0.084), ("1.5min", 90.0), ("0.5h", 1800.0), ("3us", 3e-6), ("7ns", 7e-9), ("4fps", 0.25), ("2", 2.0)],
)
def test_duration_text_is_the_nearest_float(text: str, seconds: float) -> None:
    assert u.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "ms", "1e", "1_000ms", "0x10ms", "1,5ms", "84ms!", "٪"])
def test_duration_bad_text_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        u.duration(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0839, "83.9 ms"), (2.5, "2.5 s"), (0.0, "0 s"), (1e-6, "1 us"), (3e-9, "3 ns"), (math.inf, "inf s")],
)
def test_show_duration_has_a_readable_unit(value: float, text: str) -> None:
    assert u.show(value) == text


def test_to_ns_heavy_tail_is_cut_at_the_longest_duration() -> None:
    assert u.to_ns(np.array([1e-10, 0.4e-9, 0.6e-9, 1.5e-9, 2.5e-9, 1e9, np.inf])).tolist() == [
        0,
        0,
        1,
        2,
        2,
        10**15,
        10**15,
    ]


# Step periods.


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("50fps", Fraction(20_000_000)),
        ("59.7275fps", Fraction(10**13, 597_275)),
        ("60Hz", Fraction(50_000_000, 3)),
        ("16.7ms", Fraction(16_700_000)),
        ("16.7427064ms", Fraction(83_713_532, 5)),
        ("2min", Fraction(120 * 10**9)),
        ("1ns", Fraction(1)),
        ("2.5ns", Fraction(5, 2)),
        (0.02, Fraction(20_000_000)),
        (1, Fraction(10**9)),
        ("1e6s", Fraction(10**15)),
    ],
)
def test_step_period_digits_are_taken_at_their_word(text: str | float, period: Fraction) -> None:
    assert step_period(text) == period


@pytest.mark.parametrize(
    "text", ["0", "0ms", "-1ms", "0.4ns", "2e6s", "nan", "0fps", "-60fps", "60kg", "", 0, -1.0, 2e6]
)
def test_step_period_outside_its_range_is_refused(text: str | float) -> None:
    with pytest.raises(InvalidValue):
        step_period(text)


@pytest.mark.parametrize("family", ["lognorm", "gamma"])
def test_law_by_its_standard_deviation_has_it_and_is_spelt_by_its_cv(family: str):
    found = law(f"{family}(mean=60ms, sd=15ms)")
    assert str(found) == f"{family}(mean=60ms, cv=0.25)"
    assert float(found.frozen.std()) == pytest.approx(0.015, rel=1e-12)  # type: ignore[attr-defined]
