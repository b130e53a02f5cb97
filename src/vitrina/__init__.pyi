from . import filters as filters
from . import split as split
from . import testing as testing
from .data.dataset import Dataset as Dataset
from .data.demo import complete_journey as complete_journey
from .data.inspect import inspect as inspect
from .data.io import read_interactions as read_interactions
from .models.history import FadeByBaskets as FadeByBaskets
from .models.history import FadeByDays as FadeByDays
from .models.history import FadeByEvents as FadeByEvents
from .models.personal import TopPersonal as TopPersonal
from .models.popularity import Popularity as Popularity
from .models.random_items import RandomItems as RandomItems
from .models.tifuknn import TifuKNN as TifuKNN
from .types import Eligibility as Eligibility
from .types import Queries as Queries
from .types import Ragged as Ragged
from .types import Recommendations as Recommendations
from .vocabulary import Vocabulary as Vocabulary

__version__: str
