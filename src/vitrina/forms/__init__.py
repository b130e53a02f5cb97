"""The fitted forms: how few kinds of fitted models score, answer and are kept, one file each. Many algorithms share them."""

from vitrina.forms import combine, decay
from vitrina.forms.base import Form
from vitrina.forms.embeddings import Embeddings
from vitrina.forms.itemmap import ItemMap
from vitrina.forms.neighbours import Neighbours
from vitrina.forms.personal import Personal
from vitrina.forms.shuffled import Shuffled
from vitrina.forms.static import Static

__all__ = ["Embeddings", "Form", "ItemMap", "Neighbours", "Personal", "Shuffled", "Static", "combine", "decay"]
