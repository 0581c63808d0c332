"""Which trainings each figure is made of."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from rtsim.errors import InvalidValue, UnknownName
from rtsim.timing import Profile

#: Environment steps from one update to the next in the paper's asynchronous trainings (Riemer et al. 2025, Sec. 5.1).
STEPS_PER_UPDATE = 5
#: Learners of the paper's 100M network, whose delay is 70 steps: "33 times fewer updates" of the parallel baseline
#: (Fig. 4). So an update lasts 33 · 5 steps there; by that ratio those of other sizes do, for want of published times.
LEARNERS_100M, DELAY_100M = 33, 70
#: Seeds of the papers.
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Method:
    """A way to interact and learn.

    Attributes
    ----------
    name : str
    rule : str
        Scheduler rule, ``{delay}`` standing for the delay in steps; empty where no action is ever late.
    workers : bool
        Whether it has as many inference processes as steps of delay.
    learners : str
        ``"sequential"``, ``"round_robin"`` or ``"parallel"``: the learner rule, where learning takes time.
    """

    name: str
    rule: str = ""
    workers: bool = False
    learners: str = "round_robin"

    def rule_for(self, delay: int) -> str:
        """The rule's text for a delay in steps."""
        return self.rule.format(delay=delay)


#: By name; the references play, and do not learn. Algorithm 1 starts warm, as in the authors' code.
METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method("no delay"),
        Method("sequential", "sequential(order=act_learn)", learners="sequential"),
        Method("sequential, learning first", "sequential(order=learn_act)", learners="sequential"),
        Method("max_time", "max_time(initial_max=p99)", True),
        Method("exp_time", "exp_time", True),
        Method("time_triggered", "time_triggered(deadline={delay}steps)", True),
        Method("max_time, parallel learning", "max_time(initial_max=p99)", True, "parallel"),
    )
}
REFERENCES = ("noop", "random")


@dataclass(frozen=True)
class Panel:
    """One environment of a figure.

    Attributes
    ----------
    env : str
        As for :func:`rtsim.envs.worlds.environment`.
    preset : str
        Settings of the learner (:data:`rtsim.learning.PRESETS`).
    budget : int
        Environment steps of a training.
    quick : int
        The same for a trial that takes seconds.
    unit : str
        What a score is.
    human : float or None
        Score of people, where one is published.
    demonstrations : int
        Steps of the scripted player that are learnt from first.
    cpu_seconds : int
        What a training takes on a core of an AMD EPYC, to tell before: ``max_time``, seed 0, 5 steps late, in figure 4
        70; 0 where it was not measured.
    """

    env: str
    preset: str
    budget: int
    quick: int
    unit: str = "reward per episode"
    human: float | None = None
    demonstrations: int = 0
    cpu_seconds: int = 0

    @property
    def endless(self) -> bool:
        """Whether there are no episodes, and scores are per step."""
        return self.env.startswith("mdp:")


@dataclass(frozen=True)
class Figure:
    """A figure of Riemer et al. 2025.

    Attributes
    ----------
    number : int
    title : str
        What the paper's shows, and what ours does.
    panels : tuple of Panel
    methods : tuple of str
    depths : tuple of int
        Convolutions, 15 or 30.
    delays : tuple of int, or empty
        Only these of the published delays.
    over : {"size", "time", "actions"}
        The horizontal axis: size of the network, environment seconds, or actions that are no noop.
    timed : bool
        Whether updates take time; otherwise one is made every few steps of the agent, as the preset says.
    points : int
        Rows of a cell, evenly over its budget.
    table : int
        The figure whose cells and table it shares.
    """

    number: int
    title: str
    panels: tuple[Panel, ...]
    methods: tuple[str, ...]
    depths: tuple[int, ...] = (15,)
    delays: tuple[int, ...] = ()
    over: str = "size"
    timed: bool = False
    points: int = 1
    table: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", self.table or self.number)

    def panel(self, env: str) -> Panel:
        """The panel of an environment.

        Raises
        ------
        UnknownName
        """
        for panel in self.panels:
            if panel.env == env:
                return panel
        raise UnknownName("panel", env, [panel.env for panel in self.panels], of=f"figure {self.number}")

    def untrained(self, known: Collection[str]) -> tuple[Panel, ...]:
        """The panels that are not among those of these environments."""
        return tuple(panel for panel in self.panels if panel.env not in known)

    def cells(
        self, budget: int | None = None, quick: bool = False, only: tuple[str, ...] = (), seeds: tuple[int, ...] = SEEDS
    ) -> Iterator[Cell]:
        """All trainings, seed by seed, so that a run that is stopped has something of every curve.

        Parameters
        ----------
        budget : int, optional
            Environment steps of each, instead of the panels' own.
        quick : bool
            The panels' trials; only the extreme delays.
        only : tuple of str
            Environments of panels; all if empty.
        seeds : tuple of int
        """
        panels = [self.panel(env) for env in only] or self.panels
        for seed in seeds:
            for panel in panels:
                steps = budget or (panel.quick if quick else panel.budget)
                for reference in REFERENCES:
                    yield Cell(self.number, panel.env, reference, 15, 0, 0, seed, steps)
                if self.over == "size":
                    yield Cell(self.number, panel.env, "no delay", 15, 0, 0, seed, steps)
                for depth in self.depths:
                    sizes = [size for size in published(depth) if not self.delays or size[1] in self.delays]
                    for parameters, delay in sizes[:: max(len(sizes) - 1, 1)] if quick else sizes:
                        for method in self.methods:
                            yield Cell(self.number, panel.env, method, depth, parameters, delay, seed, steps)


