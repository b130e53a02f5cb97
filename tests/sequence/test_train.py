"""The training loop: same seed same result, resume, early stopping, schedules."""

import re

import numpy as np
import polars as pl
import pytest
import torch

import vitrina as vt
from vitrina.base.device import repeatable
from vitrina.base.errors import ArtifactError, ParameterError, UnknownNameError, VocabularyError
from vitrina.sequence import Constant, FullSoftmax, SampledSoftmax, Training, Uniform, WarmupCosine
from vitrina.sequence.fitting import Fitting

DATA = vt.testing.synthetic(users=50, items=25, seed=1)


def model(epochs, **changes):
    training = Training(epochs=epochs, patience=100, tokens=150, learning_rate=0.01, schedule=WarmupCosine(until=4), refit=1.0)
    return vt.SequenceModel(**({"dim": 8, "dropout": 0.3, "loss": SampledSoftmax(negatives=Uniform(n=8)), "training": training} | changes))


def fitting(epochs):
    one = model(epochs)
    split = DATA.split(vt.split.LeaveOneOut())
    return Fitting.of(one.sized(split.train), split.train, split)


def weights(fitted):
    return {name: array.copy() for name, array in fitted.state().arrays.items()}


def same(one, other):
    return set(one) == set(other) and all(np.array_equal(one[name], other[name]) for name in one)


def test_the_same_seed_gives_the_same_weights_and_another_others():
    one = weights(model(2).fit(DATA))
    torch.rand(3)  # what others draw doesn't matter
    assert same(one, weights(model(2).fit(DATA)))
    assert not same(one, weights(model(2, seed=1).fit(DATA)))


def test_the_order_of_the_rows_of_a_log_changes_no_list():
    generator = np.random.default_rng(0)
    frame = pl.DataFrame({
        "user_id": [f"u{user}" for user in np.repeat(np.arange(80), 6)],
        "item_id": [f"i{item}" for item in generator.integers(0, 30, 480)],
        "timestamp": np.tile(np.arange(6) * 60, 80) + generator.integers(0, 60, 480),
    })  # fmt: skip
    lists = []
    for log in (frame, frame.sample(fraction=1, shuffle=True, seed=1)):
        data = vt.read_interactions(log, user="user_id", item="item_id", time="timestamp")
        fitted = vt.eSASRec(dim=16, training=Training(epochs=3, tokens=100, patience=None)).fit(data)
        table = fitted.recommend(data.queries(), 5).to_frame(data.users.ids)
        lists.append(table.sort(table.columns[0], "rank"))
    assert lists[0].equals(lists[1])


def test_a_resumed_run_is_an_uninterrupted_one():
    whole = fitting(4)
    through = whole.run()
    through.run()
    first = fitting(2).run()
    first.run()
    # the state as it is after an epoch: before the best weights are put back
    interrupted = fitting(2)
    run = interrupted.run()
    states = []
    run.report = lambda progress: states.append(run.state())
    run.run()
    rest = fitting(4)
    resumed = rest.run()
    resumed.restore(states[-1])
    resumed.run()
    assert resumed.progress.losses == through.progress.losses
    assert resumed.progress.metrics == through.progress.metrics
    assert (resumed.progress.epoch, resumed.progress.best_epoch) == (4, through.progress.best_epoch)
    for one, other in zip(whole.network.parameters(), rest.network.parameters(), strict=True):
        assert torch.equal(one, other)


def scripted(metrics, **training):
    """A run on one weight that is the number of the epoch, judged by a script."""
    network = torch.nn.Linear(1, 1, bias=False)
    epochs = iter(range(1, 100))

    class Batch:
        targets = torch.zeros(1)

    def step(batch):
        with torch.no_grad():
            network.weight.fill_(float(next(epochs)))
        return (network.weight * 0).sum()

    judge = None if metrics is None else iter(metrics).__next__
    return network, vt.sequence.train.Run(network, Training(**training), lambda rng: [Batch()], step, judge, 0)


def test_patience_ends_a_run_and_the_best_weights_come_back():
    network, run = scripted([0.1, 0.3, 0.2, 0.3, 0.9], epochs=50, patience=2)
    progress = run.run()
    assert (progress.epoch, progress.best_epoch, progress.best) == (4, 2, 0.3)
    assert progress.metrics == [0.1, 0.3, 0.2, 0.3]
    assert float(network.weight.detach()) == 2


def test_without_validation_all_epochs_are_run():
    network, run = scripted(None, epochs=3, patience=None)
    assert run.run().epoch == 3
    assert float(network.weight.detach()) == 3


