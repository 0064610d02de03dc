"""step.py, run.py, checkpoint.py and recipe.py: runs, killed, resumed, and what they refuse."""
import dataclasses
import os

import numpy as np
import pytest

from deepconvsep.backend.prepare import prepare

theano = prepare(verbose=False)

import lasagne
import theano.tensor as T
from test_objective import BACH10_LOSS

import dataset
from deepconvsep.errors import InputError
from deepconvsep.features import tensors
from deepconvsep.network import architecture, c_source
from deepconvsep.network.build import build
from deepconvsep.network.masks import mask_noise, source_outputs
from deepconvsep.recipe import song_of
from deepconvsep.settings import ScoreSettings
from deepconvsep.training import checkpoint, fused
from deepconvsep.training.run import Run
from deepconvsep.training.step import Step
from examples.dsd100 import recipe as dsd100
from examples.ikala import recipe as ikala

SMALL = dataclasses.replace(architecture.DSD100, feat_size=17, width=17, filters=(6, 6), hidden=8)
SETTINGS = dataclasses.replace(dsd100.SETTINGS, frame_size=32, hop_size=16, mask_eps=1e-8)


@pytest.fixture(scope='module')
def small_features(tmp_path_factory):
    folder = tmp_path_factory.mktemp('features')
    rs = np.random.RandomState(0)
    for song, frames in enumerate([100, 47, 160, 30]):
        parts = rs.uniform(size=(4, frames, 17)) ** 3
        tensor = np.concatenate([parts.sum(axis=0, keepdims=True), parts])
        tensors.save_tensor(str(folder / ('song%d_0.data' % song)), tensor, '__m_')
    return str(folder)


def start(folder, small_features, validation=None, batch_memory=4, **more):
    def load(**options):
        return dataset.LargeDataset(small_features, batch_size=8, batch_memory=batch_memory, time_context=30,
                                    overlap=25,
                                    nsources=4, tensortype='float32', seed=1, **options)
    data = load(exclude_list=[validation] if validation else [])
    held_out = load(exclude_list=['song%d' % n for n in range(4) if 'song%d' % n != validation]) if validation else None
    os.makedirs(str(folder), exist_ok=True)
    return Run(str(folder), 'x', SMALL, SETTINGS, dsd100.LOSS, data, held_out, seed=1, quiet=True, **more)


def values(run):
    params, optimizer = run.step.get_values()
    return [value.tobytes() for value in params + optimizer]


class Killed(Exception):
    pass


def kill_after(run, steps):
    """Let the run die in the middle, as if the process were killed: nothing after the last save survives."""
    train, count = run.step.train, [0]

    def dying(starts):
        if count[0] == steps:
            raise Killed
        count[0] += 1
        return train(starts)
    run.step.train = dying


@pytest.fixture(scope='module')
def straight(tmp_path_factory, small_features):
    """Three epochs that nothing interrupts, and their folder."""
    folder = tmp_path_factory.mktemp('straight')
    run = start(folder, small_features)
    assert len(run.dataset) == 6
    run.run(3)
    return run, folder


@pytest.mark.parametrize('killed,minutes', [(0, 1e-9), (7, 1e-9), (5, 100.), (9, 100.)])
def test_a_killed_and_resumed_run_ends_with_the_same_bytes(tmp_path, small_features, straight, killed, minutes):
    """With a checkpoint after every step, and with one per epoch."""
    straight, folder = straight
    broken = start(tmp_path / 'broken', small_features, minutes=minutes)
    kill_after(broken, killed)
    with pytest.raises(Killed):
        broken.run(3)
    resumed = start(tmp_path / 'broken', small_features)
    assert resumed.resume() == (killed >= (1 if minutes < 1 else 6)), 'a checkpoint was expected, or none'
    resumed.run(3)
    assert values(resumed) == values(straight)
    keys = [name for name in straight.history[0] if name not in ('seconds', 'examples_per_second')]
    assert [[row[key] for key in keys] for row in resumed.history] == [[row[key] for key in keys]
                                                                       for row in straight.history]
    assert (folder / 'model_x.pkl').read_bytes() == (tmp_path / 'broken' / 'model_x.pkl').read_bytes()
    assert sorted(os.listdir(str(tmp_path / 'broken'))) == ['checkpoint_x.npz', 'log_x.csv', 'loss_x.data',
                                                            'loss_x.png', 'model_x.json', 'model_x.pkl']


