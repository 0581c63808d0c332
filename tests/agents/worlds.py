"""MDPs and Schedules for the tests of rollouts, and a rollout that shares no code with rtsim's."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

import rtsim
from rtsim import mdps
from rtsim.agents.world import stream
from rtsim.mdps import TabularMDP
from rtsim.rollout import undelayed
from rtsim.schedule import Schedule

RULES = (
    "sequential",
    "one_step_lag",
    "unstaggered",
    "max_time",
    "exp_time",
    "phase_locked",
    "time_triggered(deadline=p99.9)",
    "earliest_deadline(deadline=p99.9)",
    "chunking(size=3)",
    "pipeline(layers=3)",
)


def random_mdp(seed: int, states: int, actions: int, default_actions: int, reward: str = "expected") -> TabularMDP:
    """Any transitions; the default policy has tables of its own."""
    random = np.random.default_rng(seed)
    world = mdps.garnet(states, actions, int(random.integers(1, states + 1)), seed)
    p_default = random.dirichlet(np.full(states, 0.3), size=(states, default_actions))
    r_default = random.random((states, default_actions))
    policy = random.dirichlet(np.ones(default_actions), size=states)
    start = random.dirichlet(np.ones(states))
    return TabularMDP(world.p, world.r, p_default, r_default, policy, start, reward)


def random_schedule(seed: int, steps: int, acting: float, longest: int) -> Schedule:
    """Whoever acts does so on any of the last observations, in no order."""
    random = np.random.default_rng(seed)
    made = undelayed(steps)
    acted = random.random(steps) < acting
    age = random.integers(0, longest + 1, steps)
    observation = np.where(acted, np.maximum(np.arange(steps) - age, 0), -1)
    columns = dict(made.steps)
    columns["observation"] = observation
    columns["worker"] = np.where(acted, random.integers(0, 3, steps), -1).astype(np.int32)
    columns["inference"] = np.where(acted, np.arange(steps) * 3 + random.integers(0, 3, steps), -1)
    columns["chunk_index"] = np.where(acted, random.integers(0, 2, steps), -1).astype(np.int32)
    return Schedule(made.header, columns, made.updates, made.busy_ns, made.learner_busy_ns, made.totals)


def simulated(rule: str, seed: int, steps: int, inference: float, workers: int, learning: bool = False) -> Schedule:
    """By a real rule; times in environment steps."""
    alone = rule.split("(")[0] in ("sequential", "one_step_lag", "pipeline")
    return rtsim.simulate(
        rtsim.Scenario(
            rule,
            rtsim.law(f"lognorm(mean={inference}s, cv=0.3)"),
            workers=1 if alone else workers,
            step_time=1.0,
            steps=steps,
            seed=seed,
            learning_time=1.7 if learning else None,
        )
    )


@st.composite
def schedules(draw: st.DrawFn, most: int = 60) -> Schedule:
    """Of all kinds, without learning."""
    steps = draw(st.integers(1, most))
    seed = draw(st.integers(0, 10**6))
    kind = draw(st.sampled_from(("undelayed", "random", *RULES)))
    if kind == "undelayed":
        return undelayed(steps)
    if kind == "random":
        return random_schedule(seed, steps, draw(st.sampled_from((0.0, 0.3, 1.0))), draw(st.integers(0, 5)))
    return simulated(kind, seed, steps, draw(st.sampled_from((0.4, 1.0, 2.6))), draw(st.integers(1, 4)))


@st.composite
def worlds(draw: st.DrawFn) -> TabularMDP:
    """Random tables, or the papers' worst cases."""
    name = draw(st.sampled_from(("", "", "inaction", "delay(n=4, p=0.7)", "jump(n=4, p=0.6)", "jao", "forward")))
    if name:
        return mdps.of(name)
    size = draw(st.integers(1, 6)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    return random_mdp(draw(st.integers(0, 10**6)), *size, draw(st.sampled_from(("expected", "bernoulli"))))


def by_hand(mdp: TabularMDP, schedule: Schedule, seed: int, choose: object) -> tuple[list[int], list[int], list[float]]:
    """States, actions and rewards, by the definition: ``choose(i, o, states, u)`` is the agent's action.

    Cumulated probabilities are looked up in whole rows, numbers of inferences are drawn from the beginning.
    """
    assert callable(choose)

    def pick(chances: np.ndarray, u: float) -> int:
        possible = np.flatnonzero(chances)
        return int(possible[min(np.searchsorted(np.cumsum(chances[possible]), u, "right"), len(possible) - 1)])

    steps = len(schedule)
    u, w, v = (stream(seed, name).random(steps) for name in ("transition", "reward", "default"))
    states = [pick(mdp.start, stream(seed, "start").random())]
    actions, rewards = [], []
    for i in range(steps):
        s = states[-1]
        worker, inference, position = (int(schedule.steps[c][i]) for c in ("worker", "inference", "chunk_index"))
        if worker >= 0:
            drawn = stream(seed, "policy", worker, position).random(inference + 1)[inference]
            a = choose(i, int(schedule.steps["observation"][i]), states, drawn)
            p, r = mdp.p[s, a], mdp.r[s, a]
        else:
            a = pick(mdp.default_policy[s], v[i])
            p, r = mdp.p_default[s, a], mdp.r_default[s, a]
        actions.append(a)
        rewards.append(float(w[i] < r) if mdp.reward == "bernoulli" else float(r))
        states.append(pick(p, u[i]))
    return states, actions, rewards
