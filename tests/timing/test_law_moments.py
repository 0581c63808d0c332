"""Means, quantiles and limited means against independent integrals and against draws.

The distribution functions below are written out from their definitions; the integrals of
them are numerical. False-alarm rates are exact: they come from the inequalities of
Dvoretzky-Kiefer-Wolfowitz (with Massart's constant) and Hoeffding, not from a normal limit.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from scipy import integrate, special, stats

from rtsim.errors import InvalidValue
from rtsim.timing import Annealed, BlockStream, Constant, Law, law
from rtsim.timing.streams import BLOCK

Function = Callable[[float], float]


def lognormal_cdf(mean: float, cv: float) -> Function:
    s = math.sqrt(math.log(1 + cv * cv))
    m = math.log(mean) - s * s / 2
    return lambda t: 0.0 if t <= 0 else 0.5 * math.erfc(-(math.log(t) - m) / (s * math.sqrt(2)))


def gamma_cdf(mean: float, cv: float) -> Function:
    shape = 1 / cv**2
    return lambda t: 0.0 if t <= 0 else float(special.gammainc(shape, t * shape / mean))


def uniform_cdf(low: float, high: float) -> Function:
    return lambda t: min(max((t - low) / (high - low), 0.0), 1.0)


def exponential_cdf(mean: float) -> Function:
    return lambda t: 1 - math.exp(-max(t, 0.0) / mean)


def pareto_cdf(mean: float, alpha: float) -> Function:
    low = mean * (alpha - 1) / alpha
    return lambda t: 0.0 if t <= low else 1 - (low / t) ** alpha


def atoms_cdf(*atoms: tuple[float, float]) -> Function:
    return lambda t: sum(weight for value, weight in atoms if value <= t)


def mixed(*parts: tuple[float, Function]) -> Function:
    return lambda t: sum(weight * part(t) for weight, part in parts)


@dataclass(frozen=True)
class Case:
    """A law's text, its distribution function, its mean, and where that function jumps or bends."""

    text: str
    cdf: Function
    mean: float
    bends: tuple[float, ...] = ()


M = 0.084
CASES = [
    Case("84ms", atoms_cdf((M, 1.0)), M, (M,)),
    Case("lognorm(mean=84ms, cv=0.02)", lognormal_cdf(M, 0.02), M, (M,)),
    Case("lognorm(mean=84ms, cv=0.6)", lognormal_cdf(M, 0.6), M, (M,)),
    Case("gamma(mean=84ms, cv=0.3)", gamma_cdf(M, 0.3), M, (M,)),
    Case("gamma(mean=84ms, cv=2)", gamma_cdf(M, 2.0), M, (M,)),
    Case("uniform(60ms, 100ms)", uniform_cdf(0.06, 0.1), 0.08, (0.06, 0.1)),
    Case("uniform(0ms, 100ms)", uniform_cdf(0.0, 0.1), 0.05, (0.1,)),
    Case("exp(mean=84ms)", exponential_cdf(M), M),
    Case("pareto(mean=84ms, alpha=2.5)", pareto_cdf(M, 2.5), M, (M * 0.6,)),
    Case("empirical(80ms, 84ms, 84ms, 90ms)", atoms_cdf((0.08, 0.25), (M, 0.5), (0.09, 0.25)), 0.0845, (0.08, M, 0.09)),
    Case("mixture(0.25: 1us, 0.75: 84ms)", atoms_cdf((1e-6, 0.25), (M, 0.75)), 0.06300025, (1e-6, M)),
    Case(
        "mixture(0.5: exp(mean=10ms), 0.5: lognorm(mean=84ms, cv=0.3))",
        mixed((0.5, exponential_cdf(0.01)), (0.5, lognormal_cdf(M, 0.3))),
        0.047,
        (0.01, M),
    ),
    Case("scaled(gamma(mean=84ms, cv=0.3), factor=1.5)", gamma_cdf(1.5 * M, 0.3), 1.5 * M, (1.5 * M,)),
    # The state after annealing.
    Case("anneal(1us, 84ms, start=1, end=0.2, over=10)", atoms_cdf((1e-6, 0.2), (M, 0.8)), 0.0672002, (1e-6, M)),
    # The time average: one tenth of the time twice as long.
    Case(
        "contention(exp(mean=84ms), factor=2, calm=9s, slow=1s)",
        mixed((0.9, exponential_cdf(M)), (0.1, exponential_cdf(2 * M))),
        1.1 * M,
    ),
]
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.text)
#: Draws do not see spells: the clock stretches them; see test_streams.py.
each_drawn_case = pytest.mark.parametrize(
    "case", [case for case in CASES if "contention" not in case.text], ids=lambda case: case.text
)


