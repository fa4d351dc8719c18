"""The scenario file, checked completely before anything runs. Imports neither torch nor numpy."""

from transceiver.scenario.document import TAPS, Scenario
from transceiver.scenario.load import ScenarioError, load, parse

__all__ = ["TAPS", "Scenario", "ScenarioError", "load", "parse"]
