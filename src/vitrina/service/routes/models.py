"""Models of scenarios: which ones serve, another one, the one before; and who did what."""

from __future__ import annotations

import msgspec

from vitrina.service.problems import RefusedError
from vitrina.service.registry import ModelRefusedError
from vitrina.service.routes.table import Call, Endpoint
from vitrina.wire import AuditAnswer, AuditRow, ModelAnswer, ModelRequest, ModelsAnswer

MODEL = msgspec.json.Decoder(ModelRequest)
MOST_AUDITED = 1000  # of a listing


async def models(call: Call) -> ModelsAnswer:
    """What serves each scenario."""
    return ModelsAnswer([scenario.told for scenario in call.tenant.scenarios.values()])


async def model(call: Call) -> ModelAnswer:
    """What serves a scenario."""
    return call.scenario(call.subject).told


async def change(call: Call) -> ModelAnswer:
    """Load another model, or go back to the one before."""
    call.scenario(call.subject)
    request = call.read(MODEL)
    if request.rollback == (request.folder is not None):
        raise RefusedError(422, 'Say which model: {"folder": "NAME"} of an artifact, or {"rollback": true} for the one before.')
    if request.folder is None:
        try:
            return await call.tenant.roll_back(call.subject, call.caller.name)
        except ModelRefusedError as error:
            raise RefusedError(409, str(error)) from None
    return await call.tenant.load(call.subject, request.folder, call.caller.name)


async def audit(call: Call) -> AuditAnswer:
    """What operators, and the service by itself, did."""
    entries = await call.in_thread(call.service.store.audited, call.tenant.name, call.query["most"])
    return AuditAnswer([AuditRow(one.time / 1e6, one.who, one.action, one.subject, one.detail) for one in entries])


SERVES = {"scenario": "default", "version": "3f2a9c1b-20261126T140700", "model": "EASE", "previous": None, "notes": []}
LINKS = {name: {"scenario": "$response.body#/models/0/scenario"} for name in ("models_model", "models_change")}

ROUTES = [
    Endpoint("GET", "/v1/models", models, "read", "What serves each scenario", ModelsAnswer, answered={"models": [SERVES]}, links=LINKS),
    Endpoint("GET", "/v1/models/{scenario}", model, "read", "What serves a scenario", ModelAnswer, answered=SERVES),
    Endpoint(
        "POST", "/v1/models/{scenario}", change, "models", "Load another model, or roll back; what served goes on until the new one is checked and warm",
        ModelAnswer, ModelRequest, example={"folder": "next"}, answered=SERVES, long=True, statuses=(409,),
    ),
    Endpoint(
        "GET", "/v1/audit", audit, "read", "What operators, and the service by itself, did; newest first", AuditAnswer, query={"most": (100, 1, MOST_AUDITED)}
    ),
]  # fmt: skip
