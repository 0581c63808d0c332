"""Plans that learn, small enough for a test."""

from __future__ import annotations

from pathlib import Path

from rtsim.learning import Settings
from rtsim.live.plan import LEARNER, LearningPlan, LivePlan
from rtsim.scenario import Scenario

SETTINGS = Settings(
    network="mlp(8)",
    capacity=5_000,
    batch=4,
    learning_rate=1e-4,
    target_every=20,
    exploration_start=0.5,
    exploration_end=0.2,
    exploration_steps=200,
)


def learning_plan(folder: Path, rule: str = "max_time(initial_max=p99.9)", **more: object) -> LivePlan:
    """Three timed workers on the walk, two learners that really learn."""
    own = {"game": "walk", "every": 60.0, "resume": False, "settings": SETTINGS, "restarts": 3, "inference": "timed"}
    own |= {name: more.pop(name) for name in list(more) if name in own}
    settings = own["settings"]
    defaults: dict[str, object] = {
        "workers": 3,
        "steps": 180,
        "seed": 3,
        "learning_time": "5ms",
        "learners": 2,
        "learning_starts": 20,
        "batch": settings.batch,  # type: ignore[attr-defined]
    }
    scenario = Scenario(rule, "lognorm(mean=40ms, cv=0.1)", **{**defaults, **more})  # type: ignore[arg-type]
    learning = LearningPlan(settings.to_json(), str(folder / "learner.pt"), own["every"], own["resume"])  # type: ignore[attr-defined, arg-type]
    return LivePlan(
        scenario,
        str(own["game"]),
        LEARNER,
        own["inference"],  # type: ignore[arg-type]
        settings.network,  # type: ignore[attr-defined]
        processes=1,
        restarts=own["restarts"],  # type: ignore[arg-type]
        learning=learning,
    )
