"""Mult-VAE: a variational autoencoder with a multinomial likelihood over the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from pydantic import Field

from vitrina.autoencoders.base import AutoencoderConfig

if TYPE_CHECKING:
    from vitrina.autoencoders.nets import VariationalNet


@final
class MultVAE(AutoencoderConfig):
    """A history through a normal code to a multinomial over all items. [Liang et al. 2018](https://arxiv.org/abs/1802.05814).

    With x the history brought to length 1 and a share of its entries dropped, h = tanh(x W1 + b1), the code z is drawn from the normal of mean m(h) and
    log variance v(h), both linear, and the loss of a person is

        - sum over the items i of the person of log softmax(tanh(z W2 + b2) W3 + b3)[i] + beta * KL(normal(m, exp v), standard normal)

    where beta rises in a straight line over the first epochs. Answers take the mean for z. Where events have weights, an entry is the largest of the
    pair's, as input and as what its item counts in the likelihood; else repeats count once.

    Of an item catalogue that is large, a batch of people is scored on the items that somebody in it has and on a uniform sample of the others, whose
    part in the softmax is scaled by others / sample: the sum in the softmax is right in expectation, and the loss is the whole one where the sample is
    all others. Whatever the catalogue, logits of 64 MB are held at a time.

    Which to take: MultVAE where people are many and histories long and a linear model is no longer enough; compare `EASE` first, which costs seconds.

    Args:
        hidden: width of the dense layers; None is 600, as published, and 200 for a catalogue of fewer than 1,000 or more than 50,000 items.
        dim: of the code; None is 200, or 64 there.
        dropout: share of a history's entries that are dropped in training.
        beta: weight of the divergence when it has risen.
        annealing: epochs until then.
        negatives: items that a batch is scored on beside its own; None is all of a catalogue of up to 50,000, and 20,000 of a larger one.
        epochs: the most passes over the people.
        patience: epochs without a better nDCG@100 of people who were held back (a tenth, at most 2,000) before stopping; None holds nobody back.
        learning_rate: of Adam.
        batch: people per step.
        seed: the same seed gives the same result on the same machine with as many threads.
    Returns:
        Autoencoder, which answers without PyTorch.

    Cost: an epoch costs people x items x hidden; tables of items x 2 hidden, in training six times over. Trains on a GPU where there is one.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> vt.MultVAE(epochs=2).fit(data).recommend(data.queries(), k=2).items.shape
    (6, 2)
    """

    beta: float = Field(default=0.2, ge=0)
    annealing: int = Field(default=20, ge=0)

    def network(self, items: int) -> VariationalNet:
        from vitrina.autoencoders.nets import MultVAENet  # noqa: PLC0415  PyTorch is an extra

        return MultVAENet(self, items)

    def widths(self, items: int) -> tuple[int, int]:
        hidden, _ = self.sizes(items)
        return hidden, hidden + 1
