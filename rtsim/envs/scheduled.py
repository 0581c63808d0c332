"""Definition 1 as a Gymnasium environment: any environment, in real time, under any scheduler rule.

The world of Riemer et al. 2025, Definition 1, does not wait: an inference that starts when step i has begun reads
observation s_i, and its action reaches the environment when the rule and the times say. Meanwhile
other inferences start, other actions land, and the default policy fills the gaps.

One ``step`` of :class:`ScheduledEnv` is one decision. Decisions are the inferences in order of their start, k = 0, 1,
...; ties go by worker. ``step`` takes the action of decision k, lets time pass until inference k + 1 starts, and
returns what that one reads, with the rewards of the environment steps in between. So a learner that knows nothing of
time is asked once per inference, and never before its turn; an action that is overwritten before any step reads it is a
decision like others.

Episodes end in the environment, and timing does not care: a reset takes no time, inferences under way go on, and an
action computed from an observation of a former episode is replaced by the default policy. A reset with a seed begins
anew at time zero.
"""

from __future__ import annotations

import copy
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate

from rtsim.clocks.running import Event, Lost, Published, Read, Started, events
from rtsim.envs.default_policies import default_of, neutral, noop_of
from rtsim.envs.faults import fps_of
from rtsim.errors import InvalidValue, RtsimWarning, UnknownName
from rtsim.scenario import Scenario
from rtsim.timing import Law, units

#: Further settings of the scenario that :class:`ScheduledEnv` takes.
TIMING = ("batch", "dispatch_time", "learner_rule", "learners", "learning_starts", "learning_time", "mailbox")
#: In place of a decision: the default policy's steps, and the observation at the end of an episode.
NOBODY = -1
#: More decisions than this in one environment step are hardly what was meant.
MANY_DECISIONS = 1000


@dataclass
class _Action:
    """A decision whose actions may still reach the environment."""

    chunk: tuple[Any, ...]
    observation: int  # step
    episode: int
    left: int  # actions neither used nor lost


@dataclass
class _Passed:
    """What came to pass between two observations."""

    steps: int = 0
    default_steps: int = 0
    stale: int = 0
    overwritten: int = 0
    reward: float = 0.0
    rewards: dict[int, float] = field(default_factory=dict)
    delays: dict[int, int] = field(default_factory=dict)


class Listener(Protocol):
    """Is told what happens in a :class:`ScheduledEnv`, as it happens: for who learns on the way."""

    def happens(self, event: Event) -> None:
        """An event of the clock, before the environment does what it means."""

    def acts(self, read: Read, action: Any) -> Any:
        """An environment step begins to execute this action; what is returned is executed instead."""

    def stepped(self, action: Any, reward: float, terminated: bool, truncated: bool, observation: Any) -> None:
        """An environment step is over; the default policy's are told of here only."""


