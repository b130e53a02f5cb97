"""Schemas that models fill in: reasoning first, what may be absent is Optional; their text for a prompt; and reading them strictly."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, ClassVar, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vitrina.base.errors import ParameterError

T = TypeVar("T", bound=BaseModel)

FENCE = re.compile(r"```(?:json|JSON)?\s*\n?(.*?)```", re.DOTALL)
THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
FIRST = "reasoning"
MOST_ERRORS = 5  # that a repair is told


def _optional(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, UnionType) and NoneType in get_args(annotation)


class Form(BaseModel):
    """The base of schemas that a model fills in. Nothing beside its fields is accepted, and it can't be changed afterwards.

    A field `str | None` may be absent in what the model read: then it is null, or left out. Any other field has to be filled in, so it has no default.
    A field `reasoning` stands first, as a model writes in order: reasons that come after the answer are excuses. `Reasoned` has it.

    Raises:
        ParameterError: when the class is made: a field has a default and isn't Optional, or `reasoning` isn't first.

    >>> class Verdict(Reasoned):
    ...     colour: str | None
    >>> Verdict(reasoning="Nothing is said of it.").colour is None
    True
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for place, (name, info) in enumerate(cls.model_fields.items()):
            if name == FIRST and place:
                raise ParameterError(
                    f"The field {FIRST!r} of {cls.__name__} must be its first one. Got it at place {place + 1}.", owner=cls.__name__
                )
            optional = _optional(info.annotation)
            if optional and info.is_required():
                info.default = None
            elif not optional and not info.is_required():
                raise ParameterError(
                    f"The field {name!r} of {cls.__name__} has a default, which would be taken for what the model said. "
                    f"Write `{name}: ... | None` where it may be absent, and no default where it may not.",
                    owner=cls.__name__, parameter=name,
                )  # fmt: skip
        cls.model_rebuild(force=True)


class Reasoned(Form):
    """A form whose first field is the reasoning, before anything is decided."""

    reasoning: str = Field(description="Think here first, step by step, in a few sentences. Nobody is shown this.")


def form_text(schema: type[BaseModel]) -> str:
    """What a prompt says of the form of the answer: one JSON object, with its JSON schema.

    Endpoints ignore `response_format` in silence, so that a prompt without it would leave a model guessing.
    """
    return (
        "Answer with one JSON object and nothing else, with its fields in this order. What is not known is null. "
        f"The JSON schema:\n{json.dumps(schema.model_json_schema(), ensure_ascii=False)}"
    )


def strict_schema(schema: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema as strict endpoints want it: no fields beside its own, all of them required (null where absent), no defaults."""
    return _strict(schema.model_json_schema())


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(value) for value in node]
    if not isinstance(node, Mapping):
        return node
    made = {
        name: {inner: _strict(of) for inner, of in value.items()} if name in ("properties", "$defs") else _strict(value)
        for name, value in node.items()
        if name != "default"
    }
    if made.get("type") == "object" and "properties" in made:
        made |= {"additionalProperties": False, "required": list(made["properties"])}
    return made


def read_form(text: str, schema: type[T]) -> T:
    """The one JSON object in a text, validated. Thoughts in <think> tags, code fences and words around it are passed over.

    Raises:
        ValueError: with a sentence that a model can mend its answer by: there is no JSON object, it has a key twice, or it breaks the schema.

    >>> class Price(Form):
    ...     amount: float
    >>> read_form('Here you are: ```json {"amount": 3} ```', Price)
    Price(amount=3.0)
    """
    found = _object_in(THOUGHT.sub("", text))
    try:
        return schema.model_validate_json(json.dumps(found))
    except ValidationError as error:
        told = [f"{'.'.join(map(str, e['loc'])) or 'the object'}: {e['msg']}" for e in error.errors(include_url=False, include_input=False)]
        more = f"; and {len(told) - MOST_ERRORS} more" if len(told) > MOST_ERRORS else ""
        raise ValueError("; ".join(told[:MOST_ERRORS]) + more) from None


def _object_in(text: str) -> dict[str, Any]:
    decoder = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number)
    problem = "there is no JSON object in it"
    for part in (text.strip(), *FENCE.findall(text), text[text.find("{") :] if "{" in text else ""):
        try:
            found, _ = decoder.raw_decode(part.strip())
        except json.JSONDecodeError as error:
            problem = f"the JSON is broken: {error.msg} at letter {error.pos}" if "{" in part else problem
            continue
        except RecursionError:
            raise ValueError("the JSON is nested too deep") from None
        if isinstance(found, dict):
            return found
        problem = f"a JSON object is needed, not a {type(found).__name__}"
    raise ValueError(problem)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in the JSON object")
    return found


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
