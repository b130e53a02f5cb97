"""What `vt.Rules` is made of: filters, boosts, quotas, kept places, near-copies shown once. Public as `vt.rules`.

`filters` are applied before a model is asked, `movers` while a list is put together; `conditions` say which items or people a rule speaks of, `conflicts` which
rules can't both hold, `bounds` makes limits of them for a greedy choice; `ruled` is the re-ranker, and
`preview` says what rules would do.
"""

from vitrina.rerank.rules.conditions import New
from vitrina.rerank.rules.filters import FrequencyCap, Hide, HidePairs, Only, Suits
from vitrina.rerank.rules.movers import AtLeast, AtMost, Boost, NearCopies, Pin
from vitrina.rerank.rules.preview import Preview, preview

__all__ = [
    "AtLeast",
    "AtMost",
    "Boost",
    "FrequencyCap",
    "Hide",
    "HidePairs",
    "NearCopies",
    "New",
    "Only",
    "Pin",
    "Preview",
    "Suits",
    "preview",
]
