"""trainCNN.py of DSD100 and iKala as a user runs them, from sound files to separated test songs."""
import csv
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
from conftest import ROOT

from deepconvsep import lock
from deepconvsep.features import tensors
from deepconvsep.metrics import bss_eval
from tests import song

FEATURES = 'examples/dsd100/compute_features.py'
TRAIN = 'examples/dsd100/trainCNN.py'
SOURCES = ('vocals', 'bass', 'drums', 'other')


def noise(seed, seconds, channels=2):
    return np.random.RandomState(seed).uniform(-0.2, 0.2, (int(seconds * 44100), channels))


def write(path, samples):
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    soundfile.write(str(path), samples, 44100)


@pytest.fixture(scope='module')
def dsd100(tmp_path_factory):
    """A DSD100 tree of two Dev songs and one Test song, a few seconds each, with float32 features."""
    db = tmp_path_factory.mktemp('dsd100')
    for number, (subset, name) in enumerate([('Dev', '001 - A'), ('Dev', '002 - B_2'), ('Test', '003 - C')]):
        parts = [noise(10 * number + k, 2 + number) for k in range(4)]
        write(db / 'Mixtures' / subset / name / 'mixture.wav', sum(parts))
        for source, part in zip(SOURCES, parts):
            write(db / 'Sources' / subset / name / (source + '.wav'), part)
    subprocess.run([sys.executable, os.path.join(ROOT, FEATURES), '--db', str(db), '--float32', '--quiet'], check=True)
    return db


def test_dsd100_from_features_to_separated_songs(script, dsd100, tmp_path):
    done = script(TRAIN, '--db', dsd100, '--output', tmp_path, '--nepochs', '2', '--validation', '0.5',
                  '--scale_factor', '0.2', '--batch_size', '16', '--quiet')
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(str(tmp_path / 'models'))) == [
        'checkpoint_dsd_fft_1024.npz', 'log_dsd_fft_1024.csv', 'loss_dsd_fft_1024.data', 'loss_dsd_fft_1024.png',
        'model_dsd_fft_1024.json', 'model_dsd_fft_1024.pkl']
    for place in ('Dev/001 - A', 'Dev/002 - B_2', 'Test/003 - C'):
        folder = tmp_path / 'output' / 'dsd_fft_1024' / place
        assert sorted(os.listdir(str(folder))) == sorted(source + '.wav' for source in SOURCES)
    stems = [soundfile.read(str(folder / (source + '.wav')))[0] for source in SOURCES]
    mixture, _ = soundfile.read(str(dsd100 / 'Mixtures' / 'Test' / '003 - C' / 'mixture.wav'))
    assert np.abs(sum(stems) - mixture.mean(axis=1)).max() < 1e-4
    with open(str(tmp_path / 'models' / 'log_dsd_fft_1024.csv')) as source:
        rows = list(csv.DictReader(source))
    assert [row['epoch'] for row in rows] == ['1', '2'] and {'loss', 'vocals', 'validation'} < set(rows[0])
    with open(str(tmp_path / 'models' / 'loss_dsd_fft_1024.data'), 'rb') as source:
        assert pickle.load(source) == pytest.approx([16 * float(row['loss']) for row in rows])   # of a batch
    assert 'held out: 00' in done.stderr and 'epoch 2/2: loss' in done.stderr
    # the model knows the scale that it was trained with
    with open(str(tmp_path / 'models' / 'model_dsd_fft_1024.json')) as source:
        assert '"scale_factor": 0.2' in source.read()
    again = script(TRAIN, '--db', dsd100, '--output', tmp_path, '--nepochs', '2', '--skip_sep')
    assert again.returncode == 1 and 'give --resume to continue that run, --overwrite to start anew' in again.stderr
    both = script(TRAIN, '--db', dsd100, '--output', tmp_path, '--resume', '--overwrite')
    assert both.returncode == 2 and '--resume continues a run and --overwrite starts it anew: give one' in both.stderr
    other = script(TRAIN, '--db', dsd100, '--output', tmp_path / 'other', '--skip_sep', '--load',
                   tmp_path / 'models' / 'model_dsd_fft_1024.pkl', '--time_context', '28')
    assert other.returncode == 2 and 'does not fit the network of the flags: give the --time_context' in other.stderr
    left = script(TRAIN, '--db', dsd100, '--output', tmp_path, '--nepochs', '1', '--validation', '0.5', '--skip_sep',
                  '--overwrite', '--batch_size', '16')
    assert left.returncode == 0 and '%s holds stems that an earlier model of this name made: separate again' % (
        tmp_path / 'output' / 'dsd_fft_1024') in left.stderr
    # separation goes by the model
    only = script(TRAIN, '--db', dsd100, '--output', tmp_path, '--skip_train', '--overlap', '24')
    assert only.returncode == 2 and len(only.stderr.splitlines()) == 1
    assert '--overlap is 24, and %s was made with 25: leave it out with --skip_train' % (
        tmp_path / 'models' / 'model_dsd_fft_1024.pkl') in only.stderr
    (tmp_path / 'models' / 'model_dsd_fft_1024.json').unlink()
    only = script(TRAIN, '--db', dsd100, '--output', tmp_path, '--skip_train', '--quiet')
    assert only.returncode == 0, only.stderr
    assert 'model_dsd_fft_1024.json is missing: the settings of this script are assumed' in only.stderr


