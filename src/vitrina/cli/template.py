"""The text of a config: what was found in a log, with a word on each choice."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrina.base.errors import SplitError
from vitrina.cli.log import DEMO
from vitrina.cli.names import models
from vitrina.data.inspect.advice import kinds_table

if TYPE_CHECKING:
    from vitrina.data.dataset import Dataset
    from vitrina.data.inspect import Inspection
    from vitrina.data.split import Rule

PATHS = ("source", "items", "users")
REST = """
[job]
k = 10                     # length of a list
{repeat}
# metrics = ["nDCG@10", "Recall@10", "HitRate@10", "Coverage@10", "MIUF@10"]
# primary = "nDCG@10"      # ranks the models; verdicts speak of it

# The models. Strong baselines (popularity, co-occurrence, EASE) are on the board even when they are not listed here.
# A list is a search: l2 = [100, 500, 2000]. So is a range: l2 = {{low = 1, high = 1e4, log = true}}.
{models}
[tune]                     # the same budget for each model that has something to search
trials = 12
seed = 0

[report]
out = "{out}"   # report.html, per_query.parquet, board.json
"""


def config_text(source: Mapping[str, Any], seen: Inspection, data: Dataset, folder: Path, *, out: str = "vitrina-report") -> str:
    """A whole config for this log; paths are relative to `folder`."""
    repeat = seen.recommended.repeat
    share = f"{seen.histories.repeat_share:.0%} of the events are of an item that the user had already"
    said = f"repeat = {_value(bool(repeat))}".ljust(27) + f"# may people get again what they had; {share}"
    models = "\n".join(_models(data, repeat=bool(repeat), search=_can_search(data, seen.recommended)))
    return "\n".join([*_data(source, seen, folder), "", *_kinds(seen), *_split(seen.recommended, seen.reason)]) + "\n" + REST.format(repeat=said, models=models, out=out)  # fmt: skip


def _data(source: Mapping[str, Any], seen: Inspection, folder: Path) -> Iterator[str]:
    sizes = seen.sizes
    yield f"# {seen.name}: {sizes.users:,} users, {sizes.items:,} items, {sizes.events:,} events."
    yield "# Every key is described in docs/config.md; a wrong one is refused with its line. Paths are relative to this file."
    yield "[data]"
    for key, value in source.items():
        yield f"{key} = {_value(_relative(value, folder) if key in PATHS else value)}"


def _relative(path: str, folder: Path) -> str:
    if path.startswith(DEMO):
        return path
    return Path(os.path.relpath(Path(path).expanduser(), folder or Path())).as_posix()


def _kinds(seen: Inspection) -> Iterator[str]:
    if seen.kinds.height > 1:
        yield "[filters]"
        yield f"# kinds = {kinds_table(seen.kinds)}   # how much each kind counts; without it all count alike"
        yield ""


def _split(rule: Rule, reason: str) -> Iterator[str]:
    yield f"[split]                    # {reason}"
    yield f'rule = "{type(rule).__name__}"'
    for name in type(rule).model_fields:
        value = getattr(rule, name)
        if name != "repeat" and value != type(rule).model_fields[name].default:
            yield f"{name} = {_value(value)}"


def _can_search(data: Dataset, rule: Rule) -> bool:
    """Whether the training part can be split once more, for a search to look at."""
    try:
        data.split(rule).train.holdout()
    except SplitError:
        return False
    return True


def _models(data: Dataset, *, repeat: bool, search: bool) -> Iterator[str]:
    texts = data.item_table is not None and bool(data.item_table.columns("text") + data.item_table.columns("category"))
    blocks = {
        "Cooccurrence": 'weighting = {type = "BM25"}',
        "EASE": "l2 = [20, 100, 500, 2000]   # searched on validation: an untuned EASE is a weak one"
        if search
        else "l2 = 500   # a list would be searched, on a part of the training part: here that is too small",
        "TifuKNN": "" if repeat else None,
        "ContentSimilarity": "" if texts else None,
    }
    for cls, parameters in blocks.items():
        if parameters is not None and cls in models():
            yield f'[models.{_name(cls)}]\ntype = "{cls}"\n' + (f"{parameters}\n" if parameters else "")


def _name(cls: str) -> str:
    return {"ContentSimilarity": "content"}.get(cls, cls.lower())


def _value(value: Any) -> str:
    """A plain value as TOML."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)