@dataclass(frozen=True)
class Cell:
    """One training: what identifies it in a table.

    Attributes
    ----------
    figure : int
    panel, method : str
    depth, parameters, delay_steps : int
        Of the network whose delay it is; the network that learns may be smaller, as in the paper (App. A).
    seed, budget_steps : int
    """

    figure: int
    panel: str
    method: str
    depth: int
    parameters: int
    delay_steps: int
    seed: int
    budget_steps: int

    @property
    def learning_steps(self) -> int:
        """How long an update of that network takes, environment steps, where updates take time."""
        return math.ceil(self.delay_steps * LEARNERS_100M * STEPS_PER_UPDATE / DELAY_100M)

    @property
    def decisions(self) -> int:
        """Inferences that there is time for: one per step, or one after the other, with updates between them.

        >>> Cell(4, "walk", "sequential", 15, 10**8, 70, 0, 20_000).decisions  # 70 + 165 steps each
        85
        """
        method = METHODS.get(self.method)
        if method is None or not method.rule or method.workers:
            return self.budget_steps
        each = self.delay_steps + (self.learning_steps if find(self.figure).timed else 0)
        return max(self.budget_steps // max(each, 1), 1)

    @property
    def learners(self) -> int:
        """Learners with which one update lands every :data:`STEPS_PER_UPDATE` steps."""
        return math.ceil(self.learning_steps / STEPS_PER_UPDATE)


@cache
def published(depth: int) -> tuple[tuple[int, int], ...]:
    """(parameters, delay in steps) of the networks of some depth, smallest first (Riemer et al. 2025, App. A).

    >>> [delay for _, delay in published(15)], [delay for _, delay in published(30)]
    ([1, 5, 8, 70, 596], [3, 29, 47, 80, 750])
    """
    models = Profile.load("paper").models.values()
    found = [(m.parameters, int(m.settings["delay_steps"])) for m in models if m.settings["depth"] == depth]
    if not found:
        raise InvalidValue(f"depth {depth} must be 15 or 30 convolutions")
    return tuple(sorted((int(parameters or 0), delay) for parameters, delay in found))


_ASYNCHRONOUS = ("max_time", "exp_time", "time_triggered")
#: What is lost by not acting; a deterministic cycle, which can be predicted at any delay; and states that jump.
_MDPS = (
    Panel("mdp:inaction", "mdp", 4_000, 300, "reward per step"),
    Panel("mdp:delay(n=10, p=0)", "mdp", 12_000, 300, "reward per step"),
    Panel("mdp:jump(n=10, p=0.99)", "mdp", 12_000, 300, "reward per step"),
)
_BREAKOUT = Panel("minatar:breakout(sticky=0)", "minatar-short", 10_000, 300, cpu_seconds=9)
_FREEWAY = Panel("minatar:freeway(sticky=0)", "minatar-short", 10_000, 300, "reward", cpu_seconds=10)
_INVADERS = ("minatar:space_invaders(sticky=0)", "minatar:space_invaders(sticky=0.25)")
_BLOCKS = Panel("blocks", "game-boy-small", 20_000, 200, demonstrations=16_000, cpu_seconds=72)
_WALK = Panel("walk", "game-boy-small", 20_000, 200, "reward", cpu_seconds=45)
# Human scores: Mnih et al. 2015, Extended Data Table 2.
_ATARI = tuple(
    Panel(f"atari:{game}", "atari-small", 20_000, 200, human=human, cpu_seconds=70)
    for game, human in (("Boxing", 4.3), ("Krull", 2395.0), ("NameThisGame", 4076.0))
)


def _progress(number: int, delay: int, over: str, title: str, table: int = 0) -> Figure:
    methods = ("sequential", "sequential, learning first", *_ASYNCHRONOUS, "max_time, parallel learning")
    panels = (*_MDPS, _FREEWAY, _WALK)
    return Figure(number, title, panels, methods, (15,), (delay,), over, True, 20, table)


FIGURES: Mapping[int, Figure] = {
    figure.number: figure
    for figure in (
        _progress(4, 70, "time", "Progress against time, 100M parameters (the paper: Pokémon)"),
        Figure(
            5,
            "Score against size of the network, where waiting loses (the paper: Tetris)",
            (*_MDPS, _BREAKOUT, _BLOCKS),
            ("sequential", *_ASYNCHRONOUS),
        ),
        Figure(
            6,
            "Score against size of the network, Atari, DQN",
            (*(Panel(env, "minatar-short", 10_000, 300, cpu_seconds=7) for env in _INVADERS), *_ATARI),
            ("sequential", "max_time"),
            (15, 30),
        ),
        _progress(11, 5, "time", "Progress against time, 1M parameters (the paper: Pokémon)"),
        _progress(12, 8, "time", "Progress against time, 10M parameters (the paper: Pokémon)"),
        _progress(13, 70, "actions", "Progress against actions, 100M parameters (the paper: Pokémon)", table=4),
        Figure(
            14,
            "Score against size of the network, Atari, Rainbow",
            (*(Panel(env, "minatar-rainbow", 10_000, 300, cpu_seconds=23) for env in _INVADERS), *(
                Panel(p.env, "atari-rainbow-small", 200_000, p.quick, human=p.human) for p in _ATARI
            )),
            ("sequential", "max_time"),
        ),
    )
}  # fmt: skip


def find(number: int) -> Figure:
    """The figure of a number.

    Raises
    ------
    InvalidValue

    >>> find(13).table, find(5).over
    (4, 'size')
    """
    if number not in FIGURES:
        raise InvalidValue(f"figure {number} has no learning in it; give one of {', '.join(map(str, FIGURES))}")
    return FIGURES[number]
