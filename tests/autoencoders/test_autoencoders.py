"""MultVAE, RecVAE and VASP against slow formulas in float64, and what training promises."""

import sys
from dataclasses import replace
from math import exp, log, pi, sqrt

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import vitrina as vt
from vitrina.autoencoders import nets, output
from vitrina.autoencoders.bags import BagRows, Bags, held_back
from vitrina.autoencoders.output import Columns, focal, multinomial
from vitrina.autoencoders.trainer import Fitting
from vitrina.base.errors import DataError, MissingExtraError, ParameterError, VocabularyError
from vitrina.data.sharded import held
from vitrina.sequence import windows

SIZES = {"hidden": 7, "dim": 4, "epochs": 3}
MODELS = [vt.MultVAE(**SIZES), vt.RecVAE(**SIZES), vt.VASP(**SIZES, rank=3)]
N = 15


@pytest.fixture(scope="module")
def data():
    return vt.testing.synthetic(users=80, items=40, mean_length=8, groups=4)


def bags_of(rng, people=6, items=N, weighted=True):
    dense = (rng.random((people, items)) < 0.3).astype(float)
    dense[:, 0] = 1  # nobody has nothing
    if weighted:
        dense *= rng.choice([1, 2, 0.5], dense.shape)
    rows = np.nonzero(dense)
    indptr = np.append(0, np.cumsum((dense > 0).sum(axis=1)))
    return dense, Bags(torch.tensor(rows[1]), torch.tensor(dense[rows]), torch.tensor(indptr))


def doubles(rng, *shape):
    return torch.tensor(rng.normal(size=shape), requires_grad=True)


def log_softmax(x):
    return x - np.log(np.exp(x - x.max()).sum()) - x.max()


@pytest.mark.parametrize("chunk", [1, 1 << 20])
def test_the_multinomial_likelihood_is_the_sum_over_people_and_items(monkeypatch, chunk):
    monkeypatch.setattr(output, "CHUNK_BYTES", chunk)
    rng = np.random.default_rng(0)
    for _ in range(30):
        dense, bags = bags_of(rng)
        states, table, bias = doubles(rng, 6, 3), doubles(rng, N, 3), doubles(rng, N)
        got = multinomial(states, table, bias, bags, Columns(N))
        logits = (states @ table.T + bias).detach().numpy()
        assert_allclose(got.item(), -sum(dense[q] @ log_softmax(logits[q]) for q in range(6)), rtol=1e-10)


def focal_slowly(dense, logits, alpha, gamma):
    total = 0.0
    for q, i in np.ndindex(dense.shape):
        p = np.prod([1 / (1 + exp(-part[q, i])) for part in logits])
        total += dense[q, i] * alpha * (1 - p) ** gamma * -log(p) if dense[q, i] else (1 - alpha) * p**gamma * -log(1 - p)
    return total


@pytest.mark.parametrize("chunk", [1, 1 << 20])
def test_the_focal_loss_is_the_sum_over_all_items(monkeypatch, chunk):
    monkeypatch.setattr(output, "CHUNK_BYTES", chunk)
    rng = np.random.default_rng(1)
    for _ in range(15):
        dense, bags = bags_of(rng)

        def gate(dim):
            return (doubles(rng, 6, dim), doubles(rng, N, dim), doubles(rng, N))

        gates, a = (gate(3), gate(2)), doubles(rng, N, 2)
        told = dense * rng.choice([0, 2], dense.shape)  # half of the history is dropped
        sums = torch.tensor(told) @ a
        with torch.no_grad():
            to = (a @ a.T).numpy()
            np.fill_diagonal(to, 0)
            logits = [*((s @ t.T + b).numpy() for s, t, b in gates), told @ to]
        got = focal(gates, (sums, a, torch.tensor(told[dense > 0])), 0.25, 2.0, bags, Columns(N))
        assert_allclose(got.item(), focal_slowly(dense, logits, 0.25, 2.0), rtol=1e-5)


