"""The fitted forms: the few kinds of fitted models, one file each. Many algorithms share them, so that answering, saving and loading are written once.

`Static` has the same scores for everybody, `ItemMap` weights from item to item, `FactoredMap` and `FactoredEncoder` the factors of such weights,
`Embeddings` item vectors, `FoldedIn` those of factors, for which a person's own is solved, `Neighbours` and `LikeMinded` people like this one,
`Autoencoder` and `SigmoidProduct` a small network over the history,
`Personal` the own past, `Shuffled` chance, `Blended` (or `BlendedLists`) several others, `ByIndex` one of vectors (`Vectors`) behind an approximate index. For whoever writes a model: `fit` computes numbers and hands them to one of these. Beside them, how a
`Autoencoder` and `SigmoidProduct` a small network over the history, `Personal` and `Repurchases` the own past,
`Shuffled` chance, `Blended` (or `BlendedLists`) several others. For whoever writes a model: `fit` computes numbers and hands them to one of these. Beside them, how a
history is read: `decay`, `combine`, `reading`, `history`; how scores are made to add up: `scale`; and `levels` for weights too small for a float.
"""

from vitrina.forms import combine, decay, scale
from vitrina.forms.autoencoder import Autoencoder, SigmoidProduct
from vitrina.forms.base import Form
from vitrina.forms.blended import Blended, BlendedLists
from vitrina.forms.by_index import ByIndex
from vitrina.forms.embeddings import Embeddings
from vitrina.forms.factored import FactoredEncoder, FactoredMap, Path
from vitrina.forms.folded_in import FoldedIn
from vitrina.forms.itemmap import ItemMap
from vitrina.forms.like_minded import LikeMinded
from vitrina.forms.neighbours import Neighbours
from vitrina.forms.personal import Personal
from vitrina.forms.repurchases import Repurchases
from vitrina.forms.shuffled import Shuffled
from vitrina.forms.static import Static
from vitrina.forms.vectors import Vectors

__all__ = [
    "Autoencoder",
    "Blended",
    "BlendedLists",
    "ByIndex",
    "Embeddings",
    "FactoredEncoder",
    "FactoredMap",
    "FoldedIn",
    "Form",
    "ItemMap",
    "LikeMinded",
    "Neighbours",
    "Path",
    "Personal",
    "Repurchases",
    "Shuffled",
    "SigmoidProduct",
    "Static",
    "Vectors",
    "combine",
    "decay",
    "scale",
]