def integral(f: Function, low: float, high: float, bends: tuple[float, ...] = ()) -> float:
    edges = sorted({low, high, *(b for b in bends if low < b < high)})
    return sum(integrate.quad(f, a, b, limit=400, epsabs=1e-14)[0] for a, b in zip(edges, edges[1:], strict=False))


@each_case
def test_law_cdf_equals_its_definition(case: Case) -> None:
    found = law(case.text)
    for t in [-1.0, -1e-9, 0.0, 1e-6, 0.01, 0.02, 0.06, 0.0799, 0.083, 0.0841, 0.0901, 0.1, 0.126, 0.3, 2.0]:
        assert found.cdf(t) == pytest.approx(case.cdf(t), abs=1e-12)


@each_case
def test_law_mean_equals_the_integral_of_the_survival_function(case: Case) -> None:
    found = law(case.text)
    assert found.mean == pytest.approx(case.mean, rel=1e-12)
    survival = lambda t: 1 - case.cdf(t)  # noqa: E731
    head = integral(survival, 0.0, 2.0, case.bends)
    # Only the Pareto's tail is heavy: (m/t)^2.5 integrates to m^2.5 t^-1.5 / 1.5.
    tail = (M * 0.6) ** 2.5 * 2.0**-1.5 / 1.5 if "pareto" in case.text else integral(survival, 2.0, 40.0)
    assert found.mean == pytest.approx(head + tail, rel=1e-8)


@each_case
def test_law_limited_mean_equals_the_integral_of_the_survival_function(case: Case) -> None:
    found = law(case.text)
    for t in [0.0, 1e-6, 5e-3, 0.016742706, 0.06, 0.0799, M, 0.0841, 0.1, 0.2, 1.0]:
        expected = integral(lambda x: 1 - case.cdf(x), 0.0, t, case.bends)
        assert found.limited_mean(t) == pytest.approx(expected, rel=1e-8, abs=1e-15)
    assert found.limited_mean(1e5) == pytest.approx(found.mean, rel=1e-6)


@each_case
def test_law_limited_mean_equals_the_integral_over_quantiles(case: Case) -> None:
    # E min(T, t) = ∫₀¹ min(F⁻¹(u), t) du, by the midpoint rule: within t/n of it, for monotone F⁻¹.
    found, count = law(case.text), 400
    levels = (np.arange(count) + 0.5) / count
    quantiles = np.array([found.quantile(float(q)) for q in levels])
    assert (np.diff(quantiles) >= 0).all()
    for t in (0.016742706, M, 0.1):
        assert abs(np.minimum(quantiles, t).mean() - found.limited_mean(t)) <= t / count + 1e-9


#: A thousandth of a nanosecond: times are compared to the nanosecond.
NS = 1e-9


@each_case
@pytest.mark.parametrize("q", [0.0, 1e-6, 0.01, 0.1, 0.2, 0.25, 0.5, 0.7499, 0.75, 0.9, 0.99, 0.99999])
def test_law_quantile_is_the_smallest_time_that_reaches_the_level(case: Case, q: float) -> None:
    found = law(case.text).quantile(q)
    assert found >= 0
    assert case.cdf(found + 1.001 * NS) >= q - 1e-12
    if q > 0 and found > 1.001 * NS:
        assert case.cdf(found - 1.001 * NS) < q


@pytest.mark.parametrize(
    ("text", "upper"),
    [
        ("84ms", 0.084),
        ("uniform(60ms, 100ms)", 0.1),
        ("exp(mean=84ms)", math.inf),
        ("pareto(mean=84ms, alpha=2.5)", math.inf),
        ("empirical(80ms, 90ms, 84ms)", 0.09),
        ("mixture(0.5: 1us, 0.5: 84ms)", 0.084),
        ("mixture(1: 1us, 0: exp(84ms))", 1e-6),
        ("scaled(uniform(60ms, 100ms), factor=2)", 0.2),
        ("anneal(84ms, 1us, start=1, end=0, over=10)", 0.084),
        ("contention(84ms, factor=2, calm=1s, slow=1s)", 0.168),
    ],
)
def test_law_upper_is_the_quantile_of_one(text: str, upper: float) -> None:
    assert law(text).upper == pytest.approx(upper, rel=1e-15)
    if not text.startswith("anneal"):
        assert law(text).quantile(1.0) == pytest.approx(upper, rel=1e-15)


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
@pytest.mark.parametrize("text", ["84ms", "exp(84ms)", "empirical(1ms, 2ms)", "mixture(0.5: 1us, 0.5: 84ms)"])
def test_law_quantile_of_no_probability_is_refused(text: str, q: float) -> None:
    with pytest.raises(InvalidValue, match=r"0\.\.1"):
        law(text).quantile(q)


