"""Plans are checked when made, and name what they measure."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rtsim.calibrate import CalibrationPlan
from rtsim.errors import InvalidValue, UnknownName


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("k", ()),
        ("k", (0.01,)),
        ("k", (-1.0,)),
        ("k", (math.nan,)),
        ("k", (1.0, 1)),
        ("depth", 20),
        ("threads", 0),
        ("threads", 1.5),
        ("threads", True),
        ("processes", 0),
        ("processes", 1001),
        ("streams", 1.5),
        ("streams", 1001),
        ("batch", (0,)),
        ("batch", (16, 16)),
        ("batch", (2.0,)),
        ("actions", 0),
        ("precision_goal", 0.0),
        ("precision_goal", 1.0),
        ("precision_goal", math.nan),
        ("time_limit_s", 0.0),
        ("time_limit_s", -5.0),
        ("time_limit_s", math.inf),
        ("time_limit_s", math.nan),
        ("min_samples", 2),
        ("max_samples", 299),
        ("seed", -1),
        ("seed", 2**63),
        ("name", "  "),
    ],
)
def test_plan_wrong_value_is_refused_naming_the_field(field: str, value: Any) -> None:
    with pytest.raises(InvalidValue, match=f"^{field} ") as caught:
        CalibrationPlan(**{field: value})
    message = str(caught.value)
    assert repr(value) in message or repr(value[0] if value else value) in message
    assert "give" in message


@pytest.mark.parametrize(("field", "value", "choice"), [("precision", "fp16", "bf16"), ("device", "gpu", "cuda")])
def test_plan_unknown_name_lists_the_choices(field: str, value: str, choice: str) -> None:
    with pytest.raises(UnknownName, match=choice):
        CalibrationPlan(**{field: value})  # type: ignore[arg-type]


def test_plan_key_default_names_family_depth_and_k() -> None:
    plan = CalibrationPlan()
    assert [plan.key(k) for k in plan.k] == ["resnet15-k0.0625", "resnet15-k1", "resnet15-k7", "resnet15-k29"]


def test_plan_key_everything_else_is_a_suffix() -> None:
    plan = CalibrationPlan(depth=30, precision="bf16", channels_last=True, compiled=True, threads=2, device="cuda")
    assert plan.key(18.5) == "resnet30-k18.5-bf16-channels_last-compiled-t2-cuda"
    assert CalibrationPlan(processes=4).key(7) == "resnet15-k7-p4"
    assert CalibrationPlan(device="cuda", streams=4).key(7) == "resnet15-k7-cuda-s4"


def test_plan_total_counts_inference_and_every_batch() -> None:
    assert CalibrationPlan(k=(1,), batch=()).total == 1
    assert CalibrationPlan(k=(1, 7, 29), batch=(8, 16)).total == 9
