"""The arguments of every command, as dataclasses: one field, one flag, one TOML key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import tyro


def _default(value: str) -> str:
    """What --help says of a default: nothing where there is none."""
    return "" if value in ("", "''", "None") else f"(default: {value})"


Text = Annotated[str, tyro.conf.arg(metavar="TEXT", help_behavior_hint=_default)]
File = Annotated[str, tyro.conf.arg(metavar="FILE", help_behavior_hint=_default)]
Law = Annotated[str, tyro.conf.arg(metavar="LAW", help_behavior_hint=_default)]
Number = Annotated[int, tyro.conf.arg(metavar="N", help_behavior_hint=_default)]
Optional = Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint=_default)]
Flag = Annotated[bool, tyro.conf.FlagCreatePairsOff]
Texts = Annotated[tuple[str, ...], tyro.conf.arg(metavar="A B ...")]

DEFAULT_LAW = "profile:epyc#resnet15-k29"


@dataclass
class ScenarioArguments:
    """What every simulating command takes."""

    inference_time: Law = DEFAULT_LAW
    """Time of one inference: "84ms", "lognorm(mean=84ms, cv=0.02)", "profile:NAME#MODEL", ... (see README)."""
    learning_time: Law = ""
    """Time of one gradient update. Without it no update is simulated; an --agent that learns does so at every step."""
    dispatch_time: Law = ""
    """Overhead of handing one inference to a worker and its action back."""
    fps: Annotated[str, tyro.conf.arg(metavar="X", help_behavior_hint=_default)] = ""
    """Environment steps per second (default: 59.7275, the Game Boy)."""
    step_time: Law = ""
    """Time between environment steps instead of --fps; may be stochastic."""
    learners: Number = 1
    """Learning processes."""
    learner_rule: Text = "auto"
    """round_robin, lock_free, parallel, or auto (round_robin; the rule sequential learns in its own process)."""
    learning_starts: Number = 0
    """First step at which an update may start."""
    batch: Number = 16
    """Transitions per update."""
    steps: Number = 10_000
    """Environment steps to simulate, per run."""
    warmup_steps: Optional = None
    """Steps left out of the statistics (default: four of the longest inferences)."""
    seed: Number = 0
    """First random seed."""
    mailbox: Text = "latest"
    """latest (a newer action replaces the waiting one) or fifo(n)."""
    engine: Text = "auto"
    """Clock: simpy (the reference), compiled (the same results, faster; rules that compile), or auto."""
    json: Flag = False
    """Print JSON instead of tables."""
    config: File = ""
    """Read settings from this TOML file; a flag given here overrides the same setting there."""


@dataclass
class Compare(ScenarioArguments):
    """Compare staggering rules: how often is the environment left to its default policy, and how many
    inference processes does each rule need?"""

    alg: Texts = ("max_time", "exp_time")
    """Rules, with options: max_time "time_triggered(deadline=p99.99, late=release)"; see rtsim rules."""
    workers: Texts = ("auto",)
    """Numbers of inference workers (ranges as 1-8), or auto."""
    seeds: Number = 3
    """How many seeds."""
    target: Annotated[float, tyro.conf.arg(metavar="X")] = 0.01
    """Inaction fraction that the required workers must reach."""
    max_workers: Optional = None
    """Where the search for the required workers gives up (default: about 6 times τ̄_θ/τ_M, up to 10 for heavy tails)."""
    no_search: Flag = False
    """Do not search for the required workers."""
    mdp: Text = ""
    """Also tell the regret on this MDP: inaction, "jump(n=10, p=0.9)", jao, FILE.json, ...; see rtsim mdps."""
    agent: Text = "best"
    """One agent to act on it: best (the best delayed policy), oracle, pending, ucrl2, "qucb(bonus=0.1)" or egreedy."""
    csv: File = ""
    """Write the rows as CSV."""
    plot: File = ""
    """Draw inaction against workers (.png, .svg or .pdf; its data too, as .csv)."""
    regret_plot: File = ""
    """With --mdp: draw regret against time, a panel per rule and number of workers; its data too, as .csv."""
    trace: File = ""
    """Write a Chrome trace of the first steps of every rule, to open in Perfetto."""


@dataclass
class Simulate(ScenarioArguments):
    """Simulate one run of one rule and describe its schedule."""

    alg: Text = "max_time"
    """The rule, with options."""
    workers: Optional = None
    """Inference workers (default: mean inference time over step time, rounded up)."""
    out: File = ""
    """Save the schedule (.npz)."""
    timeline: File = ""
    """Draw workers, actions and default-policy steps of the first steps (.png, .svg or .pdf; its data too, as .csv)."""
    timeline_from: Number = 0
    """First step that the timeline shows."""
    timeline_steps: Optional = None
    """Steps that the timeline shows (default: about three inferences)."""
    histogram: File = ""
    """Draw the interaction-time histogram (.png, .svg or .pdf; its data too, as .csv)."""
    trace: File = ""
    """Write a Chrome trace of the first steps, to open in Perfetto."""


Laws = Annotated[tuple[str, ...], tyro.conf.arg(metavar="LAW ...")]


@dataclass
class Sweep:
    """Run a grid of scenarios, in parallel, into a directory: every combination of the values given, for every seed.
    A run that was stopped or killed goes on with --resume."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = ""
    """Directory of the run."""
    alg: Texts = ("max_time", "exp_time")
    """Rules, with options; see rtsim rules."""
    inference_time: Laws = (DEFAULT_LAW,)
    """Times of one inference."""
    learning_time: Laws = ()
    """Times of one gradient update, or none. Without it no update is simulated; an --agent that learns does so at every
    step."""
    dispatch_time: Laws = ()
    """Overheads of handing one inference to a worker, or none."""
    fps: Texts = ()
    """Environment steps per second (default: 59.7275, the Game Boy)."""
    step_time: Laws = ()
    """Times between environment steps instead of --fps; may be stochastic."""
    workers: Texts = ("auto",)
    """Numbers of inference workers (ranges as 1-8), or auto: around τ̄_θ/τ_M."""
    learners: Texts = ("1",)
    """Numbers of learning processes (ranges as 1-8)."""
    learner_rule: Texts = ("auto",)
    """round_robin, lock_free, parallel, or auto (round_robin; the rule sequential learns in its own process)."""
    learning_starts: Number = 0
    """First step at which an update may start."""
    batch: Annotated[tuple[int, ...], tyro.conf.arg(metavar="B ...")] = (16,)
    """Transitions per update."""
    mailbox: Texts = ("latest",)
    """latest (a newer action replaces the waiting one) or fifo(n)."""
    steps: Number = 10_000
    """Environment steps to simulate, per cell."""
    warmup_steps: Optional = None
    """Steps left out of the statistics (default: four of the longest inferences)."""
    seed: Number = 0
    """First random seed."""
    seeds: Number = 3
    """How many seeds; each is a cell of its own."""
    measure: Text = "statistics"
    """statistics; required_workers (the fewest that reach --target); or required_learners (the fewest that learn
    from every transition)."""
    target: Annotated[float, tyro.conf.arg(metavar="X")] = 0.01
    """Inaction fraction that the required workers must reach."""
    mdp: Texts = ()
    """Also tell the regret on these MDPs, or none; see rtsim mdps."""
    agent: Texts = ("best",)
    """Who acts on them; see rtsim mdps."""
    engine: Text = "auto"
    """Clock: simpy (the reference), compiled (the same results, faster; rules that compile), or auto."""
    resume: Flag = False
    """Go on with a run; its grid need not be given again."""
    processes: Optional = None
    """Processes beside this one (default: all cores; 1: everything in this one)."""
    executor: Text = "local"
    """local, or ray: on a Ray cluster."""
    address: Text = ""
    """Address of the Ray cluster, e.g. auto (default: start one on this machine)."""
    json: Flag = False
    """Print the summary as JSON."""
    config: File = ""
    """Read settings from this TOML file, or from the study "paper" that comes with rtsim; each [[grid]] in it is a
    grid of its own and overrides the rest. A flag given here overrides the same setting outside of [[grid]]."""
    grid: Annotated[tuple[dict[str, Any], ...], tyro.conf.Suppress] = ()
    said: Annotated[tuple[str, ...], tyro.conf.Suppress] = ()