@pytest.mark.parametrize("chunk", [1, 1 << 20])
@pytest.mark.parametrize("sample", [None, 3])
def test_gradients_are_those_of_differences(monkeypatch, chunk, sample):
    monkeypatch.setattr(output, "CHUNK_BYTES", chunk)
    rng = np.random.default_rng(2)
    _, bags = bags_of(rng, people=3)
    states, table, bias, a = doubles(rng, 3, 2), doubles(rng, N, 2), doubles(rng, N), doubles(rng, N, 2)
    torch.manual_seed(0)
    columns = Columns.drawn(bags.targets, N, sample)
    assert torch.autograd.gradcheck(lambda *parts: multinomial(*parts, bags, columns), (states, table, bias))
    shrunk = [(0.5 * part).detach().requires_grad_() for part in (states, table, bias, doubles(rng, 3, 2), a)]
    assert torch.autograd.gradcheck(lambda s, t, b, e, f: focal(((s, t, b),), (e, f, bags.weights), 0.25, 2.0, bags, columns), shrunk)


def test_a_sample_of_all_others_is_the_catalogue():
    rng = np.random.default_rng(3)
    _, bags = bags_of(rng)
    assert Columns.drawn(bags.targets, N, N).rows is None
    assert Columns.drawn(bags.targets, 30, None).rows is None


def test_a_sample_has_each_own_item_once_and_others_without_repeats():
    rng = np.random.default_rng(4)
    for _ in range(200):
        _, bags = bags_of(rng, people=2)
        columns = Columns.drawn(bags.targets, N, 2)
        if columns.rows is None:
            continue
        own = np.unique(bags.targets.numpy())
        assert columns.rows[: columns.own].tolist() == own.tolist()
        assert len(set(columns.rows.tolist())) == columns.size == len(own) + 2
        assert columns.rows[columns.places(bags.targets)].tolist() == bags.targets.tolist()
        assert_allclose(columns.log_share.exp().sum().item(), N, rtol=1e-5)


def test_in_expectation_a_sample_gives_the_sum_over_the_catalogue():
    rng = np.random.default_rng(5)
    _, bags = bags_of(rng, people=3, weighted=False)
    bags = replace(bags, targets=bags.targets.clamp(max=6))  # so that many items are nobody's
    states, table, bias, a = (0.5 * doubles(rng, *shape).detach() for shape in ((3, 2), (N, 2), (N,), (N, 2)))
    logits = states @ table.T + bias
    whole, sums = logits.exp().sum(1), torch.stack([a[bags.targets[bags.people == q]].sum(0) for q in range(3)])
    full = focal(((states, table, bias),), (sums, a, bags.weights), 0.25, 2.0, bags, Columns(N))
    torch.manual_seed(0)
    partitions, losses = [], []
    for _ in range(1000):
        columns = Columns.drawn(bags.targets, N, 3)
        partitions.append((logits[:, columns.rows] + columns.log_share).exp().sum(1))
        losses.append(focal(((states, table, bias),), (sums, a, bags.weights), 0.25, 2.0, bags, columns).item())
    found = torch.stack(partitions)
    assert ((found.mean(0) - whole).abs() < 4 * found.std(0) / sqrt(1000)).all()
    assert abs(np.mean(losses) - full.item()) < 4 * np.std(losses) / sqrt(1000)


def noise(seed, *shape):
    torch.manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64).numpy()


def encoded(net, dense, unit=True):
    """Mean and log variance of each person, through the arrays of the form."""
    from scipy import sparse

    from vitrina.forms.network import Network

    def network(head):
        return Network(net.inputs.detach().numpy(), (*net.stack.array_layers(), head.array_layer()), normalise=unit).outputs(
            sparse.csr_matrix(dense)
        )[-1]

    return network(net.mean).astype(np.float64), network(net.log_variance).astype(np.float64)


def log_normal(x, mean, variance):
    return sum(-0.5 * (log(2 * pi * v) + (a - m) ** 2 / v) for a, m, v in zip(x, mean, variance, strict=True))


