"""How much less counts what is further away, under the name that people type: `vt.decay.Exponential(days=7)`."""

from vitrina.models.decay import All, Decay, Exponential, Hyperbolic, Linear, Window, weights

__all__ = ["All", "Decay", "Exponential", "Hyperbolic", "Linear", "Window", "weights"]
