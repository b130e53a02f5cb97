"""Language models behind one protocol: messages and a schema in, a validated object out.

For whoever lets a model rewrite, answer or judge, and must know that its answer has the asked form, what it cost, and that it isn't paid for twice.
"""

from vitrina.language.batch import Cost, Replies, complete_all, estimate
from vitrina.language.cached import Cached
from vitrina.language.cost import Limit, Price, Spent, count_tokens
from vitrina.language.endpoint import Endpoint
from vitrina.language.errors import BudgetError, InvalidAnswerError, LanguageModelError, UnreachableError
from vitrina.language.forms import Form, Reasoned, form_text
from vitrina.language.protocol import LanguageModel, Message, Reply
from vitrina.language.scripted import Scripted

__all__ = [
    "BudgetError", "Cached", "Cost", "Endpoint", "Form", "InvalidAnswerError", "LanguageModel", "LanguageModelError", "Limit", "Message",
    "Price", "Reasoned", "Replies", "Reply", "Scripted", "Spent", "UnreachableError", "complete_all", "count_tokens", "estimate",
    "form_text",
]  # fmt: skip
