"""Any endpoint that speaks the chat protocol of OpenAI: vLLM, llama.cpp, Ollama, a gateway, or OpenAI itself."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal, Self, final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, PrivateAttr

from vitrina.base.config import Config
from vitrina.base.errors import ParameterError
from vitrina.language.asking import Raw, ask
from vitrina.language.cost import TURN, Limit, Price, Purse, Spent, count_tokens
from vitrina.language.errors import InvalidAnswerError, UnreachableError
from vitrina.language.forms import T, strict_schema
from vitrina.language.protocol import Message, Reply, TopTokens
from vitrina.language.sending import Line

TOLD = 20  # tokens whose log-probabilities servers tell at most
MADE_BY_US = frozenset({"model", "messages", "max_tokens", "temperature", "response_format", "seed", "stream", "n"})


def web_address(url: str) -> str:
    """An address that may be printed and saved."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address that begins with http:// or https://, such as 'http://localhost:8000/v1'")
    if parts.username or parts.password or parts.query:
        raise ValueError(
            "an address without a key or a password in it, which would be printed and saved: name the variable that holds it as 'key_variable'"
        )
    return url.rstrip("/")


@final
class Endpoint(Config):
    """A model behind HTTP, by the `/chat/completions` of OpenAI's protocol (extra `language`).

    The JSON schema is sent as `response_format`; many servers ignore that in silence, so that the answer is always validated here, with one turn of repair.
    A prompt should say the form too: `form_text(schema)`.

    Requests are made again after 408, 409, 429, 500, 502, 503, 504 and broken lines, with pauses drawn from 0 to 0.5, 1, 2, 4 ... 30 seconds, or as long as the
    server asks for by Retry-After, and a quota that is used up is not asked again. One call has one deadline for each try, however slowly the answer drips.

    Args:
        url: up to, and without, `/chat/completions`.
        model: as the endpoint calls it.
        key_variable: the environment variable with the key. It is read for each call and stands nowhere else: not in what is printed, saved, cached or raised.
        timeout: seconds that one try may take.
        retries: tries after the first.
        temperature: 0 for the likeliest answer. `sample` is sent as the seed where it isn't 0.
        max_answer_tokens: that one answer may have.
        response_format: how the form is asked for; "json_object" or "none" for servers that refuse schemas.
        price: of a million tokens.
        limit: of what this object may spend. A call that could cost more than is left is not made. Each process has its own count.
        extra: further fields of the request, as the server knows them: {"top_p": 0.9}.

    Raises:
        UnreachableError: from `complete`: refused, or no answer after all tries.
        InvalidAnswerError: the answer broke the schema, and its repair too; or the model refused.
        BudgetError: the call was not made.
        MissingExtraError: httpx isn't installed.

    >>> Endpoint(url="http://localhost:8000/v1", model="qwen3-8b", limit=Limit(tokens=100_000)).spent
    Spent(calls=0, prompt_tokens=0, answer_tokens=0, money=0.0, reserved_tokens=0, reserved_money=0.0)
    """

    url: Annotated[str, AfterValidator(web_address)]
    model: Annotated[str, Field(min_length=1)]
    key_variable: str | None = None
    timeout: Annotated[float, Field(gt=0)] = 60.0
    retries: Annotated[int, Field(ge=0)] = 5
    temperature: Annotated[float, Field(ge=0)] = 0.0
    max_answer_tokens: Annotated[int, Field(gt=0)] = 1024
    response_format: Literal["json_schema", "json_object", "none"] = "json_schema"
    price: Price = Price()
    limit: Limit = Limit()
    extra: Mapping[str, Any] = Field(default_factory=dict)
    _purse: Purse = PrivateAttr()
    _line: Line = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        if taken := sorted(MADE_BY_US & set(self.extra)):
            raise ParameterError(
                f"The 'extra' of an Endpoint can't have {taken[0]!r}, which is made of its other parameters and the question. Leave it out.",
                owner="Endpoint", parameter="extra",
            )  # fmt: skip
        if self.limit.money is not None and self.price == Price():
            raise ParameterError(
                "A limit in money needs the 'price' of an Endpoint: Price(prompt=0.4, answer=1.6).", owner="Endpoint", parameter="price"
            )
        self._purse, self._line = Purse(self.limit, self.price), Line(self.url, self.timeout, self.retries)

    def __reduce__(self) -> tuple[Any, ...]:  # for another process: an open line and what was spent stay here
        return _made_again, ({name: getattr(self, name) for name in type(self).model_fields},)

    def __eq__(self, other: object) -> bool:  # a config is what it was given; what was spent is no part of that
        return type(other) is type(self) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(self.identity)

    def __copy__(self) -> Self:
        return type(self)(**{name: getattr(self, name) for name in type(self).model_fields})

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self.__copy__()

    @property
    def name(self) -> str:
        return self.model

    @property
    def identity(self) -> str:
        """All that decides what it answers: a cache keeps answers apart by it."""
        said = [self.url, self.model, self.temperature, self.max_answer_tokens, self.response_format, dict(sorted(self.extra.items()))]
        return " ".join(map(str, said))

    @property
    def spent(self) -> Spent:
        """What the calls of this object have cost."""
        return self._purse.spent

    def complete(self, messages: Sequence[Message], schema: type[T], *, sample: int = 0) -> Reply[T]:
        return ask(self.name, partial(self._write, schema=schema, sample=sample), messages, schema)

    def first_token(self, messages: Sequence[Message]) -> TopTokens:
        """The log-probabilities of the first token of the answer, of servers that tell them (`logprobs` and `top_logprobs` of 20).

        Raises:
            UnreachableError: no answer after all tries, or the server tells no log-probabilities.
        """
        return _top_of(
            self.name, self._paid(messages, {**self._talk(messages), "max_tokens": 1, "logprobs": True, "top_logprobs": TOLD}, 1)[0]
        )

    def _write(self, messages: Sequence[Message], *, schema: type[BaseModel], sample: int) -> Raw:
        answer, paid, money = self._paid(messages, self._body(messages, schema, sample), self.max_answer_tokens)
        text, complaint = _text_of(self.name, answer)
        return Raw(text, *paid, money, complaint)

    def _paid(self, messages: Sequence[Message], body: dict[str, Any], most: int) -> tuple[Any, tuple[int, int], float]:
        """What a request gives, the tokens that it took, and their price; what it could take at most is held back before it is sent."""
        read = sum(count_tokens(m.content) + TURN for m in messages) + count_tokens(str(body.get("response_format", "")))
        reserved = (read, most)
        self._purse.reserve(self.name, *reserved)
        paid = (0, 0)  # a request that was refused costs nothing
        try:
            answer = self._line.post(body, self._key())
            paid = reserved  # it was answered, however strangely
            if (text := _written(answer)) is not None:
                paid = _usage(answer, (read, count_tokens(text)))
        except UnreachableError as error:
            paid = reserved if error.status is None else paid  # where nothing came back, the server may have worked all the same
            raise
        finally:
            money = self._purse.pay(reserved, *paid)
        return answer, paid, money

    def _talk(self, messages: Sequence[Message]) -> dict[str, Any]:
        return {
            "model": self.model,
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "max_tokens": self.max_answer_tokens,
            "temperature": self.temperature,
            **self.extra,
        }

    def _body(self, messages: Sequence[Message], schema: type[BaseModel], sample: int) -> dict[str, Any]:
        body = self._talk(messages)
        if sample:
            body["seed"] = sample
        if self.response_format == "json_object":
            body["response_format"] = {"type": "json_object"}
        elif self.response_format == "json_schema":
            title = re.sub(r"\W", "_", schema.__name__)[:64]
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": title, "schema": strict_schema(schema), "strict": True},
            }
        return body

    def _key(self) -> str | None:
        if self.key_variable is None:
            return None
        key = os.environ.get(self.key_variable, "").strip()
        if not key:
            raise ParameterError(
                f"The environment variable {self.key_variable!r} has no key for {self.model}. Set it, or name another as 'key_variable'.",
                owner="Endpoint", parameter="key_variable",
            )  # fmt: skip
        return key


