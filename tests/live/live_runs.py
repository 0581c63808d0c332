"""Recorded runs that several tests look at; each takes some seconds of real time."""

from __future__ import annotations

from functools import cache

from rtsim.live import LivePlan, play
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule

LAW = "lognorm(mean=50ms, cv=0.1)"
STEPS = 120


@cache
def run(
    rule: str, law: str = LAW, workers: int = 4, game: str = "blocks", agent: str = "random", **more: object
) -> Schedule:
    """A recorded run of two seconds."""
    fps = "60fps" if game.startswith("atari") else "59.7275fps"
    scenario = Scenario(rule, law, workers=workers, steps=STEPS, step_time=fps, seed=3, **more)  # type: ignore[arg-type]
    return play(LivePlan(scenario, game, agent))