def test_training_lowers_the_loss_and_keeps_the_best_epoch(tmp_path, small_features):
    run = start(tmp_path, small_features, validation='song1')
    run.run(4)
    losses = [row['loss'] for row in run.history]
    assert losses[-1] < 0.9 * losses[0]
    best = min(run.history, key=lambda row: row['validation'])
    assert [row['best'] for row in run.history][best['epoch'] - 1]
    from deepconvsep.models import store
    loaded = store.load(str(tmp_path / 'model_x.pkl'), (SMALL,), 'test')
    assert loaded.training['epochs'] == best['epoch'] and loaded.settings == SETTINGS
    # the held-out loss, by a plain restatement on one window at a time
    run.step.set_values(loaded.params)
    assert abs(run.validate() - best['validation']) < 1e-6 * best['validation']


PHASES = {'optimizers': ('adadelta', 'adam'), 'keep_best': True}


@pytest.fixture(scope='module')
def two_phases(tmp_path_factory, small_features):
    """Two epochs of Adadelta and one of Adam that nothing interrupts."""
    run = start(tmp_path_factory.mktemp('phases'), small_features, **PHASES)
    run.run(2, 1)
    assert len(run.dataset) == 6 and [row['best'] for row in run.history] == [True] * 3
    return run


@pytest.mark.parametrize('killed,minutes', [(4, 100.), (13, 100.), (14, 1e-9), (17, 1e-9), (18, 100.)])
def test_two_phases_begin_and_resume_from_the_same_bytes(tmp_path, small_features, two_phases, killed, minutes):
    """Two epochs of Adadelta, one of Adam from the best of them; killed before, at and after the change."""
    broken = start(tmp_path / 'broken', small_features, minutes=minutes, **PHASES)
    kill_after(broken, min(killed, 12))
    if killed > 12:  # the second phase has a step of its own
        next_phase = broken._next_phase

        def dying():
            next_phase()
            kill_after(broken, killed - 12)
            if killed == 18:  # between the model and the checkpoint of its epoch
                broken.save = broken.step.train
        broken._next_phase = dying
        broken.step.train = Step.train.__get__(broken.step)
    with pytest.raises(Killed):
        broken.run(2, 1)
    resumed = start(tmp_path / 'broken', small_features, **PHASES)
    assert resumed.resume() == (killed > 5) and resumed.phase == (killed > 12)
    resumed.run(2, 1)
    assert values(resumed) == values(two_phases)
    assert resumed.facts['optimizer'] == 'adadelta, then adam'
    with pytest.raises(InputError, match='went on with adam after 2 epochs, expected 3: give the same number'):
        resumed.run(3, 1)


def test_the_second_phase_begins_with_the_best_epoch(tmp_path, small_features):
    run = start(tmp_path, small_features, optimizers=('adadelta', 'adam'), keep_best=True)
    run.run(1)
    best = [param.copy() for param in run.step.get_values()[0]]
    kept = (tmp_path / 'model_x.pkl').read_bytes()
    run.history[0]['loss'] = 0.  # the second epoch cannot be better: it must not be kept, nor gone on from
    run.run(2)
    assert not run.history[1]['best'] and (tmp_path / 'model_x.pkl').read_bytes() == kept
    run._next_phase()
    for ours, expected in zip(run.step.get_values()[0], best):
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize('outputs, biases', [((0, 1, 2, 3), 16), ((0, 5, 10, 15), 4)])
def test_a_step_on_filtered_inputs_equals_the_network_on_them(outputs, biases):
    """Loss of a score-informed step against the network built by Lasagne's layers, fed with mixture times masks."""
    small = dataclasses.replace(SMALL, channels=4, decoders=(0, 1, 2, 3), outputs=outputs, biases=biases)
    rs = np.random.RandomState(3)
    inputs, outputs = rs.uniform(size=(70, 17)), rs.uniform(size=(70, 4 * 17))
    masks = rs.uniform(size=(70, 4, 17))
    masks = (masks / masks.sum(axis=1, keepdims=True)).reshape(70, -1)
    starts = np.array([0, 31, 40])
    with theano.configparser.change_flags(floatX='float64'):
        step = Step(small, SETTINGS, BACH10_LOSS, 3, seed=2)
        params = [rs.uniform(0, .3, size=shape) for shape in small.param_shapes()]
        step.set_values(params)
        step.load_chunk(inputs, outputs, masks)
        window = starts[:, None] + np.arange(30)
        filtered = (inputs[:, None] * masks.reshape(70, 4, 17))[window].transpose(0, 2, 1, 3)
        entry = T.tensor4()
        net = build(small, entry, 3, literal=True)
        lasagne.layers.set_all_param_values(net, params)
        decoded = theano.function([entry], source_outputs(net))(filtered)
        noise = mask_noise((3, 30, 17), 2)
        found = step.evaluate(starts)
    shares = [one + SETTINGS.mask_eps * noise for one in decoded]
    targets = outputs[window].reshape(3, 30, 4, 17)
    errors = [((share / sum(shares) * inputs[window] - targets[:, :, j]) ** 2).sum() for j, share in enumerate(shares)]
    np.testing.assert_allclose(found, [sum(errors)] + errors, rtol=1e-9)


