"""What the commands on policies do: read the log, judge, learn, and say it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrina.base.errors import ParameterError
from vitrina.cli import build, console, outputs
from vitrina.pages.policy.answer import answer, today
from vitrina.pages.policy.study import Study, study
from vitrina.pages.policy.view import View

if TYPE_CHECKING:
    from vitrina.cli.policy_file import PolicyJob
    from vitrina.policy import DecisionLog

FOLDER = "policy"  # of the artifact, beside the page


def page_of(job: PolicyJob, out: Path | None, name: str, *, force: bool) -> Path:
    """Where the page goes, which must not be what is read, or somebody else's."""
    page = (out or job.out) / name
    outputs.check_file(page, {"source": job.sources()}, force=force)
    return page


def read_log(job: PolicyJob) -> DecisionLog:
    """The log, with a sign of life, and a word on what was done to it."""
    with console.working("Reading the log"):
        log = job.log()
    for note in log.notes:
        console.note(note)
    return log


def judged(job: PolicyJob, log: DecisionLog, policies: Mapping[str, Any], *, anyway: bool, **more: Any) -> Study:
    """All that the page shows of these policies.

    Raises:
        ParameterError: a policy of the file was learned from this very log, and no value is forced.
    """
    settings = job.settings
    check_unseen(job, log, anyway=anyway)
    with console.steps() as progress, build.located(job.file, ("evaluate",)):
        return study(
            log, policies, baseline=job.baseline(log, policies), title=job.title, estimators=job.estimators, model=job.outcome(), folds=settings.outcome.folds,
            seed=settings.evaluate.seed, biased=job.biased(), confidence=settings.evaluate.confidence, winsorise=settings.log.winsorise, settings=job.facts(),
            date=today(), force=anyway, progress=progress, **more,
        )  # fmt: skip


def check_unseen(job: PolicyJob, log: DecisionLog, *, anyway: bool) -> None:
    """Refuse to judge a policy by the decisions that taught it."""
    seen = [name for name, decisions in job.taught.items() if decisions == fingerprint(log)]
    if seen and not anyway:
        with build.located(job.file, ("policies", seen[0])):
            raise ParameterError(
                f"The policy {seen[0]!r} was learned from this very log, which would judge it too well: it chose by the noise of these decisions. "
                "'vitrina policy learn' judges on decisions that a policy never saw. Give a later log as path, take it out, or force the value with --anyway."
            )


def as_json(found: Study) -> dict[str, Any]:
    """The answer, the checks and every number."""
    return {
        "answer": answer(View(found)), "advised": found.found.advised, "baseline": found.baseline, "reward": found.reward, "verdict": found.checks.verdict,
        "checks": found.checks.table, "values": found.values.table,
    }  # fmt: skip


def show(found: Study) -> None:
    """The answer in sentences, and the table of the estimator that they go by."""
    out = console.out()
    for sentence in answer(View(found)):
        out.print(sentence, markup=False, soft_wrap=True)
    out.print()
    out.print(found.told)


def any_refused(found: Study) -> bool:
    """Whether a policy has no value because a check refuses it."""
    return bool(found.values.table["refused"].is_not_null().any())


def learned(job: PolicyJob, log: DecisionLog, *, anyway: bool) -> tuple[Study, Any]:
    """A policy learned from the log, and the page that judges it by decisions that it never saw, beside the policies of the file."""
    from vitrina.policy import fit_policy

    given = job.settings.learn
    check_unseen(job, log, anyway=anyway)
    with console.working(f"Learning by {job.learner!r}"), build.located(job.file, ("learn",)):
        made = fit_policy(
            log, job.learner, reward=given.reward or next(iter(log.rewards)), folds=given.folds, model=job.outcome(), seed=job.settings.evaluate.seed,
            biased=job.biased(), confidence=job.settings.evaluate.confidence, force=anyway,
        )  # fmt: skip
    policies = {given.name: made.chances} | job.policies(log)
    return judged(job, log, policies, anyway=anyway, learned=given.name, rules=getattr(made.policy, "rules", None)), made


def check_artifact(job: PolicyJob, folder: Path, *, force: bool) -> None:
    """Refuse to replace a folder that isn't a policy of ours."""
    outputs.check_artifact(folder, "Policy", {"source": job.sources()}, force=force)


def fingerprint(log: DecisionLog) -> str:
    """The same for the same decisions in the same order, whatever they are judged by."""
    return hashlib.sha256(repr(log.arms).encode() + np.ascontiguousarray(log.actions).tobytes()).hexdigest()[:16]


def save(job: PolicyJob, made: Any, log: DecisionLog, folder: Path) -> None:
    """The policy with its random share, as an artifact that knows which decisions taught it."""
    from vitrina import artifacts
    from vitrina.policy import Explored

    share = job.settings.learn.explore
    policy = Explored(made.policy, share=share) if share else made.policy
    artifacts.save(policy, folder, source={"decisions": fingerprint(log)})
