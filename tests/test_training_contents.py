"""contents.py, lock.py, log.py, checkpoint.py: what a training keeps, and how it knows that it still fits."""
import csv
import json
import logging
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from test_training import SMALL, small_features, start

import dataset
from deepconvsep import files
from deepconvsep.data import contents
from deepconvsep.data.sampled import SampledDataset
from deepconvsep.errors import InputError
from deepconvsep.features import tensors
from deepconvsep.models import store
from deepconvsep.network import architecture
from deepconvsep.training import checkpoint, lock

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


# --- what is written ---------------------------------------------------------------------------------------

def test_the_table_of_epochs_keeps_its_columns(small_features, tmp_path):
    def columns():
        with open(tmp_path / 'log_x.csv') as table:
            return next(csv.reader(table))
    start(tmp_path, small_features, 'song2').run(1)
    before = columns()
    again = start(tmp_path, small_features, 'song2')
    assert again.resume()
    again.run(2)
    assert columns() == before == ['epoch', 'loss', 'seconds', 'examples_per_second', 'vocals', 'bass', 'drums', 'beta',
                                   'alpha', 'beta_voc', 'validation', 'best']


def test_the_model_knows_its_features_and_what_was_held_out(small_features, tmp_path):
    start(tmp_path, small_features, 'song2', held_out=['song2']).run(1)
    training = json.loads((tmp_path / 'model_x.json').read_text())['training']
    assert training['held_out'] == ['song2']
    assert {kind: set(found) for kind, found in training['features'].items()} == dict.fromkeys(
        ('training', 'held out'), {'records', 'samples', 'dates'})


@pytest.mark.parametrize('what', ['checkpoint.save(path, [np.ones(99999)], [np.ones(99999)], {})',
                                  'log.plot_losses(path, [{"epoch": 1, "loss": 2}], ())',
                                  'log.write_losses(path, [{"loss": 2}] * 9999)',
                                  'pickles_to(path)'])
def test_a_full_disk_is_one_error_that_names_the_file(tmp_path, what):
    code = """
        import resource, signal, sys
        import numpy as np
        from deepconvsep import files
        from deepconvsep.formats import pickles
        from deepconvsep.training import checkpoint, log
        import matplotlib.pyplot

        def pickles_to(path):
            with files.atomic_path(path) as temporary:
                pickles.dump_arrays(temporary, [np.ones(99999)])
        path = sys.argv[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        try:
            %s
        except OSError as error:
            print(error.filename, error.strerror)
        """ % what
    done = subprocess.run([sys.executable, '-c', textwrap.dedent(code), str(tmp_path / 'kept.x')], cwd=ROOT,
                          capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ('%s File too large\n' % (tmp_path / 'kept.x'), '')
    assert os.listdir(str(tmp_path)) == []


def test_names_that_are_no_text(tmp_path):
    folder = os.path.join(os.fsencode(str(tmp_path)), b'f\xe9')
    os.mkdir(folder)
    name = os.fsdecode(os.path.join(folder, b's\xf6ng.data'))
    tensors.save_tensor(name, np.ones((5, 90, 17)), '__m_')
    run = start(tmp_path / 'run', os.path.dirname(name))
    run.run(1)
    assert start(tmp_path / 'run', os.path.dirname(name)).resume()
    data = dataset.LargeDataset(os.path.dirname(name), time_context=30, scratch_path=str(tmp_path / 'scratch'))
    assert len(data()) == 2
    data.close()


def test_weights_beyond_float32_are_refused(tmp_path):
    arrays = [np.full(shape, 0.1) for shape in architecture.DSD100.param_shapes()]
    arrays[3].flat[0] = -1e39
    np.savez(str(tmp_path / 'm.npz'), *arrays)
    with pytest.raises(InputError, match=r'm.npz holds 1e\+39 in array 3 of 15, expected what float32 can hold'):
        store.load(str(tmp_path / 'm.npz'), (architecture.DSD100,), 'this training')


# --- two at once ------------------------------------------------------------------------------------------

HOLD = """
import sys, time
from deepconvsep.training import lock
with lock.hold(sys.argv[1], 'model_x.pkl'):
    print('held', flush=True)
    time.sleep(600)
"""


def test_a_second_training_is_refused_and_a_dead_ones_lock_taken_over(tmp_path, caplog):
    path = str(tmp_path / 'lock_x.json')
    owner = subprocess.Popen([sys.executable, '-c', HOLD, path], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdout.readline() == 'held\n'
        with pytest.raises(InputError, match='model_x.pkl is being trained by process %d on ' % owner.pid):
            with lock.hold(path, 'model_x.pkl'):
                pass
        assert files.read_json(path)['process'] == owner.pid
    finally:
        owner.kill()
        owner.wait()
        owner.stdout.close()
    caplog.set_level('INFO')
    with lock.hold(path, 'model_x.pkl'):
        assert files.read_json(path)['process'] == os.getpid()
        assert 'taking over from process %d on ' % owner.pid in caplog.text
    assert os.listdir(str(tmp_path)) == []


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def without(handle, how):
        raise OSError(lock.errno.ENOLCK, 'No locks available')
    monkeypatch.setattr(lock.fcntl, 'flock', without)
    path = tmp_path / 'lock_x.json'

    def left_by(**owner):
        path.write_text(json.dumps(dict({'host': lock.socket.gethostname(), 'since': 'then'}, **owner)))
    left_by(process=os.getppid())
    with pytest.raises(InputError, match='process %d on .* since then' % os.getppid()), lock.hold(str(path), 'model'):
        pass
    ended = subprocess.Popen(['true'])
    ended.wait()
    left_by(process=ended.pid)
    with lock.hold(str(path), 'model'):
        pass
    left_by(process=ended.pid, host='another')
    with pytest.raises(InputError, match='on another since then'), lock.hold(str(path), 'model'):
        pass
    path.write_text('{')
    with lock.hold(str(path), 'model'):
        pass
    assert not path.exists()