@pytest.mark.parametrize('score', [None, ScoreSettings(), ScoreSettings(confine=True)])
def test_the_step_is_the_same_by_one_operation_and_by_expressions(monkeypatch, score):
    """On a CPU and on a GPU; the last batch is not full."""
    small, rs = SMALL, np.random.RandomState(4)
    if score:
        small = dataclasses.replace(SMALL, channels=4, decoders=(0, 1, 2, 3), outputs=(0, 5, 10, 15), biases=4)
    chosen, found = dataclasses.replace(SETTINGS, score=score), []
    inputs, outputs, masks = (rs.uniform(size=(90, count * 17)) for count in (1, 4, 4))
    params = [rs.uniform(-.2, .3, size=shape) for shape in small.param_shapes()]
    with theano.configparser.change_flags(floatX='float64'):
        for usable in (True, False):
            monkeypatch.setattr(c_source, 'usable', lambda: usable)
            step = Step(small, chosen, dsd100.LOSS, 3, params=params)
            assert any(isinstance(node.op, fused.MaskedLoss) for node in step._train.maker.fgraph.apply_nodes) == usable
            step.load_chunk(inputs, outputs, masks if score else None)
            losses = [step.train(np.array(starts)) for starts in ([0, 50, 31], [7, 60])]
            found.append(losses + [step.evaluate(np.array([8, 9]))] + step.get_values()[0])
    for one, other in zip(*found):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


def test_outputs_that_start_far_above_0_give_equal_masks(tmp_path, small_features):
    run = start(tmp_path, small_features, output_bias=1e4)
    chunk = next(run.dataset.chunks())
    run.step.load_chunk(chunk.inputs, chunk.outputs)
    window = chunk.starts[:8, None] + np.arange(30)
    targets = np.split(chunk.outputs[window], 4, axis=2)
    expected = [term.weight * sum(((chunk.inputs[window] / 4 - targets[k]) ** 2).sum() for _, k in term.pairs)
                for term in dsd100.LOSS]
    np.testing.assert_allclose(run.step.evaluate(chunk.starts[:8])[1:], expected, rtol=1e-3)
    plain = start(tmp_path / 'plain', small_features)
    for value, other in zip(run.step.get_values()[0][:-1], plain.step.get_values()[0][:-1]):
        np.testing.assert_array_equal(value, other)
    assert not plain.step.get_values()[0][-1].any()
    run.save(run.dataset.state())
    with pytest.raises(InputError, match='output_bias = 10000.0, now it is 2.0'):
        start(tmp_path, small_features, output_bias=2.).resume()


def test_first_step_of_adam_is_as_long_as_its_learning_rate(tmp_path, small_features):
    """Adam's first step is the sign of the gradient times the rate (D. Kingma and J. Ba, arXiv 1412.6980)."""
    run = start(tmp_path, small_features, optimizers=('adam',), learning_rate=0.01, output_bias=1.)
    chunk = next(run.dataset.chunks())
    run.step.load_chunk(chunk.inputs, chunk.outputs)
    before = run.step.get_values()[0][-1].copy()
    run.step.train(chunk.starts[:8])
    np.testing.assert_allclose(abs(run.step.get_values()[0][-1] - before), 0.01, rtol=1e-3)
    assert run.facts['learning_rate'] == 0.01 and 'learning_rate' not in start(tmp_path, small_features).facts


