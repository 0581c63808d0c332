"""``rtsim measure``."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from rtsim.cli import render
from rtsim.cli.arguments import Measure
from rtsim.cli.settings import check_writable, step_time_of
from rtsim.errors import InvalidValue, MissingExtra

if TYPE_CHECKING:
    from rtsim.envs.restorable import Policy, Restorable
    from rtsim.experiments.effective_p import Effective, Share
    from rtsim.experiments.predictability import Predictability

#: What the numbers do not say.
LIMITS = (
    "means over the states that this policy visits; p_minimax, the least over all states and actions, may be lower",
    "observations are equal or not: what no agent could tell apart counts as different",
    "an action is judged by the reward of a short rollout under this policy, not by the best there is",
    "shares level off where guessing is (1/2 for two actions), so that long delays make p too large",
    "a branch whose episode is over counts as foretold, and in it every action is best",
    "what an environment decides from its saved state, such as a game's next pieces, is the same in all branches",
)
#: Share of branches ended from which on it is said.
MUCH = 0.1


def run(arguments: Measure) -> int:
    """Measure, print, and write what was asked for."""
    from rtsim.envs.restorable import restorable
    from rtsim.experiments.branches import Effort
    from rtsim.experiments.predictability import measure

    if not arguments.env:
        raise InvalidValue("--env is missing; give e.g. --env blocks, --env CartPole-v1 or --env mdp:riverswim")
    if arguments.pending not in ("known", "unknown"):
        raise InvalidValue(f"--pending {arguments.pending[:60]} must be known or unknown")
    check_writable(arguments.out, pictures=(arguments.plot,), inputs=(arguments.config, _file(arguments.policy)))
    effort = Effort(
        delays=tuple(sorted(set(arguments.delays))),
        states=arguments.states,
        branches=arguments.branches,
        visit_steps=arguments.visit_steps,
        horizon=arguments.horizon,
        repeats=arguments.repeats,
        known=arguments.pending == "known",
        runs=arguments.runs,
        steps=arguments.steps,
        seconds=math.inf if arguments.seconds is None else arguments.seconds,
        seed=arguments.seed,
    )
    world = restorable(arguments.env)
    try:
        fps = float(step_time_of(arguments.fps).removesuffix("fps")) if arguments.fps else world.fps
        policy = _policy(arguments.policy, world)
        with render.progress() as report:
            found = measure(world, policy, effort, report)
    finally:
        world.close()
    _tell(arguments, found, fps)
    if arguments.out:
        details = {"policy": arguments.policy, **found.curve.details, "p_effective": found.p_effective()}
        render.wrote(replace(found.curve, fps=fps, details=details).save(arguments.out))
        if fps is None:
            render.note(f"rtsim: {found.env} does not say how many steps a second it has, and --fps was not given")
    if arguments.plot:
        from rtsim import pictures as p

        figure = p.plot_predictability(found, title=f"{found.env}, policy {arguments.policy}")
        for path in p.save_figure(figure, arguments.plot, p.predictability_rows(found)):
            render.wrote(path)
    return 130 if found.interrupted else 0


def _file(policy: str) -> str:
    kind, _, file = policy.partition(":")
    return file if kind == "greedy" else ""


def _policy(text: str, world: Restorable) -> Policy:
    """A policy by name; a network's takes its best action."""
    if not text.startswith("greedy"):
        from rtsim.envs.restorable import policy_of

        return policy_of(text, world)
    file = _file(text)
    if not file:
        raise InvalidValue("policy greedy needs a file of weights or a checkpoint: greedy:FILE")
    try:
        from rtsim.networks.greedy import best_action, network_of
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtra("a policy with a network", "torch", "live") from None
    import numpy as np

    world.reset(0)
    best = best_action(network_of(file, world.actions, np.shape(world.observation)))
    return lambda world, random: best(world.observation)


def _tell(arguments: Measure, found: Predictability, fps: float | None) -> None:
    for done, wanted, what in (
        (found.states, found.effort.states, "states"),
        (found.runs, found.effort.runs, "runs"),
    ):
        if done < wanted:
            why = "interrupted" if found.interrupted else f"--seconds {arguments.seconds:g}"
            render.note(f"rtsim: {done} of {wanted} {what} ({why})")
    over = max(point.ended for point in found.points)
    if over > MUCH:
        render.note(
            f"rtsim: up to {render.percent(over, 0)} of the branches end within the delays and count as foretold; "
            "shorter --delays say more"
        )
    _warn_of_curve(found)
    with render.printing():
        if arguments.json:
            about = {"schema": "rtsim.measure/1", "policy": arguments.policy, "limits": LIMITS}
            render.dump({**about, **found.to_json(), "fps": fps})
            return
        _tables(arguments, found)


