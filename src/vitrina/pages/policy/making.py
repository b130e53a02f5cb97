"""The last sections: what a heavy tail does to the values, the policy as rules, and how everything was made."""

from __future__ import annotations

import vitrina
from vitrina.base.printing import first_paragraph
from vitrina.pages.policy.view import View, known, said_difference, told
from vitrina.report.html import Column, Html, el, join, section, table
from vitrina.report.words import between, count, decimals, fixed, percent, sentence_end


def rules(view: View) -> Html | None:
    """Section: the learned policy as rules that can be read. None where nothing was learned, or it has none."""
    found = view.study.rules
    if found is None:
        return None
    said = (
        f"{view.study.learned} was learned from all decisions and decides by these rules. What it is worth stands above, judged on decisions that it never saw; the values here are those of the "
        "decisions that chose the rules, and too good."
    )
    places = decimals([*found["value"], *found[:, 4]])
    columns = [
        Column("Who", number=False, class_="first"),
        Column("Arm", number=False),
        Column("Share"),
        Column("Value"),
        Column(f"If all got {found.columns[4].removeprefix('value of ')}"),
    ]
    body = [[rule, el("b", arm), percent(part), *(fixed(v, places) for v in values)] for rule, arm, part, *values in found.iter_rows()]
    return section(
        "rules",
        "The policy as rules",
        el("p", said, class_="finding"),
        table(columns, body, caption="The rules, one per row", class_="metrics"),
    )


def tails(view: View) -> Html | None:
    """Section: each policy by the reward as it is and with its tail drawn in. None where the file asks for no quantile."""
    study = view.study
    if study.winsorised is None:
        return None
    pairs = [(p, view.main(p), view.main(p, study.winsorised)) for p in view.policies]
    places = view.places([r for _, *both in pairs for r in both])
    apart = view.places_of_differences([r for _, *both in pairs for r in both])
    columns = [Column("Policy", number=False, class_="first")]
    for what in ("As it is", "Tail drawn in"):
        columns += [Column(what), Column("Interval"), Column(f"Against {study.baseline}")]
    body = [[view.cell(p), *(cell for r in both for cell in _three(view, r, places, apart))] for p, *both in pairs]
    turned = [p for p, raw, cut in pairs if told(raw) != told(cut)]
    said = (
        f"The verdict changes for {', '.join(turned)}: what a few very large rewards do decides there."
        if turned
        else "No verdict depends on a few very large rewards."
    )
    notes = el("p", " ".join(sentence_end(n) for n in study.log.notes), class_="sub")
    return section(
        "tails",
        "What a few large rewards do",
        el("p", said, class_="finding"),
        table(columns, body, caption=f"{study.reward} per decision", class_="metrics"),
        notes,
    )


def _three(view: View, row: object, places: int, apart: int) -> list[object]:
    r: dict[str, object] = dict(row)  # type: ignore[call-overload]
    against = "–" if r["policy"] == view.study.baseline else el("span", said_difference(r, apart), class_=told(r))
    return [fixed(known(r["value"]), places), between(known(r["low"]), known(r["high"]), places), against]


def making(view: View) -> Html:
    """Section: the log, the estimators in words, and all that is needed to repeat it."""
    study = view.study
    log = study.log
    arms = ", ".join(f"{arm}{' (control)' if code == log.control else ''}" for code, arm in enumerate(log.arms))
    facts = {
        "Decisions": f"{len(log):,} on {len(log.cluster_ids):,} {'units' if len(log.cluster_ids) == len(log) else 'clusters, which are doubted, folded and resampled whole'}",
        "Arms": arms,
        "Rewards": ", ".join(log.rewards),
        "Features": ", ".join(log.units.features.columns) or "none",
        "Done to the log": " ".join(map(sentence_end, log.notes)),
        **study.settings,
        "Version": f"Vitrina {vitrina.__version__}",
    }
    pairs = (part for name, value in facts.items() if value for part in (el("dt", name), el("dd", value)))
    return section("making", "How it was made", el("dl", *pairs, class_="settings"), _counts(view), _words(view))


def _counts(view: View) -> Html:
    """How many decisions each arm had, and the mean of each reward there: what was, before any estimate."""
    log = view.study.log
    columns = [Column("Arm", number=False), Column("Decisions"), Column("Share"), *(Column(f"mean {name}") for name in log.rewards)]
    body = []
    for code, arm in enumerate(log.arms):
        where = log.actions == code
        means = [fixed(float(r[where].mean()), 4) if where.any() else "–" for r in log.rewards.values()]
        body.append([arm, count(int(where.sum())), percent(float(where.mean()), 1), *means])
    return table(columns, body, caption="What was given, and what came of it")


def _words(view: View) -> Html:
    named = ((label, first_paragraph(type(e))) for label, e in view.study.estimators.items())
    lines = [el("li", el("b", label), ": ", sentence_end(text)) for label, text in named]
    lines.append(el("li", el("b", "Effective decisions"), ": as many decisions by lot would say as much about the policy."))
    return el("ul", join(lines), class_="notes")
