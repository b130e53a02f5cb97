"""Names of parameters that have moved into a record: they work for one more release, and say what to write."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, TypeVar

from vitrina.base.config import Config
from vitrina.base.errors import ParameterError

C = TypeVar("C", bound=Config)


def with_former(record: C, cls: type[C], former: Mapping[str, Any], function: str, argument: str, stacklevel: int = 3) -> C:
    """The record, with the fields that were given by themselves, as parameters of the function, as they were before.

    Args:
        record: the one that was given, or the default.
        cls: what it must be.
        former: keyword arguments that the function doesn't name.
        function: its name.
        argument: of the record.
        stacklevel: of the warning: how far away the caller is.

    Raises:
        ParameterError: the record is none.
        TypeError: the function never had such a parameter.
    """
    if not isinstance(record, cls):
        fields = ", ".join(cls.model_fields)
        raise ParameterError(
            f"The {argument!r} of {function} must be a {cls.__name__}, which has the fields {fields}. Got {record!r}.",
            parameter=argument, value=record,
        )  # fmt: skip
    for name in former:
        if name not in cls.model_fields:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")
    if not former:
        return record
    given = ", ".join(f"{name}={value!r}" for name, value in former.items())
    warnings.warn(
        f"{function}({given}) is now {function}({argument}={cls.__name__}({given})). The old way goes with the next release.",
        FutureWarning,
        stacklevel=stacklevel,
    )
    return cls(**{name: getattr(record, name) for name in cls.model_fields} | dict(former))
