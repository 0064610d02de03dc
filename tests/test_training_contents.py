"""contents.py, checkpoint.py: what a training keeps, and how it knows that it still fits."""
import logging
import os

import numpy as np
import pytest
from test_training import SMALL, small_features, start

import dataset
from deepconvsep.data import contents
from deepconvsep.data.sampled import SampledDataset
from deepconvsep.errors import InputError
from deepconvsep.features import tensors
from deepconvsep.models import store
from deepconvsep.training import checkpoint

__all__ = ['small_features']

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class PlainStep:
    """Stands in for the compiled step, whose arithmetic does not matter here: every step makes the weights smaller."""

    def __init__(self, network, settings, terms, batch_size, seed=0, optimizer='adadelta', params=None,
                 output_bias=0., learning_rate=None):
        random = np.random.RandomState(seed)
        self.params = [random.uniform(size=shape).astype(np.float32) for shape in network.param_shapes()]
        self.params = params or self.params
        self._count = 1 + len(terms)

    def get_values(self):
        return [param.copy() for param in self.params], [np.zeros(1, np.float32)]

    def set_values(self, params, optimizer=None):
        self.params = [param.copy() for param in params]

    def load_chunk(self, inputs, outputs, masks=None):
        pass

    def train(self, starts):
        self.params = [param * np.float32(0.9) for param in self.params]
        return self.evaluate(starts)

    def evaluate(self, starts):
        return np.full(self._count, float(np.abs(self.params[0]).sum()) * len(starts))


@pytest.fixture(autouse=True)
def plain_step(monkeypatch):
    monkeypatch.setattr('deepconvsep.training.run.Step', PlainStep)


@pytest.fixture
def features(tmp_path):
    """Feature files of noise that a test may change."""
    folder = tmp_path / 'features'
    folder.mkdir()
    for song in range(2):
        tensors.save_tensor(str(folder / ('song%d.data' % song)),
                            np.random.RandomState(song).uniform(size=(5, 90, 17)), '__m_')
    return folder


def rewrite(path, change, dates=True):
    """Change a tensor in place; without `dates` the file keeps its date."""
    status, values = os.stat(path), np.fromfile(path)
    change(values)
    values.tofile(path)
    if not dates:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


# --- features that changed --------------------------------------------------------------------------------

def test_resume_refuses_features_whose_contents_changed(features, tmp_path):
    start(tmp_path / 'run', str(features)).run(1)
    rewrite(features / 'song1__m_.data', lambda values: np.multiply(values, 1.3, out=values), dates=False)
    with pytest.raises(InputError, match='training features are not what .*checkpoint_x.npz was trained with'):
        start(tmp_path / 'run', str(features)).resume()


def test_resume_warns_of_other_dates(features, tmp_path, caplog):
    start(tmp_path / 'run', str(features)).run(1)
    assert start(tmp_path / 'run', str(features)).resume()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    os.utime(features / 'song0__m_.data')
    assert start(tmp_path / 'run', str(features)).resume()
    assert 'have other dates than when' in caplog.text and 'checkpoint_x.npz' in caplog.text


def test_a_checkpoint_of_before_resumes_with_a_warning(features, tmp_path, caplog):
    start(tmp_path / 'run', str(features)).run(1)
    path = str(tmp_path / 'run' / 'checkpoint_x.npz')
    params, optimizer, info = checkpoint.load(path)
    del info['contents']
    checkpoint.save(path, params, optimizer, info)
    assert start(tmp_path / 'run', str(features)).resume()
    assert 'does not say what was in the features: that they have not changed is assumed' in caplog.text


def test_records_decide_where_there_are_any():
    old = {'records': 'a', 'samples': 'b', 'dates': 'c'}
    assert contents.compare(old, dict(old, samples='x', dates='y')) == 'same'
    assert contents.compare(old, dict(old, records='x')) == 'changed'
    assert contents.compare(old, dict(old, records=None)) == 'same'
    assert contents.compare(old, dict(old, records=None, dates='x')) == 'unsure'
    assert contents.compare(dict(old, records=None), dict(old, samples='x')) == 'changed'


