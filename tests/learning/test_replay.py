"""Replay memories against twins that keep plain lists of transitions."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsim.errors import FileProblem, InvalidValue
from rtsim.learning import Prioritised, Recent, Reservoir, SumTree
from rtsim.learning.draws import RESERVOIR, generator
from rtsim.learning.memory import Memory


@dataclass
class Story:
    """Episodes as lists of (observation, action, reward, following, terminated, ended), frames numbered."""

    transitions: list[tuple[int, int, float, int, bool, bool]] = field(default_factory=list)
    frames: int = 0

    def tell(self, memory: Memory, endings: list[int]) -> None:
        """0: goes on, 1: terminates, 2: is truncated; frame n has the content n."""
        begun = False
        for k, ending in enumerate(endings):
            if not begun:
                memory.begin(np.full(2, self.frames, np.float32))
                self.frames += 1
            frame, action, reward = self.frames - 1, k % 3, float(k % 7)
            memory.append(action, reward, np.full(2, frame + 1, np.float32), ending == 1, ending == 2)
            self.frames += 1
            self.transitions.append((frame, action, reward, frame + 1, ending == 1, ending > 0))
            begun = ending == 0

    def n_step(self, k: int, steps: int, discount: float, limit: int) -> tuple[float, int, float]:
        """Reward, following frame and discount of the n-step return from transition k, by its definition."""
        total, factor = 0.0, 1.0
        for j in range(k, min(k + steps, limit)):
            _, _, reward, following, terminated, ended = self.transitions[j]
            total += factor * reward
            factor *= discount
            if ended:
                break
        return total, following, 0.0 if terminated else factor


endings = st.lists(st.sampled_from([0, 0, 0, 0, 1, 2]), min_size=1, max_size=60)


@settings(max_examples=40)
@given(endings=endings, capacity=st.integers(2, 25), steps=st.integers(1, 4), back=st.integers(0, 10))
def test_recent_samples_are_transitions_of_the_window_with_their_n_step_returns(endings, capacity, steps, back) -> None:
    memory, story = Recent(capacity, (2,), np.float32), Story()
    story.tell(memory, endings)
    limit = max(1, len(endings) - back)
    held = {
        k for k, t in enumerate(story.transitions[:limit]) if t[0] >= story.frames - capacity
    }  # the last `capacity` frames are held
    if not held:
        with pytest.raises(InvalidValue, match="no transition"):
            memory.sample(4, np.random.default_rng(0), 0.9, limit, steps)
        return
    batch = memory.sample(300, np.random.default_rng(0), 0.9, limit, steps)
    by_frame = {t[0]: k for k, t in enumerate(story.transitions)}
    found = [by_frame[int(frame[0])] for frame in batch.observations]
    assert set(found) <= held
    if len(held) <= 20:  # missed by 300 uniform draws of 20 with probability 20·0.95³⁰⁰ < 5e-6, and the seed is fixed
        assert set(found) == held
    for i, k in enumerate(found):
        reward, following, discount = story.n_step(k, steps, 0.9, limit)
        assert batch.actions[i] == story.transitions[k][1]
        assert batch.rewards[i] == pytest.approx(reward)
        assert batch.following[i, 0] == following
        assert batch.discounts[i] == pytest.approx(discount)


def test_recent_elapsed_steps_discount_as_often() -> None:
    memory = Recent(10, (1,), np.float32)
    memory.begin(np.zeros(1))
    memory.append(0, 1.0, np.ones(1), elapsed=3)
    memory.append(0, 1.0, np.ones(1), elapsed=2)
    batch = memory.batch(np.array([0]), 0.5, steps=2)
    assert batch.rewards[0] == 1 + 0.5**3
    assert batch.discounts[0] == 0.5**5


def test_recent_draws_are_uniform() -> None:
    memory, story = Recent(12, (2,), np.float32), Story()
    story.tell(memory, [0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 1, 0, 0])
    rows = memory.sample(60_000, np.random.default_rng(1), 0.9).rows
    counts = np.unique(rows, return_counts=True)[1]
    expected = 60_000 / len(counts)
    # Chi-square with < 12 degrees of freedom exceeds 55 with probability < 1e-6 (7e-8 at 11).
    assert ((counts - expected) ** 2 / expected).sum() < 55


@settings(max_examples=40)
@given(endings=endings, capacity=st.integers(2, 12), spare=st.booleans(), back=st.integers(0, 10))
def test_reservoir_holds_what_algorithm_r_holds(endings, capacity, spare, back) -> None:
    story = Story()
    held: list[int] = []  # the twin: Vitter's algorithm R on numbers
    for n in range(len(endings)):
        if n < capacity:
            held.append(n)
        else:
            slot = int(generator(3, RESERVOIR, n).integers(n + 1))
            if slot < capacity:
                held[slot] = n
    memory = Reservoir(capacity, (2,), np.float32, spare=spare * len(endings), seed=3)
    story.tell(memory, endings)
    limit = max(1, len(endings) - back)
    allowed = {n for n in held if n < limit}
    if not allowed:
        return
    batch = memory.sample(300, np.random.default_rng(0), 0.9, limit)
    assert set(batch.rows.tolist()) == allowed
    for i, n in enumerate(batch.rows):
        frame, action, reward, following, terminated, _ = story.transitions[n]
        assert (batch.observations[i, 0], batch.following[i, 0]) == (frame, following)
        assert (batch.actions[i], batch.rewards[i]) == (action, reward)
        assert batch.discounts[i] == pytest.approx(0.0 if terminated else 0.9)


def test_reservoir_refuses_n_step_returns() -> None:
    memory = Reservoir(5, (1,))
    with pytest.raises(InvalidValue, match="no neighbours"):
        memory.sample(1, np.random.default_rng(0), 0.9, steps=2)


@given(
    values=st.lists(st.floats(0, 1e6), min_size=1, max_size=40).filter(lambda v: sum(v) > 0),
    shares=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=10),
)
def test_sum_tree_find_equals_the_search_in_a_running_total(values, shares) -> None:
    tree = SumTree(len(values))
    tree.set(np.arange(len(values)), np.array(values))
    single = SumTree(len(values))
    for place, value in enumerate(values):
        single.put(place, value)
    assert tree.total == single.total == pytest.approx(sum(values))
    found = tree.find(np.array(shares) * tree.total)
    for share, place in zip(shares, found, strict=True):
        assert values[place] > 0
        # The running total up to the leaf does not exceed the sum, the one that includes it does: to rounding.
        before, wanted = sum(values[:place]), share * tree.total
        assert before <= wanted + 1e-9 * tree.total
        assert wanted <= before + values[place] + 1e-9 * tree.total


def test_prioritised_draws_by_priority_and_weights_by_its_inverse() -> None:
    memory = Prioritised(8, (1,), np.float32, alpha=0.5)
    memory.beta = 0.7
    memory.begin(np.zeros(1))
    for k in range(5):
        memory.append(0, k, np.ones(1))
    losses = np.array([1.0, 4.0, 9.0, 16.0, 25.0])
    memory.prioritise(np.arange(5), losses)
    batch = memory.sample(60_000, np.random.default_rng(2), 0.9)
    share = np.sqrt(losses) / np.sqrt(losses).sum()  # p^α with α = ½: 1 to 5, of 15
    counts = np.bincount(batch.rows, minlength=5)
    # Stratified draws vary less than multinomial ones: five standard deviations of those are 5e-7 at most.
    assert (np.abs(counts - 60_000 * share) < 5 * np.sqrt(60_000 * share)).all()
    # (1/(N P))^β over the largest of them, Schaul et al. 2016, Sec. 3.4.
    weights = (1 / (5 * share)) ** 0.7
    np.testing.assert_allclose(batch.weights, (weights / weights.max())[batch.rows], rtol=1e-6)


@settings(max_examples=30)
@given(endings=endings, capacity=st.integers(2, 12), spare=st.sampled_from([0, 2, 5]), back=st.integers(0, 10))
def test_prioritised_never_draws_what_is_gone_or_of_the_future(endings, capacity, spare, back) -> None:
    memory, story = Prioritised(capacity, (2,), np.float32, spare=spare), Story()
    for ending in endings:  # a checkpoint after every transition gives the spare places back
        memory.mark()
        story.tell(memory, [ending])
        memory.prioritise(np.array([memory.count - 2]), np.array([1.0 + memory.count % 5]))
    limit = max(1, len(endings) - back)
    try:
        batch = memory.sample(50, np.random.default_rng(0), 0.9, limit)
    except InvalidValue:
        assert not any(t[0] >= story.frames - capacity for t in story.transitions[:limit])
        return
    known = {t[0] for t in story.transitions[:limit] if t[0] >= story.frames - capacity}
    assert {int(frame[0]) for frame in batch.observations} <= known


def test_prioritise_rows_that_have_left_changes_nothing() -> None:
    memory = Prioritised(3, (1,), np.float32)
    memory.begin(np.zeros(1))
    for _ in range(9):
        memory.append(0, 0, np.zeros(1))
    before = memory.state()["priorities"]
    memory.prioritise(np.array([0, 1]), np.array([100.0, 100.0]))
    assert before.equal(memory.state()["priorities"])


def test_replay_million_frames_take_less_than_eight_gigabytes() -> None:
    memory = Recent(2, (84, 84, 1))
    assert (1_000_000 + 100_000) * memory._fields().itemsize < 8e9  # with the spare places of a training


@pytest.mark.parametrize("kind", [Recent, Prioritised, Reservoir])
def test_memory_file_going_back_undoes_all_that_was_written_later(kind, tmp_path) -> None:
    story = [0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 1, 0] * 2
    memory = kind(9, (2,), np.float32, tmp_path / "m", spare=40)
    for _ in range(4):  # more than once round the file
        memory.mark()
        Story().tell(memory, story)
    state, batch = memory.state(), memory.sample(50, np.random.default_rng(5), 0.9)
    memory.mark()
    Story().tell(memory, [0, 1] * 12)
    changed = memory.sample(50, np.random.default_rng(5), 0.9)
    assert not np.array_equal(changed.rows, batch.rows)
    again = kind(9, (2,), np.float32, tmp_path / "m", spare=40, token=state["token"])
    again.restore(state)
    other = again.sample(50, np.random.default_rng(5), 0.9)
    for name in ("observations", "following", "rewards", "actions", "rows", "discounts", "weights"):
        np.testing.assert_array_equal(getattr(batch, name), getattr(other, name))


@pytest.mark.parametrize("kind", [Recent, Prioritised, Reservoir])
def test_memory_file_without_a_checkpoint_stops_before_it_destroys_what_one_needs(kind, tmp_path) -> None:
    memory = kind(4, (2,), np.float32, tmp_path / "m", spare=3)
    with pytest.raises(InvalidValue, match=r"spare|places"):
        Story().tell(memory, [0] * 200)


def test_memory_file_foreign_truncated_or_missing_is_refused_in_one_line(tmp_path) -> None:
    file = tmp_path / "m"
    token = Recent(9, (2,), np.uint8, file).token
    for spoil, message in (
        (lambda: None, "another training"),
        (lambda: file.write_bytes(file.read_bytes()[:-5]), "cut short"),
        (lambda: file.write_bytes(b"{}" + b" " * 5000), "no replay memory"),
        (lambda: file.write_bytes(b"\x80\x04 nothing"), "cannot be read"),
        (lambda: file.unlink(), "missing"),
    ):
        spoil()
        with pytest.raises(FileProblem, match=message) as caught:
            Recent(9, (2,), np.uint8, file, token="no" if message == "another training" else token)
        assert "\n" not in str(caught.value)