def test_every_epoch_is_reported():
    seen = []
    model(3).fit(DATA, report=lambda progress: seen.append((progress.epoch, len(progress.losses), len(progress.metrics))))
    assert seen == [(1, 1, 1), (2, 2, 2), (3, 3, 3)]


def test_weight_decay_clipping_and_constant_rates_train():
    training = Training(epochs=3, patience=None, weight_decay=0.1, clip=0.5, tokens=150)
    small, plain = (model(3, training=t).fit(DATA) for t in (training, training.model_copy(update={"weight_decay": 0.0})))
    assert np.square(small.table).sum() < np.square(plain.table).sum()
    tight = model(3, training=training.model_copy(update={"clip": 1e-12, "weight_decay": 0.0, "learning_rate": 1e-9})).fit(DATA)
    assert not np.array_equal(tight.table, plain.table)


def test_schedules():
    cosine = WarmupCosine(warmup=2, until=6, floor=0.1)
    assert [round(cosine.share(epoch, 50), 4) for epoch in (0, 1, 2, 4, 6, 40)] == [0.01, 0.5, 1.0, 0.55, 0.1, 0.1]
    assert WarmupCosine(warmup=0, floor=0).share(10, 10) == 0
    assert WarmupCosine(warmup=0.001).share(0, 10) == 1
    assert Constant().share(3, 10) == 1


def test_a_metric_to_stop_by_must_have_a_value_for_each_query():
    with pytest.raises(ParameterError, match=r"'metric' parameter of Training.*Coverage@10"):
        Training(metric="Coverage@10")
    with pytest.raises((ParameterError, UnknownNameError), match="ndcg@10"):
        Training(metric="ndcg@10")


def test_the_average_is_of_the_last_steps():
    network, run = scripted(None, epochs=5, patience=None, average=0.5)
    run.run()
    average = 0.0
    for step in range(1, 6):
        average += (step - average) / max(1, 0.5 * step)
    assert float(network.weight.detach()) == pytest.approx(average)


def test_what_is_judged_is_the_average():
    network, run = scripted([], epochs=3, patience=5, average=1)
    seen = []
    run.validate = lambda: seen.append(float(network.weight.detach())) or len(seen)
    run.run()
    assert seen == pytest.approx([1, 1.5, 2])
    assert float(network.weight.detach()) == pytest.approx(2)


class KilledError(Exception):
    pass


def test_a_killed_fit_goes_on_from_its_checkpoint(tmp_path):
    def kill(progress):
        if progress.epoch == 2:
            raise KilledError

    averaged = model(4).training.model_copy(update={"average": 0.3})
    one = model(4, training=averaged)
    with pytest.raises(KilledError):
        one.fit(DATA, checkpoint=tmp_path / "c", report=kill)
    epochs = []
    resumed = one.fit(DATA, checkpoint=tmp_path / "c", report=lambda progress: epochs.append(progress.epoch))
    assert epochs == [3, 4]
    assert same(weights(resumed), weights(one.fit(DATA)))
    assert not (tmp_path / "c").exists()


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    def kill(progress):
        raise KilledError

    with pytest.raises(KilledError):
        model(3).fit(DATA, checkpoint=tmp_path, report=kill)
    with pytest.raises(ArtifactError, match=r"checkpoint .* another model, log, validation or start"):
        model(4).fit(DATA, checkpoint=tmp_path)
    for position in (1, 2):
        with pytest.raises(ArtifactError if position == 2 else KilledError):
            model(3).fit(DATA, checkpoint=tmp_path, report=kill, validation=DATA.split(vt.split.LeaveOneOut(position=position)))


def test_a_fit_that_could_not_begin_leaves_no_checkpoint(tmp_path):
    with pytest.raises(ParameterError, match="must be what fit returned"):
        model(1).fit(DATA, checkpoint=tmp_path / "c", start="a path")
    assert not (tmp_path / "c").exists()


def test_a_training_that_diverges_is_said():
    wild = model(9).training.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(ParameterError, match=r"diverged: in epoch 1 the loss is nan. Take a lower 'learning_rate'"):
        model(9, training=wild, loss=FullSoftmax()).fit(DATA)


def test_what_others_draw_stays_as_it_was():
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    model(1).fit(DATA)
    assert torch.equal(torch.rand(3), wanted)


def test_the_default_type_of_others_is_not_ours():
    wanted = model(1).fit(DATA)
    torch.set_default_dtype(torch.float64)
    try:
        fitted = model(1).fit(DATA)
        assert {p.dtype for p in fitted.body.parameters()} == {torch.float32}
        assert wanted.answering.body().positions.dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)
    assert fitted.table.shape == wanted.table.shape


