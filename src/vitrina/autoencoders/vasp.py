"""VASP: a deep variational autoencoder and a linear map from item to item, multiplied."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from pydantic import Field

from vitrina.autoencoders.base import AutoencoderConfig

if TYPE_CHECKING:
    from vitrina.autoencoders.nets import VariationalNet


@final
class VASP(AutoencoderConfig):
    """What a deep autoencoder and a linear item map both call likely. [Vancura and Kordik 2021](https://arxiv.org/abs/2102.05774).

    p[i] = sigmoid(deep(z) . v_i + b_i) * sigmoid(z . w_i + c_i) * sigmoid(x (A A' - diag(A A')))[i], trained by the focal loss of all items

        - alpha (1 - p)^gamma log p where the person has the item, - (1 - alpha) p^gamma log(1 - p) where not

    and the divergence of the code z from the standard normal (its mean over dimensions). The encoder has seven dense residual layers as in `RecVAE`, `deep` five; x is the history as it is, and
    no item speaks for itself in the linear map. The authors' map is a matrix of items x items; here it is a product of two factors, as in `ELSA` by the same
    authors, so that memory is linear in the items. The score is log p. Weights count in the input and for the items that a person has;
    repeats count once; of a large catalogue a sample stands for all other items, as in `MultVAE`.

    Which to take: where `EASE` and `RecVAE` are close to each other, as it multiplies what both say.

    Args:
        hidden: width of the dense layers; None is 600, and 200 for a catalogue of fewer than 1,000 or more than 50,000 items (published: 4,096, on GPUs).
        dim: of the code; None is 200, or 64 there.
        rank: of the linear map.
        dropout: share of a history's entries that are dropped in training; the authors drop none.
        focal_alpha: weight of the items that a person has.
        focal_gamma: how much less what is right already counts.
        negatives, epochs, patience, learning_rate, batch, seed: as in `MultVAE`.
    Returns:
        SigmoidProduct, which answers without PyTorch.

    Cost: an epoch costs people x items x (hidden + dim + rank); tables of items x (2 hidden + dim + rank), in training six times over.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> vt.VASP(epochs=2).fit(data).recommend(data.queries(), k=2).items.shape
    (6, 2)
    """

    dense_layers: ClassVar[int] = 10
    dropout: float = Field(default=0.0, ge=0, lt=1)
    rank: int = Field(default=256, gt=0)
    focal_alpha: float = Field(default=0.25, gt=0, lt=1)
    focal_gamma: float = Field(default=2.0, ge=0)

    def network(self, items: int) -> VariationalNet:
        from vitrina.autoencoders.nets import VASPNet  # noqa: PLC0415  PyTorch is an extra

        return VASPNet(self, items)

    def widths(self, items: int) -> tuple[int, int]:
        hidden, dim = self.sizes(items)
        return hidden, hidden + dim + 2 + min(self.rank, items)