@dataclass
class Report:
    """Summarise the run of a sweep: tables, and the figures of inaction and of required workers and learners."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = ""
    """Directory of the run; it may still be going on."""
    out: File = ""
    """Folder for the figures (default: the run's)."""
    format: Text = "png"
    """png, svg or pdf."""
    json: Flag = False
    """Print JSON."""


@dataclass
class Rules:
    """List the scheduler and learner rules, one line each, or the options of one rule.

    Rules of your own (README, "Rules") are listed too; both clocks run them if they compile, else simpy does.
    """

    rule: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="[NAME]")] = ""
    """A rule, to explain its options."""
    json: Flag = False
    """Print JSON."""


@dataclass
class Mdps:
    """List the MDPs that come with rtsim, one line each, and the agents that act on them; or describe one MDP.

    A file of your own: {"format": "rtsim-mdp", "version": 1, "states": 2, "actions": 1, "p": [[[0, 1]], [[0.5, 0.5]]],
    "r": [[0], [1]], "default": "stay"}, where p[s][a][t] is the probability of state t after action a in state s, and
    default is stay, random or an action; README has a larger one.
    """

    mdp: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="[MDP]")] = ""
    """A family, to explain its options; or an MDP, to describe it: "jump(n=10)", FILE.json, gym:FrozenLake-v1."""
    json: Flag = False
    """Print JSON."""


