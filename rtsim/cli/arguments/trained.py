"""Arguments of the commands that train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from rtsim.cli.arguments.fields import File, Flag, Folder, Law, Number, Optional, Rate, Text, Texts, several


@dataclass
class Train:
    """Train an agent in a world that does not wait: actions and updates take their time and land when the rules say.
    In virtual time, as fast as the computer can; an interrupted training goes on with --resume."""

    env: Text = ""
    """blocks, walk, atari:Boxing, "minatar:breakout(sticky=0)", "mdp:delay(n=10, p=0.9)", or any Gymnasium environment
    with discrete actions."""
    out: Folder = ""
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
    fps: Rate = ""
    """Environment steps per second (default: the environment's own)."""
    mailbox: Text = "latest"
    """latest (a newer action replaces the waiting one) or fifo(n)."""
    default_policy: Text = "noop"
    """What acts where no action is there: noop, repeat or random."""
    preset: Text = "auto"
    """Hyperparameters: game-boy, atari, atari-rainbow, rainbow, minatar, mdp, cartpole, cartpole-rainbow, or auto (by
    the environment)."""
    set: Annotated[tuple[str, ...], several("NAME=VALUE")] = ()
    """Other hyperparameters, e.g. network=resnet15-k0.0625 learning_rate=0.0003 steps_per_update=4; a wrong name lists
    them all."""
    steps: Optional = None
    """Environment steps (default: 100,000)."""
    seeds: Annotated[tuple[int, ...], several("SEED")] = (0,)
    """Random seeds, one training each."""
    row_steps: Optional = None
    """Environment steps per row of the curve (default: a two-hundredth of --steps)."""
    demonstrations: Number = 0
    """Learn first from so many actions of the game's scripted player (blocks, walk), seen as late as the model is
    expected to act; the paper's Tetris has 16,000."""
    eval_every: Number = 0
    """Score the learnt actions every so many environment steps, under the same Schedule without learning; 0: never."""
    eval_episodes: Number = 5
    """Episodes of such an evaluation."""
    checkpoint_every: Number = 10_000
    """Environment steps between checkpoints."""
    resume: Flag = False
    """Go on with the training in --out; nothing else need be given. More --steps make it longer, unless its replay
    memory was cut down to fewer."""
    plot: File = ""
    """Draw the score, or the reward per second where no episode ends, against environment steps, a line per seed (.png,
    .svg or .pdf; its data too, as .csv); with --resume also of a training that has had its steps."""
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
class Evaluate:
    """Score saved weights under any Schedule, in virtual time: they act greedily and learn no more, on the same
    episodes and times for all, beside noop and random players that are never late."""

    weights: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="WEIGHTS|DIR ...")] = ()
    """Files of weights, checkpoints, or folders of rtsim train, each a row; a folder's seeds play in turn."""
    env: Text = ""
    """As for rtsim train (default: that of the training)."""
    alg: Texts = ("max_time",)
    """Rules, with options, each with rows of its own; see rtsim rules."""
    workers: Optional = None
    """Inference processes (default: mean inference time over step time, rounded up)."""
    inference_time: Law = ""
    """Time of one inference: "84ms", "lognorm(mean=84ms, cv=0.02)", "profile:epyc#resnet15-k7", ... (default: 0s)."""
    dispatch_time: Law = ""
    """Overhead of handing one inference to a worker and its action back."""
    fps: Rate = ""
    """Environment steps per second (default: as in the training, else the environment's own)."""
    mailbox: Text = "latest"
    """latest (a newer action replaces the waiting one) or fifo(n)."""
    default_policy: Text = "noop"
    """What acts where no action is there: noop, repeat or random."""
    episodes: Number = 20
    """Episodes of each seed; one is cut after 20,000 environment steps."""
    steps: Optional = None
    """Environment steps of each seed, instead of episodes (default where there are no episodes: 10,000)."""
    seeds: Optional = None
    """How many evaluations of each row (default: 3, or as many as a folder has seeds)."""
    json: Flag = False
    """Print JSON instead of a table."""
    config: File = ""
    """Read settings from this TOML file; a flag given here overrides the same setting there."""


@dataclass
class Figures:
    """The first paper's learning figures: train their cells in virtual time, go on where that was stopped, and draw
    them. A cell whose result is in the table is not trained again."""

    figures: Annotated[tuple[int, ...], tyro.conf.Positional, several("4|5|6|11|12|13|14")] = ()
    """Their numbers in the paper."""
    out: Folder = "runs/figures"
    """Folder for tables (cells_N.csv) and pictures (figure_N.png); made if it is not there."""
    draw: Flag = False
    """Train nothing: draw what the folder's table holds, or, if there is none, the one that comes with rtsim."""
    quick: Flag = False
    """A trial of a few hundred steps per cell, at the least and the longest delay."""
    budget: Optional = None
    """Environment steps of each training, instead of the figure's own."""
    only: Texts = ()
    """Environments of these panels, e.g. blocks "mdp:inaction" (default: all of the figure)."""
    seeds: Number = 3
    """How many; the paper has 0, 1 and 2."""
    processes: Number = 1
    """Cells that are trained at once; 0: one per core."""
    format: Text = "png"
    """png, svg or pdf."""
    json: Flag = False
    """Print JSON instead of a table."""
