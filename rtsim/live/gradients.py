"""Updates that are really computed: gradients on shared memory, applied in the order in which they land. Imports torch.

A learning process copies the newest weights, draws a batch from the rows of the replay memory that there were when
its update started, and lays its gradient into shared memory. Whose gradients land is said by the learner rule
(:mod:`rtsim.live.landings`); whoever's gradient decided that applies them, outside of the party's lock, so that the
environment never waits, and one after the other in the order of the decisions. A landing whose process has died is
made by the next one.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rtsim.learning import Batch, Gradient, Learner, Parameters, Recent, make, memory_file, merged
from rtsim.learning.learner import Weights
from rtsim.live import memory as m
from rtsim.live.agenda import Agenda
from rtsim.live.landings import Landings
from rtsim.live.lock import ProcessLock
from rtsim.live.network import SHAPE
from rtsim.live.party import Party, Start
from rtsim.live.plan import LivePlan
from rtsim.live.weights import DECISIONS, MEAN, SAMPLES, SQUARE, WEIGHTS, Floats, SharedWeights, Version

#: The second lock of the file of locks: whoever has it applies gradients.
APPLYING = 1
#: How often somebody looks whether it is his turn to apply, and whether there is something to learn from, ns.
TURN, DATA = 50_000, 5_000_000


class ReplayFile(NamedTuple):
    """What one must know to open the replay memory's file: ``spare`` places beyond its capacity, and its token."""

    spare: int
    token: str


class Shelf:
    """Flat arrays as a network's weights by name, sharing their memory.

    >>> flat = np.arange(6, dtype=np.float32)
    >>> Shelf({"a": (2, 2), "b": (2,)}).views(flat)["b"]
    tensor([4., 5.])
    """

    def __init__(self, shapes: dict[str, tuple[int, ...]]) -> None:
        self.shapes = shapes
        self.size = sum(int(np.prod(shape)) for shape in shapes.values())

    def views(self, flat: Floats) -> Weights:
        """Tensors by name on a float32 array of shape (size,)."""
        found, offset = {}, 0
        for name, shape in self.shapes.items():
            count = int(np.prod(shape))
            found[name] = torch.from_numpy(flat[offset : offset + count]).reshape(shape)
            offset += count
        return found

    def flat(self, weights: dict[str, Tensor], out: Floats | None = None) -> Floats:
        """Tensors by name as one array, float32, shape (size,)."""
        out = np.empty(self.size, np.float32) if out is None else out
        for name, view in self.views(out).items():
            view.copy_(weights[name].detach())
        return out


class Applier:
    """Applies gradients to the shared weights, by the learner's own code.

    Parameters
    ----------
    learner : Learner
        Of the run's settings; its weights are replaced by the shared ones.
    shared : SharedWeights

    Examples
    --------
    >>> from rtsim.learning import Settings
    >>> learner = make(Settings(network="mlp(4)", capacity=10), (3,), "float32", actions=2)
    >>> shelf = Shelf(learner.shapes)
    >>> shared = SharedWeights(shelf.size, learners=1)
    >>> lay(shared, learner)
    >>> shared.gradients[0] = 1.0
    >>> place = Applier(learner, shared).apply([0])
    >>> shared.publish(place)
    >>> shared.newest
    Version(number=1, target=0)
    """

    def __init__(self, learner: Learner, shared: SharedWeights) -> None:
        self.learner, self.shared, self.shelf = learner, shared, Shelf(learner.shapes)
        self._places = [[self.shelf.views(part) for part in place] for place in shared.weights]
        self._gradients = [self.shelf.views(flat) for flat in shared.gradients]

    def apply(self, learners: Sequence[int], together: bool = False) -> int:
        """Apply these learners' gradients to the newest version; where the next one lies now, to be published.

        Parameters
        ----------
        learners : sequence of int
            In order.
        together : bool
            As the one gradient of one large batch.

        Raises
        ------
        NoConvergence
            If one is not finite. The newest version stays what it was.
        """
        shared, learner = self.shared, self.learner
        found = [self._gradient(k) for k in learners]
        before = shared.newest
        place = shared.prepare()
        views = self._places[place]
        target: Weights = {}  # only ever replaced
        learner.adopt(Parameters(before.number, views[WEIGHTS], target), (views[MEAN], views[SQUARE]))
        for gradient in [merged(found)] if together else found:
            learner.apply(gradient)
        replaced = learner.target is not target
        shared.complete(place, learner.version, self.shelf.flat(learner.target) if replaced else None)
        return place

    def _gradient(self, k: int) -> Gradient:
        # Its loss and its rows matter to prioritised memories only.
        return Gradient(-1, self._gradients[k], 0.0, np.zeros(0, np.int64), np.zeros(0, np.float32))