@dataclass
class Games:
    """List the games that can be played: our own, Atari's, and your ROMs."""

    json: Flag = False
    """Print JSON."""


@dataclass
class ImportRom:
    """Bring a Game Boy ROM of yours, to be played as retro:NAME; it is copied into your data folder."""

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FILE|FOLDER")] = ""
    """The ROM (.gb), or a folder with it and with integration files in the layout of stable-retro."""
    integration: Text = ""
    """Name for it; if stable-retro knows the game by this name, its rewards and states are used."""
    replace: Flag = False
    """Replace the integration of that name."""


@dataclass
class Play:
    """Run a rule in real time against a real emulator: real processes, real deadlines; --record keeps the run."""

    game: Text = "blocks"
    """blocks, walk, atari:Boxing, retro:NAME, ...; see rtsim games."""
    alg: Text = "max_time"
    """The rule, with options; see rtsim rules."""
    workers: Optional = None
    """Inference processes (default: mean inference time over step time, rounded up)."""
    inference_time: Law = ""
    """Time of one inference, for timed inference: "84ms", "lognorm(mean=84ms, cv=0.02)", ..."""
    profile: Text = ""
    """A measured model, as NAME#MODEL or FILE.json#MODEL: its times if timed, its network if real."""
    inference: Text = "timed"
    """timed: choices are held back to a drawn time; real: a forward pass of the profile's network."""
    agent: Text = "random"
    """random, noop, scripted (a player written for the game), greedy, or greedy:FILE, weights or a checkpoint."""
    seconds: Annotated[float, tyro.conf.arg(metavar="S")] = 60.0
    """How long to play."""
    fps: Annotated[str, tyro.conf.arg(metavar="X", help_behavior_hint=_default)] = ""
    """Frames per second (default: the console's own)."""
    learning_time: Law = ""
    """Time of one gradient update (timed); nobody learns if not given."""
    learners: Number = 1
    """Learning processes."""
    learner_rule: Text = "auto"
    """round_robin, lock_free, parallel, or auto."""
    learning_starts: Number = 0
    """First step at which an update may start."""
    batch: Number = 16
    """Transitions per update."""
    mailbox: Text = "latest"
    """latest (a newer action replaces the waiting one) or fifo(n)."""
    seed: Number = 0
    """Random seed of the game, the times and the agent."""
    processes: Number = 0
    """Processes that timed workers share (default: one each, up to 8)."""
    record: File = ""
    """Keep the run in this file (.npz), for rtsim replay."""
    video: File = ""
    """Film the run (.mp4 or .gif), after it."""
    histogram: File = ""
    """Draw how late the environment was (.png, .svg or .pdf; its data too, as .csv)."""
    strict: Annotated[float | None, tyro.conf.arg(metavar="X", help_behavior_hint=_default)] = None
    """Fail (exit 1) if a larger share of deadlines than this is missed by more than 1 ms."""
    json: Flag = False
    """Print JSON instead of tables."""
    config: File = ""
    """Read settings from this TOML file; a flag given here overrides the same setting there."""


