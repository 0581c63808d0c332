"""``rtsim play``."""

from __future__ import annotations

import math
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rtsim.cli import played, render
from rtsim.cli.arguments import Play
from rtsim.cli.settings import check_writable, needs_unit, step_time_of
from rtsim.errors import InvalidValue, Reservation

if TYPE_CHECKING:
    from rtsim.live import LivePlan
    from rtsim.scenario import Scenario
    from rtsim.schedule import Schedule

#: Bytes of a step and of an inference in a record, from above.
STEP_BYTES, INFERENCE_BYTES = 200, 100


def run(arguments: Play) -> int:
    """Play, tell what happened, and write what was asked for."""
    from rtsim.live import RunInterrupted, play

    if arguments.strict is not None and not 0 <= arguments.strict <= 1:
        raise InvalidValue(f"--strict {arguments.strict:g} must be a share of deadlines in 0..1, e.g. 0.01")
    check_writable(arguments.record, arguments.video, pictures=(arguments.histogram,), inputs=(arguments.config,))
    if arguments.video:
        from rtsim.live.video import check_video

        check_video(arguments.video)
    plan = plan_of(arguments)
    if played.without_rewards(plan.game):
        render.note(f"rtsim: {plan.game} does not say what is a reward (scenario.json), so the reward stays 0")
    reservation = Reservation(arguments.record, _bytes(plan)) if arguments.record else None
    interrupted = False
    try:
        with played.status_line(plan) as show:
            schedule: Schedule | None
            try:
                schedule = play(plan, on_status=show)
            except RunInterrupted as stop:
                schedule, interrupted = stop.schedule, True
        if schedule is not None and reservation is not None:
            render.wrote(reservation.fill(schedule.to_bytes()))
    finally:
        if reservation is not None:
            reservation.close()
    if schedule is None:
        raise KeyboardInterrupt
    if interrupted:
        filming = "; filming them (Ctrl-C again: no film)" if arguments.video else ""
        render.note(f"rtsim: interrupted after {len(schedule)} of {plan.scenario.steps} steps{filming}")
    return _tell(arguments, plan, schedule, interrupted)


def _tell(arguments: Play, plan: LivePlan, schedule: Schedule, interrupted: bool) -> int:
    from rtsim.live.summary import settled, summary, warmup_steps

    found, warmup = summary(schedule), warmup_steps(schedule)
    lost = len(schedule) < plan.scenario.steps and not interrupted
    about = schedule.header["live"]
    for text in played.notes(plan, schedule, found):
        render.note(f"rtsim: {text}")
    with render.printing():
        if arguments.json:
            render.dump(
                {
                    "schema": "rtsim.play/1",
                    "plan": plan.to_json(),
                    "summary": {**asdict(found), "overran_fraction": found.overran_fraction},
                    "warmup_steps": warmup,
                    "statistics": asdict(settled(schedule)),
                    "inaction_fraction_with_warmup": schedule.statistics(0).inaction_fraction,
                    **{key: about[key] for key in ("ended", "faults", "machine", "realtime_class", "own_core")},
                }
            )
        else:
            played.tables(plan, schedule, found, settled(schedule), warmup)
    if arguments.histogram:
        from rtsim import pictures as p

        axes = p.plot_lateness(schedule)
        for path in p.save_figure(p.figure_of(axes), arguments.histogram, p.lateness_rows(schedule)):
            render.wrote(path)
    if arguments.video:
        from rtsim.live.video import write_video

        with render.progress(counted=False) as report:
            path = write_video(schedule, arguments.video, on_progress=report)
        render.wrote(path)
    if interrupted:
        return 130
    if lost:
        render.note(f"rtsim: the environment was lost at step {len(schedule)} of {plan.scenario.steps}")
        return 1
    if arguments.strict is not None and found.missed_fraction > arguments.strict:
        render.note(f"rtsim: {found.missed_fraction:.3g} of the deadlines were missed; --strict {arguments.strict:g}")
        return 1
    return 0


