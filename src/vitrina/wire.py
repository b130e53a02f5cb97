"""What goes over the wire of the service, as JSON: the one definition for the service, its OpenAPI description, and the client."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Int = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Id = Annotated[str, Meta(min_length=1, max_length=256)] | Int  # of a person or an item: compared as text, as everywhere (vitrina.base.ids)
Value = str | Int | float | bool | None  # of a column of items or people, or of the context
Name = Annotated[str, Meta(min_length=1, max_length=128)]
Time = Annotated[str, Meta(max_length=64, extra_json_schema={"format": "date-time"})] | float
Values = Annotated[dict[Name, Value], Meta(max_length=256)]
Typed = Annotated[str, Meta(min_length=1, max_length=1000)]

MOST_ITEMS = 1000  # of an answer
MOST_CANDIDATES = 10_000  # ids in one list of a request
MOST_EVENTS = 1000  # of a batch


class HistoryItem(Struct, frozen=True, forbid_unknown_fields=True):
    """Something that the person did, where the client tells it.

    Args:
        item: its id.
        time: when, ISO 8601 with an offset, or seconds since 1970; events without times are taken in the order of the list.
        kind: of event, as in the log.
        value: money, stars, seconds, as in the log.
    """

    item: Id
    time: Time | None = None
    kind: Name | None = None
    value: float | None = None


class RecommendRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What to recommend to whom.

    Args:
        user: the person; their events are the history. Nobody known, or none, is a visitor.
        history: what they did, oldest first; it comes after what is known of the user.
        k: how many items.
        scenario: the name of the place where they are shown.
        candidates: only these.
        where: only items of which the columns are so, as in the rules: {"aisle": "drinks", "brand": ["a", "b"], "price": {"at_most": 5}}.
        exclude: never these.
        repeat: may items of the history come back; by default as the model was fitted for.
        context: of this request: what rules and features read beside the person.
        diversity: 0 to 1, where the scenario re-ranks by it.
        weights: of the heads of the ranker, where it has several.
        session: shared by the requests of one visit.
        explain: with columns of why.
        text: what was typed, where the model of the scenario searches; nothing popular fills such a list.
        facets: columns of items whose values are counted over all that is found, up to 1,000 items.
    """

    user: Id | None = None
    history: Annotated[list[HistoryItem | Id], Meta(max_length=MOST_CANDIDATES)] | None = None
    k: Annotated[int, Meta(ge=1, le=MOST_ITEMS)] = 10
    scenario: Name = "default"
    candidates: Annotated[list[Id], Meta(max_length=MOST_CANDIDATES)] | None = None
    where: dict[str, Any] | None = None
    exclude: Annotated[list[Id], Meta(max_length=MOST_CANDIDATES)] = []
    repeat: bool | None = None
    context: Values = {}
    diversity: Annotated[float, Meta(ge=0, le=1)] | None = None
    weights: Annotated[dict[Name, float], Meta(max_length=256)] | None = None
    session: Name | None = None
    explain: bool = False
    text: Typed | None = None
    facets: Annotated[list[Name], Meta(max_length=16)] = []