def test_features_of_another_dataset_are_refused(script, dsd100, tmp_path):
    done = script('examples/ikala/trainCNN.py', '--db', dsd100, '--output', tmp_path, '--skip_sep')
    warning, error = done.stderr.splitlines()
    assert done.returncode == 1 and 'hold 4 sources, of which 2 are used' in warning
    assert '%s are of vocals, bass, drums, other, expected voice, music: give' % (dsd100 / 'transforms' / 't1') \
        in error
    done = script('examples/ikala/trainCNN.py', '--db', dsd100, '--skip_sep', '--network', 'compact', '--pool', '0')
    assert done.returncode == 2 and '--network compact has no pooling: leave out --pool' in done.stderr


def test_killed_at_random_and_resumed(dsd100, tmp_path):
    """SIGKILL at random moments; the resumed run ends with the bytes of one that was left alone."""
    def command(output):
        return [sys.executable, os.path.join(ROOT, TRAIN), '--db', str(dsd100), '--output', str(output), '--nepochs',
                '3', '--skip_sep', '--checkpoint_minutes', '0.0001', '--batch_size', '8', '--independent_other',
                '--quiet', '--resume']
    def written():
        return checkpoint.stat().st_mtime_ns if checkpoint.exists() else None

    checkpoint = tmp_path / 'killed' / 'models' / 'checkpoint_dsd_fft_1024.npz'
    generator, kills = random.Random(3), 0
    for _ in range(4):
        process = subprocess.Popen(command(tmp_path / 'killed'), stderr=subprocess.DEVNULL)
        # of the 33 steps, each of which writes a checkpoint
        for _ in range(generator.randint(1, 8)):
            before = written()
            while written() == before and process.poll() is None:
                time.sleep(0.001)
        time.sleep(generator.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    subprocess.run(command(tmp_path / 'straight'), check=True, stderr=subprocess.PIPE)
    subprocess.run(command(tmp_path / 'killed'), check=True, stderr=subprocess.PIPE)
    assert kills > 1
    models = [tmp_path / name / 'models' / 'model_dsd_fft_1024.pkl' for name in ('straight', 'killed')]
    assert models[0].read_bytes() == models[1].read_bytes()


def test_two_trainings_under_one_name(script, dsd100, tmp_path):
    """The second is refused before anything is compiled; what a killed one left does not stop the next."""
    (tmp_path / 'models').mkdir()
    path = tmp_path / 'models' / 'lock_dsd_fft_1024.json'
    arguments = (TRAIN, '--db', dsd100, '--output', tmp_path, '--skip_sep')
    with lock.hold(str(path), 'it is being trained', 'wait'):
        done = script(*arguments)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert 'model_dsd_fft_1024.pkl is being trained by process %d on ' % os.getpid() in done.stderr
    assert os.listdir(str(tmp_path / 'models')) == []


@pytest.mark.parametrize('seed', ['1', '5'])
def test_a_song_whose_name_begins_as_another_one_is_held_out_or_not(script, tmp_path, seed):
    """With one seed the shorter name is held out, with the other one the longer."""
    (tmp_path / 'features').mkdir()
    for number, name in enumerate(('Song', 'Song_live', 'Other', 'Zed')):
        tensors.save_tensor(str(tmp_path / 'features' / (name + '.data')),
                            np.random.RandomState(number).uniform(size=(5, 40, 513)).astype('float32'), '__m_')
    done = script(TRAIN, '--db', tmp_path, '--feature_path', tmp_path / 'features', '--output', tmp_path,
                  '--nepochs', '1', '--batch_size', '8', '--skip_sep', '--validation', '.25', '--seed', seed)
    assert done.returncode == 0, done.stderr
    training = json.loads((tmp_path / 'models' / 'model_dsd_fft_1024.json').read_text())['training']
    assert training['held_out'] == [{'1': 'Song', '5': 'Song_live'}[seed]]
    assert '3 files' in done.stderr, done.stderr


@pytest.mark.parametrize('share,count', [('0.5', 1), ('0.4', None)])
def test_ikala_holds_out_songs(script, tmp_path, share, count):
    """Of two clips each of two songs, both clips of one; what of one song alone would be none is refused."""
    (tmp_path / 'transforms' / 't1').mkdir(parents=True)
    for number, clip in enumerate(('10161_chorus', '10161_verse', '10164_chorus', '10164_verse')):
        tensors.save_tensor(str(tmp_path / 'transforms' / 't1' / (clip + '.data')),
                            np.random.RandomState(number).uniform(size=(3, 40, 513)).astype('float32'), '__m_')
    command = ('examples/ikala/trainCNN.py', '--db', tmp_path, '--nepochs', '1', '--batch_size', '8', '--skip_sep',
               '--validation', share)
    if count is None:
        os.unlink(str(tmp_path / 'transforms' / 't1' / '10164_chorus__m_.data'))
        os.unlink(str(tmp_path / 'transforms' / 't1' / '10164_verse__m_.data'))
        done = script(*command)
        assert done.returncode == 2 and '--validation 0.4 of 1 songs holds out 0' in done.stderr
        return
    done = script(*command)
    assert done.returncode == 0, done.stderr
    training = json.loads((tmp_path / 'models' / 'model_fft_1024.json').read_text())['training']
    song, = training['held_out']
    assert song in ('10161', '10164') and 'held out: %s\n' % song in done.stderr
    assert 'in 2 files' in done.stderr and training['validation_examples'] == 4


def test_ikala_from_features_to_separated_clips(script, tmp_path):
    db = tmp_path / 'iKala'
    for number, clip in enumerate(('10161_chorus', '10161_verse')):
        write(db / 'Wavfile' / (clip + '.wav'), noise(number, 1.5))
    done = script('examples/ikala/compute_features.py', '--db', db, '--quiet')
    assert done.returncode == 0, done.stderr
    # without pooling the weights take 278 MB, so the default is tried
    done = script('examples/ikala/trainCNN.py', '--db', db, '--nepochs', '1', '--batch_size', '8', '--quiet')
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(str(db / 'output' / 'fft_1024'))) == [
        '10161_chorus-music.wav', '10161_chorus-voice.wav', '10161_verse-music.wav', '10161_verse-voice.wav']
    assert 'iKala network with pooling' in done.stderr