def test_a_batch_that_is_not_full_counts_what_is_there(tmp_path, small_features):
    run = start(tmp_path, small_features)
    chunk = next(run.dataset.chunks())
    run.step.load_chunk(chunk.inputs, chunk.outputs)
    single = sum(run.step.evaluate(chunk.starts[n:n + 1]) for n in range(3))
    np.testing.assert_allclose(run.step.evaluate(chunk.starts[:3]), single, rtol=1e-4)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path, small_features):
    run = start(tmp_path, small_features)
    run.run(1)
    run.step.params[0].set_value(run.step.params[0].get_value() * np.nan)
    with pytest.raises(InputError, match=r'the loss became nan in epoch 2, batch 1; the last good checkpoint is '
                                         r'.*checkpoint_x.npz \(epoch 2, batch 0\)'):
        run.run(2)
    assert np.isfinite(checkpoint.load(str(tmp_path / 'checkpoint_x.npz'))[0][0]).all()


def test_weights_that_are_not_finite_are_not_kept(tmp_path, small_features):
    """The last step of an epoch makes them so, of which its loss does not know."""
    run = start(tmp_path, small_features)
    run.run(1)
    kept = [(tmp_path / name).read_bytes() for name in ('model_x.pkl', 'checkpoint_x.npz')]
    train, steps = run.step.train, []

    def overflowing(starts):
        values = train(starts)
        steps.append(starts)
        if len(steps) == 6:
            run.step.optimizer[0].set_value(run.step.optimizer[0].get_value() + np.float32(np.inf))
        return values
    run.step.train = overflowing
    with pytest.raises(InputError, match='infinite or NaN in epoch 2, batch 6; the last good checkpoint is .* batch 0'):
        run.run(2)
    assert [(tmp_path / name).read_bytes() for name in ('model_x.pkl', 'checkpoint_x.npz')] == kept


def test_a_run_that_is_further_than_what_is_asked_for_says_so(tmp_path, small_features, caplog):
    start(tmp_path, small_features).run(2)
    for epochs, said in ((2, False), (1, True)):
        run = start(tmp_path, small_features)
        assert run.resume()
        caplog.clear()
        run.run(epochs)
        assert ('has trained for 2 epochs, and 1 are asked for: nothing is trained' in caplog.text) == said


def test_a_checkpoint_of_other_settings_is_refused(tmp_path, small_features):
    start(tmp_path, small_features).run(1)
    other = start(tmp_path, small_features)
    other.facts['seed'] = 2
    with pytest.raises(InputError, match='was written with seed = 1, now it is 2'):
        other.resume()
    other.facts.update(seed=1, settings={**other.facts['settings'], 'overlap': 7})
    with pytest.raises(InputError, match=r"with settings = {'overlap': \d+}, now it is {'overlap': 7}: give the same"):
        other.resume()
    with pytest.raises(InputError, match='cannot continue: batch_memory was 4 and is 5'):
        start(tmp_path, small_features, batch_memory=5).resume()
    (tmp_path / 'checkpoint_x.npz').write_bytes(b'PK\x03\x04 damaged')
    with pytest.raises(InputError, match='checkpoint_x.npz'):
        start(tmp_path, small_features).resume()


def test_a_stored_state_of_another_number_of_arrays_is_refused():
    step = Step(SMALL, SETTINGS, dsd100.LOSS, 3, seed=2)
    params, optimizer = ([array.copy() for array in arrays] for arrays in step.get_values())
    halved = [param / 2 for param in params]
    for state in ((halved[:-1], optimizer), (halved + halved[:1], optimizer), (halved, optimizer[:-1]), (halved, []),
                  (halved[:-1], optimizer + optimizer[:1])):
        with pytest.raises(InputError, match=r'the stored state does not fit the network: \d+ arrays, expected \d+$'):
            step.set_values(*state)
    for found, wanted in zip(step.get_values()[0], params):
        np.testing.assert_array_equal(found, wanted)
    step.set_values(halved, optimizer)
    np.testing.assert_array_equal(step.get_values()[0][0], params[0] / 2)


def test_songs_of_feature_files():
    assert ikala.song_of('10161_chorus__m_.data') == ikala.song_of('10161_verse__m_.data') == '10161'
    assert ikala.song_of('clip__m_.data') == 'clip'
    assert song_of('A - B_12__m_.data') == 'A - B'
    assert song_of('A_3 - B_0_abc_m_.data') in ('A_3 - B_0_abc', 'A_3 - B')
    assert song_of('10161_chorus__m_.data') == '10161_chorus'