def _made_again(parameters: dict[str, Any]) -> Endpoint:
    return Endpoint(**parameters)


def _text_of(who: str, answer: Any) -> tuple[str, str]:
    """What the model wrote, and what is wrong with it from the start."""
    choices = answer.get("choices") if isinstance(answer, Mapping) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(choice, Mapping) or not isinstance(message, Mapping):
        raise UnreachableError(
            f"The endpoint of {who} answered without choices: it doesn't speak the protocol of /chat/completions.", status=200
        )
    if message.get("refusal"):
        raise InvalidAnswerError(f"{who} refused to answer: {str(message['refusal'])[:200]}", answer=str(message["refusal"]))
    text = message.get("content")
    complaint = {"length": "it was cut at the most tokens that an answer may have", "content_filter": "a filter of the endpoint cut it"}
    return text if isinstance(text, str) else "", complaint.get(str(choice.get("finish_reason")), "")


def _written(answer: Any) -> str | None:
    """The text of an answer; None where it has no place for one."""
    try:
        return str(answer["choices"][0]["message"].get("content") or "")
    except (KeyError, IndexError, TypeError, AttributeError):
        return None


def _top_of(who: str, answer: Any) -> TopTokens:
    """The first token that was written, and those that are told beside it."""
    try:
        first = answer["choices"][0]["logprobs"]["content"][0]
        told = {str(one["token"]): float(one["logprob"]) for one in first["top_logprobs"]}
        return TopTokens(str(first["token"]), told or {str(first["token"]): float(first["logprob"])})
    except (KeyError, IndexError, TypeError, ValueError):
        raise UnreachableError(
            f"The endpoint of {who} tells no log-probabilities of tokens. Ask it by samples: vt.answers.Sampled(model=...).", status=200
        ) from None


def _usage(answer: Any, estimate: tuple[int, int]) -> tuple[int, int]:
    """Tokens read and written as the endpoint counted them; the estimate where it didn't."""
    usage = answer.get("usage") if isinstance(answer, Mapping) else None
    said = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")] if isinstance(usage, Mapping) else [None, None]
    read, written = (value if isinstance(value, int) and value >= 0 else own for value, own in zip(said, estimate, strict=True))
    return read, written