@pytest.mark.parametrize('args,code,message', [
    ([], 2, 'the following arguments are required: --db'),
    (['--db', 'none'], 1, 'the dataset none is not a folder'),
    (['--db', '.'], 1, '. has the folders of no dataset, expected either Mixtures and Sources'),
    (['--db', '.', '--skip_sep'], 1, 'there is no folder of features ./transforms/t1'),
    (['--db', '.', '--scale_factor', '0'], 2, "got '0', expected a number above 0"),
    (['--db', '.', '--seed', '4294967296'], 2, '--seed is 4294967296, expected a whole number, 0 to 4294967295'),
    (['--db', '.', '--overlap', '30'], 2, '--overlap is 30, expected less than --time_context 30'),
    (['--db', '.', '--model', '../x'], 2, "--model is '../x', expected a name without folders"),
    (['--db', '.', '--validation', '1'], 2, 'expected a share from 0'),
    (['--db', '.', '--output_bias', '1', '--load', '1'], 2, '--output_bias is for a training from the start'),
    (['--db', '.', '--output_bias', '0'], 2, "got '0', expected a number above 0"),
])
def test_mistakes_are_one_line_before_theano(script, tmp_path, args, code, message):
    (tmp_path / 'theano.py').write_text('raise SystemExit("theano was imported")')
    done = script(TRAIN, *args, env={'PYTHONPATH': str(tmp_path)})
    assert done.returncode == code and message in done.stderr, done.stderr
    assert 'Traceback' not in done.stderr and 'theano was' not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_training_on_a_song_separates_it(script, tmp_path):
    """Trained for a few hundred steps on one song, the network separates that song better than the mixture does."""
    db = tmp_path / 'db'
    os.makedirs(str(db / 'train' / 'Falcon 69'))
    parts = song.write(str(db / 'train' / 'Falcon 69'))
    done = script(FEATURES, '--db', db, '--float32', '--quiet')
    assert done.returncode == 0, done.stderr
    done = script(TRAIN, '--db', db, '--nepochs', '60', '--overlap', '28', '--independent_other', '--quiet')
    assert done.returncode == 0, done.stderr
    folder = db / 'output' / 'dsd_fft_1024' / 'Dev' / 'Falcon 69'
    references = np.array([parts[source].mean(axis=1) for source in SOURCES])
    estimates = np.array([soundfile.read(str(folder / (source + '.wav')))[0] for source in SOURCES])
    mixture = np.repeat(references.sum(axis=0, keepdims=True), 4, axis=0)
    sdr = bss_eval.bss_eval_sources(references, estimates, compute_permutation=False)[0]
    before = bss_eval.bss_eval_sources(references, mixture, compute_permutation=False)[0]
    assert (sdr - before).mean() > 3 and (sdr > before).all()