def test_the_loss_of_multvae_is_its_elbo():
    rng = np.random.default_rng(6)
    model = vt.MultVAE(hidden=7, dim=4, dropout=0.0, beta=0.3, annealing=10)
    net = model.network(N).double()
    for case in range(20):
        dense, bags = bags_of(rng)
        bags = replace(bags, epoch=4.0)
        torch.manual_seed(case)
        got = net.loss(bags).item()
        mean, log_variance = encoded(net.encoder, dense)
        z = mean + np.exp(0.5 * log_variance) * noise(case, 6, 4)
        total = 0.0
        for q in range(6):
            layer = net.decoder.layers[0]
            h = np.tanh(layer.linear.weight.detach().numpy() @ z[q] + layer.bias.detach().numpy())
            logits = net.scores.table.detach().numpy() @ h + net.scores.bias.detach().numpy()
            kl = sum(0.5 * (exp(v) + m * m - 1 - v) for m, v in zip(mean[q], log_variance[q], strict=True))
            total += -dense[q] @ log_softmax(logits) + 0.3 * 0.4 * kl
        assert_allclose(got, total / 6, rtol=1e-5)


def test_the_loss_of_recvae_has_the_composite_prior():
    rng = np.random.default_rng(7)
    model = vt.RecVAE(hidden=7, dim=4, dropout=0.0, gamma=0.05)
    net = model.network(N).double()
    with torch.no_grad():
        for parameter in net.old.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    for case in range(20):
        dense, bags = bags_of(rng)
        torch.manual_seed(case)
        got = net.loss(replace(bags, phase="encoder")).item()
        mean, log_variance = encoded(net.encoder, dense)
        before, log_variance_before = encoded(net.old, dense)
        z = mean + np.exp(0.5 * log_variance) * noise(case, 6, 4)
        total = 0.0
        for q in range(6):
            densities = [
                log_normal(z[q], [0] * 4, [1] * 4),
                log_normal(z[q], before[q], np.exp(log_variance_before[q])),
                log_normal(z[q], [0] * 4, [exp(10)] * 4),
            ]
            prior = log(sum(share * exp(d) for share, d in zip((3 / 20, 3 / 4, 1 / 10), densities, strict=True)))
            own = log_normal(z[q], mean[q], np.exp(log_variance[q]))
            logits = net.scores.table.detach().numpy() @ z[q] + net.scores.bias.detach().numpy()
            total += -dense[q] @ log_softmax(logits) + 0.05 * dense[q].sum() * (own - prior)
        assert_allclose(got, total / 6, rtol=1e-5)


