"""The weights of a run that learns, in shared memory: whole versions that are read without waiting.

Everything that an update changes, the weights and Adam's moments, lies there twice. Whoever applies a gradient copies
the newest version into the other place, changes it there, and then says that this one is the newest; so a version is
whole or not seen at all, and who dies while applying a gradient has spoilt nothing. A reader copies the newest version
and looks afterwards whether it still was the same one; if not, it copies again (a sequence lock).
No torch here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtsim.live.memory import Array, share

Floats = NDArray[np.float32]
#: ``head``: which place is the newest; of each place the version in it (-1: it is being written) and which target
#: network belongs to it; of each target network the version that it was copied from; the version that this run
#: began with, and the batches and decisions that had been drawn before it.
NEWEST, PLACES, TARGET_OF, TARGETS, BASE, SAMPLES, DECISIONS = 0, 1, 3, 5, 7, 8, 9
HEAD_SIZE = 16
#: ``weights`` at each place: the weights and Adam's two moments.
WEIGHTS, MEAN, SQUARE = range(3)


class Version(NamedTuple):
    """Which version was read: its number since the training began, and that of its target network."""

    number: int
    target: int


class SharedWeights:
    """The shared arrays.

    Parameters
    ----------
    parameters : int
        Weights of the network.
    learners : int
        How many learners there are.
    fd : int, optional
        The file, if it exists already.

    Attributes
    ----------
    weights : float32, shape (2, 3, parameters)
    targets : float32, shape (2, parameters)
    gradients : float32, shape (learners, parameters)
        Of each learner: written by it, and read by whoever makes it land.

    Examples
    --------
    >>> shared = SharedWeights(parameters=2, learners=1)
    >>> shared.begin(np.array([[1, 2], [0, 0], [0, 0]]), np.zeros(2), Version(7, 0))
    >>> place = shared.prepare()
    >>> shared.weights[place, WEIGHTS] += 1
    >>> shared.complete(place, number=8)
    >>> found = np.zeros(2, np.float32)
    >>> shared.read(found), found.tolist()
    (Version(number=7, target=0), [1.0, 2.0])
    >>> shared.publish(place)
    >>> shared.read(found), found.tolist()
    (Version(number=8, target=0), [2.0, 3.0])
    """

    def __init__(self, parameters: int, learners: int, fd: int | None = None) -> None:
        arrays = [
            Array("head", np.int64, (HEAD_SIZE,)),
            Array("weights", np.float32, (2, 3, parameters)),
            Array("targets", np.float32, (2, parameters)),
            Array("gradients", np.float32, (learners, parameters)),
        ]
        self.fd, found = share(arrays, fd)
        self.head: NDArray[np.int64] = found["head"]
        self.weights: Floats = found["weights"]
        self.targets: Floats = found["targets"]
        self.gradients: Floats = found["gradients"]

    def begin(self, weights: Floats, target: Floats, version: Version) -> None:
        """Lay the first version down, float32, shapes (3, parameters) and (parameters,); before anybody reads."""
        self.weights[0], self.targets[0] = weights, target
        self.head[[NEWEST, PLACES, PLACES + 1, TARGET_OF, TARGET_OF + 1]] = 0, version.number, -1, 0, 0
        self.head[[TARGETS, TARGETS + 1, BASE]] = version.target, -1, version.number

    @property
    def place(self) -> int:
        """Where the newest version lies."""
        return int(self.head[NEWEST])

    @property
    def target_place(self) -> int:
        """Where its target network lies."""
        return int(self.head[TARGET_OF + self.place])

    @property
    def newest(self) -> Version:
        """Which version is the newest."""
        return Version(int(self.head[PLACES + self.place]), int(self.head[TARGETS + self.target_place]))

    @property
    def base(self) -> int:
        """The version that this run began with: its Schedule counts from there."""
        return int(self.head[BASE])

    def read(self, weights: Floats, target: Floats | None = None, held: int = -1) -> Version:
        """Copy the newest version, without waiting for whoever writes the next one.

        Parameters
        ----------
        weights : float32, shape (parameters,)
            Where to.
        target : float32, shape (parameters,), optional
            Where to copy its target network, unless that is the one of version ``held``.
        held : int

        Returns
        -------
        Version
            Which it was, whole.
        """
        head = self.head
        while True:
            place = int(head[NEWEST])
            number, which = int(head[PLACES + place]), int(head[TARGET_OF + place])
            made = int(head[TARGETS + which])
            weights[:] = self.weights[place, WEIGHTS]
            if target is not None and made != held:
                target[:] = self.targets[which]
            if number >= 0 and number == head[PLACES + place] and made == head[TARGETS + which]:
                return Version(number, made)

    def prepare(self) -> int:
        """Where the next version is to be made; the newest one lies there now. For one writer at a time."""
        newest = int(self.head[NEWEST])
        place = 1 - newest
        self.head[PLACES + place] = -1
        self.weights[place] = self.weights[newest]
        self.head[TARGET_OF + place] = self.head[TARGET_OF + newest]
        return place

    def complete(self, place: int, number: int, target: Floats | None = None) -> None:
        """Version ``number`` lies whole at this place; if it has a target network of its own, that is kept, too."""
        if target is not None:
            which = 1 - int(self.head[TARGET_OF + place])
            self.head[TARGETS + which] = -1
            self.targets[which] = target
            self.head[TARGETS + which] = number
            self.head[TARGET_OF + place] = which
        self.head[PLACES + place] = number

    def publish(self, place: int) -> None:
        """This place is the newest, from now on."""
        self.head[NEWEST] = place