def exact_order_statistic(count: int, percent: int) -> int:
    """The 1-based rank of the generalised inverse: the least k with k/count >= percent/100."""
    return max(math.ceil(Fraction(percent, 100) * count), 1)


@pytest.mark.parametrize("count", [1, 2, 7, 10, 20, 50, 100, 1000])
def test_empirical_quantile_is_the_order_statistic(count: int) -> None:
    found = law("empirical(" + ", ".join(f"{k}ms" for k in range(1, count + 1)) + ")")
    # 0.07 · 100 and the like are a little more than whole in floating point.
    for p in range(101):
        assert found.quantile(p / 100) * 1000 == pytest.approx(exact_order_statistic(count, p)), p


# Draws. One stream of 204,800 draws a case; false-alarm rate 1e-9 each, so 1e-7 for all of them.

DRAWS, ALARM = 204_800, 1e-9


def draws_of(found: Law, seed: int = 20_260_101) -> np.ndarray:
    stream = BlockStream(found, seed, "inference", 0)
    # The first two blocks are half as long.
    draws = np.concatenate([stream.block()[0] for _ in range(DRAWS // BLOCK + 1)]) / 1e9
    assert len(draws) == DRAWS
    return draws


@each_drawn_case
def test_law_draws_have_the_distribution_function(case: Case) -> None:
    # Dvoretzky-Kiefer-Wolfowitz: P(sup |F_n − F| > ε) <= 2 exp(−2 n ε²). Annealing is
    # over after ten draws.
    ordered = np.sort(draws_of(law(case.text))[10:])
    n = len(ordered)
    bound = math.sqrt(math.log(2 / ALARM) / (2 * n))
    grid = np.unique(np.concatenate([ordered[:: n // 500], np.array(case.bends)]))
    # Both sides of a jump, and half a nanosecond of rounding.
    for t in grid:
        above = np.searchsorted(ordered, t, side="right") / n
        below = np.searchsorted(ordered, t, side="left") / n
        assert above <= case.cdf(float(t) + 0.6 * NS) + bound
        assert below <= case.cdf(float(t) + 0.6 * NS) + bound
        assert above >= case.cdf(float(t) - 0.6 * NS) - bound


@each_drawn_case
def test_law_draws_have_the_limited_mean(case: Case) -> None:
    # Hoeffding for means of numbers in [0, t]: P(|mean − E| > t ε) <= 2 exp(−2 n ε²).
    found = law(case.text)
    drawn = draws_of(found)[10:]
    epsilon = math.sqrt(math.log(2 / ALARM) / (2 * len(drawn)))
    for t in (0.016742706, M, 0.3):
        assert abs(np.minimum(drawn, t).mean() - found.limited_mean(t)) <= t * epsilon + NS


@each_case
def test_law_draws_rise_with_their_uniforms_except_where_parts_are_mixed(case: Case) -> None:
    found = law(case.text)
    uniforms = np.linspace(0, 1, 4001)[:-1]
    drawn = found.draw(uniforms, 10**9)
    parts = found.component(uniforms, 10**9)
    assert parts.dtype == np.int8
    assert drawn.shape == parts.shape == uniforms.shape
    for part in np.unique(parts):
        assert (np.diff(drawn[parts == part]) >= 0).all()
    if "contention" not in case.text and len(np.unique(parts)) == 1:
        # Inverse transform: P(T <= draw(u)) >= u for laws of one part.
        assert all(case.cdf(float(t) + NS) >= q - 1e-12 for t, q in zip(drawn[::40], uniforms[::40], strict=True))


@pytest.mark.parametrize(
    "text", ["gamma(mean=84ms, cv=0.0001)", "gamma(mean=84ms, cv=5)", "lognorm(mean=84ms, cv=100)"]
)
def test_law_extreme_spread_has_finite_draws_and_consistent_median(text: str) -> None:
    found = law(text)
    drawn = draws_of(found)
    assert (drawn >= 0).all()
    assert np.isfinite(drawn).all()
    # The number of draws on either side of the median is binomial(n, 1/2), or less by rounding.
    high = stats.binom.isf(ALARM, len(drawn), 0.5)
    median = found.quantile(0.5)
    assert (drawn < median - NS).sum() <= high
    assert (drawn > median + NS).sum() <= high


# Mixtures and annealing, by hand.


def test_mixture_components_are_the_intervals_of_the_unit_interval() -> None:
    found = law("mixture(0.25: 10ms, 0.5: 20ms, 0.25: 30ms)")
    uniforms = np.array([0.0, 0.1, 0.2499, 0.25, 0.5, 0.7499, 0.75, 0.99, np.nextafter(1, 0)])
    assert found.component(uniforms).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert found.draw(uniforms).tolist() == [0.01, 0.01, 0.01, 0.02, 0.02, 0.02, 0.03, 0.03, 0.03]


def test_mixture_draw_stretches_its_uniform_over_the_chosen_part() -> None:
    found = law("mixture(0.25: uniform(0ms, 10ms), 0.75: uniform(20ms, 50ms))")
    for uniform in (0.0, 0.05, 0.2, 0.25, 0.4, 0.9999):
        expected = 0.01 * uniform / 0.25 if uniform < 0.25 else 0.02 + 0.03 * (uniform - 0.25) / 0.75
        assert found.draw(np.array([uniform]))[0] == pytest.approx(expected, rel=1e-12)


def test_mixture_part_of_weight_zero_is_never_drawn() -> None:
    found = law("mixture(0: 10ms, 1: 20ms, 0: 30ms)")
    uniforms = np.array([0.0, 0.5, np.nextafter(1, 0)])
    assert found.component(uniforms).tolist() == [1, 1, 1]


@pytest.mark.parametrize(("start", "end", "over"), [(1.0, 0.05, 100), (0.0, 1.0, 7), (0.5, 0.5, 3)])
def test_annealed_probability_moves_linearly_and_then_stays(start: float, end: float, over: int) -> None:
    found = Annealed(Constant(0.001), Constant(0.002), start, end, over)
    for index in (0, 1, 2, over // 2, over - 1, over, over + 1, 50 * over):
        weight = start + (end - start) * min(Fraction(index, over), 1)
        for uniform in (0.0, float(weight) - 1e-9, float(weight) + 1e-9, np.nextafter(1, 0)):
            if not 0 <= uniform < 1:
                continue
            first = uniform < weight
            assert found.component(np.array([uniform]), index).tolist() == [0 if first else 1]
            assert found.draw(np.array([uniform]), index).tolist() == [0.001 if first else 0.002]


def test_annealed_final_state_is_a_mixture() -> None:
    found = law("anneal(1ms, 2ms, start=1, end=0.25, over=10)")
    assert found.mean == pytest.approx(0.00175)
    assert found.limited_mean(0.0015) == pytest.approx(0.25 * 0.001 + 0.75 * 0.0015)


@pytest.mark.parametrize("text", [c.text for c in CASES])
def test_law_draws_do_not_depend_on_how_they_are_cut_into_blocks(text: str) -> None:
    found = law(text)
    uniforms = np.random.default_rng(3).random(64)
    whole = found.draw(uniforms, 5)
    pieces = [found.draw(uniforms[a:b], 5 + a) for a, b in [(0, 1), (1, 10), (10, 11), (11, 64)]]
    assert np.array_equal(whole, np.concatenate(pieces))
    components = [found.component(uniforms[a:b], 5 + a) for a, b in [(0, 30), (30, 64)]]
    assert np.array_equal(found.component(uniforms, 5), np.concatenate(components))


NESTED = [
    "mixture(0.5: 1ms, 0.5: anneal(2ms, 4ms, start=1, end=0, over=64))",
    "anneal(anneal(2ms, 4ms, start=1, end=0, over=64), 1ms, start=0.5, end=0.5, over=64)",
]


@pytest.mark.parametrize("text", NESTED)
def test_law_nested_annealing_does_not_depend_on_how_draws_are_cut_into_blocks(text: str) -> None:
    found = law(text)
    uniforms = np.random.default_rng(3).random(64)
    one_by_one = [found.draw(uniforms[j : j + 1], j)[0] for j in range(64)]
    assert found.draw(uniforms, 0).tolist() == one_by_one


def test_empirical_draw_is_the_order_statistic_of_its_uniform() -> None:
    values = sorted([0.09, 0.08, 0.084])
    found = law("empirical(90ms, 80ms, 84ms)")
    for uniform in (0.0, 0.3333, 0.3334, 0.6666, 0.6667, np.nextafter(1, 0)):
        # The least value whose share of samples is above the uniform.
        rank = bisect.bisect_right([1 / 3, 2 / 3, 1.0], uniform)
        assert found.draw(np.array([uniform]))[0] == values[rank]