def test_a_validation_with_other_item_codes_is_refused():
    other = vt.read_interactions(DATA.frame().reverse(), user="user_id", item="item_id", time="timestamp")
    with pytest.raises(VocabularyError, match="events of the validation"):
        model(1).fit(DATA, validation=other.split(vt.split.LeaveOneOut()))


def test_progress_prints_as_a_line(capsys):
    model(1).fit(DATA, report=print)
    assert re.match(
        r"epoch 1 of 1: loss \d\.\d{4}, nDCG@10 0\.\d{4} \(best 0\.\d{4} in epoch 1\), [\d,]+ events/s, ", capsys.readouterr().out
    )


def test_a_large_holdout_is_trained_on_in_the_end():
    epochs = []
    training = model(3).training
    searched, retrained = (model(3, training=training.model_copy(update={"refit": share})) for share in (1.0, 0.0))
    once, twice = (one.fit(DATA, report=lambda progress: epochs.append(progress.epoch)) for one in (searched, retrained))
    best = int(re.search(r"epoch (\d) of 3", twice.notes[0]).group(1))
    assert epochs == [1, 2, 3, 1, 2, 3, *range(1, best + 1)]
    assert twice.notes[0].endswith(f"then trained on all events for {best} epochs")
    assert not np.array_equal(once.table, twice.table)
    everything = fitting_on_all(retrained, best)
    assert np.array_equal(twice.table, everything)


def fitting_on_all(one, epochs):
    fit = Fitting.of(one.sized(DATA), DATA, None)
    fit.run(epochs=epochs).run()
    return fit.recommender(DATA).table


def test_few_people_are_judged_and_the_others_train_with_all_their_events():
    training = model(1).training.model_copy(update={"judges": 7})
    assert "on 7 queries" in model(1, training=training).fit(DATA).notes[0]


def test_a_metric_that_says_nothing_of_some_is_taken_over_the_others():
    training = Training(epochs=2, tokens=150, metric="debiased nDCG@5")
    fitted = vt.SequenceModel(dim=8, training=training).fit(DATA)
    assert "was best: debiased nDCG@5" in fitted.notes[0]
    silent = Training(epochs=2, tokens=150, metric="repeat nDCG@5")
    with pytest.raises(ParameterError, match=r"repeat nDCG@5 has no value for any of its \d+ queries"):
        vt.SequenceModel(dim=8, training=silent).fit(DATA, validation=DATA.split(vt.split.LeaveOneOut(repeat=False)))
    with pytest.raises(ParameterError, match="a metric with a value for each query"):
        Training(metric="ILD@10")
    with pytest.raises(ParameterError, match="of which more is better"):
        Training(metric="MeanPopularity@10")


def test_a_damaged_checkpoint_and_a_file_in_its_place_are_refused(tmp_path):
    folder = tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        model(3).fit(DATA, checkpoint=folder, report=interrupt)
    for file in folder.glob("*.npz"):
        file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ArtifactError, match="is damaged"):
        model(3).fit(DATA, checkpoint=folder)
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="must be a folder"):
        model(3).fit(DATA, checkpoint=tmp_path / "file")


def interrupt(_):
    raise KeyboardInterrupt


def test_a_strict_split_is_fitted_as_the_holdout_by_hand():
    strict = DATA.split(vt.split.LeaveOneOut(strict=True, repeat=True))
    by_hand = DATA.split(vt.split.LeaveOneOut(repeat=True)).train.holdout()
    one, other = (model(2).fit(part.train, validation=stop) for part, stop in ((strict, strict.validation), (by_hand, by_hand)))
    assert same(weights(one), weights(other))
    assert one.notes == other.notes
    assert f"on {len(by_hand.queries)} queries" in one.notes[0]


def test_a_fit_on_a_strict_training_part_holds_one_event_back_and_not_two():
    strict = DATA.split(vt.split.LeaveOneOut(strict=True, repeat=True))
    usual = DATA.split(vt.split.LeaveOneOut(repeat=True)).train.holdout()
    assert same(weights(model(1).fit(strict.train)), weights(model(1).fit(usual.train)))


def test_sums_on_a_gpu_are_in_one_order_while_a_network_trains():
    before = torch.are_deterministic_algorithms_enabled()
    for device, wanted in (("cuda", True), ("cpu", before)):
        with repeatable(torch.device(device)):
            assert torch.are_deterministic_algorithms_enabled() == wanted
        assert torch.are_deterministic_algorithms_enabled() == before