def test_fingerprint_sees_small_files_whole_and_pieces_of_large_ones(tmp_path):
    path = tmp_path / 'x_m_.data'
    path.write_bytes(bytes(60000))
    before = contents.fingerprint([str(path)])
    path.write_bytes(bytes(30000) + b'1' + bytes(29999))
    assert contents.fingerprint([str(path)])['samples'] != before['samples']
    path.write_bytes(bytes(10 ** 6))
    before = contents.fingerprint([str(path)])
    path.write_bytes(bytes(10 ** 6 - 1) + b'1')
    assert contents.fingerprint([str(path)])['samples'] != before['samples']
    with pytest.raises(InputError, match='cannot read the features .*none'):
        contents.fingerprint([str(tmp_path / 'none')])


def test_fingerprint_has_names_and_sizes(tmp_path):
    """Where the contents of all files one after the other are the same."""
    seen = set()
    for names, sizes in (('ab', (10, 20)), ('ab', (20, 10)), ('ac', (10, 20)), ('a', (30,))):
        paths = [tmp_path / (name + '_m_.data') for name in names]
        for path, size in zip(paths, sizes):
            path.write_bytes(bytes(size))
        seen.add(contents.fingerprint(list(map(str, paths)))['samples'])
    assert len(seen) == 4


def test_notes_belong_to_the_contents(tmp_path):
    tensors.save_tensor(str(tmp_path / 'a.data'), np.ones((3, 40, 2049)), '__m_')
    notes = np.zeros((2, 1, 43))
    tensors.save_tensor(str(tmp_path / 'a.data'), notes, '__e_')

    def found():
        return dataset.LargeDatasetMask2(str(tmp_path), time_context=30, overlap=25, pitch_code='e').contents()
    before = found()
    tensors.save_tensor(str(tmp_path / 'a.data'), notes + 1, '__e_')
    assert contents.compare(before, found()) == 'changed'


def test_sampled_data_cover_all_files(features):
    def load(**more):
        return dataset.LargeDataset(str(features), batch_size=2, time_context=30, overlap=25, nsources=4, **more)
    data = SampledDataset(load, 1, 0, 2)
    before = data.contents()
    for song in range(2):
        rewrite(features / ('song%d__m_.data' % song), lambda values: np.add(values, 1, out=values))
        assert contents.compare(before, data.contents()) == 'changed'
        before = data.contents()


def test_records_of_the_features_are_asked_for(features, monkeypatch):
    asked = []
    monkeypatch.setattr(contents.folder, 'fingerprint', lambda paths: asked.append(paths) or 'abc')
    paths = [str(features / ('song%d__m_.data' % song)) for song in range(2)]
    assert contents.fingerprint(paths)['records'] == 'abc' and asked == [paths]


def test_a_model_that_is_gone_is_written_again_or_missed(small_features, tmp_path):
    start(tmp_path, small_features, 'song2').run(1)
    weights = (tmp_path / 'model_x.pkl').read_bytes()
    (tmp_path / 'model_x.pkl').unlink()
    assert start(tmp_path, small_features, 'song2').resume()
    assert (tmp_path / 'model_x.pkl').read_bytes() == weights
    path = str(tmp_path / 'checkpoint_x.npz')
    params, optimizer, info = checkpoint.load(path)
    info['history'][0]['best'] = False
    checkpoint.save(path, params, optimizer, info)
    (tmp_path / 'model_x.pkl').unlink()
    with pytest.raises(InputError, match='model_x.pkl is gone, which .*checkpoint_x.npz goes on from'):
        start(tmp_path, small_features, 'song2').resume()


def other_run(tmp_path, small_features):
    """The model of another run, in memory: one to be put in the place of ours."""
    start(tmp_path / 'other', small_features, 'song1').run(3)
    return [(tmp_path / 'other' / name).read_bytes() for name in ('model_x.pkl', 'model_x.json')]


@pytest.mark.parametrize('what', ['pair', 'weights', 'weights, settings gone'])
def test_a_model_of_another_run_is_noticed(small_features, tmp_path, what):
    weights, settings = other_run(tmp_path, small_features)
    start(tmp_path / 'run', small_features).run(2)
    (tmp_path / 'run' / 'model_x.pkl').write_bytes(weights)
    if what == 'pair':
        (tmp_path / 'run' / 'model_x.json').write_bytes(settings)
    if what == 'weights, settings gone':
        (tmp_path / 'run' / 'model_x.json').unlink()
    with pytest.raises(InputError, match='model_x.pkl is not the model that .*checkpoint_x.npz knows, another took'):
        resumed = start(tmp_path / 'run', small_features)
        resumed.resume()
        resumed.run(2)   # without settings, the run may have been killed while it wrote them: nothing is left to do
    assert (tmp_path / 'run' / 'model_x.pkl').read_bytes() == weights


