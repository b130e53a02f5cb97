"""Every class of a fitted policy that an artifact can hold."""

from vitrina.policy.encoder import Encoder
from vitrina.policy.expected import FittedOutcome
from vitrina.policy.explore import Explored, Thompson
from vitrina.policy.greedy import Effects, Greedy
from vitrina.policy.policies import Always, AtRandom, Columns
from vitrina.policy.priced import Priced
from vitrina.policy.regress import Boosted, Linear
from vitrina.policy.tree import TreePolicy

__all__ = [
    "Always",
    "AtRandom",
    "Boosted",
    "Columns",
    "Effects",
    "Encoder",
    "Explored",
    "FittedOutcome",
    "Greedy",
    "Linear",
    "Priced",
    "Thompson",
    "TreePolicy",
]
