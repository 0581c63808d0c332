"""Arguments of the commands that run in real time, or look at reality: at emulators, environments and hardware."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from rtsim.cli.arguments.fields import (
    Batches,
    File,
    Flag,
    Law,
    Number,
    Optional,
    Rate,
    Share,
    Text,
    Texts,
    several,
    shown_default,
)


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
    fps: Rate = ""
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
    strict: Annotated[float | None, tyro.conf.arg(metavar="X", help_behavior_hint=shown_default)] = None
    """Fail (exit 1) if a larger share of deadlines than this is missed by more than 1 ms."""
    json: Flag = False
    """Print JSON instead of tables."""
    config: File = ""
    """Read settings from this TOML file; a flag given here overrides the same setting there."""


@dataclass
class Replay:
    """Play recorded runs again step for step, then simulate them: how far is the simulator from what happened?"""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional, several("RUN.npz")] = ()
    """Files of rtsim play --record; several runs of one plan show how much runs differ among themselves."""
    seeds: Number = 20
    """Simulated runs without the recorded durations."""
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
class Measure:
    """Measure how fast an environment becomes unpredictable: from visited states, branches go on with independent
    randomness, and a policy is run with its actions late. Gives an effective p_minimax and a delay curve."""

    env: Text = ""
    """blocks, walk, atari:Boxing(sticky=0.25), retro:NAME, mdp:NAME, minatar:breakout, or a Gymnasium environment:
    CartPole-v1, "FrozenLake-v1(is_slippery=false)", ..."""
    policy: Text = "random"
    """random, noop, scripted (a player written for the game), best (mdp: only), or greedy:FILE, weights or a
    checkpoint."""
    delays: Annotated[tuple[int, ...], several("K")] = (1, 2, 4, 8, 16)
    """Delays, steps."""
    states: Number = 32
    """Visited states, each in a run of its own."""
    branches: Number = 16
    """Branches from each state."""
    visit_steps: Number = 500
    """A state is visited after a random number of steps, at most this."""
    horizon: Number = 30
    """Steps of a rollout that judges an action."""
    repeats: Number = 1
    """Rollouts of each action."""
    pending: Text = "known"
    """known: all branches of a state share the policy's actions; unknown: in each it acts for itself."""
    runs: Number = 16
    """Runs with late actions."""
    steps: Number = 1000
    """Environment steps of each of these runs."""
    seconds: Annotated[float | None, tyro.conf.arg(metavar="S", help_behavior_hint=shown_default)] = None
    """Begin no further state or run after this time; what is done by then is reported."""
    fps: Rate = ""
    """Environment steps per second (default: the environment's own)."""
    seed: Number = 0
    """Random seed."""
    out: File = ""
    """Write reward against delay, for rtsim plan --delay-curve (.json)."""
    plot: File = ""
    """Draw what is predictable against delay (.png, .svg or .pdf; its data too, as .csv)."""
    json: Flag = False
    """Print JSON instead of tables."""
    config: File = ""
    """Read settings from this TOML file; a flag given here overrides the same setting there."""


@dataclass
class Calibrate:
    """Measure inference and learning times of the papers' networks on this machine, and what the live loop itself
    costs; writes a profile."""

    k: Annotated[tuple[float, ...], several("K")] = (0.0625, 1.0, 7.0, 29.0)
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
    batch: Batches = (16,)
    """Batch sizes of the learning step; give none to measure inference alone."""
    precision_goal: Share = 0.01
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
