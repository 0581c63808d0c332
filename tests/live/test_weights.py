"""Weights that are read while others are written, and gradients that are applied one after the other."""

from __future__ import annotations

import gc
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from rtsim.live import memory as m
from rtsim.live.agenda import Agenda
from rtsim.live.party import Start
from rtsim.live.weights import MEAN, SQUARE, WEIGHTS, SharedWeights, Version
from tests.live.learning_runs import learning_plan
from tests.live.test_party import party_in

torch = pytest.importorskip("torch")

from rtsim.learning import Gradient, Settings, make, merged  # noqa: E402
from rtsim.live.gradients import Applier, RealUpdates, Shelf, lay  # noqa: E402
from rtsim.live.keeper import Keeper  # noqa: E402

SETTINGS = Settings(network="mlp(4)", capacity=10, target_every=3, learning_rate=0.01)


def learner_():
    return make(SETTINGS, (3,), "float32", actions=2, seed=5)


def test_a_reader_gets_whole_versions_while_they_are_written():
    """Every version is filled with its own number: a copy that mixes two of them shows it."""
    size, last = 200_000, 300
    shared = SharedWeights(size, learners=1)
    shared.begin(np.zeros((3, size), np.float32), np.zeros(size, np.float32), Version(0, 0))

    def write() -> None:
        for number in range(1, last + 1):
            place = shared.prepare()
            shared.weights[place, WEIGHTS] = number
            target = np.full(size, number, np.float32) if number % 7 == 0 else None
            shared.complete(place, number, target)
            shared.publish(place)

    writer = threading.Thread(target=write)
    reader = SharedWeights(size, 1, shared.fd)
    found, target, seen, held = np.zeros(size, np.float32), np.zeros(size, np.float32), [], -1
    writer.start()
    while not seen or seen[-1] < last:
        version = reader.read(found, target, held)
        held = version.target
        assert found[0] == version.number
        assert (found == version.number).all()
        assert (target == version.target).all()
        assert version.target == version.number // 7 * 7
        seen.append(version.number)
    writer.join()
    assert seen == sorted(seen)


class Interrupted:
    """Takes a copy in two halves, and lets something happen between them, once."""

    def __init__(self, size, happens):
        self.array, self.happens, self.copies = np.zeros(size, np.float32), happens, 0

    def __setitem__(self, everything, source):
        half = len(source) // 2
        self.copies += 1
        self.array[:half] = source[:half]
        self.happens()
        self.happens = lambda: None
        self.array[half:] = source[half:]


def test_a_copy_in_which_the_next_version_but_one_begins_is_made_again():
    shared = SharedWeights(4, learners=1)
    shared.begin(np.zeros((3, 4), np.float32), np.zeros(4, np.float32), Version(0, 0))

    def writes() -> None:
        place = shared.prepare()
        shared.weights[place, WEIGHTS] = 1
        shared.complete(place, 1)
        shared.publish(place)
        shared.weights[shared.prepare(), WEIGHTS] = 2  # where the reader reads; not complete yet

    found = Interrupted(4, writes)
    assert shared.read(found) == Version(1, 0)
    assert found.array.tolist() == [1, 1, 1, 1]
    assert found.copies == 2


def test_a_target_network_that_is_not_published_is_not_seen():
    shared = SharedWeights(2, learners=1)
    shared.begin(np.zeros((3, 2), np.float32), np.zeros(2, np.float32), Version(0, 0))
    place = shared.prepare()
    shared.complete(place, 1, np.ones(2, np.float32))
    found, target = np.zeros(2, np.float32), np.full(2, 9, np.float32)
    assert shared.read(found, target) == Version(0, 0)
    assert target.tolist() == [0, 0]
    shared.publish(place)
    assert shared.read(found, target) == Version(1, 1)
    assert target.tolist() == [1, 1]


def test_a_version_that_was_never_finished_is_not_seen():
    shared = SharedWeights(2, learners=1)
    shared.begin(np.ones((3, 2), np.float32), np.ones(2, np.float32), Version(4, 4))
    shared.weights[shared.prepare()] = 9  # and its process dies
    found = np.zeros(2, np.float32)
    assert shared.read(found).number == 4
    place = shared.prepare()  # the next one begins with the newest
    assert (shared.weights[place] == 1).all()
    assert (found == 1).all()


