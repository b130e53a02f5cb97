"""Ready mixtures of the parts. Every parameter of `SequenceModel` can be changed in the call."""

from __future__ import annotations

from typing import Any

from vitrina.forms.scale import AsIs, Shares, Softmax
from vitrina.models.base import ModelConfig
from vitrina.models.blend import Blend
from vitrina.models.order import likeness_of_last, transitions
from vitrina.models.sansa import SANSA
from vitrina.sequence.blocks.bert4rec import BERT4RecBlock
from vitrina.sequence.blocks.sasrec import SASRecBlock
from vitrina.sequence.embed import ContentProjection, Ids, SumOf
from vitrina.sequence.losses import GBCE, SampledSoftmax
from vitrina.sequence.model import SequenceModel
from vitrina.sequence.negatives import Uniform
from vitrina.sequence.objectives import ItemMasking
from vitrina.sequence.train import Training

# for logs of every size: at eSASRec's rate SASRec and BERT4Rec learn far worse on MovieLens-1M
SLOWER: dict[str, Any] = {"layers": 2, "dropout": 0.1, "embed": Ids(rare=0.4), "training": Training(learning_rate=3e-3)}


def SASRec(**changes: Any) -> SequenceModel:  # noqa: N802
    """The block of [Kang and McAuley 2018](https://arxiv.org/abs/1808.09781), each event naming the next one, with the full softmax.

    The loss of the paper, one uniform negative, is `vt.SASRec(loss=vt.sequence.BCE(negatives=vt.sequence.Uniform(n=1)))`.

    >>> import vitrina as vt
    >>> vt.SASRec(dim=32).block
    SASRecBlock()
    """
    recipe: dict[str, Any] = SLOWER | {"block": SASRecBlock()}
    return SequenceModel(**(recipe | changes))


def BERT4Rec(**changes: Any) -> SequenceModel:  # noqa: N802
    """Masked events named from both sides, with the full softmax. [Sun et al. 2019](https://arxiv.org/abs/1904.06690).

    Items are scored by their vectors alone: the extra layer before the output of the original is left out.

    >>> import vitrina as vt
    >>> vt.BERT4Rec().objective
    ItemMasking()
    """
    recipe: dict[str, Any] = SLOWER | {"block": BERT4RecBlock(), "heads": 2, "objective": ItemMasking()}
    return SequenceModel(**(recipe | changes))


def gSASRec(**changes: Any) -> SequenceModel:  # noqa: N802
    """SASRec with 256 negatives per position and the calibrated gBCE, t = 0.75. [Petrov and Macdonald 2023](https://arxiv.org/abs/2308.07192).

    One table serves as input and output; the authors' code has two. The loss may stand still for epochs before it falls, hence more patience.

    >>> import vitrina as vt
    >>> vt.gSASRec().loss
    GBCE()
    """
    recipe: dict[str, Any] = SLOWER | {
        "block": SASRecBlock(),
        "embed": Ids(),
        "loss": GBCE(negatives=Uniform(n=256)),
        "training": Training(epochs=100, patience=20, learning_rate=1e-3),
    }
    return SequenceModel(**(recipe | changes))


def eSASRec(**changes: Any) -> SequenceModel:  # noqa: N802
    """LiGR blocks, each event naming the next one, with the full softmax: for catalogues of up to about a hundred thousand items.

    The mixture of [Tikhonovich et al. 2025](https://arxiv.org/abs/2508.06450), who sample negatives: see `published_eSASRec`. Beside that, the
    vectors of rare items are dropped more than those of frequent ones, the weights are averaged over the last part of the steps, and depth and
    dropout follow the size of the log: one block and 0.3 for fewer than 500,000 events, two blocks and 0.1 from there.

    >>> import vitrina as vt
    >>> vt.eSASRec(layers=3)
    SequenceModel(layers=3)
    """
    return SequenceModel(**changes)


def with_counts(network: ModelConfig | None = None, *, content: bool = False, weights: tuple[float, ...] | None = None) -> Blend:
    """A network beside counts, which are fitted in seconds: where histories are short, better than each of them.

    score[q, i] = w1 * chance that the network gives i + w2 * share of i in counts of order + w3 * share of i in linear weights of all that was taken
    (`SANSA`) + w4 * cosine of what describes i and the last events, the latter with `content` alone. A mixture of chances keeps how sure each
    of them is, which sums of ranks, or of scores between 0 and 1, do not.

    Args:
        network: whose scores are logits, as those of sequence models with a softmax; None is `eSASRec()`, with `content` on vectors of ids and of what describes the items.
        content: whether the items are described by texts or categories that are to count.
        weights: of the three, or with `content` the four. None learns them, as `Blend` does: the network is fitted twice, unless `fit` is given a validation whose
            events aren't in the log. Those of the likeness differ much between logs: .05 on Amazon Beauty, .007 on Amazon Sports.

    >>> import vitrina as vt
    >>> vt.sequence.with_counts(vt.eSASRec(dim=32), weights=(1, 0.5, 0.5)).scale
    (Softmax(), Shares(), Shares())
    """
    if network is None:
        network = eSASRec(embed=SumOf(parts=(Ids(rare=0.2), ContentProjection()))) if content else eSASRec()
    size = 4 if content else 3
    models, scales = (network, transitions(), SANSA(), likeness_of_last()), (Softmax(), Shares(), Shares(), AsIs())
    return Blend(models=models[:size], weights=weights, scale=scales[:size])


def published_eSASRec(**changes: Any) -> SequenceModel:  # noqa: N802
    """eSASRec as its authors trained it on the Amazon data: 256 uniform negatives per position, dropout on the item table.

    256 negatives without correction, dim 64, one block, length 50, dropout 0.2, Adam 1e-3 with betas .9 and .98, at most 200 epochs, patience 50.
    A batch has about as many events as their 128 histories.

    >>> import vitrina as vt
    >>> vt.sequence.published_eSASRec().loss
    SampledSoftmax()
    """
    recipe: dict[str, Any] = {
        "embed": Ids(dropout=0.2),
        "dropout": 0.2,
        "layers": 1,
        "length": 50,
        "loss": SampledSoftmax(negatives=Uniform(n=256)),
        "training": Training(epochs=200, patience=50, learning_rate=1e-3, tokens=1024, average=0.0),
    }
    return SequenceModel(**(recipe | changes))
