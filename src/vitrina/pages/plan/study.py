"""What each of the pages shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vitrina.plan import Demand, Forecast


@dataclass(frozen=True, eq=False)
class DemandStudy:
    """What is known of demand, and how well it can be forecast.

    Args:
        demand: all days, those that judged included.
        judged: a forecast of the last known days, made before they were known, for the series of `demand` in their order; None where none was judged.
        ahead: the days to come; None where none are forecast.
        forecaster: whose forecasts these are.
        settings: facts for the last section.
    """

    demand: Demand
    judged: Forecast | None = None
    ahead: Forecast | None = None
    forecaster: str = ""
    title: str = "Demand"
    settings: Mapping[str, str] = field(default_factory=dict)
    date: str = ""
