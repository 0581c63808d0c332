"""Arguments of the commands that simulate, and of those that look at what was simulated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from rtsim.cli.arguments.fields import (
    Batches,
    File,
    Flag,
    Law,
    Laws,
    Number,
    Optional,
    Rate,
    Share,
    Text,
    Texts,
    several,
    shown_default,
)

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
    fps: Rate = ""
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
    target: Share = 0.01
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
    batch: Batches = (16,)
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
    target: Share = 0.01
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
class Plan:
    """Decide: rank every rule, its options and numbers of workers by predicted regret, for a model, a machine's budget
    and what is known of the environment; or ask the other way round, with --target, --family, --highest-rate,
    --longest-inference, --score.
    """

    profile: Text = ""
    """A measured model, as NAME#MODEL or FILE.json#MODEL; with --family or --score the profile alone."""
    inference_time: Law = ""
    """Time of one inference, instead of --profile: "84ms", "lognorm(mean=84ms, cv=0.02)", ..."""
    learning_time: Law = ""
    """Time of one gradient update, to plan learners."""
    dispatch_time: Law = ""
    """Overhead of handing one inference to a worker and its action back."""
    fps: Rate = ""
    """Environment steps per second (default: that of the delay curve, else 59.7275, the Game Boy)."""
    step_time: Law = ""
    """Time between environment steps instead of --fps; may be stochastic."""
    max_workers: Optional = None
    """Budget of inference workers (default: three times τ̄_θ/τ_M, at least 8, at most 128)."""
    max_learners: Optional = None
    """Budget of learners."""
    p_minimax: Annotated[float | None, tyro.conf.arg(metavar="P", help_behavior_hint=shown_default)] = None
    """The environment is the worst of this stochasticity (1: deterministic); rtsim mdps NAME tells that of an MDP."""
    mdp: Text = ""
    """The environment is this MDP: "jump(n=10, p=0.9)", FILE.json, gym:FrozenLake-v1, ..."""
    delay_curve: File = ""
    """The environment is known by this file: reward against delay (.json or .csv)."""
    default_cost: Annotated[float | None, tyro.conf.arg(metavar="R", help_behavior_hint=shown_default)] = None
    """Reward lost on a step left to the default policy (default: 1 with --p-minimax; as the delay curve says)."""
    alg: Texts = ()
    """Rank only these rules, with options (default: all, with the options worth trying)."""
    without: Texts = ()
    """Leave these rules out, e.g. chunking pipeline, or one of their options, e.g. "chunking(size=8)"."""
    target: Annotated[float | None, tyro.conf.arg(metavar="R", help_behavior_hint=shown_default)] = None
    """The fewest workers with at most this regret, reward per second."""
    inaction_target: Annotated[float | None, tyro.conf.arg(metavar="X", help_behavior_hint=shown_default)] = None
    """The fewest workers with at most this inaction fraction; with --highest-rate 0.01 if not given."""
    family: Flag = False
    """With --profile and a target: the largest of the profile's models that reaches it."""
    highest_rate: Flag = False
    """The highest rate that the model serves with all workers at --inaction-target; needs no stochasticity."""
    longest_inference: Flag = False
    """By how much inferences must shrink to reach --target or --inaction-target (0.01) with all workers."""
    score: Annotated[tuple[str, ...], several("MODEL=VALUE")] = ()
    """Undelayed scores of two or more of the profile's models: at which p_minimax does the smaller win?"""
    batch: Number = 16
    """Transitions per update."""
    mailbox: Text = "latest"
    """latest (a newer action replaces the waiting one) or fifo(n)."""
    steps: Number = 10_000
    """Environment steps of each confirming simulation, after its warm-up."""
    seed: Number = 0
    """First random seed."""
    seeds: Number = 5
    """How many seeds, at least 2."""
    everything: Flag = False
    """Print every row, not only the best of each rule with its options."""
    plot: File = ""
    """Draw the Pareto front of workers against regret (.png, .svg or .pdf; its data too, as .csv)."""
    json: Flag = False
    """Print JSON instead of tables."""
    config: File = ""
    """Read settings from this TOML file; a flag given here overrides the same setting there."""
