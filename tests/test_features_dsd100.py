"""Features of DSD100 and MUSDB18-HQ through the script, against recorded files and a plain restatement."""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import scipy.signal.windows
import sound_tree
import soundfile
from conftest import ROOT, assert_sampled

from deepconvsep import jobs
from deepconvsep.errors import InputError
from deepconvsep.features import plan as plans
from deepconvsep.features import tensors
from deepconvsep.features.songs import Song
from examples.dsd100 import compute_features, recipe

SCRIPT = 'examples/dsd100/compute_features.py'
SECONDS_30 = 30 * 44100


def plain_features(signals):
    """The features of mono signals of the same length, frame by frame."""
    window = scipy.signal.windows.blackmanharris(1024)
    tensor = []
    for signal_ in signals:
        frames = -(-len(signal_) // 512) + 2
        padded = np.concatenate([np.zeros(512), signal_, np.zeros(2048)])
        tensor.append([np.abs(np.fft.rfft(window * padded[512 * n:512 * n + 1024])) / 32 for n in range(frames)])
    return np.array(tensor)


def mono(signals):
    return [samples.mean(axis=1) for samples in signals]


def names(folder):
    """Names of the feature files of a folder, without tag and extension."""
    return sorted(name[:-len('__m_.data')] for name in os.listdir(str(folder)) if name.endswith('__m_.data'))


def contents(folder):
    """Every file below a folder, hidden ones too: {path: bytes}."""
    found = {}
    for place, _, entries in os.walk(str(folder)):
        for name in entries:
            with open(os.path.join(place, name), 'rb') as source:
                found[os.path.relpath(os.path.join(place, name), str(folder))] = source.read()
    return found


# --- values -------------------------------------------------------------------------------------------

def test_recorded(script, golden, golden_json, tmp_path):
    index = golden_json('6_features/dsd100.json')
    sound_tree.write_recorded(index['input_files'], tmp_path)
    done = script(SCRIPT, '--db', tmp_path, '--feature_path', tmp_path / 'out')
    assert done.returncode == 0, done.stderr
    assert 'DSD100 Dev: 1 of 50 songs' in done.stderr and done.stdout == ''
    assert sorted(os.listdir(str(tmp_path / 'out'))) == sorted(
        sound_tree.with_records(row['file'] for row in index['outputs']))
    with np.load(golden('6_features/dsd100.npz')) as recorded:
        for row in index['outputs']:
            path = tmp_path / 'out' / row['file']
            if 'text' in row:
                assert path.read_text() == row['text']
                continue
            assert path.stat().st_size == row['bytes']
            found = tensors.load_tensor(str(path))
            assert_sampled(recorded, row['key'], found, atol=1e-10)
            np.testing.assert_allclose(found.sum(axis=(1, 2)), recorded[row['key'] + '.row_sums'], rtol=1e-9)
    again = script('-m', 'examples.dsd100.compute_features', '--db', tmp_path, '--feature_path', tmp_path / 'out')
    assert again.returncode == 0 and '0 songs written, 1 already there, 0 left out, 0 failed' in again.stderr


@pytest.mark.parametrize('musdb', [False, True])
@pytest.mark.parametrize('channels', [1, 2])
def test_short_songs_mono_and_stereo_in_both_layouts(script, tmp_path, musdb, channels):
    # the original crashed on songs below 30 s and on mono files
    dev = sound_tree.write_song(tmp_path, 'A - 100% Short', 30000, 'Dev', musdb, channels)
    test = sound_tree.write_song(tmp_path, 'A - 100% Short', 1, 'Test', musdb, channels, seed=50)
    done = script(SCRIPT, '--db', tmp_path, '--subset', 'both', '--nprocs', 1)
    assert done.returncode == 0, done.stderr
    assert ('MUSDB18-HQ' if musdb else 'DSD100') in done.stderr
    folder = tmp_path / 'transforms' / 't1'
    for place, signals in ((folder, dev), (folder / 'Test', test)):
        assert names(place) == ['A - 100% Short_0']
        found = tensors.load_tensor(str(place / 'A - 100% Short_0.data'), '__m_')
        np.testing.assert_allclose(found, plain_features(mono(signals)), rtol=0, atol=1e-12)
    assert found.shape == (5, 3, 513) and found.any(axis=(1, 2)).all()


def test_subset_alone(script, tmp_path):
    sound_tree.write_song(tmp_path, 'dev', 2000, 'Dev')
    sound_tree.write_song(tmp_path, 'test', 2000, 'Test')
    (tmp_path / 'Mixtures' / 'Dev' / '.hidden').mkdir()
    (tmp_path / 'Mixtures' / 'Dev' / 'notes.txt').write_text('not a song')
    assert script(SCRIPT, '--db', tmp_path, '--feature_path', tmp_path / 'a').returncode == 0
    assert script(SCRIPT, '--db', tmp_path, '--feature_path', tmp_path / 'b', '--subset', 'Test').returncode == 0
    assert names(tmp_path / 'a') == ['dev_0'] and not (tmp_path / 'a' / 'Test').exists()
    assert names(tmp_path / 'b') == [] and names(tmp_path / 'b' / 'Test') == ['test_0']


def test_a_song_of_exactly_30_s_has_one_block(script, tmp_path):
    # the original added one of two frames of zeros, which is removed when it is there
    signals = sound_tree.write_song(tmp_path, 'song', SECONDS_30, channels=1)
    out = tmp_path / 'out'
    for folder, name in (('out', 'song_1'), ('out', 'song_1_0'), ('out', 'other song_1')):
        os.makedirs(str(tmp_path / folder), exist_ok=True)
        tensors.save_tensor(str(out / (name + '.data')), np.zeros((5, 2, 513)), '__m_')
    done = script(SCRIPT, '--db', tmp_path, '--feature_path', out)
    assert done.returncode == 0, done.stderr
    assert names(out) == ['other song_1', 'song_0', 'song_1_0'] and not (out / 'song_1__m_.shape').exists()
    found = tensors.load_tensor(str(out / 'song_0.data'), '__m_')
    assert found.shape == (5, 2586, 513)
    np.testing.assert_allclose(found[2], plain_features([signals[2][:, 0]])[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize('length, frames', [(1, [3]), (SECONDS_30 - 1, [2586]), (SECONDS_30, [2586]),
                                            (SECONDS_30 + 1, [2586, 3]), (2 * SECONDS_30, [2586, 2586])])
def test_blocks(length, frames):
    dataset = plans.Dataset('x', recipe.SETTINGS, (), {}, None, 30)
    plan = plans.plan_song(dataset, Song('s', 'Dev', (), (), 44100), length, 'out')
    assert plan.shapes == tuple((5, count, 513) for count in frames)
    assert plan.paths == tuple(os.path.join('out', 's_%d.data' % k) for k in range(len(frames)))


def test_blocks_are_cut_at_30_s(tmp_path, monkeypatch):
    monkeypatch.setattr(compute_features, 'BLOCK_SECONDS', 1)
    signals = mono(sound_tree.write_song(tmp_path, 'song', 100000))
    assert compute_features.main(['--db', str(tmp_path), '--nprocs', '1', '--quiet']) == 0
    for k in range(3):
        found = tensors.load_tensor(str(tmp_path / 'transforms' / 't1' / ('song_%d.data' % k)), '__m_')
        expected = plain_features([signal_[44100 * k:44100 * (k + 1)] for signal_ in signals])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize('wrong', [0, 1, 2])
def test_a_mixture_that_is_wrong_in_any_block_is_said(tmp_path, monkeypatch, caplog, wrong):
    monkeypatch.setattr(compute_features, 'BLOCK_SECONDS', 1)
    sound_tree.write_song(tmp_path, 'song', 100000)
    command = ['--db', str(tmp_path), '--nprocs', '1', '--quiet', '--overwrite']
    assert compute_features.main(command) == 0 and not caplog.text
    mixture = sound_tree.dsd100_paths(tmp_path, 'song')[0]
    samples, rate = soundfile.read(mixture)
    samples[44100 * wrong + 1000:44100 * wrong + 9000] *= -1
    sound_tree.write(mixture, samples, rate=rate)
    assert compute_features.main(command) == 0
    assert 'mixture.wav is not the sum of its stems' in caplog.text


def test_sources_a_little_off_follow_the_mixture(tmp_path):
    signals = sound_tree.write_song(tmp_path, 'song', 20000)
    paths = sound_tree.dsd100_paths(tmp_path, 'song')
    sound_tree.write(paths[1], signals[1][:-3])
    sound_tree.write(paths[2], np.concatenate([signals[2], np.ones((2, 2))]))
    assert compute_features.main(['--db', str(tmp_path), '--nprocs', '1', '--quiet']) == 0
    found = tensors.load_tensor(str(tmp_path / 'transforms' / 't1' / 'song_0.data'), '__m_')
    signals[1][-3:] = 0
    np.testing.assert_allclose(found, plain_features(mono(signals)), rtol=0, atol=1e-12)


# --- what is finished ---------------------------------------------------------------------------------

@pytest.fixture(scope='module')
def tree(tmp_path_factory):
    """Five songs of 31 s, and their features by one process."""
    db = tmp_path_factory.mktemp('dsd100')
    sound_tree.write_song(db, 'song 0', 31 * 44100, channels=1)
    for number in range(1, 5):
        sound_tree.link_song(db, 'song 0', 'song %d' % number)
    subprocess.run([sys.executable, os.path.join(ROOT, SCRIPT), '--db', str(db), '--feature_path', str(db / 'one'),
                    '--nprocs', '1', '--float32', '--quiet'], check=True)
    return db


def test_two_processes_give_the_same_bytes(script, tree, tmp_path):
    done = script(SCRIPT, '--db', tree, '--feature_path', tmp_path, '--nprocs', 2, '--float32', '--quiet')
    assert done.returncode == 0 and done.stderr == ''
    assert contents(tmp_path) == contents(tree / 'one')
    assert len(names(tmp_path)) == 10


def test_killed_and_run_again(tree, tmp_path):
    command = [sys.executable, os.path.join(ROOT, SCRIPT), '--db', str(tree), '--feature_path', str(tmp_path),
               '--nprocs', '1', '--float32']
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not (tmp_path / 'song 1_0__m_.data').exists() and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 1 <= len(names(tmp_path)) < 10
    # what a kill in the middle of writing leaves
    (tmp_path / '.song 4_0__m_.data.a1b2_c3d.tmp').write_bytes(b'half')
    again = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    assert again.returncode == 0, again.stderr
    assert '4 songs written, 1 already there, 0 left out, 0 failed' in again.stderr
    assert contents(tmp_path) == contents(tree / 'one')


def test_a_second_run_leaves_the_first_alone(tmp_path, monkeypatch):
    sound_tree.write_song(tmp_path, 'song', 3000)
    out, flags = tmp_path / 'out', ['--db', str(tmp_path), '--feature_path', str(tmp_path / 'out'), '--quiet']

    def meanwhile(*work, **more):
        monkeypatch.undo()
        being_written = out / '.song_0__m_.data.a1b2_c3d.tmp'
        being_written.write_bytes(b'half')
        with pytest.raises(InputError, match='out is being filled by process %d on .*, or choose another --feature_path'
                                             % os.getpid()):
            compute_features.main(flags)
        being_written.unlink()
        return jobs.run(*work, **more)
    monkeypatch.setattr('deepconvsep.jobs.run', meanwhile)
    assert compute_features.main(flags) == 0
    assert names(out) == ['song_0'] and not (out / 'lock.json').exists()


def test_half_written_songs_are_computed_again(script, tree, tmp_path):
    out = tmp_path / 'out'
    shutil.copytree(str(tree / 'one'), str(out))
    (out / 'song 0_1__m_.shape').unlink()
    (out / 'song 1_0__m_.data').write_bytes((out / 'song 1_0__m_.data').read_bytes()[:-4])
    (out / 'song 2_1__m_.data').unlink()
    tensors.save_tensor(str(out / 'song 3_2.data'), np.ones((5, 2, 513)), '__m_', np.float32)
    kept = (out / 'song 4_0__m_.data').stat().st_mtime_ns
    done = script(SCRIPT, '--db', tree, '--feature_path', out, '--float32')
    # of song 3, a block too many is removed
    assert done.returncode == 0 and '3 songs written, 2 already there, 0 left out, 0 failed' in done.stderr
    assert contents(out) == contents(tree / 'one')
    assert (out / 'song 4_0__m_.data').stat().st_mtime_ns == kept


def test_other_settings_are_noticed(script, tmp_path):
    signals = sound_tree.write_song(tmp_path, 'song', 5000)
    out = tmp_path / 'transforms' / 't1'
    assert script(SCRIPT, '--db', tmp_path).returncode == 0
    before = contents(out)
    done = script(SCRIPT, '--db', tmp_path, '--float32')
    assert done.returncode == 1 and contents(out) == before
    assert 'holds features with dtype float64, now wanted: dtype float32: choose another --feature_path, or ' \
        '--overwrite' in done.stderr
    done = script(SCRIPT, '--db', tmp_path, '--float32', '--overwrite')
    assert done.returncode == 0, done.stderr
    found = tensors.load_tensor(str(out / 'song_0.data'), '__m_')
    assert found.dtype == np.float32
    largest = found.max()
    np.testing.assert_allclose(found, np.frombuffer(before['song_0__m_.data']).reshape(found.shape), rtol=0,
                               atol=1e-6 * largest)
    np.testing.assert_allclose(found, plain_features(mono(signals)), rtol=0, atol=1e-6 * largest)
    # an --overwrite that was interrupted: the folder says float32, the song is float64 still
    tensors.save_tensor(str(out / 'song_0.data'), found, '__m_', np.float64)
    assert '1 songs written' in script(SCRIPT, '--db', tmp_path, '--float32').stderr
    assert tensors.load_tensor(str(out / 'song_0.data'), '__m_').dtype == np.float32
    assert json.loads((out / 'features.json').read_text()) == {
        'dataset': 'DSD100', 'sources': ['vocals', 'bass', 'drums', 'other'], 'dtype': 'float32', 'downmix': 'mean',
        'window': 'blackmanharris', 'frame_size': 1024, 'hop_size': 512, 'sample_rate': 44100, 'block_seconds': 30}
