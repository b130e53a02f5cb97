"""Lists: what to recommend, and what is like an item."""

from __future__ import annotations

import msgspec

from vitrina.service.decoding import canonical
from vitrina.service.routes.table import Call, Endpoint
from vitrina.wire import AnswerAnswer, AnswerRequest, RecommendAnswer, RecommendRequest, SearchRequest, SimilarRequest

RECOMMEND, SIMILAR = msgspec.json.Decoder(RecommendRequest), msgspec.json.Decoder(SimilarRequest)
SEARCH, ANSWER = msgspec.json.Decoder(SearchRequest), msgspec.json.Decoder(AnswerRequest)


async def recommend(call: Call) -> RecommendAnswer:
    """A list for somebody."""
    request = call.read(RECOMMEND)
    call.scenario(request.scenario)
    answer, _ = await call.tenant.recommend(canonical(request, any_year=call.service.settings.limits.any_year))
    return answer


async def search(call: Call) -> RecommendAnswer:
    """What was found for a text."""
    request = call.read(SEARCH)
    call.scenario(request.scenario)
    answer, _ = await call.tenant.recommend(canonical(request, any_year=call.service.settings.limits.any_year))
    return answer


async def answer(call: Call) -> AnswerAnswer:
    """A question, answered from what is found."""
    request = call.read(ANSWER)
    call.scenario(request.scenario)
    if request.trace:  # it holds the instructions to the language model
        call.caller.check("read")
    return await call.tenant.answer(canonical(request, any_year=call.service.settings.limits.any_year), traced=request.trace)


async def similar(call: Call) -> RecommendAnswer:
    """Items like one."""
    request = call.read(SIMILAR)
    call.scenario(request.scenario)
    return await call.tenant.similar(canonical(request))


ROUTES = [
    Endpoint(
        "POST", "/v1/recommend", recommend, "recommend", "A list for a person, a history, or a visitor",
        RecommendAnswer, RecommendRequest, model=True, example={"user": "ann", "k": 2},
        answered={
            "recommendation_id": "0192f0c1", "scenario": "default", "model_version": "3f2a9c1b-20261126T140700",
            "items": [
                {"item": "tea", "rank": 1, "score": 0.71, "source": "model", "title": "Green tea"},
                {"item": "jam", "rank": 2, "score": 0.44, "source": "model"},
            ],
            "experiment": None, "variant": None, "propensity": None, "empty": None, "notes": [], "facets": {},
        },
    ),
    Endpoint(
        "POST", "/v1/search", search, "recommend", "What is found for a text, best first",
        RecommendAnswer, SearchRequest, model=True, example={"text": "green tea", "k": 2, "facets": ["brand"]},
    ),
    Endpoint(
        "POST", "/v1/answer", answer, "recommend", "A question, answered in sentences that cite items, or refused with the reason",
        AnswerAnswer, AnswerRequest, long=True, model=True, example={"question": "Which tea is with mint?"},
    ),
    Endpoint(
        "POST", "/v1/similar", similar, "recommend", "Items like one", RecommendAnswer, SimilarRequest, model=True, example={"item": "tea", "k": 2},
    ),
]  # fmt: skip