@dataclass
class Replay:
    """Play recorded runs again step for step, then simulate them: how far is the simulator from what happened?"""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN.npz ...")] = ()
    """Files of rtsim play --record; several runs of one plan show how much runs differ among themselves."""
    seeds: Number = 20
    """Simulated runs of the fitted profile."""
    no_rewards: Flag = False
    """Do not play the simulated runs on the emulator."""
    video: File = ""
    """Film the first run (.mp4 or .gif)."""
    timeline: File = ""
    """Draw workers, actions and default-policy steps of the first run's first steps (.png, .svg, .pdf; data: .csv)."""
    trace: File = ""
    """Write a Chrome trace of the first run's first steps, to open in Perfetto."""
    json: Flag = False
    """Print JSON instead of tables."""


@dataclass
class Train:
    """Train an agent in a world that does not wait: actions and updates take their time and land when the rules say.
    In virtual time, as fast as the computer can; an interrupted training goes on with --resume."""

    env: Text = ""
    """blocks, walk, atari:Boxing, "minatar:breakout(sticky=0)", or any Gymnasium environment with discrete actions."""
    out: Annotated[str, tyro.conf.arg(metavar="DIR", help_behavior_hint=_default)] = ""
    """Folder of the training; a folder in it per seed, with checkpoint, replay memory, curve.csv and settings.json."""
    alg: Text = "max_time"
    """The rule, with options; see rtsim rules."""
    workers: Optional = None
    """Inference processes (default: mean inference time over step time, rounded up)."""
    inference_time: Law = ""
    """Time of one inference: "84ms", "lognorm(mean=84ms, cv=0.02)", ... Of a mixture the first part is the random
    actions'; else ε decides."""
    profile: Text = ""
    """A measured model, as NAME#MODEL or FILE.json#MODEL: its times of inference and learning, and its network."""
    learning_time: Law = ""
    """Time of one gradient update; none: updates take no time (default: the profile's, else none)."""
    learners: Number = 1
    """Learning processes."""
    learner_rule: Text = "auto"
    """round_robin, lock_free, parallel, or auto (round_robin; the rule sequential learns in its own process)."""
    dispatch_time: Law = ""
    """Overhead of handing one inference to a worker and its action back."""
    fps: Annotated[str, tyro.conf.arg(metavar="X", help_behavior_hint=_default)] = ""
    """Environment steps per second (default: the environment's own)."""
    mailbox: Text = "latest"
    """latest (a newer action replaces the waiting one) or fifo(n)."""
    default_policy: Text = "noop"
    """What acts where no action is there: noop, repeat or random."""
    preset: Text = "auto"
    """Hyperparameters: game-boy, atari, atari-rainbow, rainbow, minatar, cartpole, cartpole-rainbow, or auto (by the
    environment)."""
    set: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE ...")] = ()
    """Other hyperparameters, e.g. network=resnet15-k0.0625 learning_rate=0.0003 steps_per_update=4; a wrong name lists
    them all."""
    steps: Optional = None
    """Environment steps (default: 100,000)."""
    seeds: Annotated[tuple[int, ...], tyro.conf.arg(metavar="SEED ...")] = (0,)
    """Random seeds, one training each."""
    row_steps: Optional = None
    """Environment steps per row of the curve (default: a two-hundredth of --steps)."""
    eval_every: Number = 0
    """Score the learnt actions every so many environment steps, under the same Schedule without learning; 0: never."""
    eval_episodes: Number = 5
    """Episodes of such an evaluation."""
    checkpoint_every: Number = 10_000
    """Environment steps between checkpoints."""
    resume: Flag = False
    """Go on with the training in --out; nothing else need be given. More --steps make it longer, unless its replay
    memory was cut down to fewer."""
    video: File = ""
    """Film an episode of the first seed's agent afterwards (.mp4 or .gif)."""
    tensorboard: Flag = False
    """Write the curve for TensorBoard, too, into the seeds' folders."""
    device: Text = "cpu"
    """cpu or cuda."""
    threads: Number = 1
    """Threads of the network's computations."""
    live: Flag = False
    """Train in real processes, in real time, in one of the emulated games. Updates really are computed, and take what
    they take; --learning-time is a guess of that."""
    inference: Text = "timed"
    """With --live: timed (a choice is held back to --inference-time) or real (it takes what the network takes)."""
    json: Flag = False
    """Print JSON instead of tables."""
    config: File = ""
    """Read settings from this TOML file; a flag given here overrides the same setting there."""


