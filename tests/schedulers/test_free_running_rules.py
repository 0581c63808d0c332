"""Rules without offsets: sequential, one-step lag, unstaggered, chunking, pipeline."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from rtsim.clocks import simulate
from rtsim.errors import InvalidValue
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule


def run(rule: str, inference: str, steps: int = 13, step: int = 10, **settings: object) -> Schedule:
    scenario = Scenario(rule, inference, step_time=Fraction(step), steps=steps, **settings)  # type: ignore[arg-type]
    return simulate(scenario, spans=True)


def used(schedule: Schedule) -> list[tuple[int, int]]:
    """(step, observation) of every agent step."""
    where = np.flatnonzero(schedule.acted)
    return list(zip(where.tolist(), schedule.steps["observation"][where].tolist(), strict=True))


def span(schedule: Schedule, column: str) -> list[int]:
    assert schedule.spans is not None
    return schedule.spans[column].tolist()  # type: ignore[no-any-return]


# Sequential.


def test_sequential_acts_before_it_learns() -> None:
    # 15 ns to act, then 25 ns to learn: starts at 0, 40, 80; actions at 15, 55, 95.
    schedule = run("sequential", "15ns", learning_time="25ns")
    assert span(schedule, "start_ns") == [0, 40, 80]
    assert used(schedule) == [(2, 0), (6, 4), (10, 8)]
    assert schedule.updates["start_ns"].tolist() == [15, 55, 95]
    assert schedule.updates["land_ns"].tolist() == [40, 80, 120]
    assert schedule.updates["data_step"].tolist() == [1, 5, 9]
    assert schedule.steps["version"][[2, 6, 10]].tolist() == [0, 1, 2]


def test_sequential_learning_first_delays_the_action_by_the_learning() -> None:
    # Observation read at 0, learnt from until 25, acted on from 25 to 40.
    schedule = run("sequential(order=learn_act)", "15ns", learning_time="25ns")
    assert span(schedule, "start_ns") == [25, 65, 105]
    assert used(schedule) == [(4, 0), (8, 4), (12, 8)]
    assert schedule.steps["version"][[4, 8, 12]].tolist() == [1, 2, 3]
    assert schedule.updates["start_ns"].tolist() == [0, 40, 80]


@pytest.mark.parametrize(("order", "delay"), [("act_learn", 2), ("learn_act", 4)])
def test_sequential_waiting_for_a_fresh_observation_starts_at_the_next_step(order: str, delay: int) -> None:
    # 15 + 20 ns end between steps 3 and 4.
    schedule = run(f"sequential(order={order}, wait_observation=true)", "15ns", learning_time="20ns")
    assert [observation for _, observation in used(schedule)] == [0, 4, 8][: len(used(schedule))]
    assert set(schedule.delay_steps.tolist()) == {delay}


def test_sequential_without_waiting_reads_stale_observations() -> None:
    schedule = run("sequential", "15ns", learning_time="20ns")
    assert span(schedule, "start_ns") == [0, 35, 70, 105]
    assert span(schedule, "observation") == [0, 3, 7, 10]


def test_sequential_before_learning_starts_only_acts() -> None:
    schedule = run("sequential", "15ns", learning_time="25ns", learning_starts=4)
    # Ends at 15, 30, 45: the last is at step 4.
    assert span(schedule, "start_ns") == [0, 15, 30, 70]
    assert schedule.updates["start_ns"].tolist() == [45, 85]


def test_sequential_is_one_process_whatever_is_asked_for() -> None:
    scenario = Scenario("sequential", "84ms", workers=5, learning_time="84ms", learners=3)
    assert scenario.workers == 1
    assert scenario.learner_count == 1
    assert set(simulate(scenario.with_(steps=100)).updates["learner"].tolist()) == {0}


# One-step lag.


@pytest.mark.parametrize("inference", ["0ns", "1ns", "9ns", "10ns"])
def test_one_step_lag_fast_inference_has_delay_one(inference: str) -> None:
    schedule = run("one_step_lag", inference)
    assert used(schedule) == [(i, i - 1) for i in range(1, 13)]


def test_one_step_lag_slow_inference_starts_on_the_next_fresh_observation() -> None:
    schedule = run("one_step_lag", "15ns")
    assert used(schedule) == [(i, i - 2) for i in range(2, 13, 2)]


# Unstaggered.


def test_unstaggered_workers_start_together_and_overwrite_each_other() -> None:
    # Riemer et al. 2025, Sec. 3: equal times without offsets waste all but one worker.
    schedule = run("unstaggered", "30ns", workers=4)
    assert used(schedule) == [(3, 0), (6, 3), (9, 6), (12, 9)]
    assert schedule.steps["worker"][[3, 6, 9, 12]].tolist() == [3, 3, 3, 3]
    assert schedule.steps["released"][[3, 6, 9, 12]].tolist() == [4] * 4
    assert schedule.steps["overwritten"][[3, 6, 9, 12]].tolist() == [3] * 4


def test_unstaggered_queue_keeps_what_a_mailbox_overwrites() -> None:
    schedule = run("unstaggered", "30ns", workers=4, mailbox="fifo(3)")
    # Four a time, three kept in the order of the workers, one dropped.
    assert schedule.steps["worker"].tolist() == [-1, -1, -1, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    assert schedule.steps["dropped"].tolist() == [0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1]
    assert schedule.steps["overwritten"].sum() == 0
    assert schedule.totals["pending"] == 2
    assert [o for _, o in used(schedule)] == [0, 0, 0, 3, 3, 3, 6, 6, 6, 9]


# Chunking.


def test_chunking_actions_serve_successive_steps() -> None:
    schedule = run("chunking(size=3)", "20ns", workers=2)
    assert span(schedule, "start_ns") == [0, 30, 60, 90]
    assert used(schedule) == [
        (2, 0), (3, 0), (4, 0), (5, 3), (6, 3), (7, 3), (8, 6), (9, 6), (10, 6), (11, 9), (12, 9),
    ]  # fmt: skip
    assert schedule.steps["chunk_index"].tolist() == [-1, -1, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1]
    assert set(schedule.steps["worker"][2:].tolist()) == {0}


def test_chunking_release_between_steps_serves_the_next_step_first() -> None:
    schedule = run("chunking(size=2)", "15ns", steps=8)
    # Released at 15: steps 2 and 3; the next chunk starts at step 2, ends at 35: steps 4 and 5.
    assert used(schedule) == [(2, 0), (3, 0), (4, 2), (5, 2), (6, 4), (7, 4)]
    assert schedule.steps["release_ns"][2:6].tolist() == [15, 30, 35, 50]


def test_chunking_slow_worker_leaves_gaps_and_two_workers_fill_them() -> None:
    one = run("chunking(size=3)", "45ns", steps=40)
    assert one.statistics(warmup_steps=10).inaction_fraction > 0
    two = run("chunking(size=3)", "45ns", steps=40, workers=2)
    assert two.statistics(warmup_steps=10).inaction_fraction == 0


@pytest.mark.parametrize("seed", range(4))
def test_chunking_newer_chunk_replaces_what_is_left_of_older_ones(seed: int) -> None:
    # Variable times: a chunk may come while an older one is still being used, and before it.
    scenario = Scenario("chunking(size=4)", "uniform(1ms, 200ms)", workers=3, step_time="10ms", steps=1500, seed=seed)
    schedule = simulate(scenario, spans=True)
    steps, spans = schedule.steps, schedule.spans
    assert spans is not None
    released = int(steps["released"].sum())
    assert released == int(schedule.acted.sum() + steps["overwritten"].sum()) + schedule.totals["pending"]
    came = spans["release_ns"] >= 0
    late = 0
    for at in np.flatnonzero(schedule.acted).tolist():
        # Chunks of newer observations that had come when this action was released.
        newer = came & (spans["observation"] > steps["observation"][at])
        newer &= spans["release_ns"] < steps["release_ns"][at]
        if steps["chunk_index"][at] == 0:
            late += int(newer.any())
        else:
            assert not newer.any(), at
    # It did happen that an older chunk came after a newer one: its first action is used, no other.
    assert late > 10


@pytest.mark.parametrize(("size", "growth", "length"), [(1, 1, 20), (3, 0.5, 40), (4, 1, 80), (5, 0, 20)])
def test_chunking_time_grows_with_the_chunk(size: int, growth: float, length: int) -> None:
    schedule = run(f"chunking(size={size}, growth={growth})", "20ns", steps=30)
    assert schedule.spans is not None
    assert set((schedule.spans["end_ns"] - schedule.spans["start_ns"]).tolist()) == {length}
    scenario = Scenario(f"chunking(size={size}, growth={growth})", "20ms", step_time="10ms")
    assert scenario.inference_mean == pytest.approx(length * 1e-3)
    assert scenario.capacity_limit == pytest.approx(max(0.0, 1 - size * 10 / length))


def test_chunking_in_a_queue_is_used_in_order_of_release() -> None:
    schedule = run("chunking(size=2)", "20ns", workers=1, mailbox="fifo(4)", steps=10)
    assert schedule.steps["chunk_index"].tolist() == [-1, -1, 0, 1, 0, 1, 0, 1, 0, 1]


# Pipeline.


def test_pipeline_starts_every_neuron_time_and_has_the_latency_of_all_layers() -> None:
    # Anokhin et al. 2025, Fig. 2: L = 4 layers of δ = 10 ns, delay Lδ.
    schedule = run("pipeline(layers=4)", "40ns")
    assert span(schedule, "start_ns") == list(range(0, 90, 10))
    assert used(schedule) == [(i, i - 4) for i in range(4, 13)]


def test_pipeline_skip_connections_make_the_freshest_input_one_neuron_time_old() -> None:
    schedule = run("pipeline(layers=4, skip=true)", "40ns")
    assert span(schedule, "start_ns") == list(range(0, 120, 10))
    assert used(schedule) == [(i, i - 1) for i in range(1, 13)]


@pytest.mark.parametrize("skip", ["false", "true"])
@pytest.mark.parametrize(("layers", "inference"), [(4, 60), (2, 50), (3, 120), (2, 20), (8, 40)])
def test_pipeline_slow_layers_leave_inaction_of_one_minus_one_over_delta(
    layers: int, inference: int, skip: str
) -> None:
    # Anokhin et al. 2025, Prop. 3, counted per environment step: (δ − 1)/δ for δ >= 1 steps.
    schedule = run(f"pipeline(layers={layers}, skip={skip})", f"{inference}ns", steps=2000)
    delta = Fraction(inference, layers * 10)
    found = schedule.statistics(warmup_steps=20)
    expected = max(Fraction(0), (delta - 1) / delta)
    assert abs(found.inaction_fraction - float(expected)) <= 1 / (found.steps - 1)


def test_pipeline_stage_time_is_rounded_up() -> None:
    schedule = run("pipeline(layers=4)", "61ns", steps=20)
    assert span(schedule, "start_ns")[:4] == [0, 16, 32, 48]
    assert span(schedule, "end_ns")[:4] == [61, 77, 93, 109]


@pytest.mark.parametrize("inference", ["lognorm(mean=84ms, cv=1)", "mixture(0.9: 20ms, 0.1: 200ms)"])
@pytest.mark.parametrize("skip", ["false", "true"])
def test_pipeline_results_leave_in_the_order_in_which_they_entered(inference: str, skip: str) -> None:
    schedule = simulate(Scenario(f"pipeline(layers=4, skip={skip})", inference, steps=800), spans=True)
    assert span(schedule, "inference") == list(range(len(span(schedule, "inference"))))
    assert (np.diff([o for _, o in used(schedule)]) >= 0).all()
    assert (np.diff(span(schedule, "release_ns")) >= 0).all()


def test_pipeline_of_one_layer_is_one_worker() -> None:
    one = simulate(Scenario("pipeline(layers=1)", "lognorm(mean=84ms, cv=0.3)", steps=500))
    other = simulate(Scenario("unstaggered", "lognorm(mean=84ms, cv=0.3)", steps=500))
    assert one.diff(other) is None


def test_pipeline_counts_its_layers_in_the_capacity_limit() -> None:
    assert Scenario("pipeline(layers=4)", "160ms", step_time="10ms").capacity_limit == pytest.approx(0.75)
    with pytest.raises(InvalidValue, match="10000"):
        Scenario("pipeline(layers=10001)", "160ms").program()
