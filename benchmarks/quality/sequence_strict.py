"""How far a network comes on strict terms, alone and beside counts of order: a search in validation, and a table on test.

    python -m benchmarks.quality.sequence_strict [amazon-beauty] [amazon-sports] [ml-1m] [--search] [--part K/N] [--seeds 0 1 2] [--kept]

Strict leave-one-out: trained without everybody's last two items, stopped and chosen by the last but one, asked for the last; full ranking. *By ids* reads
the order of items alone; *with content* also titles and attributes (attributes alone on Sports).

`--search` fits every network of `NETWORKS` with the first seed, and looks in validation at each alone and at mixtures of it with counts. Nothing of the test part is read.
What it found best stands in `CHOSEN`, by hand, and the table asks the test part for that alone, once per seed: the network alone, counts alone, and `vt.sequence.with_counts` of both. Every fit is kept
in `benchmarks/.cache/strict` by its config, with the fitted network, so that mixtures cost no fit and an interrupted script goes on; all trials, failures among
them, are lines of `trials.tsv` there. `--part 2/3` does the second third of the fits, for several processes at once.

A fit takes 4 minutes of one quiet thread with AVX-512 on Beauty, 7 on Sports and 16 on ml-1m.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.places import CACHE
from benchmarks.kit.runs import CODE, COMMIT, UNFILTERED, brief, card, changed, leave_one_out, spread, verdicts
from vitrina.base.config import fingerprint
from vitrina.forms.blended import Blended
from vitrina.jobs.specs import written
from vitrina.models.blend import Learning, catalogue_of

KEPT = CACHE / "strict"
METRIC, BESIDE = "nDCG@10", "Recall@10"
IDS, CONTENT = "by ids", "with content"
LOGS = ("amazon-beauty", "amazon-sports", "ml-1m")
GOALS = {
    ("amazon-beauty", IDS): 0.0620, ("amazon-beauty", CONTENT): 0.0750,
    ("amazon-sports", IDS): 0.0345, ("amazon-sports", CONTENT): 0.0420,
    ("ml-1m", IDS): 0.2000,
}  # fmt: skip
s, scale = vt.sequence, vt.scale


def of_ids(**changes: Any) -> vt.SequenceModel:
    return vt.eSASRec(**({"training": s.Training(patience=6)} | changes))


def of_both(rare: float = 0.2, **changes: Any) -> vt.SequenceModel:
    """Vectors of ids and of what describes the items, added up."""
    return of_ids(embed=s.SumOf(parts=(s.Ids(rare=rare), s.ContentProjection())), **changes)


SLOWER = s.Training(patience=6, learning_rate=3e-3)
WIDER = {"dim": 128, "dropout": 0.5, "training": SLOWER}
NETWORKS: Mapping[tuple[str, str], Sequence[vt.SequenceModel]] = {
    ("amazon-beauty", IDS): (of_ids(), of_ids(**WIDER)),
    ("amazon-beauty", CONTENT): (of_both(), of_both(**WIDER)),
    ("amazon-sports", IDS): (of_ids(), of_ids(**WIDER)),
    ("amazon-sports", CONTENT): (of_both(),),
    ("ml-1m", IDS): (of_ids(), of_ids(dim=128, dropout=0.2, training=SLOWER), of_ids(heads=2, layers=3)),
}
SCALES = {  # of a network, of counts, of a likeness
    "as they are": (scale.AsIs(), scale.AsIs(), scale.AsIs()),
    "reciprocal rank": (scale.ReciprocalRank(),) * 3,
    "reciprocal rank, constant 10": (scale.ReciprocalRank(constant=10),) * 3,
    "between 0 and 1": (scale.MinMax(),) * 3,
    "logits and reciprocal ranks, constant 10": (scale.AsIs(), scale.ReciprocalRank(constant=10), scale.ReciprocalRank(constant=10)),
    "chances": (scale.Softmax(), scale.Shares(), scale.AsIs()),
    "chances, temperature 0.7": (scale.Softmax(temperature=0.7), scale.Shares(), scale.AsIs()),
    "chances, temperature 2": (scale.Softmax(temperature=2), scale.Shares(), scale.AsIs()),
}
CHOSEN: Mapping[tuple[str, str], vt.Blend] = {
    ("amazon-beauty", IDS): s.with_counts(of_ids(), weights=(1, 0.4, 0.4)),
    ("amazon-beauty", CONTENT): s.with_counts(of_both(), content=True, weights=(1, 0.5, 0.5, 0.05)),
    ("amazon-sports", IDS): s.with_counts(of_ids(), weights=(1, 0.4, 0.4)),  # as on Beauty: not looked for
    ("amazon-sports", CONTENT): s.with_counts(of_both(), content=True, weights=(1, 0.44, 0.68, 0.0074)),
    ("ml-1m", IDS): changed(s.with_counts(of_ids()), weights=(1, 0.05256, 0.08839), scale=SCALES["between 0 and 1"]),
}


@dataclass(frozen=True)
class Trial:
    """What was tried, and what it was worth in validation."""

    log: str
    what: str
    model: str
    validation: float | None  # None where it failed
    epochs: str
    minutes: float  # of processor time
    commit: str
    code: str
    date: str
    note: str = ""


@cache
def split_of(log: str) -> vt.split.Split:
    return leave_one_out(log, described=log != "ml-1m", strict=True)


def validation_of(log: str) -> vt.split.Split:
    part = split_of(log).validation
    assert part is not None
    return part


def place(log: str, *what: Any) -> Path:
    """Named by what a person would write, so that a new parameter with a default moves nothing."""
    return KEPT / f"{log}-{fingerprint(*[one if isinstance(one, str) else written(one) for one in what])}"


def fitted(log: str, model: vt.SequenceModel) -> Any:
    """The network, fitted now or before."""
    folder = place(log, model)
    if not (folder / "trial.json").exists():
        _fit(log, model, folder)
    return vt.load(folder / "model").recommender


def _fit(log: str, model: vt.SequenceModel, folder: Path) -> None:
    split, begin, history = split_of(log), time.process_time(), []

    def report(progress: Any) -> None:
        history.append(round(progress.metrics[-1], 5))
        print(f"    {log}: {progress}", file=sys.stderr, flush=True)

    folder.mkdir(parents=True, exist_ok=True)
    made = model.fit(split.train, validation=validation_of(log), report=report, checkpoint=folder / "state")
    vt.save(made, folder / "model")
    best = 1 + int(np.argmax(history))
    note(folder, trial_of(log, "network", written(model), max(history), f"{best} of {len(history)}", begin))


def trial_of(log: str, what: str, model: str, value: float | None, epochs: str, begin: float) -> Trial:
    minutes = round((time.process_time() - begin) / 60, 1)
    return Trial(log, what, model, value, epochs, minutes, COMMIT, CODE["sequence"], datetime.now(UTC).date().isoformat())


def note(folder: Path, trial: Trial) -> None:
    """Keep it, and write the table of all."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trial.json").write_text(json.dumps(asdict(trial)), encoding="utf-8")
    rows = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(KEPT.glob("*/trial.json"))]
    pl.DataFrame(rows, infer_schema_length=None).sort("log", "what", "model").write_csv(KEPT / "trials.tsv", separator="\t")