@dataclass
class Profiles:
    """List the models of the profiles that come with rtsim, or of one profile file."""

    profile: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="[NAME|FILE]")] = ""
    """A shipped profile's name or a file of rtsim calibrate."""
    json: Flag = False
    """Print JSON."""


@dataclass
class Calibrate:
    """Measure inference and learning times of the papers' networks on this machine, and what the live loop itself
    costs; writes a profile."""

    k: Annotated[tuple[float, ...], tyro.conf.arg(metavar="K ...")] = (0.0625, 1.0, 7.0, 29.0)
    """Width multipliers: 55k, 1M, 10M, 100M (and 98: 1B) parameters at depth 15."""
    depth: Number = 15
    """Convolutions: 15 or 30 (the papers' 2xDeep network)."""
    threads: Number = 1
    """Threads of one inference or learning process."""
    precision: Text = "fp32"
    """fp32 or bf16."""
    channels_last: Flag = False
    """Use the channels-last memory format."""
    compiled: Flag = False
    """Use torch.compile (needs a C++ compiler)."""
    device: Text = "cpu"
    """cpu or cuda."""
    processes: Number = 1
    """So many processes do the same at once, on shared cores or one GPU; one of them is measured."""
    streams: Number = 1
    """The same with threads of one process, on a GPU each with a stream of its own."""
    batch: Annotated[tuple[int, ...], tyro.conf.arg(metavar="B ...")] = (16,)
    """Batch sizes of the learning step; give none to measure inference alone."""
    precision_goal: Annotated[float, tyro.conf.arg(metavar="X")] = 0.01
    """Measure until the 95 % interval of the mean is this share of it ..."""
    time_limit: Annotated[str, tyro.conf.arg(metavar="TIME")] = "60s"
    """... or this time is spent, per measurement."""
    live: Text = "auto"
    """Measure the live loop by short real runs of it: auto (if the emulators are installed), no, or only."""
    game: Texts = ()
    """Games to run it with, whose emulators are measured too (default: blocks)."""
    live_workers: Number = 4
    """Inference workers of these runs."""
    live_time: Annotated[str, tyro.conf.arg(metavar="TIME")] = "5s"
    """Length of a run; there are three of each game."""
    live_network: Text = ""
    """Let every inference of these runs be a forward pass of this network, e.g. resnet15-k1 (default: timed)."""
    name: Text = "local"
    """Name of the profile."""
    out: File = "profile.json"
    """Where to write it. Use it as --inference-time profile:./profile.json#MODEL."""
    append: Flag = False
    """Add to the models that the file has already (measured on the same kind of machine)."""
    json: Flag = False
    """Print the summary as JSON."""


COMMANDS = {
    "compare": Compare,
    "simulate": Simulate,
    "sweep": Sweep,
    "report": Report,
    "rules": Rules,
    "mdps": Mdps,
    "games": Games,
    "import-rom": ImportRom,
    "play": Play,
    "replay": Replay,
    "train": Train,
    "profiles": Profiles,
    "calibrate": Calibrate,
}
