"""Random scenarios: few values, so that things often happen at the same instant."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import assume
from hypothesis import strategies as st

from rtsim.errors import InvalidValue
from rtsim.scenario import Scenario
from rtsim.timing import law

#: Nanoseconds of the unit in which times are drawn; the step is a few of them.
UNITS = (1, 250_000, 4_185_677)
PERCENTILES = st.sampled_from(["p1", "p50", "p90", "p99.99"])


def times(unit: int, zero: bool = True) -> st.SearchStrategy[str]:
    """Constant times, often whole steps; a step is 4 units."""
    multiples = [1, 2, 3, 4, 4, 5, 8, 8, 10, 12, 16, 21, 40]
    return st.sampled_from([0] * zero + multiples).map(lambda k: f"{k * unit}ns")


@st.composite
def simple_laws(draw: st.DrawFn, unit: int, zero: bool = True) -> str:
    kind = draw(st.sampled_from(["constant", "constant", "empirical", "lognorm", "gamma", "uniform", "exp", "pareto"]))
    if kind == "constant":
        return draw(times(unit, zero))
    if kind == "empirical":
        values = draw(st.lists(times(unit, zero), min_size=1, max_size=4))
        return f"empirical({', '.join(values)})"
    mean = draw(times(unit, zero=False))
    if kind in ("lognorm", "gamma"):
        return f"{kind}(mean={mean}, cv={draw(st.sampled_from(['0.02', '0.3', '2']))})"
    if kind == "uniform":
        low = draw(times(unit, zero))
        return f"uniform({low}, {int(low[:-2]) + draw(st.integers(1, 20)) * unit}ns)"
    if kind == "exp":
        return f"exp(mean={mean})"
    return f"pareto(mean={mean}, alpha={draw(st.sampled_from(['1.5', '2.5']))})"


@st.composite
def laws(draw: st.DrawFn, unit: int, zero: bool = True, spells: bool = True) -> str:
    kinds = ["simple", "simple", "mixture", "anneal", "scaled"] + ["contention"] * spells
    kind = draw(st.sampled_from(kinds))
    first = draw(simple_laws(unit, zero))
    if kind == "simple":
        return first
    if kind == "scaled":
        return f"scaled({first}, factor={draw(st.sampled_from(['0.5', '1.5', '3']))})"
    if kind == "contention":
        calm, slow = (f"{max(draw(st.sampled_from([5, 40])) * unit, 1000)}ns" for _ in range(2))
        return f"contention({first}, factor={draw(st.sampled_from(['1', '1.5', '2', '7']))}, calm={calm}, slow={slow})"
    second = draw(simple_laws(unit, zero))
    if kind == "mixture":
        weights = draw(st.sampled_from([("0.5", "0.5"), ("0.25", "0.75"), ("0.9", "0.1")]))
        return f"mixture({weights[0]}: {first}, {weights[1]}: {second})"
    return f"anneal({first}, {second}, start=1, end=0.2, over={draw(st.sampled_from([3, 50]))})"


def option_time(unit: int) -> st.SearchStrategy[str]:
    return st.one_of(times(unit), PERCENTILES)


@st.composite
def deadlines(draw: st.DrawFn, unit: int) -> str:
    steps = st.sampled_from([1, 2, 3, 5, 9, 12]).map(lambda k: f"{k}steps")
    return draw(st.one_of(steps, steps, option_time(unit)))


def written(name: str, options: dict[str, str | None]) -> str:
    given = ", ".join(f"{key}={value}" for key, value in options.items() if value is not None)
    return f"{name}({given})" if given else name


FLAG = st.sampled_from([None, "true", "false"])


def maybe(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str | None]:
    return st.one_of(st.none(), strategy)


def estimators(unit: int) -> dict[str, st.SearchStrategy[str | None]]:
    return {
        "initial_max": maybe(option_time(unit)),
        "window": maybe(st.sampled_from(["1", "2", "5", "30"])),
        "quantile": maybe(st.sampled_from(["p1", "p50", "p90", "p100"])),
    }


def option_strategies(rule: str, unit: int) -> dict[str, st.SearchStrategy[str | None]]:
    """Every option of every rule; a new rule has to be added here to be tested."""
    late = st.sampled_from([None, "drop", "release"])
    return {
        "sequential": {"order": st.sampled_from([None, "act_learn", "learn_act"]), "wait_observation": FLAG},
        "one_step_lag": {},
        "unstaggered": {},
        "max_time": {"printed": FLAG, "epsilon": maybe(times(unit)), **estimators(unit)},
        "exp_time": {"printed": FLAG},
        "phase_locked": estimators(unit),
        "time_triggered": {"deadline": deadlines(unit), "late": late},
        "earliest_deadline": {"deadline": deadlines(unit), "late": late, "give_up": maybe(option_time(unit))},
        "chunking": {
            "size": st.sampled_from([None, "1", "2", "3", "7"]),
            "growth": st.sampled_from([None, "0.5", "1"]),
        },
        "pipeline": {"layers": st.sampled_from([None, "1", "2", "3", "8"]), "skip": FLAG},
    }[rule]


RULES = (
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
)


@st.composite
def rule_texts(draw: st.DrawFn, rule: str, unit: int) -> str:
    strategies = option_strategies(rule, unit)
    return written(rule, {name: draw(strategy) for name, strategy in strategies.items()})


@st.composite
def scenarios(draw: st.DrawFn, rule: str, max_steps: int = 150, max_workers: int = 12) -> Scenario:
    """A scenario that its rule accepts, with any option of the scenario."""
    unit = draw(st.sampled_from(UNITS))
    fixed = [Fraction(4 * unit), Fraction(4 * unit), Fraction(4 * unit * 59 + 1, 59), Fraction(9 * unit, 2)]
    step_time = draw(
        st.one_of(
            st.sampled_from(fixed),
            st.sampled_from(fixed),
            laws(unit, zero=False, spells=False).filter(lambda text: law(text).mean >= 1e-9),
            st.just(f"empirical({4 * unit}ns, {2 * unit}ns, 0ns)"),
        )
    )
    learning = draw(st.booleans())
    scenario = Scenario(
        draw(rule_texts(rule, unit)),
        draw(laws(unit)),
        workers=draw(st.one_of(st.integers(1, min(max_workers, 12)), st.integers(1, max_workers))),
        step_time=step_time,
        steps=draw(st.integers(1, max_steps)),
        seed=draw(st.integers(0, 2**40)),
        mailbox=draw(st.sampled_from(["latest", "latest", "fifo(1)", "fifo(2)", "fifo(5)"])),
        dispatch_time=draw(st.one_of(st.none(), st.none(), laws(unit))),
        learning_time=draw(laws(unit)) if learning else None,
        learner_rule=draw(st.sampled_from(["auto", "round_robin", "lock_free", "parallel"])),
        learners=draw(st.integers(1, 4)),
        learning_starts=draw(st.sampled_from([0, 0, 1, 10])),
        batch=draw(st.sampled_from([1, 2, 16])),
    )
    assume(accepted(scenario))
    return scenario


def accepted(scenario: Scenario) -> bool:
    """Whether the rule's options fit the times; e.g. a deadline that no inference can meet does not."""
    try:
        scenario.program()
    except InvalidValue:
        return False
    return True
