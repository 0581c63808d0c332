"""Clocks: a scenario in, a Schedule out."""

from rtsim.clocks.simpy_clock import simulate

__all__ = ["simulate"]
