"""rtsim: a discrete-event simulator for realtime regret analysis.

>>> import rtsim
>>> schedule = rtsim.simulate(rtsim.Scenario("max_time", "84ms", workers=6, steps=300))
>>> schedule.statistics(warmup_steps=30).inaction_fraction
0.0
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtsim import agents as agents
    from rtsim import envs as envs
    from rtsim import learning as learning
    from rtsim import live as live
    from rtsim import mdps as mdps
    from rtsim import pictures as pictures
    from rtsim import planning as planning
    from rtsim import regret as regret
    from rtsim import rollout as rollout
    from rtsim import theory as theory
    from rtsim.clocks import simulate
    from rtsim.errors import RtsimError
    from rtsim.experiments import Comparison, Design, Grid, compare, sweep
    from rtsim.scenario import Mailbox, Scenario
    from rtsim.schedule import Schedule
    from rtsim.schedulers import Rule, RuleSpec, register
    from rtsim.statistics import Statistics
    from rtsim.timing import Law, Profile, law

from rtsim.version import __version__ as __version__

#: Public names and where they live. Loaded on first use: ``rtsim --help`` must not wait for numpy.
_HOMES = {
    "Comparison": "rtsim.experiments",
    "Design": "rtsim.experiments",
    "Grid": "rtsim.experiments",
    "Law": "rtsim.timing",
    "Mailbox": "rtsim.scenario",
    "Profile": "rtsim.timing",
    "RtsimError": "rtsim.errors",
    "Rule": "rtsim.schedulers",
    "RuleSpec": "rtsim.schedulers",
    "Scenario": "rtsim.scenario",
    "Schedule": "rtsim.schedule",
    "Statistics": "rtsim.statistics",
    "compare": "rtsim.experiments",
    "law": "rtsim.timing",
    "register": "rtsim.schedulers",
    "simulate": "rtsim.clocks",
    "sweep": "rtsim.experiments",
}

#: Modules for ``rtsim.pictures.…`` after ``import rtsim`` alone, loaded on first use too.
_MODULES = ("agents", "envs", "learning", "live", "mdps", "pictures", "planning", "regret", "rollout", "theory")

__all__ = [
    "Comparison",
    "Design",
    "Grid",
    "Law",
    "Mailbox",
    "Profile",
    "RtsimError",
    "Rule",
    "RuleSpec",
    "Scenario",
    "Schedule",
    "Statistics",
    "compare",
    "law",
    "register",
    "simulate",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"rtsim.{name}")
    raise AttributeError(f"module 'rtsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *_MODULES, "__version__"]