def plan_of(arguments: Play) -> LivePlan:
    """The plan these arguments describe."""
    from rtsim.envs import make
    from rtsim.live import LivePlan
    from rtsim.live.agents import check_agent, check_ready
    from rtsim.scenario import Scenario

    check_agent(arguments.agent)
    if not 0 < arguments.seconds <= 86_400:
        raise InvalidValue(f"--seconds {arguments.seconds:g} must lie in 0..86400 (a day), above 0")
    if arguments.inference not in ("timed", "real"):
        raise InvalidValue(f"--inference {arguments.inference} must be timed or real")
    for flag in ("inference_time", "learning_time"):
        needs_unit(flag, getattr(arguments, flag))
    with make(arguments.game) as emulator:
        game, fps = emulator.id, emulator.fps
    step_time = step_time_of(arguments.fps) if arguments.fps else f"{fps!r}fps"
    network = ""
    law = arguments.inference_time
    if arguments.profile:
        if law:
            raise InvalidValue("--profile and --inference-time exclude each other; give one")
        law, network = profile_of(arguments.profile)
    if not law:
        raise InvalidValue(
            'give --inference-time, e.g. "lognorm(mean=84ms, cv=0.02)", or --profile, e.g. --profile epyc#resnet15-k7'
        )
    scenario = Scenario(
        arguments.alg,
        law,
        workers=1 if arguments.workers is None else arguments.workers,
        step_time=step_time,
        steps=max(math.ceil(arguments.seconds * float(step_time.removesuffix("fps"))), 1),
        seed=arguments.seed,
        mailbox=arguments.mailbox,
        learning_time=arguments.learning_time or None,
        learner_rule=arguments.learner_rule,
        learners=arguments.learners,
        learning_starts=arguments.learning_starts,
        batch=arguments.batch,
    )
    if arguments.workers is None:
        scenario = scenario.with_(workers=scenario.least_workers)
    elif arguments.workers > scenario.workers:
        render.note(f"rtsim: {scenario.rule.name} has one worker; --workers {arguments.workers} is not used")
    if arguments.inference == "real" or arguments.agent.startswith("greedy"):
        _check_network(network, arguments)
    inference: Any = arguments.inference
    plan = LivePlan(scenario, game, arguments.agent, inference, network, arguments.processes)
    check_ready(plan)
    _remark_training(plan)
    return plan


def _remark_training(plan: LivePlan) -> None:
    """Say where a network plays under another rule, or other times, than it has learnt under."""
    from rtsim.cli.train_plan import trained_under

    trained = trained_under(plan.agent.partition(":")[2]) if plan.agent.startswith("greedy:") else None
    if trained is None:
        return
    then, now = (_conditions(scenario) for scenario in (trained, plan.scenario))
    if then != now:
        told = [f"{value} (here {now[name]})" for name, value in then.items() if value != now[name]]
        render.note(f"rtsim: the network was trained with other settings than it plays with: {', '.join(told)}")


def _conditions(scenario: Scenario) -> dict[str, str]:
    found = {"alg": str(scenario.rule), "inference-time": str(scenario.inference_time)}
    return {name: f"--{name} {value}" for name, value in found.items()}


def profile_of(text: str) -> tuple[str, str]:
    """The law and the network of ``NAME#MODEL``."""
    from rtsim.timing import Profile

    name, _, model = text.removeprefix("profile:").partition("#")
    if not name or not model:
        raise InvalidValue(f"--profile {text} must read NAME#MODEL or FILE.json#MODEL, e.g. epyc#resnet15-k7")
    profile = Profile.load(name)
    found = profile.find(model)
    key = next(key for key, times in profile.models.items() if times is found)
    return f"profile:{name}#{key}", key


def _check_network(network: str, arguments: Play) -> None:
    """Real inference and greedy agents need a network that can be built, and torch."""
    own = arguments.inference == "timed" and arguments.agent.startswith("greedy:")  # the file may say what it holds
    if not network and not own:
        raise InvalidValue(
            f"--inference {arguments.inference} with --agent {arguments.agent} needs a network; "
            "give --profile NAME#MODEL, e.g. --profile epyc#resnet15-k7"
        )
    from importlib.util import find_spec

    from rtsim.errors import MissingExtra

    if find_spec("torch") is None:
        raise MissingExtra("a forward pass", "torch", "live")
    if network and not re.fullmatch(r"resnet(15|30)-k[0-9.]+", network):
        raise InvalidValue(f"model {network} of the profile is none of the papers' networks, such as resnet15-k7")


def _bytes(plan: LivePlan) -> int:
    scenario = plan.scenario
    # Workers that are faster than the scenario says make more inferences.
    return int(10_000 + STEP_BYTES * scenario.steps + 3 * INFERENCE_BYTES * (scenario.expected_inferences + 1000))
