"""RecVAE: a variational autoencoder whose prior knows what the encoder said before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, final

from pydantic import AfterValidator, Field

from vitrina.autoencoders.base import AutoencoderConfig

if TYPE_CHECKING:
    from vitrina.autoencoders.nets import VariationalNet


def _shares(shares: tuple[float, float, float]) -> tuple[float, float, float]:
    if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        raise ValueError("three shares above 0 that add up to 1")
    return shares


@final
class RecVAE(AutoencoderConfig):
    """Mult-VAE with a deeper encoder, a linear decoder, a composite prior and steps in turn. [Shenbin et al. 2020](https://arxiv.org/abs/1912.11160).

    The encoder has five dense layers h_l = norm(swish(W_l h_(l-1) + b_l + h_1 + ... + h_(l-1))), and then a linear mean and log variance; the decoder is
    one product, so that scores are code . item + bias. The loss of a person with n items is

        - sum over the items i of log softmax(z W + b)[i] + gamma * n * (log q(z) - log prior(z))

    with q what the encoder says of the history with a share of it dropped, and the prior a mixture of the standard normal, of what the encoder of the
    epoch before says of the whole history, and of a wide normal (variance e^10). It is one
    mixture of three normals of the whole code, as in the paper; the authors' program mixes each dimension by itself. An epoch trains the encoder for three passes, and then the decoder for one, without
    dropout. Weights, repeats and large catalogues are treated as in `MultVAE`.

    Which to take: the strongest of the plain autoencoders where it has time to train; its vectors of items are small, so it answers faster than `MultVAE`.

    Args:
        hidden: width of the encoder; None is 600, as published, and 200 for a catalogue of fewer than 1,000 or more than 50,000 items.
        dim: of the code; None is 200, or 64 there.
        dropout: share of a history's entries that are dropped while the encoder is trained.
        gamma: weight of the divergence per item of the person.
        prior: shares of the standard normal, the encoder before and the wide normal.
        negatives, epochs, patience, learning_rate, batch, seed: as in `MultVAE`; an epoch has four passes.
    Returns:
        Autoencoder, which answers without PyTorch.

    Cost: an epoch costs four passes of people x items x dim; tables of items x (2 hidden + dim), in training some five times over. Trains on a GPU where there is one.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> vt.RecVAE(epochs=2).fit(data).recommend(data.queries(), k=2).items.shape
    (6, 2)
    """

    passes: ClassVar[int] = 4
    dense_layers: ClassVar[int] = 4
    gamma: float = Field(default=0.005, ge=0)
    prior: Annotated[tuple[float, float, float], AfterValidator(_shares), Field(strict=False)] = (0.15, 0.75, 0.1)
    learning_rate: float = Field(default=5e-4, gt=0)

    def network(self, items: int) -> VariationalNet:
        from vitrina.autoencoders.nets import RecVAENet  # noqa: PLC0415  PyTorch is an extra

        return RecVAENet(self, items)

    def widths(self, items: int) -> tuple[int, int]:
        hidden, dim = self.sizes(items)
        return hidden, dim + 1
