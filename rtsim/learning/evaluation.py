"""Saved weights under Schedules: every player meets the same episodes and the same times, seed by seed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtsim.envs.gym import Game
from rtsim.envs.registry import read
from rtsim.envs.tabular import Tabular
from rtsim.errors import FileProblem
from rtsim.learning.episodes import Env
from rtsim.learning.references import PLAYERS, fared
from rtsim.learning.runs import CHECKPOINT, SETTINGS, Plan, plan_in
from rtsim.learning.scores import Count, Extent, Played
from rtsim.learning.timed import check_rule, play
from rtsim.learning.training import EVALUATION, spaces_of
from rtsim.networks.greedy import best_action, network_of
from rtsim.scenario import Scenario

OnProgress = Callable[[str, float], None]
#: Steps or decisions between two reports.
LOOK = 64


@dataclass(frozen=True)
class Agent:
    """One or more files of weights that are looked at as one player.

    Attributes
    ----------
    name : str
        As it was given.
    files : tuple of str
        Of the seeds of a training, in their order: evaluation i plays number i modulo their number.
    """

    name: str
    files: tuple[str, ...]

    @property
    def plan(self) -> Plan | None:
        """The training's, if its settings lie beside the first file.

        Raises
        ------
        FileProblem
            If they are damaged.
        """
        folder = Path(self.files[0]).parent
        return plan_in(folder) if (folder / SETTINGS).exists() else None


def agent_of(text: str) -> Agent:
    """What a path stands for: a file of weights, a checkpoint, or a folder of ``rtsim train``.

    Parameters
    ----------
    text : str
        A file; a folder with a checkpoint; or one with a folder for each seed of the training.

    Raises
    ------
    FileProblem
        If there is nothing of the kind.
    """
    path = Path(text)
    if not path.is_dir():
        return Agent(text, (text,))
    if (path / CHECKPOINT).exists():
        return Agent(text, (str(path / CHECKPOINT),))
    found = {
        int(seed): str(file)
        for file in path.glob(f"seed-*/{CHECKPOINT}")
        if (seed := file.parent.name.removeprefix("seed-")).isdecimal()
    }
    if not found:
        raise FileProblem(f"{text!r} holds no training: neither {CHECKPOINT} nor seed-0/{CHECKPOINT} is there")
    return Agent(text, tuple(found[seed] for seed in sorted(found)))


def endless(env: Env) -> bool:
    """Whether an environment is one of those that we know to have no episodes.

    >>> from rtsim.envs.worlds import environment
    >>> endless(environment("mdp:inaction")), endless(environment("CartPole-v1"))
    (True, False)
    """
    bare = env.unwrapped
    return isinstance(bare, Tabular) or (isinstance(bare, Game) and read(bare.emulator.id).entry.name == "walk")


@dataclass(frozen=True)
class Fared:
    """How one player fared under one Schedule.

    Attributes
    ----------
    player : str
        Name of the :class:`Agent`, or ``noop`` or ``random``, which are never late.
    files : tuple of str
        Of weights, one per seed; empty for the references.
    scenario : Scenario or None
        None for the references.
    played : tuple of Played
        One per seed.
    """

    player: str
    files: tuple[str, ...]
    scenario: Scenario | None
    played: tuple[Played, ...]


def compare_agents(
    env: Env,
    agents: Sequence[Agent],
    scenarios: Sequence[Scenario],
    extent: Extent,
    seeds: int = 3,
    default_policy: str = "noop",
    on_progress: OnProgress | None = None,
) -> list[Fared]:
    """Let every agent play under every scenario, greedily, beside a noop and a random player that are never late.

    Parameters
    ----------
    env : gymnasium.Env
        Discrete actions, observations an array.
    agents : sequence of Agent
    scenarios : sequence of Scenario
    extent : Extent
        Of each evaluation.
    seeds : int, >= 1
        Evaluations 0, 1, ...: seeds of times and episodes, the same for all players.
    default_policy : {"noop", "repeat", "random"}
    on_progress : callable(what, share), optional

    Returns
    -------
    list of Fared
        Agent by agent, scenario by scenario, then the references. After a KeyboardInterrupt of the seeds that all
        have finished, if there are any.

    Raises
    ------
    FileProblem, InvalidValue
        Before anything is played, if weights cannot be read or are for another environment.
    """
    shape, _, actions = spaces_of(env)
    for scenario in scenarios:
        check_rule(scenario)
    files = dict.fromkeys(file for agent in agents for file in agent.files)
    best = {file: best_action(network_of(file, actions, shape)) for file in files}
    rows = [(agent, scenario) for agent in agents for scenario in scenarios]
    told = _Told(on_progress, seeds * (len(rows) + len(PLAYERS)))
    played: list[list[Played]] = []
    try:
        for seed in range(seeds):
            done: list[Played] = []
            for agent, scenario in rows:
                choose = best[agent.files[seed % len(agent.files)]]
                watch = told.next(f"{agent.name}, seed {seed}")
                done.append(play(env, scenario.with_(seed=seed), choose, seed, extent, default_policy, watch))
            for player in PLAYERS:
                done.append(fared(env, player, seed, extent, EVALUATION, told.next(f"{player}, seed {seed}")))
            played.append(done)
    except KeyboardInterrupt:
        if not played:
            raise
    columns = list(zip(*played, strict=True))
    found = [
        Fared(agent.name, tuple(agent.files[k % len(agent.files)] for k in range(len(played))), scenario, columns[i])
        for i, (agent, scenario) in enumerate(rows)
    ]
    return found + [Fared(player, (), None, columns[len(rows) + i]) for i, player in enumerate(PLAYERS)]


class _Told:
    """Tells how far many evaluations have come, now and then."""

    def __init__(self, report: OnProgress | None, total: int) -> None:
        self._report, self._total, self._begun = report, total, 0

    def next(self, what: str) -> Callable[[Count], None]:
        """The next evaluation begins; what is to be called while it goes on."""
        before, calls = self._begun, itertools.count()
        self._begun += 1

        def watch(count: Count) -> None:
            if self._report is not None and next(calls) % LOOK == 0:
                self._report(what, (before + count.share) / self._total)

        return watch
