from . import split as split
from . import testing as testing
from .data.dataset import Dataset as Dataset
from .models.popularity import Popularity as Popularity
from .types import Eligibility as Eligibility
from .types import Queries as Queries
from .types import Ragged as Ragged
from .types import Recommendations as Recommendations
from .vocabulary import Vocabulary as Vocabulary

__version__: str