class ScheduledEnv(gymnasium.Env[Any, Any]):
    """Any Gymnasium environment in real time: one ``step`` is one decision of an agent the world does not wait for.

    Parameters
    ----------
    env : gymnasium.Env
        One step of it is one environment step of ``fps``.
    rule : str
        A scheduler rule with its options, e.g. ``"max_time(initial_max=p99.9)"``.
    inference_time : float (seconds), str or Law
        A text needs a unit, or be below 1. A time far below that of an environment step means as many decisions in it:
        with ``"1us"`` at 60 fps, ``sequential`` makes some 16,700, and an :class:`~rtsim.errors.RtsimWarning` tells so
        once, from a thousand on. ``one_step_lag`` makes one a step.
    workers : int
    fps : float, str or Law, optional
        Environment steps per second, or a law of the time between them; by default the environment's ``render_fps``.
    default_policy : {"noop", "repeat", "random"} or callable(observation) -> action
        Acts where no action is there.
    noop : optional
        The action that ``noop`` stands for; by default ``env.unwrapped.noop``, else the first one, or zero.
    discount : float
        In 0..1: of one environment step. The reward of a step is Σ discountⁱ rᵢ over the environment steps since the
        observation.
    pending_actions : int
        With n > 0 the observation is a dictionary: ``observation``; ``actions``, those of the last n decisions of the
        episode, the newest last (the neutral action where there are fewer); ``pending``, 1 where the action may still
        reach the environment, shape (n,).
    seed : int, optional
        Of the first reset that is given none: for the times, ``random``, and the environment.
    listener : Listener, optional
        Is told everything, and may choose actions at the last moment.
    **timing
        ``learning_time``, ``mailbox``, ... as for :class:`~rtsim.Scenario`.

    Attributes
    ----------
    env : gymnasium.Env
    scenario : Scenario
        Of the run under way; its ``steps`` mean nothing. ``rtsim.simulate`` gives that run as a Schedule.
    action_space : Space
        That of the environment; for a rule with chunks of k a batch of k of them, done in this order.
    stale_episode : int
        Actions replaced since the run began because their episode had ended.

    Raises
    ------
    InvalidValue, UnknownName

    Notes
    -----
    ``info`` holds, beside what the environment's own last step said:

    ``decision``
        Number of the decision that the returned observation is for; -1 at the end of an episode.
    ``observation_step``, ``seconds``
        Number of environment steps since the run began until that observation, and time when its inference started.
    ``component``, ``version``
        Drawn component of a mixture law (an ε-greedy policy acts at random where it is short), and updates landed.
    ``elapsed_steps``, ``elapsed_seconds``, ``discount``
        Since the last observation; discount ** elapsed_steps is what the next value is to be multiplied with.
    ``rewards_of_decisions``, ``delays``
        Of those environment steps: reward, by the decision whose action caused it (-1: the default policy), and delay
        in steps, by decision.
    ``default_steps``, ``overwritten``, ``stale_episode``
        How many of those steps the default policy acted on; actions lost on the way; actions replaced because their
        episode had ended.
    ``pending``, ``pending_actions``
        Decisions of this episode whose actions may still reach the environment, and those actions.

    An episode begins between inferences: the default policy acts until the first one starts, within ``reset``. The
    reward of these steps, ``reward_before`` in the info of ``reset``, is part of the first ``step``'s reward, so that
    episodes have the environment's own return. An episode that ends before any inference starts is no agent's:
    ``skipped_episodes`` in the info of ``reset`` holds a pair (steps, reward) for each.

    Examples
    --------
    An inference takes one and a half steps, so every second environment step has an action, two steps old:

    >>> env = ScheduledEnv(gymnasium.make("CartPole-v1"), "sequential", inference_time="30ms", fps="50fps")
    >>> observation, info = env.reset(seed=0)
    >>> for action in (1, 1, 1, 1):
    ...     observation, reward, terminated, truncated, info = env.step(action)
    ...     print(reward, info["observation_step"], info["rewards_of_decisions"], info["delays"])
    1.0 1 {-1: 1.0} {}
    2.0 3 {-1: 1.0, 0: 1.0} {0: 2}
    1.0 4 {1: 1.0} {1: 2}
    2.0 6 {-1: 1.0, 2: 1.0} {2: 2}
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        rule: str = "max_time",
        inference_time: Any = 0.0,
        workers: int = 1,
        fps: Any = None,
        *,
        default_policy: str | Callable[[Any], Any] = "noop",
        noop: Any = None,
        discount: float = 1.0,
        pending_actions: int = 0,
        seed: int | None = None,
        listener: Listener | None = None,
        **timing: Any,
    ) -> None:
        for name in timing:
            if name not in TIMING:
                raise UnknownName("setting", name, TIMING)
        for name, value in {"inference_time": inference_time, **timing}.items():
            if name.endswith("_time") and isinstance(value, str):
                units.check_unit(name, value)
        if not 0 <= discount <= 1:
            raise InvalidValue(f"discount {discount} must lie in 0..1")
        self.env, self.listener = env, listener
        self.scenario = Scenario(rule, inference_time, workers, _step_time(env, fps), **timing)
        self._seed = None if seed is None else units.whole(seed, "seed", 0, 2**63 - 1)
        self._discount = float(discount)
        self._noop = noop_of(env) if noop is None else noop
        self._policy = default_policy
        self._default = default_of(default_policy, env.action_space, self._noop, 0)
        self._chunk = self.scenario.program().chunk
        self._recent_length = units.whole(pending_actions, "pending_actions", 0, 10**6)
        self.metadata = {"render_modes": [], **env.metadata}
        self.render_mode = env.render_mode
        self.action_space = batch_space(env.action_space, self._chunk) if self._chunk > 1 else env.action_space
        self.observation_space = env.observation_space
        if self._recent_length:
            neutrals = [neutral(env.action_space)] * self._chunk
            self._filler = self._batched(env.action_space, neutrals) if self._chunk > 1 else neutrals[0]
            self.observation_space = spaces.Dict(
                {
                    "observation": env.observation_space,
                    "actions": batch_space(self.action_space, self._recent_length),
                    "pending": spaces.MultiBinary(self._recent_length),
                }
            )
        self._events: Iterator[Event] | None = None
        self._warned = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode: with a seed, or the first time, at time zero, else wherever time stands.

        It returns what the first inference reads that starts in it. An inference that has started and was given no
        action yet reads the new episode's observation: a reset takes no time.
        """
        super().reset(seed=seed)
        if seed is None and self._events is None:
            seed = self._seed
        if seed is not None or self._events is None:
            self._begin_run(int(self.np_random.integers(2**31)) if seed is None else seed)
        skipped, stale = [], self.stale_episode
        while True:
            passed = self._begin_episode(seed, options)
            if self._current is not None or not any(self._pass_time(passed)):
                break
            skipped.append((passed.steps, passed.reward))
            seed = None
        self._reward_before = passed.reward
        passed.stale = self.stale_episode - stale
        info = self._info(passed) | {"reward_before": passed.reward, "skipped_episodes": tuple(skipped)}
        return self._observed(), info

    def _begin_run(self, seed: int) -> None:
        self.scenario = self.scenario.with_(seed=seed)
        self._events = events(self.scenario)
        self._default = default_of(self._policy, self.env.action_space, self._noop, seed)
        self._current: Started | None = None  # the decision to be made
        self._read: Read | None = None  # what the step under way does
        self._actions: dict[int, _Action] = {}
        self._recent: deque[tuple[int, Any]] = deque(maxlen=self._recent_length)
        self._episode = self.stale_episode = 0
        self._decisions = 0  # since the environment step under way began
        self._time_ns = self._before_ns = self._steps = 0

    def _begin_episode(self, seed: int | None, options: dict[str, Any] | None) -> _Passed:
        self._episode += 1
        self._last: Any = None
        self._recent.clear()
        self._observation, self._inner = self.env.reset(seed=seed, options=options)
        return _Passed()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Make one decision, and let time pass until the next one or the end of the episode.

        Raises
        ------
        InvalidValue
            If the episode has ended, or there was none yet.
        """
        if self._events is None or self._current is None:
            raise InvalidValue(
                "there is no decision to be made: the episode has ended, or none was begun; call reset()"
            )
        decision, self._current = self._current, None
        # A learner may use the array again that it gave the action in.
        action = copy.deepcopy(action)
        chunk = tuple(iterate(self.action_space, action)) if self._chunk > 1 else (action,)
        self._actions[decision.decision] = _Action(chunk, decision.observation, self._episode, self._chunk)
        self._recent.append((decision.decision, action))
        passed = _Passed()
        before, self._reward_before = self._reward_before, 0.0
        if before:
            passed.reward, passed.rewards[NOBODY] = before, before
        terminated, truncated = self._pass_time(passed)
        return self._observed(), passed.reward, terminated, truncated, self._info(passed)

    def _pass_time(self, passed: _Passed) -> tuple[bool, bool]:
        """Until an inference starts or the episode ends: whether it was terminated, truncated."""
        assert self._events is not None
        self._before_ns = self._time_ns
        for event in self._events:
            self._time_ns = event.time_ns
            if self.listener is not None:
                self.listener.happens(event)
            if isinstance(event, Started):
                self._current = event
                self._decisions += 1
                if self._decisions > MANY_DECISIONS:
                    self._warn()
                break
            if isinstance(event, Read):
                self._read = event
                if self.listener is not None:
                    self._let_choose(event, self.listener)
            elif isinstance(event, Lost):
                passed.overwritten += event.actions
                self._settle(event.decision, event.actions)
            elif isinstance(event, Published) and self._read is not None:
                # Step i is over when observation i + 1 is there; what starts before still reads observation i.
                terminated, truncated = self._do(self._read, passed)
                if terminated or truncated:
                    return terminated, truncated
        return False, False

    def _let_choose(self, read: Read, listener: Listener) -> None:
        found = self._actions.get(read.decision)
        if found is not None and found.episode == self._episode:
            chosen = listener.acts(read, found.chunk[read.position])
            found.chunk = (*found.chunk[: read.position], chosen, *found.chunk[read.position + 1 :])

    def _do(self, read: Read, passed: _Passed) -> tuple[bool, bool]:
        """One step of the environment."""
        self._read = None
        self._decisions = 0
        found = self._actions.get(read.decision)
        valid = found is not None and found.episode == self._episode
        if found is not None and valid:
            decision, action = read.decision, found.chunk[read.position]
            passed.delays[decision] = read.step - found.observation
        else:
            decision, action = NOBODY, self._default(self._observation, self._last)
            passed.default_steps += 1
        if found is not None:
            passed.stale += not valid
            self.stale_episode += not valid
            self._settle(read.decision, 1)
        self._observation, reward, terminated, truncated, self._inner = self.env.step(action)
        self._last = action
        reward = float(reward)
        passed.reward += self._discount**passed.steps * reward
        passed.rewards[decision] = passed.rewards.get(decision, 0.0) + reward
        passed.steps += 1
        self._steps += 1
        if self.listener is not None:
            self.listener.stepped(action, reward, bool(terminated), bool(truncated), self._observation)
        return bool(terminated), bool(truncated)

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"more than {MANY_DECISIONS} decisions fall into one environment step: an inference takes "
                f"{units.show(self.scenario.inference_mean)}, a step {units.show(self.scenario.step_mean)}; give a "
                "longer inference_time, or rule='one_step_lag'",
                RtsimWarning,
                stacklevel=4,  # who called step
            )

    def _settle(self, decision: int, actions: int) -> None:
        found = self._actions[decision]
        found.left -= actions
        if not found.left:
            del self._actions[decision]

    def _observed(self) -> Any:
        # Two inferences may read one observation, and whoever was given it may change it.
        observation = copy.deepcopy(self._observation)
        if not self._recent_length:
            return observation
        missing = self._recent_length - len(self._recent)
        actions = [self._filler] * missing + [action for _, action in self._recent]
        pending = [0] * missing + [int(decision in self._actions) for decision, _ in self._recent]
        return {
            "observation": observation,
            "actions": self._batched(self.action_space, actions),
            "pending": np.array(pending, np.int8),
        }

    @staticmethod
    def _batched(space: gymnasium.Space[Any], items: list[Any]) -> Any:
        out: Any = create_empty_array(space, len(items))
        return concatenate(space, items, out)

    def _info(self, passed: _Passed) -> dict[str, Any]:
        now = self._current
        pending = {k: found.chunk for k, found in self._actions.items() if found.episode == self._episode}
        return {
            **(self._inner if passed.steps else copy.deepcopy(self._inner)),
            "decision": NOBODY if now is None else now.decision,
            "observation_step": self._steps,
            "seconds": self._time_ns / units.NS,
            "component": NOBODY if now is None else now.component,
            "version": NOBODY if now is None else now.version,
            "elapsed_steps": passed.steps,
            "elapsed_seconds": (self._time_ns - self._before_ns) / units.NS,
            "discount": self._discount**passed.steps,
            "rewards_of_decisions": passed.rewards,
            "delays": passed.delays,
            "default_steps": passed.default_steps,
            "overwritten": passed.overwritten,
            "stale_episode": passed.stale,
            "pending": tuple(pending),
            "pending_actions": tuple(copy.deepcopy(c if self._chunk > 1 else c[0]) for c in pending.values()),
        }

    def render(self) -> Any:
        """As the environment does."""
        return self.env.render()

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def __getstate__(self) -> dict[str, Any]:
        """What copies are made of; a clock that runs cannot be copied.

        Raises
        ------
        InvalidValue
        """
        if self._events is not None:
            raise InvalidValue(
                "a ScheduledEnv whose run has begun cannot be copied; make another one, and give it the same seed and "
                "actions"
            )
        return self.__dict__

    def __str__(self) -> str:
        return f"<ScheduledEnv {self.scenario.rule} {self.env}>"


def _step_time(env: gymnasium.Env[Any, Any], fps: Any) -> Any:
    """What a Scenario takes: a number is a rate, even if it is a text; other texts are rates or laws."""
    if fps is None:
        fps = fps_of(env, env.metadata)
        if fps is None:
            raise InvalidValue(f"{env} does not say how many steps a second it has; give fps=, e.g. fps=60")
    if isinstance(fps, Law | Fraction):
        return fps
    try:
        return f"{float(fps)!r}fps"
    except (TypeError, ValueError):
        return fps
