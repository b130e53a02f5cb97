"""Whether a comparison can be believed: what a metric, a split and a log can tell of an order of models, and with how many people.

For whoever has values per query of several models: `quality_of` gives all of it, `stable_size`, `signal_to_noise`, `people_apart`, `monotonicity` and
`order_agreement` one number each. A board has it by `board.quality()`.
"""

from vitrina.evaluate.quality.found import quality_of
from vitrina.evaluate.quality.orders import monotonicity, order_agreement
from vitrina.evaluate.quality.record import Quality
from vitrina.evaluate.quality.signal import SignalToNoise, signal_to_noise
from vitrina.evaluate.quality.stable import Apart, Stability, Stable, people_apart, stable_size
from vitrina.evaluate.quality.values import ModelValues

__all__ = [
    "Apart", "ModelValues", "Quality", "SignalToNoise", "Stability", "Stable", "monotonicity", "order_agreement", "people_apart", "quality_of",
    "signal_to_noise", "stable_size",
]  # fmt: skip