def kept(folder: Path) -> Trial | None:
    file = folder / "trial.json"
    return Trial(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None


@cache
def counted(log: str, how: str) -> tuple[Any, ...]:
    """What is mixed with a network, fitted: counts of order, linear weights, and with content the likeness of descriptions."""
    return tuple(model.fit(split_of(log).train) for model in s.with_counts(content=how == CONTENT).models[1:])


def mixed(log: str, members: tuple[Any, ...], weights: Sequence[float], scales: Sequence[Any]) -> Blended:
    """What `Blend(models=, weights=, scale=).fit(train, validation=validation)` makes, of members that are fitted."""
    data = split_of(log).train
    return Blended(data.items, catalogue_of(data, members), members, tuple(weights), tuple(scales))


def mixtures(log: str, how: str, network: vt.SequenceModel) -> Iterator[Trial]:
    """The best weights in validation on each scale, with counts of order alone and with linear weights as well."""
    for linear, (name, (of_network, of_counts, of_likeness)) in product((False, True), SCALES.items()):
        others = [
            one
            for place, one in enumerate(zip(s.with_counts(content=how == CONTENT).models[1:], counted(log, how), strict=True))
            if linear or place != 1
        ]
        scales = (of_network, *[of_likeness if isinstance(model, vt.ContentSimilarity) else of_counts for model, _ in others])
        folder = place(log, network, *(model for model, _ in others), name)
        trial = kept(folder)
        if trial is None:
            begin, members = time.process_time(), (fitted(log, network), *(member for _, member in others))
            found = Learning.of(mixed(log, members, (1.0,) * len(members), scales), validation_of(log), 100).learned()
            said = " and ".join(written(model) for model in (network, *(model for model, _ in others)))
            trial = trial_of(log, f"mixture {how}", f"{said}, {name}, weights {found.weights}", found.value, "", begin)
            note(folder, trial)
        yield trial


def search(logs: Sequence[str], part: tuple[int, int]) -> None:
    """Fit what isn't kept, and try the mixtures."""
    jobs = [(log, how, network) for (log, how), networks in NETWORKS.items() if log in logs for network in networks]
    for log, how, network in jobs[part[0] - 1 :: part[1]]:
        fitted(log, network)
        for trial in (kept(place(log, network)), *mixtures(log, how, network)):
            assert trial is not None
            print(f"{log}, {how}: {trial.validation:.4f} {trial.model}", flush=True)


@dataclass(frozen=True)
class Asked:
    """Numbers of one recommender on the test part."""

    numbers: Mapping[str, float]  # by metric; with nothing left out, "nDCG@10, nothing left out"
    per_query: pl.DataFrame


def asked(log: str, what: Any, recommender: Callable[[], Any] | None, part: str = "test") -> Asked | None:
    """Looked at once: the numbers are kept. None where there are none and no recommender is given. `part`: "test" or "validation"."""
    file, split = place(log, part, what).with_suffix(".parquet"), split_of(log) if part == "test" else validation_of(log)
    if not file.exists() and recommender is None:
        return None
    if not file.exists():
        assert recommender is not None
        made = recommender()
        columns = {}
        for suffix, eligible in (("", split.eligible), (f", {UNFILTERED}", replace(split.eligible, repeat=True))):
            found = vt.evaluate.evaluate(made.recommend(split.queries, 10, eligible=eligible), split, [METRIC, BESIDE]).per_query
            columns |= {f"{metric}{suffix}": found[metric] for metric in (METRIC, BESIDE)} | {"user": found["user"]}
        file.parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame(columns).write_parquet(file)
    table = pl.read_parquet(file)
    return Asked({name: float(table[name].to_numpy().mean()) for name in table.columns if name != "user"}, table)


def seeded(blend: vt.Blend, seed: int) -> vt.Blend:
    """The same with another seed of the network."""
    return changed(blend, models=(changed(blend.models[0], seed=seed), *blend.models[1:]))


def rows_of(log: str, how: str, blends: Sequence[vt.Blend], *, kept_alone: bool) -> Iterator[tuple[str, list[Asked]]]:
    """The counts of a board, the network of each seed, and the mixture."""

    def of_board() -> Any:
        others = counted(log, how)
        return others[0] if how == IDS else mixed(log, (others[0], others[-1]), (1.0, 1.0), (scale.AsIs(),) * 2)

    def mixture(blend: Any) -> Any:
        return mixed(log, (fitted(log, blend.models[0]), *counted(log, how)), blend.weights, blend.scale)

    def all_of(*jobs: tuple[Any, Callable[[], Any]]) -> list[Asked]:
        found = [asked(log, what, None if kept_alone else make) for what, make in jobs]
        return [one for one in found if one is not None]

    first = blends[0]
    yield "counts of order" + " and content" * (how == CONTENT), all_of((f"{how}, of a board", of_board))
    networks: list[Any] = [blend.models[0] for blend in blends]
    yield f"the network alone, `{written(networks[0])}`", all_of(*((network, partial(fitted, log, network)) for network in networks))
    content, weights = ", content=True" * (how == CONTENT), ", ".join(f"{weight:g}" for weight in first.weights or ())
    between = ", each between 0 and 1" * isinstance(first.scale[0], scale.MinMax)
    yield f"`with_counts(network{content}, weights=({weights}))`{between}", all_of(*((blend, partial(mixture, blend)) for blend in blends))


def table(logs: Sequence[str], seeds: Sequence[int], *, kept_alone: bool) -> Iterator[str]:
    blends = {}
    for (log, how), chosen in CHOSEN.items():
        found = [seeded(chosen, seed) for seed in seeds] if log in logs else []
        found = [blend for blend in found if not kept_alone or kept(place(log, blend.models[0]))]
        blends |= {(log, how): found} if found else {}
    logs = list(dict.fromkeys(log for log, _ in blends))
    yield from (f"- {card(split_of(log), log)}" for log in logs)
    yield f"\n| log | | model | seeds | {METRIC} | {BESIDE} | {METRIC}, {UNFILTERED} | {BESIDE}, {UNFILTERED} | beside the counts | goal | |\n|{'---|' * 11}"
    errors = {}
    for (log, how), of_seeds in blends.items():
        found = {name: runs for name, runs in rows_of(log, how, of_seeds, kept_alone=kept_alone) if runs}
        said, columns = against_counts(found), [runs[0].per_query[METRIC].to_numpy() for runs in found.values()]
        errors[log] = max(float(values.std(ddof=1) / np.sqrt(len(values))) for values in columns)
        for name, runs in found.items():
            cells = [spread([run.numbers[m + suffix] for run in runs]) for suffix in ("", f", {UNFILTERED}") for m in (METRIC, BESIDE)]
            yield f"| {log} | {how} | {name} | {len(runs)} | {' | '.join(cells)} | {said[name]} | {_against(GOALS[log, how], runs)} |"
    told = ", ".join(f"{error:.4f} on {log}" for log, error in errors.items())
    yield f"\nSeeds: mean (least to most). One sampling error of {METRIC}: {told}. Verdicts are over people and seeds. {machine()}."


def against_counts(found: Mapping[str, Sequence[Asked]]) -> dict[str, str]:
    """Each beside the counts, where those were asked."""
    counts = next(iter(found))
    if not counts.startswith("counts") or len(found) == 1:
        return dict.fromkeys(found, "")
    values = {name: np.stack([run.per_query[METRIC] for run in runs]) for name, runs in found.items()}
    table = verdicts(values, counts, found[counts][0].per_query["user"].to_numpy())
    return {counts: ""} | {name: brief(verdict) for name, verdict in table.select("model", "verdict").iter_rows()}


def _against(goal: float, runs: Sequence[Asked]) -> str:
    mean = float(np.mean([run.numbers[METRIC] for run in runs]))
    return f"{goal:.4f} | {'reached' if round(mean, 4) >= goal else f'{goal - mean:.4f} below'}"


def _part(text: str) -> tuple[int, int]:
    k, _, n = text.partition("/")
    return int(k), int(n)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="*", metavar="LOG", help=f"one or more of {', '.join(LOGS)}; all where none is named")
    parser.add_argument("--search", action="store_true", help="fit and try what NETWORKS names, in validation alone")
    parser.add_argument("--part", type=_part, default=(1, 1), metavar="K/N", help="of a search")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--kept", action="store_true", help="rows and seeds that were asked, and nothing is fitted or asked now")
    options = parser.parse_args()
    logs = options.logs or LOGS
    if options.search:
        search(logs, options.part)
        return
    print("\n".join(table(logs, options.seeds, kept_alone=options.kept)))


if __name__ == "__main__":
    main()