@pytest.mark.parametrize("together", [False, True])
def test_gradients_applied_in_shared_memory_make_the_weights_of_a_learner_of_its_own(together):
    """The same gradients, in the same order, by Learner.apply on memory of its own: bit for bit."""
    alone, other = learner_(), learner_()
    shared = SharedWeights(Shelf(other.shapes).size, learners=3)
    lay(shared, other)
    applier = Applier(other, shared)
    generator = np.random.default_rng(0)
    for round_ in range(5):
        shared.gradients[:] = generator.normal(size=shared.gradients.shape) * 3
        order = generator.permutation(3).tolist()
        values = [
            Gradient(0, applier.shelf.views(shared.gradients[k].copy()), 0.0, np.zeros(0, int), np.zeros(0, np.float32))
            for k in order
        ]
        for gradient in [merged(values)] if together else values:
            alone.apply(gradient)
        shared.publish(applier.apply(order, together))
        assert shared.newest.number == alone.version == (round_ + 1) * (1 if together else 3)
    expected = alone.state()
    place = shared.weights[shared.place]
    for name, weight in applier.shelf.views(place[WEIGHTS]).items():
        torch.testing.assert_close(weight, expected["weights"][name], rtol=0, atol=0)
    for part, moment in ((MEAN, "exp_avg"), (SQUARE, "exp_avg_sq")):
        for k, view in enumerate(applier.shelf.views(place[part]).values()):
            torch.testing.assert_close(view, expected["optimiser"]["state"][k][moment], rtol=0, atol=0)
    for name, weight in applier.shelf.views(shared.targets[shared.target_place]).items():
        torch.testing.assert_close(weight, expected["target"][name], rtol=0, atol=0)
    assert shared.newest.target == alone.version // SETTINGS.target_every * SETTINGS.target_every


def test_weights_begin_where_a_learner_left_off():
    left = learner_()
    for _ in range(4):
        values = {name: torch.ones(shape) for name, shape in left.shapes.items()}
        left.apply(Gradient(0, values, 0.0, np.zeros(0, int), np.zeros(0, np.float32)))
    shared = SharedWeights(Shelf(left.shapes).size, learners=1)
    lay(shared, left)
    assert shared.base == 4
    shared.gradients[0] = 1.0
    again = learner_()
    applier = Applier(again, shared)
    shared.publish(applier.apply([0]))
    left.apply(Gradient(0, applier.shelf.views(shared.gradients[0].copy()), 0.0, np.zeros(0, int), np.zeros(0)))
    for name, view in applier.shelf.views(shared.weights[shared.place, WEIGHTS]).items():
        torch.testing.assert_close(view, left.state()["weights"][name], rtol=0, atol=0)
    assert shared.newest.number == 5


class Elsewhere:
    """A lock that another process has, and keeps."""

    def attempt(self) -> bool:
        return False

    def release(self) -> None:
        pass


def test_who_waits_for_the_lock_when_the_run_is_stopped_writes_no_version(tmp_path, monkeypatch):
    """Whoever has the lock may be writing one there, which is published whole or not at all."""
    monkeypatch.setattr(gc, "freeze", lambda: None)
    party = party_in(learning_plan(tmp_path, learner_rule="lock_free"))
    lock = party.kept.fileno()  # type: ignore[attr-defined]
    keeper = Keeper(party.plan, 2, party.memory, lock)
    updates = RealUpdates(party, range(1), keeper.shared.fd, lock, 2, keeper.replay)
    updates.applying = Elsewhere()  # type: ignore[assignment]

    def stopped(timeout_ns: int) -> bool:
        party.memory.control[m.STOP] = 1
        return True

    before = keeper.shared.weights.copy()
    assert before[1].max() == 0 < before[0].max()  # nothing has been written into the second place
    updates.landings.begin(0, Start(0, 0, 0))
    updates.finish(Agenda(party, SimpleNamespace(wait=stopped), pulse=1), 0)  # type: ignore[arg-type]
    assert party.memory.control[m.DECIDED] == 1
    np.testing.assert_array_equal(keeper.shared.weights, before)
    keeper.close()
    party.kept.close()  # type: ignore[attr-defined]
