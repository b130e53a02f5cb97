"""How an item becomes a vector: by its id, its content, its features, or several of them; and what is known of the person and of the events."""

from vitrina.sequence.embed.base import Embed, FittedTable, Rows, Table
from vitrina.sequence.embed.coding import Bags
from vitrina.sequence.embed.combine import Gated, SumOf
from vitrina.sequence.embed.content import ContentProjection
from vitrina.sequence.embed.events import EventInputs, EventVectors
from vitrina.sequence.embed.features import Features
from vitrina.sequence.embed.ids import Ids
from vitrina.sequence.embed.users import KnownUsers, UserFeatures

__all__ = ["Bags", "ContentProjection", "Embed", "EventInputs", "EventVectors", "Features", "FittedTable", "Gated", "Ids", "KnownUsers", "Rows", "SumOf", "Table", "UserFeatures"]  # fmt: skip