def test_a_model_without_its_checkpoint_is_not_replaced_by_resuming(script, dsd100, tmp_path):
    (tmp_path / 'models').mkdir()
    model = tmp_path / 'models' / 'model_dsd_fft_1024.pkl'
    model.write_bytes(b'of another run')
    done = script(TRAIN, '--db', dsd100, '--output', tmp_path, '--skip_sep', '--resume')
    assert done.returncode == 1 and 'checkpoint_dsd_fft_1024.npz does not: restore that to continue' in done.stderr
    assert model.read_bytes() == b'of another run' and len(os.listdir(str(tmp_path / 'models'))) == 1


def test_an_interrupted_new_run_does_not_resume_the_former_one(script, dsd100, tmp_path):
    """--overwrite begins a run, which ends before its first checkpoint; what follows does not go on with the old."""
    arguments = (TRAIN, '--db', dsd100, '--output', tmp_path, '--skip_sep', '--nepochs', '1', '--quiet')
    assert script(*arguments).returncode == 0
    kept = tmp_path / 'models' / 'model_dsd_fft_1024.pkl'
    before = kept.read_bytes()
    process = subprocess.Popen([sys.executable, os.path.join(ROOT, TRAIN), *map(str, arguments[1:]), '--overwrite',
                                '--seed', '5'], stderr=subprocess.DEVNULL)
    checkpoint = tmp_path / 'models' / 'checkpoint_dsd_fft_1024.npz'
    while checkpoint.exists() and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.wait()
    if not checkpoint.exists():   # else it was faster than the kill
        done = script(*arguments, '--resume')
        assert done.returncode == 1 and 'restore that to continue the run, or give --overwrite' in done.stderr
        assert kept.read_bytes() == before
