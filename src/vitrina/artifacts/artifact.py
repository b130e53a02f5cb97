"""What `load` gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.config import title_of
from vitrina.base.errors import ArtifactError
from vitrina.data.features import FeatureTable
from vitrina.policy.policies import Policy
from vitrina.protocols import Recommender
from vitrina.vocabulary import Vocabulary

if TYPE_CHECKING:
    from vitrina.sequence import SemanticCodes


@final
@dataclass(frozen=True, eq=False, repr=False)
class Artifact:
    """A recommender, a policy or semantic codes, read from a folder, and what the folder says of it.

    Args:
        recommender: answers queries; or the policy, or the codes. Its large arrays are mapped from the files, not read.
        manifest: model config, fingerprints, metrics at fit time, versions; see the file.
        item_table: what was known of the items at the fit, a row each, as in `Dataset.item_table`; None where the log had no table.
    """

    recommender: Recommender
    manifest: Mapping[str, Any]
    item_table: FeatureTable | None = None

    def __repr__(self) -> str:
        name = title_of(self.manifest.get("model") or {"name": "a policy" if isinstance(self.recommender, Policy) else "a model"})
        return f"Artifact({name} of {self.manifest.get('created', 'an unknown day')[:10]}: {self.recommender!r})"

    def __getattr__(self, name: str) -> Any:
        """Say where the methods of the model are."""
        if name.startswith("_") or not hasattr(self.recommender, name):
            raise AttributeError(f"An Artifact has no {name!r}.", name=name, obj=self)
        place = "policy" if isinstance(self.recommender, Policy) else "recommender"
        raise AttributeError(f"An Artifact holds the fitted model: artifact.{place}.{name}.", name=name, obj=self)

    @property
    def policy(self) -> Policy:
        """The policy.

        Raises:
            ArtifactError: it is a recommender.
        """
        if not isinstance(self.recommender, Policy):
            raise ArtifactError(
                "The artifact holds a recommender and no policy. Name the folder of a policy, which vt.save(fit_policy(...), folder) writes."
            )
        return self.recommender

    @property
    def codes(self) -> SemanticCodes:
        """The semantic codes.

        Raises:
            ArtifactError: it is something else.
        """
        from vitrina.sequence import SemanticCodes  # noqa: PLC0415  needs PyTorch

        if not isinstance(self.recommender, SemanticCodes):
            raise ArtifactError(
                f"The artifact holds {self.recommender!r} and no semantic codes. Name the folder of codes, which vt.save(codes, folder) writes."
            )
        return self.recommender

    @property
    def vocabulary(self) -> Vocabulary:
        """Of the items.

        Raises:
            ArtifactError: it is nothing that recommends.
        """
        if isinstance(self.recommender, Policy):
            raise ArtifactError(
                "The artifact holds a policy, which decides on treatments and recommends no items: ask artifact.policy, or use vitrina policy."
            )
        if not hasattr(self.recommender, "recommend"):
            raise ArtifactError(f"The artifact holds {self.recommender!r}, which recommends nothing: it is artifact.recommender itself.")
        return self.recommender.vocabulary

    @property
    def titles(self) -> pl.Series | None:
        """(items,) names to show, null where one isn't known; None where the log had none."""
        return None if self.item_table is None else self.item_table.title_column

    def names(self, codes: NDArray[Any]) -> list[str]:
        """Titles of items where there are any, ids otherwise."""
        ids = self.vocabulary.decode(codes).cast(pl.String).to_list()
        if self.titles is None:
            return ids
        return [title or item for title, item in zip(self.titles.gather(np.asarray(codes, np.uint32)), ids, strict=True)]