def lay(shared: SharedWeights, learner: Learner) -> None:
    """Begin with a learner's weights, moments and counters."""
    shelf, now = Shelf(learner.shapes), learner.parameters
    weights = np.zeros_like(shared.weights[0])
    for part, tensors in zip((WEIGHTS, MEAN, SQUARE), (now.weights, *learner.moments), strict=True):
        shelf.flat(tensors, weights[part])
    shared.begin(weights, shelf.flat(now.target), Version(learner.version, learner.version))
    shared.head[[SAMPLES, DECISIONS]] = learner.samples, learner.decisions


def replay_of(learner: Learner) -> Recent:
    """The replay memory of a learner that learns live: a plan with any other is refused."""
    assert isinstance(learner.memory, Recent)
    return learner.memory


def learner_of(plan: LivePlan, actions: int, replay: ReplayFile | None = None) -> Learner:
    """The learner of a plan, as every process makes it for itself, with the replay memory if it is given."""
    assert plan.learning is not None
    settings, seed = plan.learning.learner, plan.scenario.seed
    if replay is None:
        return make(settings.with_(capacity=2), SHAPE, np.uint8, actions, seed)
    file = memory_file(plan.learning.checkpoint)
    return make(
        settings, SHAPE, np.uint8, actions, seed, memory_file=file, spare=replay.spare, memory_token=replay.token
    )


def draw_number(index: int, actor: int, actors: int) -> int:
    """Which draw of all it is, if it is an actor's draw number ``index``: no two are the same, whoever is faster.

    >>> sorted(draw_number(index, actor, 3) for index in range(2) for actor in range(3))
    [0, 1, 2, 3, 4, 5]
    """
    return index * actors + actor