def test_recvae_trains_encoder_and_decoder_in_turn():
    _, bags = bags_of(np.random.default_rng(8))
    net = vt.RecVAE(hidden=7, dim=4).network(N).double()
    got = {}
    for phase in ("encoder", "decoder"):
        net.zero_grad()
        net.loss(replace(bags, phase=phase)).backward()
        got[phase] = {name.partition(".")[0] for name, p in net.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert got == {"encoder": {"encoder"}, "decoder": {"scores"}}
    before = {name: value.clone() for name, value in net.old.state_dict().items()}
    with torch.no_grad():
        net.encoder.inputs.add_(1)
    net.loss(replace(bags, phase="decoder"))
    assert torch.equal(net.old.inputs, before["inputs"])  # the prior is taken over when the turn changes
    net.loss(replace(bags, phase="encoder"))
    net.loss(replace(bags, phase="decoder"))
    assert torch.equal(net.old.inputs, net.encoder.inputs)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_the_loss_of_vasp_is_focal_loss_and_divergence(dropout, monkeypatch):
    dense, bags = bags_of(np.random.default_rng(9))
    net = vt.VASP(hidden=7, dim=4, rank=3, dropout=dropout).network(N).double()
    told = dense * (np.random.default_rng(2).random(dense.shape) >= dropout) / (1 - dropout)
    monkeypatch.setattr(nets.F, "dropout", lambda weights, share: torch.tensor(told[dense > 0]) if share else weights)
    torch.manual_seed(1)
    got = net.loss(bags).item()
    mean, log_variance = encoded(net.encoder, told, unit=False)
    z = torch.tensor(mean + np.exp(0.5 * log_variance) * noise(1, 6, 4))
    with torch.no_grad():
        to = (net.linear @ net.linear.T).numpy()
        np.fill_diagonal(to, 0)
        logits = [(s @ part.table.T + part.bias).numpy() for s, part in ((net.decoder(z), net.deep), (z, net.direct))]
    kl = (0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance)).mean(axis=1).sum()
    assert_allclose(got, (focal_slowly(dense, [*logits, told @ to], 0.25, 2.0) + kl) / 6, rtol=1e-4)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_numpy_answers_what_torch_answers(model, data, tmp_path):
    fitting = Fitting.of(model, data, None, tmp_path)
    net, form = fitting.network.eval(), fitting.form()
    people = windows.in_memory(data, fitting.rows.row_of_item(data.n_items), 1 << 40)
    bags = Bags.of(BagRows.of(people), torch.device("cpu"))
    with torch.no_grad():
        unit = bags.weights if isinstance(model, vt.VASP) else bags.unit_weights()
        z, _ = net.encoder(bags, unit)
        if isinstance(model, vt.RecVAE):
            logits = z @ net.scores.table.T + net.scores.bias
        elif isinstance(model, vt.MultVAE):
            logits = net.decoder(z) @ net.scores.table.T + net.scores.bias
        else:
            x = torch.zeros(len(bags), len(fitting.rows)).index_put_((bags.people, bags.targets), bags.weights)
            to = net.linear @ net.linear.T
            gates = [
                net.decoder(z) @ net.deep.table.T + net.deep.bias,
                z @ net.direct.table.T + net.direct.bias,
                x @ (to - to.diag().diag()),
            ]
            logits = sum(torch.nn.functional.logsigmoid(gate) for gate in gates)
    scores = form.score(data.queries(codes=people.users), fitting.rows.codes)
    assert_allclose(scores, logits.numpy(), rtol=1e-4, atol=1e-5)


def test_people_who_are_held_back_are_not_trained_on_and_are_not_told_the_truth(data):
    from vitrina.sequence.embed.base import Rows

    rows = Rows.of(data, np.zeros(data.n_items, bool))
    people = windows.in_memory(data, rows.row_of_item(data.n_items), 1 << 40)
    kept, judges = held_back(people, 2000, rows.codes, data.items, np.random.default_rng(0))
    left = np.setdiff1d(people.users, kept.users)
    assert len(kept) == len(people) - len(people) // 10
    items = sorted(sorted(set(data.events.items[data.indptr[u] : data.indptr[u + 1]].tolist())) for u in left)
    asked = sorted(sorted([*judges.queries.histories()[q].tolist(), *judges.truth[q].tolist()]) for q in range(len(judges)))
    assert asked == [own for own in items if len(own) >= 2]
    for q in range(len(judges)):
        n = len(judges.queries.histories()[q]) + len(judges.truth[q])
        assert len(judges.queries.histories()[q]) == max(1, min(int(0.8 * n), n - 1))
    few = people.take(np.arange(9))
    assert held_back(few, 2000, rows.codes, data.items, np.random.default_rng(0))[1] is None


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_repeats_count_once_and_the_order_of_people_means_nothing(model, data):
    before = model.fit(data).score(data.queries(), data.catalogue.items)
    events = data.events.take(np.repeat(np.arange(data.n_events), 2))
    twice = replace(data, events=events, indptr=2 * data.indptr)
    assert_allclose(model.fit(twice).score(data.queries(), data.catalogue.items), before, rtol=1e-5, atol=1e-6)
    turned = vt.Dataset.of_codes(
        len(data.users) - 1 - data.user_of, data.events, vt.Vocabulary.of(data.users.ids.reverse()), data.items, time_unit="us"
    )
    assert_allclose(model.fit(turned).score(data.queries(), data.catalogue.items), before, rtol=1e-5, atol=1e-6)


