"""Random numbers by purpose and index instead of by state: whoever knows the index can draw them again.

So an action, a batch or a noise vector does not depend on how many others were drawn before it,
and a checkpoint holds counters only.
"""

from __future__ import annotations

import numpy as np

#: What numbers are drawn for: the second word of the key.
ACTION, NOISE_ACTING, NOISE_LEARNING, SAMPLE, RESERVOIR, EPISODE = range(6)


def generator(seed: int, purpose: int, index: int) -> np.random.Generator:
    """The generator for one draw: Philox, keyed by seed and purpose, counting from ``index``.

    Parameters
    ----------
    seed : int, 0 <= seed < 2**64
    purpose : int
        One of the constants of this module.
    index : int, >= 0

    >>> generator(1, ACTION, 5).random() == generator(1, ACTION, 5).random()
    True
    """
    key = np.array([seed, purpose], np.uint64)
    # The index is the counter's third word, so that draws of one index never run into the next one's.
    return np.random.Generator(np.random.Philox(key=key, counter=np.array([0, 0, index, 0], np.uint64)))


def episode_seed(seed: int, episode: int) -> int:
    """The seed that an environment's episode begins from, 0 <= result < 2**31."""
    return int(generator(seed, EPISODE, episode).integers(2**31))
