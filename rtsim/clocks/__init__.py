"""Clocks: a scenario in, a Schedule out, whichever engine runs it.

``simpy`` is the reference, ``compiled`` the fast one; both make the same Schedule. ``auto``
takes the compiled one where the work is worth loading it, or, for a rule that is not built in,
compiling it.
"""

from __future__ import annotations

from rtsim.errors import InvalidValue, UnknownName
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule
from rtsim.schedulers.registry import BUILTIN
from rtsim.statistics import Tally

ENGINES = ("auto", "simpy", "compiled")
#: Steps and inferences from which on the compiled clock is worth loading; SimPy takes a second for them.
WORTH_LOADING = 200_000
#: The same for a rule that is not built in, which is compiled anew in every process: that takes
#: some seven seconds, and SimPy ten for so many.
WORTH_COMPILING = 2_000_000

__all__ = ["ENGINES", "engine_for", "simulate", "tally"]


def engine_for(scenario: Scenario, engine: str = "auto", *, runs: int = 1) -> str:
    """``"simpy"`` or ``"compiled"``: which clock runs a scenario, ``runs`` times. A function of the scenario alone.

    ``auto`` is compiled from :data:`WORTH_LOADING` steps and inferences on for a built-in rule;
    for another one from :data:`WORTH_COMPILING` on, if it compiles.

    Raises
    ------
    UnknownName, InvalidValue
        If there is no such engine, or it cannot run the rule.

    >>> engine_for(Scenario("max_time", "84ms", steps=1000)), engine_for(Scenario("max_time", "84ms", steps=10**6))
    ('simpy', 'compiled')
    """
    if engine not in ENGINES:
        raise UnknownName("engine", engine, ENGINES)
    built_in = BUILTIN.get(scenario.rule.name) is scenario.rule.rule
    work = runs * (scenario.steps + scenario.expected_inferences)
    if engine == "simpy" or (engine == "auto" and work < (WORTH_LOADING if built_in else WORTH_COMPILING)):
        return "simpy"
    if not built_in:
        from rtsim.clocks import compiled

        try:
            compiled.check(scenario)
        except InvalidValue:
            if engine == "compiled":
                raise
            return "simpy"
    return "compiled"


def simulate(scenario: Scenario, *, spans: bool = False, engine: str = "auto") -> Schedule:
    """Simulate a scenario.

    Parameters
    ----------
    scenario : Scenario
    spans : bool
        Keep one row per inference, used or not, for timelines and traces.
    engine : {"auto", "simpy", "compiled"}
        The Schedule is the same; only its header names the clock.

    Returns
    -------
    Schedule

    Raises
    ------
    InvalidValue, UnknownName, RuleFault

    >>> schedule = simulate(Scenario("max_time", "84ms", workers=6, steps=200))
    >>> schedule.statistics(warmup_steps=20).inaction_fraction
    0.0
    """
    if engine_for(scenario, engine) == "simpy":
        from rtsim.clocks import simpy_clock

        return simpy_clock.simulate(scenario, spans=spans)
    from rtsim.clocks import compiled

    return compiled.simulate(scenario, spans=spans)


def tally(scenario: Scenario, warmup_steps: int = 0, *, engine: str = "auto") -> Tally:
    """Count a scenario's steps from ``warmup_steps`` on; the compiled clock does so without keeping them.

    >>> tally(Scenario("max_time", "84ms", workers=6, steps=200), 20).used
    180
    """
    if engine_for(scenario, engine) == "simpy":
        from rtsim.clocks import simpy_clock

        return simpy_clock.simulate(scenario).tally(warmup_steps)
    from rtsim.clocks import compiled

    return compiled.tally(scenario, warmup_steps)
