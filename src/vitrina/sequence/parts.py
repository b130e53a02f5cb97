"""The one table of the parts that an artifact may name; reading one builds nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vitrina.base.config import Config
from vitrina.base.errors import ArtifactError
from vitrina.sequence.blocks import BERT4RecBlock, LiGR, PreNorm, SASRecBlock
from vitrina.sequence.bonus import PersonalPopularity
from vitrina.sequence.network import CosineSimilarity, DotProduct
from vitrina.sequence.objectives import AllAction, DenseAllAction, ItemMasking, NextAction, RandomTarget, ShiftedSequence

PARTS: Mapping[str, type[Config]] = {
    part.__name__: part
    for part in (
        AllAction, BERT4RecBlock, CosineSimilarity, DenseAllAction, DotProduct, ItemMasking, LiGR, NextAction, PersonalPopularity,
        PreNorm, RandomTarget, SASRecBlock, ShiftedSequence,
    )
}  # fmt: skip


def known_part(part: Config) -> None:
    """Refuse to write what couldn't be read again.

    Raises:
        ArtifactError: the part is none of the table.
    """
    if PARTS.get(type(part).__name__) is not type(part):
        raise ArtifactError(f"The part {part!r} of a sequence model can't be saved in an artifact. Known parts: {', '.join(PARTS)}.")


def part_of_plain(value: Any) -> Any:
    """A part from its plain form, {"name": "LiGR", "multiplier": 4}; other values as they are.

    Raises:
        ArtifactError: there is no such part.
    """
    if not isinstance(value, Mapping):
        return value
    if value["name"] not in PARTS:
        raise ArtifactError(f"The artifact names a part {value['name']!r} that this version doesn't know. Known: {', '.join(PARTS)}.")
    return PARTS[value["name"]](**{name: part_of_plain(inner) for name, inner in value.items() if name != "name"})