def _warn_of_curve(found: Predictability) -> None:
    """Say of a delay curve that tells no delay from none that it does not."""
    curve = found.curve
    if curve.constant:
        flat = f"{curve.points[0].reward_per_step:g} per step at every k"
        alike = ", and under the default policy" if curve.default_reward == curve.points[0].reward_per_step else ""
        render.note(
            f"rtsim: the reward does not depend on the delay ({flat}{alike}): a plan from this curve would take every "
            "delay for free; where an episode ends early instead, reward per step does not show it"
        )
    elif curve.unsure:
        render.note(
            "rtsim: no delay, nor the default policy, costs more reward than the 95 % intervals: a plan from this "
            "curve would rest on chance; give more --runs or --steps"
        )
    if found.drift is not None:
        k, first, second = found.drift
        who = "under the default policy" if k is None else f"at k = {k}"
        render.note(
            f"rtsim: {who} the second half of the runs earns {second:.3g} per step, the first {first:.3g}, so this "
            "curve depends on --steps; give as many as are to be planned for"
        )


def _tables(arguments: Measure, found: Predictability) -> None:
    names = {"default": "default policy", "policy": arguments.policy}
    shared = "" if found.effort.known else ", each branch acting for itself"
    render.table(
        f"{found.env}: predictable k steps ahead; {found.states} states, {found.effort.branches} branches each{shared}",
        ["steps under", "k", "same observation [95 %]", "at most", "same action best [95 %]", "at most", "ended"],
        [
            [
                names[point.under],
                str(point.delay_steps),
                *_share(point.observation),
                *_share(point.best_action),
                render.percent(point.ended, 1),
            ]
            for point in found.points
        ],
    )
    rows = [
        [what, names[under], *_effective(effective)]
        for what, by in (("observation", found.observation), ("best action", found.best_action))
        for under, effective in by.items()
    ]
    rows.append(["rewards", f"{arguments.policy}, late", *_effective(found.rewards)])
    render.table("Effective p: p^k explains how the share falls", ["of", "steps under", "p", "95 %"], rows, left=2)
    half = render.half_width
    render.table(
        f"Acting k steps late: {found.runs} runs of {found.effort.steps} steps",
        ["policy", "k", "reward per step", "± 95 %"],
        [
            *(
                [arguments.policy, str(p.delay_steps), f"{p.reward_per_step:.5g}", half(p.interval, p.reward_per_step)]
                for p in found.curve.points
            ),
            [
                "default policy",
                "-",
                f"{found.curve.default_reward:.5g}",
                half(found.curve.default_interval, found.curve.default_reward),
            ],
        ],
    )
    if found.rewards.value is None:
        render.line(f"No p of rewards: {arguments.policy} does not clearly earn more than the default policy.")
    _tell_which_p(arguments, found)
    render.line("Limits: " + "; ".join(LIMITS) + ".")


def _tell_which_p(arguments: Measure, found: Predictability) -> None:
    """What of all this ``rtsim plan`` is to be given."""
    p, curve = found.rewards.value, found.curve
    if p is None or curve.default_reward is None:
        return
    text = f"For rtsim plan: --delay-curve with the file of --out; or --p-minimax {p:.4f}, the p of rewards"
    if (worst := found.misfit) is None:
        scale = curve.points[0].reward_per_step - curve.default_reward
        render.line(f"{text}, which fits (unit of regret: the advantage without delay, {scale:.4g} per step).")
        return
    fitted, half = found.fitted(worst.delay_steps), render.plus_minus(worst.interval, worst.reward_per_step)
    render.line(
        f"{text}, but p^k does not fit the rewards: at k = {worst.delay_steps} it says {fitted:.3g}, measured is "
        f"{worst.reward_per_step:.3g}{half}. Plan with the curve, not with p."
    )


def _share(found: Share) -> list[str]:
    interval = "" if found.ci95 is None else f" [{found.ci95[0]:.3f}, {found.ci95[1]:.3f}]"
    return [f"{found.value:.3f}{interval}", f"{found.upper:.3f}"]


def _effective(found: Effective) -> list[str]:
    if found.value is None or found.ci95 is None:
        return ["-", "-"]
    return [f"{found.value:.4f}", f"{found.ci95[0]:.4f} to {found.ci95[1]:.4f}"]
