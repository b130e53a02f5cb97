"""Goals as quantiles of a forecast, the bonuses that they bring, and what a pilot of them says."""
