"""The ends that are no answer: a refusal with its reason, one question back, a person."""

from __future__ import annotations

from vitrina.answers.answer import Answer, say
from vitrina.answers.kit import Kit
from vitrina.answers.nouns import Handing, Refusal, Unclear


def refuse(refusal: Refusal, kit: Kit) -> Answer | Handing:
    """Say why, or hand over where that is wished for this reason."""
    if kit.hand_over is not None and refusal.code in kit.hand_over_on:
        return Handing(refusal.asked, refusal.code, refusal.language, refusal.detail)
    what = "orders" if refusal.code == "empty" and refusal.detail == "orders" else refusal.code
    shown = refusal.detail if refusal.code == "blocked" else ""  # the name of a topic is ours; any other detail is for the trace
    reason = say(what, refusal.language, detail=shown)
    return Answer(refusal.asked.question, "refused", code=refusal.code, reason=reason, language=refusal.language)


def ask_back(unclear: Unclear, kit: Kit) -> Answer | Refusal:
    """One question back, with what to choose from; refused where the turn before was one already."""
    asked, language = unclear.understood.asked, unclear.understood.language
    if asked.conversation and asked.conversation[-1].status == "asked":
        return Refusal(asked, "unclear", language)
    options = tuple((item, kit.guards.personal.shown(title)) for item, title in unclear.options)
    reason = (
        say("which of", language, options=say("or", language).join(title for _, title in options)) if options else say("which", language)
    )
    return Answer(asked.question, "asked", code="unclear", reason=reason, language=language, options=options)


def hand_over(handing: Handing, kit: Kit) -> Answer:
    """Give the question to a person; refused where there is none."""
    if kit.hand_over is None:
        reason = say("person wanted", handing.language)
        return Answer(handing.asked.question, "refused", code=handing.code, reason=reason, language=handing.language)
    ticket = kit.hand_over(handing)
    reason = say("handed over", handing.language)
    return Answer(handing.asked.question, "handed over", code=handing.code, reason=reason, language=handing.language, ticket=str(ticket))
