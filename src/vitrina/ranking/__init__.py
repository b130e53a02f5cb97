"""From candidates to the list that is worth showing: candidate sources, features, rankers, two stages as one model, and the value of a session."""

from vitrina.ranking.calibration import Calibration, Isotonic, IsotonicCurve, Platt, PlattCurve

__all__ = ["Calibration", "Isotonic", "IsotonicCurve", "Platt", "PlattCurve"]
