"""``rtsim plan``."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rtsim.cli import plan_tables, render
from rtsim.cli.arguments import Plan
from rtsim.cli.settings import check_writable, files_read, needs_unit, step_time_of
from rtsim.errors import InvalidValue

if TYPE_CHECKING:
    from rtsim import planning
    from rtsim.delay_curve import DelayCurve
    from rtsim.scenario import Scenario
    from rtsim.timing import Profile

#: Largest budget that is taken where none is given.
MOST = 128


def run(arguments: Plan) -> int:
    """Answer the question asked; print it, and draw it if asked to."""
    check_writable(
        pictures=(arguments.plot,),
        inputs=(*files_read(arguments), arguments.delay_curve, arguments.profile.partition("#")[0]),
    )
    _check_questions(arguments)
    with render.progress() as update:
        update("loading the compiled clock (the first time it compiles, 10 to 30 s)", 0, 1)
        importlib.import_module("rtsim.clocks.compiled")
        ask = _plan
        if arguments.score:
            ask = _break_even
        elif arguments.highest_rate:
            ask = _highest_rate
        elif arguments.longest_inference:
            ask = _longest_inference
        elif arguments.family:
            ask = _family
        tell = ask(arguments, update)  # printed once the progress bar is gone
    return tell()


def _check_questions(arguments: Plan) -> None:
    """Refuse what contradicts itself before any work."""
    asked = [flag for flag in ("family", "highest_rate", "longest_inference", "score") if getattr(arguments, flag)]
    if len(asked) > 1:
        names = " and ".join(f"--{flag.replace('_', '-')}" for flag in asked)
        raise InvalidValue(f"{names} are different questions; ask one at a time")
    known = [flag for flag in ("p_minimax", "mdp", "delay_curve") if getattr(arguments, flag) not in (None, "")]
    if len(known) > 1:
        names = " and ".join(f"--{flag.replace('_', '-')}" for flag in known)
        raise InvalidValue(f"{names} each describe the environment; give one")
    if arguments.mdp and arguments.default_cost is not None:
        raise InvalidValue("--default-cost is known of an MDP; leave it out with --mdp")
    for name in ("max_workers", "max_learners"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            what = "inaction is then 100 %, which is the floor" if name == "max_workers" else "nothing is then learned"
            raise InvalidValue(f"--{name.replace('_', '-')} {value} must be at least 1: {what}")
    if arguments.family and arguments.target is None and arguments.inaction_target is None:
        raise InvalidValue(
            "--family asks for the largest model that reaches a target; give --target or --inaction-target"
        )
    if arguments.plot and asked:
        raise InvalidValue(f"--plot draws a plan, which --{asked[0].replace('_', '-')} does not make; leave one out")
    if arguments.seeds < 2:
        raise InvalidValue(f"--seeds {arguments.seeds} must be at least 2; one run has no interval")


def _plan(arguments: Plan, update: Any) -> Callable[[], int]:
    from rtsim import planning
    from rtsim.planning.inverse import Target, check_floor, fewest_workers

    design = _design(arguments, _inference_time(arguments))
    wanted = _target(arguments)
    if wanted is not None:
        check_floor(design, wanted)
    found = planning.plan(design, on_progress=update)
    chosen = None
    if wanted is not None and not found.interrupted:
        assert isinstance(wanted, Target)
        chosen = fewest_workers(found, wanted)

    def tell() -> int:
        if found.interrupted:
            render.note("rtsim: interrupted; what follows is what was finished")
        with render.printing():
            if arguments.json:
                data = found.to_json()
                if wanted is not None:
                    data["target"] = {**asdict(wanted), "fewest_workers": None if chosen is None else chosen.to_json()}
                render.dump(data)
            else:
                plan_tables.show_plan(found, arguments.everything)
                if chosen is not None and wanted is not None:
                    plan_tables.show_chosen(chosen, wanted.says)
        if arguments.plot and found.rows:
            from rtsim.pictures import figure_of, pareto_rows, plot_pareto, save_figure

            for path in save_figure(figure_of(plot_pareto(found)), arguments.plot, pareto_rows(found)):
                render.wrote(path)
        return 130 if found.interrupted else 0

    return tell


def _highest_rate(arguments: Plan, update: Any) -> Callable[[], int]:
    from rtsim.planning.inverse import highest_rates

    if arguments.target is not None:
        raise InvalidValue("--highest-rate is about inaction; give --inaction-target instead of --target")
    wanted = 0.01 if arguments.inaction_target is None else arguments.inaction_target
    base = _base(arguments, _inference_time(arguments), None)
    design = _of_times(arguments, base)
    found = highest_rates(design, wanted, on_progress=update)

    def tell() -> int:
        with render.printing():
            if arguments.json:
                rates = [asdict(rate) for rate in found]
                settings = {**design.to_json(), "inaction_target": wanted}
                render.dump({"schema": "rtsim.plan.rates/1", "settings": settings, "rows": rates})
            else:
                plan_tables.show_rates(found, wanted, design.max_workers)
        return 0

    return tell


def _longest_inference(arguments: Plan, update: Any) -> Callable[[], int]:
    from rtsim.planning import NoPlan
    from rtsim.planning.inverse import Target, longest_inferences

    wanted = _target(arguments) or Target(inaction=0.01)
    law = _inference_time(arguments)
    known = wanted.regret_per_s is not None or arguments.mdp or arguments.delay_curve or arguments.p_minimax is not None
    design = _design(arguments, law) if known else _of_times(arguments, _base(arguments, law, None))
    found = longest_inferences(design, wanted, on_progress=update)
    if found[0].value == 0:
        raise NoPlan(
            f"no rule was found that has {wanted.says} with {design.max_workers} workers by shorter inferences alone; "
            "give more workers or a target above"
        )

    def tell() -> int:
        mean = design.base.inference_time.mean
        with render.printing():
            if arguments.json:
                rows = [{"factor": f, "inference_mean_s": f * mean, "row": row.to_json()} for f, row in found]
                settings = {**design.to_json(), "target": asdict(wanted)}
                render.dump({"schema": "rtsim.plan.longest_inference/1", "settings": settings, "rows": rows})
            else:
                plan_tables.show_longest(found, f"{wanted.says} and up to {design.max_workers} workers", mean)
        return 0

    return tell


def _family(arguments: Plan, update: Any) -> Callable[[], int]:
    from rtsim.planning.inverse import largest_model

    profile, name = _profile(arguments, "--family")
    models = [key for key, model in profile.models.items() if model.inference is not None]
    models.sort(key=lambda key: -profile.models[key].parameters)
    designs = {key: _design(arguments, f"profile:{name}#{key}") for key in models}
    wanted = _target(arguments)
    assert wanted is not None
    found = largest_model(designs, wanted, on_progress=update)

    def tell() -> int:
        with render.printing():
            if arguments.json:
                rows = [
                    {
                        "model": each.model,
                        "parameters": profile.models[each.model].parameters,
                        "row": None if each.row is None else each.row.to_json(),
                        "reason": each.reason,
                    }
                    for each in found
                ]
                render.dump({"schema": "rtsim.plan.family/1", "target": asdict(wanted), "models": rows})
            else:
                plan_tables.show_family(found, {key: profile.models[key].parameters for key in models}, wanted.says)
        if found[-1].row is None:
            from rtsim.planning import NoPlan

            raise NoPlan(f"no model of {name} has {wanted.says}; of the smallest: {found[-1].reason}")
        return 0

    return tell


def _break_even(arguments: Plan, update: Any) -> Callable[[], int]:
    from rtsim.planning.break_even import break_even

    profile, name = _profile(arguments, "--score")
    if arguments.p_minimax is not None or arguments.mdp or arguments.delay_curve:
        raise InvalidValue("--score asks for the stochasticity; leave --p-minimax, --mdp and --delay-curve out")
    scores: dict[str, float] = {}
    for text in arguments.score:
        model, equals, value = text.rpartition("=")
        try:
            scores[model] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise InvalidValue(f"--score {text} must be MODEL=VALUE, e.g. --score resnet15-k1=0.7 resnet15-k29=0.9")
        profile.find(model)
    designs = {}
    for model in scores:
        designs[model] = _of_times(arguments, _base(arguments, f"profile:{name}#{model}", None))
    found = break_even(designs, scores, on_progress=update)

    def tell() -> int:
        with render.printing():
            if arguments.json:
                pairs = [
                    {**asdict(each), "larger_row": each.larger_row.to_json(), "smaller_row": each.smaller_row.to_json()}
                    for each in found
                ]
                render.dump({"schema": "rtsim.plan.break_even/1", "scores": scores, "pairs": pairs})
            else:
                plan_tables.show_break_even(found, scores)
        return 0

    return tell


def _design(arguments: Plan, inference_time: str) -> planning.PlanDesign:
    """What to plan for; missing knowledge is told with the floor that is known without it."""
    from rtsim import planning
    from rtsim.delay_curve import DelayCurve

    curve = DelayCurve.load(arguments.delay_curve) if arguments.delay_curve else None
    base = _base(arguments, inference_time, curve)
    budget = _budget(arguments, base)
    environment: planning.Environment
    if arguments.p_minimax is not None:
        cost = 1.0 if arguments.default_cost is None else arguments.default_cost
        environment = planning.WorstCase(arguments.p_minimax, cost)
    elif arguments.mdp:
        from rtsim import mdps

        environment = planning.Tabular(mdps.of(arguments.mdp))
    elif curve is not None:
        environment = planning.Measured(curve, arguments.default_cost)
    else:
        floor = _of_times(arguments, base).floor(budget)
        raise InvalidValue(
            "nothing is said of the environment's stochasticity; give --p-minimax P (1: deterministic), --mdp or "
            f"--delay-curve. Known without it, the floor of {budget} workers: {100 * floor.inaction_fraction:.2f} % "
            f"inaction, actions {floor.delay_steps_mean:.2f} steps old"
        )
    alg, without = tuple(arguments.alg), tuple(arguments.without)
    return planning.PlanDesign(base, environment, budget, arguments.max_learners, alg, arguments.seeds, without)


def _of_times(arguments: Plan, base: Scenario) -> planning.PlanDesign:
    """What to plan for where only inaction and delays are asked: an environment that charges nothing for delay."""
    from rtsim import planning

    world = planning.WorstCase(1.0)
    alg, without = tuple(arguments.alg), tuple(arguments.without)
    return planning.PlanDesign(base, world, _budget(arguments, base), None, alg, arguments.seeds, without)


def _base(arguments: Plan, inference_time: str, curve: DelayCurve | None) -> Scenario:
    """The times as a Scenario; its rule and workers mean nothing."""
    from rtsim.scenario import GAME_BOY, Scenario

    if arguments.fps and arguments.step_time:
        raise InvalidValue(f"--fps {arguments.fps} and --step-time {arguments.step_time} exclude each other; give one")
    for flag in ("learning_time", "dispatch_time", "step_time"):
        needs_unit(flag, getattr(arguments, flag))
    step_time = arguments.step_time or GAME_BOY
    if arguments.fps:
        step_time = step_time_of(arguments.fps)
    elif curve is not None and curve.fps and not arguments.step_time:
        step_time = step_time_of(repr(curve.fps))
    learning = arguments.learning_time
    if arguments.max_learners is not None and not learning:
        raise InvalidValue(f"--max-learners {arguments.max_learners} needs --learning-time: without it nobody learns")
    base = Scenario(
        rule="sequential",
        inference_time=inference_time,
        step_time=step_time,
        steps=arguments.steps,
        seed=arguments.seed,
        mailbox=arguments.mailbox,
        dispatch_time=arguments.dispatch_time or None,
        learning_time=learning or None,
        batch=arguments.batch,
    )
    if curve is not None and curve.fps and abs(base.step_mean * curve.fps - 1) > 0.01:
        raise InvalidValue(
            f"the delay curve was measured at {curve.fps:g} steps per second, the plan is for {1 / base.step_mean:g}; "
            "delays in steps do not carry over: leave --fps out, or measure at that rate"
        )
    return base


def _budget(arguments: Plan, base: Scenario) -> int:
    return arguments.max_workers or min(max(3 * base.least_workers, 8), MOST)


def _inference_time(arguments: Plan) -> str:
    """The law of --inference-time or --profile."""
    if arguments.profile and arguments.inference_time:
        raise InvalidValue("--profile and --inference-time both say how long an inference takes; give one")
    if not arguments.profile and not arguments.inference_time:
        raise InvalidValue('no inference time is given; e.g. --profile epyc#resnet15-k7 or --inference-time "84ms"')
    if arguments.inference_time:
        needs_unit("inference_time", arguments.inference_time)
        return arguments.inference_time
    name, mark, model = arguments.profile.partition("#")
    if not mark:
        from rtsim.timing import Profile

        known = [key for key, found in Profile.load(name).models.items() if found.inference is not None]
        if len(known) != 1:
            listed = ", ".join(known) or "none"
            raise InvalidValue(f"--profile {name} has the models {listed}; name one, e.g. --profile {name}#MODEL")
        model = known[0]
    return f"profile:{name}#{model}"


def _profile(arguments: Plan, flag: str) -> tuple[Profile, str]:
    """The profile whose models are compared, and its name."""
    from rtsim.timing import Profile

    if not arguments.profile or arguments.inference_time or "#" in arguments.profile:
        raise InvalidValue(f"{flag} compares the models of a profile; give --profile NAME or FILE.json, without #MODEL")
    return Profile.load(arguments.profile), arguments.profile


def _target(arguments: Plan) -> Any:
    from rtsim.planning.inverse import Target

    if arguments.target is None and arguments.inaction_target is None:
        return None
    return Target(arguments.target, arguments.inaction_target)
