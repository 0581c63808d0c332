"""What a live run is to do: a scenario, a game, and who chooses actions."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from rtsim.errors import InvalidValue
from rtsim.scenario import MAX_WORKERS, Scenario

if TYPE_CHECKING:
    from rtsim.learning.settings import Settings

#: Side of the observations that all games give, pixels.
SIDE = 84
#: The agent of a run that learns: the network as it is at the start of each inference, and random actions at times.
LEARNER = "learner"


@dataclass(frozen=True)
class LearningPlan:
    """That a live run really learns, and what.

    Parameters
    ----------
    settings : str
        The learner's, as :meth:`rtsim.learning.Settings.to_json` writes them.
    checkpoint : str
        Where the learner is kept; its replay memory lies beside it.
    every : float, seconds, > 0
        Between two checkpoints.
    resume : bool
        Go on from that checkpoint; else it must not exist yet.

    Raises
    ------
    InvalidValue, UnknownName
        If the settings are none, or a live run cannot follow them.
    """

    settings: str
    checkpoint: str
    every: float = 60.0
    resume: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.settings, str) or not isinstance(self.checkpoint, str) or not self.checkpoint:
            raise InvalidValue("a run that learns needs the learner's settings, and the name of a checkpoint")
        if isinstance(self.every, bool) or not isinstance(self.every, int | float) or not self.every > 0:
            raise InvalidValue(f"every {self.every!r} s between two checkpoints must be above 0")
        found = self.learner
        if found.algorithm != "dqn" or found.memory != "recent":
            raise InvalidValue(
                f"a live run cannot learn with algorithm {found.algorithm!r} and memory {found.memory!r}: its "
                "processes share no priorities and no reservoir; give dqn and recent"
            )
        if found.optimiser != "adam":
            raise InvalidValue(
                f"a live run cannot learn with optimiser {found.optimiser!r}: beside the shared weights lie Adam's "
                "moments; give adam"
            )

    @property
    def learner(self) -> Settings:
        """The settings. Imports torch."""
        from rtsim.learning.settings import Settings

        return Settings.from_json(self.settings)


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
    learning : LearningPlan, optional
        What is learnt. Without it nothing is: updates, if the scenario has a learning time, are held back to
        durations drawn from that, as inferences are.

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
    learning: LearningPlan | None = None

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
        if self.learning is not None:
            self._check_learning(self.learning)
        elif self.inference == "real" and not self.network:
            raise InvalidValue(
                "real inference needs a network: give --profile FILE#MODEL, e.g. --profile epyc#resnet15-k7, "
                "or --inference timed"
            )
        if self.inference == "real" and self.scenario.program().stages > 1:
            raise InvalidValue(f"rule {self.scenario.rule} runs layers in parallel; give --inference timed")

    def _check_learning(self, learning: LearningPlan) -> None:
        scenario, settings = self.scenario, learning.learner
        if scenario.program().chunk > 1:
            raise InvalidValue(
                f"rule {scenario.rule} makes several actions per inference, and the learner's network one"
            )
        if scenario.learning_time is None:
            raise InvalidValue("a run that learns needs a learning time, about what an update takes, e.g. 100ms")
        if scenario.batch != settings.batch:
            raise InvalidValue(f"the scenario's batch {scenario.batch} must be the learner's, {settings.batch}")
        if self.agent != LEARNER:
            raise InvalidValue(f"agent {self.agent!r} of a run that learns must be {LEARNER!r}")
        if self.network != settings.network:
            raise InvalidValue(
                f"network {self.network!r} of a run that learns must be the learner's, {settings.network!r}"
            )

    @property
    def chooses_again(self) -> bool:
        """Whether actions can be chosen again from what was recorded: cheaply, and with the weights of then.

        Of a run that learnt the weights of each version are not kept.
        """
        return self.inference == "timed" and self.learning is None

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
            # Not named where there is none, so that such a plan is told as it always was.
            **({} if self.learning is None else {"learning": asdict(self.learning)}),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> LivePlan:
        """A plan from :meth:`to_json`."""
        try:
            found = {**data, "scenario": Scenario.from_json(data["scenario"])}
            if found.get("learning") is not None:
                found["learning"] = LearningPlan(**found["learning"])
            return cls(**found)
        except (TypeError, KeyError) as error:
            raise InvalidValue(f"not the settings of a live run: {error}") from error

    def with_(self, **changes: Any) -> LivePlan:
        """The same plan with some fields changed."""
        return replace(self, **changes)

    def text(self) -> str:
        """The plan as one line of JSON, for the processes of the run."""
        return json.dumps(self.to_json(), separators=(",", ":"))
