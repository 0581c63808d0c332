"""What a live run is to do: a scenario, a game, and who chooses actions."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Literal

from rtsim.errors import InvalidValue
from rtsim.scenario import MAX_WORKERS, Scenario

#: Side of the observations that all games give, pixels.
SIDE = 84


@dataclass(frozen=True)
class LivePlan:
    """Settings of one live run.

    Parameters
    ----------
    scenario : Scenario
        Rule, times, number of workers and steps. Its step time must be a fixed rate.
    game : str
        What :func:`rtsim.envs.make` reads.
    agent : str
        Who chooses actions; see :mod:`rtsim.live.agents`.
    inference : {"timed", "real"}
        Timed: a choice is held back to a duration drawn from the scenario's law. Real: a
        forward pass of ``network``, however long it takes.
    network : str
        With real inference: a model of the network family, e.g. ``resnet15-k7``.
    processes : int
        Timed workers share this many processes; 0 is one each, up to 8.
    restarts : int
        How often one process is started again before it is given up.

    Raises
    ------
    InvalidValue
    """

    scenario: Scenario
    game: str
    agent: str = "random"
    inference: Literal["timed", "real"] = "timed"
    network: str = ""
    processes: int = 0
    restarts: int = 3

    def __post_init__(self) -> None:
        from rtsim.timing import Law, units

        for name in ("game", "agent", "network"):
            if not isinstance(getattr(self, name), str):
                raise InvalidValue(f"{name} {getattr(self, name)!r} of a live run must be a text")
        units.whole(self.processes, "processes", 0, MAX_WORKERS)
        units.whole(self.restarts, "restarts", 0, 10**6)
        if self.inference not in ("timed", "real"):
            raise InvalidValue(f"inference {str(self.inference)[:40]!r} must be timed or real")
        if isinstance(self.scenario.step_time, Law):
            raise InvalidValue(
                f"a live run needs a fixed rate, not step times {self.scenario.step_time}; give --fps, e.g. --fps 60"
            )
        if self.inference == "real" and not self.network:
            raise InvalidValue(
                "real inference needs a network: give --profile FILE#MODEL, e.g. --profile epyc#resnet15-k7, "
                "or --inference timed"
            )
        if self.inference == "real" and self.scenario.program().stages > 1:
            raise InvalidValue(f"rule {self.scenario.rule} runs layers in parallel; give --inference timed")

    @property
    def frame_bytes(self) -> int:
        """Size of one observation, bytes."""
        return SIDE * SIDE

    @property
    def hosts(self) -> list[range]:
        """Which workers each process has. Real inference has a process per worker."""
        workers = self.scenario.workers
        count = workers if self.inference == "real" else min(self.processes or 8, workers)
        return [range(workers * k // count, workers * (k + 1) // count) for k in range(count)]

    @property
    def learner_hosts(self) -> list[range]:
        """Which learners each process has; none if the one inference process learns."""
        if self.scenario.learner.inline:
            return []
        count = self.scenario.learner_count
        return [range(k, k + 1) for k in range(count)]

    def to_json(self) -> dict[str, Any]:
        """JSON values that :meth:`from_json` reads back."""
        return {
            "scenario": self.scenario.to_json(),
            **{
                name: getattr(self, name) for name in ("game", "agent", "inference", "network", "processes", "restarts")
            },
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> LivePlan:
        """A plan from :meth:`to_json`."""
        try:
            return cls(**{**data, "scenario": Scenario.from_json(data["scenario"])})
        except (TypeError, KeyError) as error:
            raise InvalidValue(f"not the settings of a live run: {error}") from error

    def with_(self, **changes: Any) -> LivePlan:
        """The same plan with some fields changed."""
        return replace(self, **changes)

    def text(self) -> str:
        """The plan as one line of JSON, for the processes of the run."""
        return json.dumps(self.to_json(), separators=(",", ":"))
