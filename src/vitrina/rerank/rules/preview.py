"""What rules would hide and move for some people, before anybody is served by them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table

from vitrina.base.arrays import Bool
from vitrina.base.errors import ParameterError
from vitrina.base.printing import as_text
from vitrina.base.state import Arrays
from vitrina.protocols import Recommender
from vitrina.request import check_request
from vitrina.rerank.base import Ordering
from vitrina.rerank.named import named
from vitrina.rerank.reranked import RerankedLists
from vitrina.rerank.rules.base import Filter, Quota, Rule
from vitrina.rerank.rules.movers import AtLeast
from vitrina.rerank.rules.ruled import LEFT, Rules, inside
from vitrina.types import Eligibility, Queries, Recommendations

EXAMPLES = 3  # of each rule, and people whose lists are shown


@dataclass(frozen=True)
class RulePreview:
    """What one rule does to the lists.

    Args:
        name: its name.
        rule: as it was given.
        items: of the log that it speaks of; None where that depends on who asks.
        places: of the lists without it that it hides, or of those with it that stand elsewhere because of it.
        people: in whose lists that is.
        examples: who, item, place without (None where it was not in the list), place with (None where it is not).
        unmet: lists that have less than a floor asks for, or break a cap, as nothing else may be shown.
        remarks: such as that it speaks of no item.
    """

    name: str
    rule: str
    items: int | None
    places: int
    people: int
    examples: tuple[tuple[str, str, int | None, int | None], ...] = ()
    unmet: int = 0
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preview:
    """What rules would hide and move; prints as a table, `to_dict` has it all.

    Args:
        people: whose lists were looked at.
        k: places of each.
        rules: one by one.
        notes: what is to be said of all of them.
        lists: of a few people whose lists change: who, titles before, titles after.
        shorter: people whose lists get shorter, as too few items may be shown.
    """

    people: int
    k: int
    rules: tuple[RulePreview, ...]
    notes: tuple[str, ...] = ()
    lists: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = field(default=())
    shorter: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        shown = [{"who": who, "before": before, "after": after} for who, before, after in self.lists]
        names = ("who", "item", "before", "after")
        rules = [asdict(rule) | {"examples": [dict(zip(names, e, strict=True)) for e in rule.examples]} for rule in self.rules]
        return {"people": self.people, "k": self.k, "rules": rules, "notes": self.notes, "shorter": self.shorter, "lists": shown}

    def __str__(self) -> str:
        return as_text(self)

    def __rich__(self) -> RenderableType:
        table = Table("rule", "items", "places", "people", "for example", box=None, header_style="bold", pad_edge=False)
        for rule in self.rules:
            items = "by person" if rule.items is None else f"{rule.items:,}"
            table.add_row(
                rule.name, items, f"{rule.places:,}", f"{rule.people:,}", "; ".join(_moved(*example) for example in rule.examples)
            )
        said = [f"{rule.name}: {remark}." for rule in self.rules for remark in rule.remarks]
        said += [f"{rule.name}: not met in {rule.unmet:,} lists, where nothing else may be shown." for rule in self.rules if rule.unmet]
        said += [f"{note[0].upper()}{note[1:]}." for note in self.notes]
        said += [f"The lists of {self.shorter:,} people get shorter, as too few items may be shown to them."] if self.shorter else []
        lists = [
            line
            for who, before, after in self.lists
            for line in (f"\n{who}", f"  before: {', '.join(before)}", f"  after:  {', '.join(after)}")
        ]
        return Group(f"The lists of {self.people:,} people, {self.k} places each, without the rules and with them\n", table, *said, *lists)


def preview(fitted: RerankedLists, queries: Queries, k: int = 10, *, eligible: Eligibility = Eligibility(), people: int = 200) -> Preview:
    """What the rules of a fitted model hide and move in the lists of some people.

    Args:
        fitted: what `vt.Reranked(model=..., reranker=vt.Rules(...))` became.
        queries: who asks; `people` of them are looked at, evenly over all.
        k: places of a list.
        eligible: what may be shown without the rules.
        people: how many.

    Raises:
        ParameterError: the model has no rules.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> rules = vt.Rules(rules={"no drinks": vt.rules.Hide(where={"aisle": "drinks"})})
    >>> fitted = vt.Reranked(model=vt.Popularity(), reranker=rules).fit(data)
    >>> vt.rules.preview(fitted, data.queries(), 2, eligible=vt.Eligibility(repeat=True)).rules[0].places
    6
    """
    k = check_request(queries, k, eligible)
    ordering = getattr(fitted, "reranker", None)
    if not isinstance(ordering, Ordering) or not isinstance(ordering.reranker, Rules):
        raise ParameterError(
            f"A preview is of a model with rules: vt.Reranked(model=..., reranker=vt.Rules(...)).fit(data). Got {fitted!r}."
        )
    chosen = np.unique(np.linspace(0, max(len(queries) - 1, 0), min(len(queries), people)).astype(np.int64))
    taken = {
        name: part.take(chosen)
        for name in ("include", "exclude")
        if hasattr(part := getattr(eligible, name), "take") and hasattr(part, "indptr")
    }
    queries, eligible = queries[chosen], Eligibility(**{**vars(eligible), **taken})
    before, after = _without(fitted, ordering).recommend(queries, k, eligible=eligible), fitted.recommend(queries, k, eligible=eligible)
    lists = _Lists(queries, before, after)
    parts = ordering.reranker.fitted(ordering.items)
    rules = tuple(lists.of_rule(name, rule, own) for name, (rule, own) in parts.items())
    remarks = {f"the rule {rule.name!r} {remark}" for rule in rules for remark in rule.remarks}
    shorter = int(((before.items >= 0).sum(axis=1) > (after.items >= 0).sum(axis=1)).sum())
    notes = tuple(note for note in ordering.notes if note not in remarks)
    return Preview(len(queries), k, rules, notes, lists.changed(), shorter)


def _without(fitted: RerankedLists, ordering: Ordering) -> Recommender:
    """The model with the re-ranker that is inside the rules, and without these."""
    then = ordering.reranker.then  # type: ignore[attr-defined]
    return (
        fitted.recommender if then is None else RerankedLists(fitted.recommender, Ordering(then, inside(ordering.items)), fitted.candidates)
    )


@dataclass(frozen=True)
class _Lists:
    """The lists of some people without rules and with them."""

    queries: Queries
    before: Recommendations
    after: Recommendations

    def of_rule(self, name: str, rule: Rule, own: Arrays) -> RulePreview:
        places = self._hidden(rule, own) if isinstance(rule, Filter) else self._moved(name)
        items = int(own["mask"].sum()) if "mask" in own else None
        items = int((rule.groups(own).lengths > 0).sum()) if isinstance(rule, Quota) else items
        examples = self._examples(places, self.before if isinstance(rule, Filter) else self.after)
        people = int(places.any(axis=1).sum())
        return RulePreview(name, repr(rule), items, int(places.sum()), people, examples, self._unmet(name, rule, own), rule.remarks(own))

    def _examples(self, places: Bool, lists: Recommendations) -> tuple[tuple[str, str, int | None, int | None], ...]:
        """Of a few people the first item at these places that stands elsewhere in their other list."""
        found: dict[int, tuple[str, str, int | None, int | None]] = {}
        for row, at in np.argwhere(places).tolist():
            item = int(lists.items[row, at])
            ends = [next(iter((np.flatnonzero(one.items[row] == item) + 1).tolist()), None) for one in (self.before, self.after)]
            if row not in found and ends[0] != ends[1]:
                found[row] = (self._who(row), self._title(item), ends[0], ends[1])
            if len(found) == EXAMPLES:
                break
        return tuple(found.values())

    def changed(self) -> tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]:
        """Who, and the titles before and after, of the first whose lists change."""
        width = max(self.before.k, self.after.k)
        rows = np.flatnonzero((self.before.padded(width).items != self.after.padded(width).items).any(axis=1))[:EXAMPLES]
        return tuple((self._who(row), self._titles(self.before, row), self._titles(self.after, row)) for row in rows.tolist())

    def _hidden(self, rule: Filter, own: Arrays) -> Bool:
        for_all = rule.for_all(own)
        return named(self.before.items, rule.hidden(self.queries, own) if for_all is None else np.flatnonzero(for_all).astype(np.int32))

    def _moved(self, name: str) -> Bool:
        """The places of the lists that carry a reason."""
        if name not in self.after.reason_names:
            return np.zeros(self.after.items.shape, np.bool_)
        masks = self.after.extra["reasons"]
        return (masks >> masks.dtype.type(self.after.reason_names.index(name))) & masks.dtype.type(1) > 0

    def _unmet(self, name: str, rule: Rule, own: Arrays) -> int:
        if isinstance(rule, AtLeast):
            first = self.after.items[:, : rule.first]
            return int(((own["mask"][first] & (first >= 0)).sum(axis=1) < min(rule.n, first.shape[1])).sum())
        return int(self._moved(LEFT.format(name)).any(axis=1).sum())

    def _who(self, row: int) -> str:
        return str(row) if self.after.labels is None else str(self.after.labels[row])

    def _titles(self, lists: Recommendations, row: int) -> tuple[str, ...]:
        return tuple(self._title(item) for item in lists.items[row].tolist() if item >= 0)

    def _title(self, item: int) -> str:
        title = None if self.after.titles is None else self.after.titles[item]
        return str(self.after.vocabulary.ids[item]) if title is None else str(title)


def _moved(who: str, item: str, before: int | None, after: int | None) -> str:
    if after is None:
        return f"{item} from place {before} of {who}"
    return f"{item} to place {after} of {who}" + ("" if before is None else f" from {before}")