def test_shards_give_the_weights_of_the_log_in_memory(data):
    for model in MODELS:
        one, three = model.fit(data), model.fit(held(data, 3))
        for name, array in one.state().arrays.items():
            assert np.array_equal(array, three.state().arrays[name])


SMALL = {"hidden": 32, "dim": 16, "batch": 25}


@pytest.mark.parametrize("model", [vt.MultVAE(epochs=12, **SMALL), vt.MultVAE(epochs=12, negatives=20, **SMALL), vt.RecVAE(epochs=6, **SMALL), vt.VASP(epochs=15, **SMALL)], ids=repr)  # fmt: skip
def test_tastes_are_learned_beyond_popularity(model):
    log = vt.testing.synthetic(users=300, items=60, mean_length=10, groups=6)
    split = log.split(vt.split.UserShare(share=0.2))

    def number(fitted):
        return vt.evaluate.evaluate(fitted, split, ["nDCG@10"]).numbers["value"][0]

    fitted = model.model_copy(update={"learning_rate": 0.01}).fit(split.train)
    assert number(fitted) > 1.3 * number(vt.Popularity().fit(split.train))


def test_the_best_epoch_comes_back_and_the_notes_say_which(data):
    seen = []
    fitted = vt.MultVAE(**SIZES | {"epochs": 30, "patience": 2, "learning_rate": 0.05}).fit(
        data, report=lambda p: seen.append(list(p.metrics))
    )
    best = int(np.argmax(seen[-1])) + 1
    assert fitted.notes[0].startswith(f"epoch {best} of {len(seen)} was best: nDCG@100 {max(seen[-1]):.4f} for ")
    assert vt.MultVAE(**SIZES, patience=None).fit(data).notes == ("trained for 3 epochs without validation",)


def test_a_validation_of_ones_own_is_stopped_by(data):
    validation = data.split(vt.split.UserShare(share=0.3))
    fitted = vt.MultVAE(**SIZES).fit(data, validation=validation)
    assert f"for {len(validation.queries):,} people" in fitted.notes[0]
    other = replace(data, items=vt.Vocabulary.of(["x"]))
    with pytest.raises(VocabularyError, match="events of the validation"):
        vt.MultVAE(**SIZES).fit(other, validation=validation)


def test_a_log_of_single_events_is_refused(data):
    first = np.zeros(data.n_events, bool)
    first[data.indptr[:-1][np.diff(data.indptr) > 0]] = True
    with pytest.raises(DataError, match="MultVAE needs people with at least two events"):
        vt.MultVAE().fit(data.select(first))


def test_wrong_parameters_say_what_is_right(data):
    with pytest.raises(ParameterError, match="three shares above 0 that add up to 1"):
        vt.RecVAE(prior=(0.5, 0.5, 0.5))
    with pytest.raises(ParameterError, match=r"'report' of fit .* report=print"):
        vt.MultVAE().fit(data, report="yes")


def test_without_pytorch_configs_are_made_and_the_fit_says_what_to_install(data, monkeypatch):
    monkeypatch.setitem(sys.modules, "vitrina.autoencoders.trainer", None)
    with pytest.raises(MissingExtraError, match=r"RecVAE needs PyTorch. Install it with: pip install 'vitrina\[torch\]'"):
        vt.RecVAE().fit(data)


def test_sizes_follow_the_catalogue():
    model = vt.MultVAE()
    assert [model.sizes(n) for n in (100, 5000, 200_000)] == [(200, 64), (600, 200), (200, 64)]
    assert [model.sample(n) for n in (5000, 200_000)] == [None, 20_000]
    assert vt.MultVAE(hidden=30, dim=10, negatives=7).sizes(5000) == (30, 10)
    assert vt.MultVAE(negatives=7).sample(5000) == 7
