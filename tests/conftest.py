"""Settings of the whole test suite.

Property tests are deterministic unless ``HYPOTHESIS_PROFILE=explore`` asks for new examples.
"""

from __future__ import annotations

import os
import signal
import threading

import pytest
from hypothesis import HealthCheck, settings

from rtsim.schedulers import registry

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.register_profile("explore", settings.get_profile("ci"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# A shell lets what it starts in the background ignore Ctrl-C, and children inherit that: those that a test
# interrupts would never notice.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _rules_of_one_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that a test registers is gone after it: plans rank every rule there is."""
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