class RealUpdates:
    """Updates that are computed: see the module.

    Parameters
    ----------
    party : Party
    learners : range
        Whose updates they are.
    weights : int
        Descriptor of the shared weights.
    lock : int
        Descriptor of the file of locks.
    actions : int
        Of the game.
    replay : ReplayFile
    """

    def __init__(
        self, party: Party, learners: range, weights: int, lock: int, actions: int, replay: ReplayFile
    ) -> None:
        # What torch has made so far stays; from now on cycles are looked for, because autograd may make some.
        gc.freeze()
        gc.enable()
        torch.set_num_threads(1)
        self.party, self.memory, self.landings = party, party.memory, Landings(party)
        self.learners = learners
        self.learner = learner_of(party.plan, actions, replay)
        self.learner.memory.read_only()
        self.shared = SharedWeights(Shelf(self.learner.shapes).size, len(self.memory.learners), weights)
        self.applier = Applier(self.learner, self.shared)
        self.applying = ProcessLock(lock, APPLYING)
        shelf = self.applier.shelf
        self._weights, self._target = np.zeros(shelf.size, np.float32), np.zeros(shelf.size, np.float32)
        self._held, self._landed_at = -1, 0
        self._views, self._target_views = shelf.views(self._weights), shelf.views(self._target)
        self._gradients = [shelf.views(flat) for flat in self.shared.gradients]
        self._practise()

    def _practise(self) -> None:
        """A first gradient, of nothing: it takes much longer than all others."""
        count = self.learner.settings.batch
        frames, numbers = np.zeros((count, *SHAPE), np.uint8), np.zeros(count, np.float32)
        batch = Batch(frames, np.zeros(count, np.int64), numbers, frames, numbers, np.zeros(count, np.int64), numbers)
        self.learner.gradient(Parameters(0, self._views, self._target_views), batch)

    def one(self, process: Agenda, k: int, start: Start, then: Callable[[int], None]) -> None:
        """One update in the inference process, if the replay warm-up is over and there is something to learn from."""
        if start.step < self.party.scenario.learning_starts or not self._stored(start.step)[1]:
            then(start.time)
            return

        def landed() -> None:
            process.wait_for_updates_taken()
            self.finish(process, k)
            then(self._landed_at)

        self.begin(process, k, start, landed)

    def begin(self, process: Agenda, k: int, start: Start, then: Callable[[], None]) -> None:
        self.landings.begin(k, start)
        self._compute(process, k)
        process.at(self.party.now(), then)

    def _compute(self, process: Agenda, k: int) -> None:
        """The gradient of learner k, into shared memory."""
        memory, learner, row = self.memory, self.learner, self.memory.computed[k]
        if not self._stored(int(row[m.DATA_STEP]))[1]:
            process.wait_for(lambda: bool(self._stored(self.party.published)[1]), DATA)
            row[m.DATA_STEP] = self.party.published
        count, transitions = self._stored(int(row[m.DATA_STEP]))
        if self.party.stopping:
            return
        version = self.shared.read(self._weights, self._target, self._held)
        self._held = version.target
        row[m.READ_VERSION] = version.number - self.shared.base
        replay_of(learner).extent = count, transitions
        index = int(memory.learners[k, m.COUNT]) - 1
        learner.samples = int(self.shared.head[SAMPLES]) + draw_number(index, k, len(memory.learners))
        batch = learner.sample(transitions)
        gradient = learner.gradient(Parameters(version.number, self._views, self._target_views), batch)
        for name, view in self._gradients[k].items():
            view.copy_(gradient.values[name])
        memory.losses[k] = gradient.loss

    def _stored(self, step: int) -> tuple[int, int]:
        """Rows of the replay memory, and transitions, that there were when a step began."""
        step = max(step, self.party.published - m.STORED + 2)  # older ones are forgotten
        rows, transitions = self.memory.stored[step % m.STORED].tolist()
        return rows, transitions

    def finish(self, process: Agenda, k: int) -> None:
        """Learner k has its gradient; if that makes any land, they are applied now."""
        party = self.party
        if self._over:
            return
        with party.turn():
            now = max(party.logical_now(), int(self.memory.computed[k, m.BEGUN]))
            bells = party.settle(now - 1)
            found = self.landings.finished(k, now)
            number = self.landings.decide(k, found) if found else -1
        process.ring(bells)
        self._land_up_to(process, number)

    @property
    def _over(self) -> bool:
        """Whether nothing lands any more: from the last step on, so that the weights are those of the record."""
        return self.party.stopping or self.party.published >= self.party.scenario.steps - 1

    def look_after(self, process: Agenda) -> None:
        """Make landings that are left: who should have made them is gone, or came back to a process that had begun."""
        while (left := self.landings.oldest) is not None and not self._over:
            gone = self.memory.learners[left.finisher, m.STATUS] == m.DEAD
            if not gone and left.finisher not in self.learners:
                return
            self._land_up_to(process, left.number)

    def _land_up_to(self, process: Agenda, number: int) -> None:
        """Make landings, the oldest first, until that of this number has been made, by whomever."""
        control = self.memory.control
        while control[m.LANDED] <= number and not self._over:
            if not process.wait_for(lambda: control[m.LANDED] > number or self.applying.attempt(), TURN):
                return  # without the lock: whoever has it may be writing the next version still
            if control[m.LANDED] <= number:
                self._land(process)
            self.applying.release()

    def _land(self, process: Agenda) -> None:
        """Make the oldest landing, alone."""
        party, landing = self.party, self.landings.oldest
        assert landing is not None
        found = self.landings.with_gradient(landing.learners)
        place = self.applier.apply(found, party.learner.merged) if found else -1
        process.wait_for_updates_taken()
        with party.turn():
            if self._over:
                return
            now = max(party.logical_now(), *self.memory.computed[landing.learners, m.ENDED].tolist())
            bells = party.settle(now - 1)  # they start with the weights as they were
            if found:
                self.shared.publish(place)
            self.landings.land(landing.finisher, landing.learners, now)
            self.memory.control[m.LANDED] += 1
            if party.host_of_learner:
                bells |= self.landings.start_again(landing.learners, now)
        self._landed_at = now
        process.ring(bells)