def test_a_model_of_another_run_is_not_kept_as_the_best(small_features, tmp_path):
    """Without settings it may be our own of the next epoch, until that one turns out not to be the best."""
    weights, _ = other_run(tmp_path, small_features)
    start(tmp_path / 'run', small_features, keep_best=True).run(1)
    (tmp_path / 'run' / 'model_x.pkl').write_bytes(weights)
    (tmp_path / 'run' / 'model_x.json').unlink()
    resumed = start(tmp_path / 'run', small_features, keep_best=True)
    assert resumed.resume()
    resumed.history[0]['loss'] = 0.   # the second epoch cannot be better
    with pytest.raises(InputError, match='model_x.pkl is not the model that .*checkpoint_x.npz knows'):
        resumed.run(2)


def test_a_model_ahead_of_its_checkpoint_is_ours(small_features, tmp_path):
    """Killed between the two; with and without the settings."""
    start(tmp_path / 'straight', small_features, 'song1').run(2)
    for name, settings in (('pair', True), ('weights', False)):
        folder = tmp_path / name
        start(folder, small_features, 'song1').run(1)
        before = (folder / 'checkpoint_x.npz').read_bytes()
        run = start(folder, small_features, 'song1')
        run.resume()
        run.run(2)
        (folder / 'checkpoint_x.npz').write_bytes(before)
        if not settings:
            (folder / 'model_x.json').unlink()
        run = start(folder, small_features, 'song1')
        assert run.resume()
        run.run(2)
        for file in ('model_x.pkl', 'model_x.json'):
            if file == 'model_x.pkl':
                assert (folder / file).read_bytes() == (tmp_path / 'straight' / file).read_bytes()
            assert (folder / file).exists()


def test_settings_that_are_gone_are_written_again(small_features, tmp_path):
    start(tmp_path, small_features, keep_best=True).run(1)
    before = (tmp_path / 'model_x.json').read_bytes()
    (tmp_path / 'model_x.json').unlink()
    assert start(tmp_path, small_features, keep_best=True).resume()
    assert (tmp_path / 'model_x.json').read_bytes() == before


def test_killed_between_the_first_checkpoint_and_its_model(small_features, tmp_path):
    """There is no model without a checkpoint; a model that this one replaces is not taken for its own."""
    weights, _ = other_run(tmp_path, small_features)
    run = start(tmp_path, small_features)
    (tmp_path / 'model_x.pkl').write_bytes(weights)

    class Killed(Exception):
        pass

    def save_model(row):
        raise Killed
    run.save_model = save_model
    with pytest.raises(Killed):
        run.run(1)
    resumed = start(tmp_path, small_features)
    assert resumed.resume()
    resumed.run(1)
    model = store.load(str(tmp_path / 'model_x.pkl'), (SMALL,), 'test')
    assert model.training['epochs'] == 1
    for found, expected in zip(model.params, resumed.step.get_values()[0]):
        np.testing.assert_array_equal(found, expected)
    assert (tmp_path / 'log_x.csv').exists()


def test_a_run_that_began_with_other_weights_is_refused(small_features, tmp_path):
    start(tmp_path / 'other', small_features, 'song1').run(3)
    params = store.load(str(tmp_path / 'other' / 'model_x.pkl'), (SMALL,), 'test').params
    start(tmp_path / 'run', small_features, params=params).run(1)
    assert start(tmp_path / 'run', small_features, params=params).resume()
    assert start(tmp_path / 'run', small_features).resume()
    with pytest.raises(InputError, match='checkpoint_x.npz did not begin with the weights of --load: leave that out'):
        start(tmp_path / 'run', small_features, params=[2 * param for param in params]).resume()
    start(tmp_path / 'drawn', small_features).run(1)
    with pytest.raises(InputError, match='did not begin with the weights of --load'):
        start(tmp_path / 'drawn', small_features, params=params).resume()