class SearchRequest(RecommendRequest, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to find: `text` is what was typed, and the rest as in a request for recommendations. What the person has seen may be found again, unless `repeat` is false."""

    text: Typed  # pyright: ignore[reportGeneralTypeIssues]  by keyword alone, so that it may be required again
    repeat: bool | None = True


class RecommendedItem(Struct, frozen=True, omit_defaults=True):
    """A place of a list.

    Args:
        item: its id.
        rank: from 1.
        score: what orders the list; null where popularity filled the place.
        source: who proposed it: "model", "fallback", or the name of a source.
        title: to show, where there is one.
        reasons: names of the rules that moved it.
        propensity: chance of this item at this place, where it is known.
        why: what the model says of it, where it was asked to explain.
    """

    item: str
    rank: int
    score: float | None
    source: str
    title: str | None = None
    reasons: list[str] = []
    propensity: float | None = None
    why: dict[str, Any] | None = None


class FacetValue(Struct, frozen=True):
    """How many of the items that were found have a value; null is of those where it isn't known."""

    value: str | None
    count: int


class RecommendAnswer(Struct, frozen=True):
    """A list.

    Args:
        recommendation_id: name it in events about these items.
        scenario: as asked.
        model_version: what answered.
        items: best first; shorter than k only where nothing else is eligible.
        experiment: the running experiment that the person is in, if any.
        variant: its arm.
        propensity: the arm's chance.
        empty: why there is nothing, in a sentence; null where there is something.
        notes: what the client should know: parts that were skipped, ids that nobody knows.
        facets: by column, the values that were asked for, most frequent first.
    """

    recommendation_id: str
    scenario: str
    model_version: str
    items: list[RecommendedItem]
    experiment: str | None = None
    variant: str | None = None
    propensity: float | None = None
    empty: str | None = None
    notes: list[str] = []
    facets: dict[str, list[FacetValue]] = {}


class SimilarRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Which items are like one: `item`, and as in a request for recommendations the rest."""

    item: Id
    k: Annotated[int, Meta(ge=1, le=MOST_ITEMS)] = 10
    scenario: Name = "default"
    candidates: Annotated[list[Id], Meta(max_length=MOST_CANDIDATES)] | None = None
    where: dict[str, Any] | None = None
    exclude: Annotated[list[Id], Meta(max_length=MOST_CANDIDATES)] = []


class TurnIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A turn of the conversation before a question: of the "person", or an "answer" with the `status` that it had."""

    role: Literal["person", "answer"]
    text: Annotated[str, Meta(max_length=10_000)]
    status: Literal["answered", "refused", "asked", "handed over"] = "answered"


class AnswerRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A question, to be answered from what the model of a scenario finds.

    Args:
        question: as it was typed.
        conversation: what was said before, oldest first.
        trace: with every step on the way, for keys that may read; it holds the instructions, and is not for visitors.

    The rest is as in a search.
    """

    question: Annotated[str, Meta(min_length=1, max_length=2000)]
    conversation: Annotated[list[TurnIn], Meta(max_length=100)] = []
    scenario: Name = "default"
    user: Id | None = None
    history: Annotated[list[HistoryItem | Id], Meta(max_length=MOST_CANDIDATES)] | None = None
    candidates: Annotated[list[Id], Meta(max_length=MOST_CANDIDATES)] | None = None
    where: dict[str, Any] | None = None
    exclude: Annotated[list[Id], Meta(max_length=MOST_CANDIDATES)] = []
    trace: bool = False


class CitationOut(Struct, frozen=True):
    """What a sentence rests on: an item, and the words of it."""

    item: str
    title: str
    quote: str


class SentenceOut(Struct, frozen=True):
    """A sentence of an answer, never without what it rests on."""

    text: str
    citations: list[CitationOut]


class AnswerAnswer(Struct, frozen=True):
    """What came of a question.

    Args:
        status: "answered", "refused", "asked" (one question back), "handed over" to a person.
        text: the answer with numbers of the items; of an answer that isn't one the reason.
        items: that are cited, in the order of their numbers.
        sentences: none unless it was answered.
        code: why it was refused or handed over, in one of few words.
        options: of a question back, items to choose from.
        unanswered: parts of the question that nothing was found for.
        by: who chose or wrote the sentences.
        ticket: of a hand-over.
        notes: what the client should know.
        trace: the steps, where they were asked for.
    """

    status: str
    text: str
    items: list[str]
    sentences: list[SentenceOut]
    code: str = ""
    options: list[str] = []
    unanswered: list[str] = []
    language: str = "en"
    by: str = ""
    model_version: str = ""
    ticket: str | None = None
    notes: list[str] = []
    trace: Any = None


class EventIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Something that happened.

    Args:
        event_id: the client's; a second event with it is the first one, sent again.
        kind: "impression", "click", "purchase", or any other word.
        user: who; none for an unknown visitor.
        item: what it is about.
        time: when, ISO 8601 with an offset, or seconds since 1970; by default when it arrives.
        value: money, stars, seconds.
        basket: shared by events of one purchase.
        recommendation_id: of the answer that showed the item.
        position: the item's place in it, from 1.
        session: as in the request.
        properties: whatever else is to be kept with it.
    """

    event_id: Name
    kind: Name
    user: Id | None = None
    item: Id | None = None
    time: Time | None = None
    value: float | None = None
    basket: Name | None = None
    recommendation_id: Name | None = None
    position: Annotated[int, Meta(ge=1, le=MOST_ITEMS)] | None = None
    session: Name | None = None
    properties: Values = {}


class RowResult(Struct, frozen=True, omit_defaults=True):
    """What became of a row of a batch: "stored", "duplicate" (kept before, nothing changed) or "rejected", and then why; "deleted" or "unknown" too, of items and people."""

    status: str
    id: str | None = None
    reason: str | None = None


class BatchAnswer(Struct, frozen=True):
    """What became of a batch, in the order of its rows. What is stored or duplicate is on disk."""

    stored: int
    duplicates: int
    rejected: int
    results: list[RowResult]

    @classmethod
    def of(cls, results: list[RowResult]) -> BatchAnswer:
        """Rows counted: what was deleted is stored, and what was unknown is none of the three.

        >>> BatchAnswer.of([RowResult("deleted", "tea"), RowResult("unknown", "jam")]).stored
        1
        """
        statuses = [result.status for result in results]
        stored = statuses.count("stored") + statuses.count("deleted")
        return cls(stored, statuses.count("duplicate"), statuses.count("rejected"), results)


class ItemIn(Struct, frozen=True, forbid_unknown_fields=True):
    """An item: columns that are named are set (null empties one), others stay; `delete` takes it out of every list."""

    item: Id
    columns: Values = {}
    delete: bool = False


class UserIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A person: as an item. `delete` takes the columns away; to forget a person altogether is another call."""

    user: Id
    columns: Values = {}
    delete: bool = False


class ModelRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Another model for a scenario: the `folder` of an artifact, or `rollback` to the one before."""

    folder: str | None = None
    rollback: bool = False


class ModelAnswer(Struct, frozen=True):
    """What serves a scenario now, and what it can go back to."""

    scenario: str
    version: str
    model: str
    previous: str | None = None
    notes: list[str] = []


class Problem(Struct, frozen=True, omit_defaults=True):
    """A refusal: what is wrong, in a sentence with the remedy.

    Args:
        error: a word for programs: "invalid", "unauthorized", "forbidden", "not_found", "not_allowed", "too_slow", "conflict", "too_large",
            "unsupported", "too_many", "unavailable", "internal".
        message: the sentence.
        retry_after: seconds, where trying again helps.
        request_id: to find it in the logs.
    """

    error: str
    message: str
    retry_after: float | UnsetType = UNSET
    request_id: str | None = None


class RejectedRow(Struct, frozen=True):
    """A row that was refused: when it came (seconds since 1970), the JSON as it came (its first 4,096 bytes), and why."""

    received: float
    row: str
    reason: str


class RejectedAnswer(Struct, frozen=True):
    """Rows that were refused, newest first."""

    rows: list[RejectedRow]


class UserAnswer(Struct, frozen=True):
    """What is kept of a person: the columns that were set, how many events count in the history, and the latest of their items, newest last."""

    user: str
    columns: dict[str, Value]
    events: int
    latest: list[str]


class ErasedAnswer(Struct, frozen=True):
    """A person who was forgotten, and how many rows went; 0 where nothing was kept."""

    user: str
    rows: int


class ModelsAnswer(Struct, frozen=True):
    """What serves each scenario."""

    models: list[ModelAnswer]


class AuditRow(Struct, frozen=True):
    """Something that was done: when (seconds since 1970), by whom (the name of the key), what, on what, and how it ended."""

    time: float
    who: str
    action: str
    subject: str
    detail: str


class AuditAnswer(Struct, frozen=True):
    """What was done, newest first."""

    entries: list[AuditRow]


class Health(Struct, frozen=True):
    """How the service is: "live", "ready" or "not ready", and why not."""

    status: str
    reasons: list[str] = []
