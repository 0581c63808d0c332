"""What a Schedule did, as rows of a replay memory: the transitions of the delayed semi-MDP.

A transition belongs to a decision whose action was executed: (o_k, a_k, R, o_n). Observation o_k is the one that
its inference read, R the rewards of the environment steps from the one on which a_k acted to the one before the next
decision's action acts, and o_n what that next decision's inference had read. So a reward counts for the action that
caused it, however late it acted, and what follows is what the next action was chosen on: a learner of these transitions
learns what delayed actions are worth. Decisions whose actions were never executed make no transition.

The last decision of an episode has no next one. Nothing follows a termination. A truncated episode would have gone on,
and demonstrations, whose delay is known, are valued on what the next action would have been chosen on; trainings,
virtual and live, do not know which inference that would be, and take the observation after the last step: a little
fresher than what the other transitions are valued on.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from rtsim.learning.memory import Memory


class Transitions:
    """Writes transitions into a memory while environment steps pass; used in virtual and in live trainings.

    Discounting is per decision. Rewards before the first action of an episode are nobody's: they are counted only.

    Parameters
    ----------
    memory : Memory

    Attributes
    ----------
    nobodys_steps, nobodys_reward : int and float
        Environment steps before the first action of their episode, and their rewards.

    Examples
    --------
    Action 1 acts for one step, another one passes, then action 0 acts, which was chosen on an older observation:

    >>> import numpy as np
    >>> from rtsim.learning.memory import Recent
    >>> memory = Recent(10, (1,), np.float32)
    >>> made, seen = Transitions(memory), np.arange(5.0)[:, None]
    >>> made.acts(seen[0], action=1)
    False
    >>> made.stepped(2.0, False, False, seen[3]), made.stepped(0.5, False, False, seen[4])
    (False, False)
    >>> made.acts(seen[2], action=0)
    True
    >>> found = memory.batch(np.array([0]), discount=0.5)
    >>> found.observations.item(), found.actions.item(), found.rewards.item(), found.following.item()
    (0.0, 1, 2.5, 2.0)
    """

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.nobodys_steps, self.nobodys_reward = 0, 0.0
        self.reset()

    def reset(self) -> None:
        """An episode begins."""
        self._action: int | None = None
        self._reward = 0.0

    def acts(self, observation: NDArray[Any], action: int) -> bool:
        """An environment step begins to execute the action of a decision.

        Parameters
        ----------
        observation : array
            What its inference had read.
        action : int

        Returns
        -------
        bool
            Whether a transition was written: that of the decision executed before.
        """
        written = self.follows(observation)
        self.does(action)
        return written

    def follows(self, observation: NDArray[Any]) -> bool:
        """The first half of :meth:`acts`, for who chooses the action only after learning from what is written here."""
        if self._action is None:
            self.memory.begin(observation)
            return False
        self.memory.append(self._action, self._reward, observation)
        return True

    def does(self, action: int) -> None:
        """The other half."""
        self._action, self._reward = action, 0.0

    def stepped(self, reward: float, terminated: bool, truncated: bool, observation: NDArray[Any]) -> bool:
        """An environment step is over, whoever acted on it.

        Parameters
        ----------
        reward : float
        terminated, truncated : bool
            Then the episode is over, and the next one begun.
        observation : array
            What an episode that is over is valued on, if it was truncated; else not used.

        Returns
        -------
        bool
            Whether a transition was written: that of the last decision executed in the episode.
        """
        ended = terminated or truncated
        action = self._action
        if action is None:
            self.nobodys_steps += 1
            self.nobodys_reward += reward
        else:
            self._reward += reward
            if ended:
                self.memory.append(action, self._reward, observation, terminated, truncated)
        if ended:
            self.reset()
        return ended and action is not None

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        action = -1 if self._action is None else self._action
        return {
            "action": action,
            "reward": self._reward,
            "nobodys_steps": self.nobodys_steps,
            "nobodys_reward": self.nobodys_reward,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to :meth:`state`."""
        action = int(state["action"])
        self._action, self._reward = None if action < 0 else action, float(state["reward"])
        self.nobodys_steps, self.nobodys_reward = int(state["nobodys_steps"]), float(state["nobodys_reward"])
