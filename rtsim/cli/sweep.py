"""``rtsim sweep``."""

from __future__ import annotations

import dataclasses
import shlex
import signal
from typing import TYPE_CHECKING, Any

from rtsim.cli import render
from rtsim.cli.arguments import Sweep
from rtsim.cli.settings import needs_unit, numbers, step_time_of
from rtsim.errors import InvalidValue

if TYPE_CHECKING:
    from rtsim.experiments import Grid, SweepResult


def run(arguments: Sweep) -> int:
    """Run the cells that have no results yet."""
    from rtsim.experiments import sweep

    if not arguments.run:
        raise InvalidValue("name a directory for the run, e.g. rtsim sweep runs/first --alg max_time --workers 1-8")
    grids = _grids(arguments)
    _check_agents(grids or ())
    with render.progress(counted=False) as update:
        told = render.Told(update)
        result = sweep(
            arguments.run,
            grids,
            resume=arguments.resume,
            processes=arguments.processes,
            executor=arguments.executor,
            address=arguments.address or None,
            on_progress=lambda finished, cells, share: told(f"{finished} of {cells} cells", share),
        )
    summary = _summary(result)
    with render.printing():
        if arguments.json:
            render.dump(summary)
        else:
            render.line(f"{result.finished} of {result.cells} cells in {summary['results']}")
    return _complain(result)


def _grids(arguments: Sweep) -> tuple[Grid, ...] | None:
    """The grids of these arguments; None where a run goes on and nothing else is said."""
    if arguments.resume and not arguments.said and not arguments.config:
        return None
    own: tuple[dict[str, Any], ...] = arguments.grid
    return tuple(_grid(dataclasses.replace(arguments, **grid)) for grid in own) or (_grid(arguments),)


def _grid(a: Sweep) -> Grid:
    from rtsim.experiments import Grid
    from rtsim.scenario import GAME_BOY

    if a.fps and a.step_time:
        raise InvalidValue("--fps and --step-time exclude each other; give one")
    for flag in ("inference_time", "learning_time", "dispatch_time", "step_time"):
        for text in getattr(a, flag):
            needs_unit(flag, text)
    return Grid(
        alg=a.alg,
        inference_time=a.inference_time,
        learning_time=tuple(None if text == "none" else text for text in a.learning_time) or (None,),
        dispatch_time=tuple(None if text == "none" else text for text in a.dispatch_time) or (None,),
        step_time=tuple(map(step_time_of, a.fps)) or a.step_time or (GAME_BOY,),
        workers=numbers("workers", a.workers),
        learners=numbers("learners", a.learners),
        learner_rule=a.learner_rule,
        batch=a.batch,
        mailbox=a.mailbox,
        learning_starts=a.learning_starts,
        steps=a.steps,
        seed=a.seed,
        seeds=a.seeds,
        warmup_steps=a.warmup_steps,
        measure=a.measure,
        target=a.target,
        engine=a.engine,
        mdp=tuple(None if text == "none" else text for text in a.mdp) or (None,),
        agent=a.agent,
    )


def _check_agents(grids: tuple[Grid, ...]) -> None:
    """Agents without an MDP are an error; learners that nobody gave a learning time learn at once, and that is said."""
    from rtsim.agents import AgentSpec

    agents = {agent: AgentSpec.of(agent).agent for grid in grids for agent in grid.agent}
    idle = [agent for agent in agents if agent != "best"]
    if idle and all(grid.mdp == (None,) for grid in grids):
        raise InvalidValue(f"agent {idle[0]!r} acts on an MDP; give one too, e.g. --mdp jao")
    at_once = [grid for grid in grids if grid.mdp != (None,) and None in grid.learning_time]
    learners = dict.fromkeys(agent for grid in at_once for agent in grid.agent if agents[agent].learner)
    if learners:
        render.learns_at_once(", ".join(learners))


def _summary(result: SweepResult) -> dict[str, Any]:
    return {
        "schema": "rtsim.sweep-summary/1",
        "run": str(result.path),
        "results": str(result.results),
        "cells": result.cells,
        "finished": result.finished,
        "finished_before": result.before,
        "discarded": result.discarded,
        "failures": {str(index): reason for index, reason in sorted(result.failures.items())},
        "interrupted": result.interrupted,
    }


def _complain(result: SweepResult) -> int:
    if result.discarded:
        render.note(f"rtsim: {result.discarded} rows of the former run were not whole, or not of this sweep; dropped")
    if result.failures:
        index = min(result.failures)
        render.note(f"rtsim: {len(result.failures)} cells failed; the first is cell {index}: {result.failures[index]}")
    if result.interrupted:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done but leaving
        render.note(f"rtsim: interrupted; go on with rtsim sweep {shlex.quote(str(result.path))} --resume")
        return 130
    return 2 if result.failures else 0
