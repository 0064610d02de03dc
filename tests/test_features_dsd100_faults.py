"""Features of DSD100 and MUSDB18-HQ: what is missing or wrong, full disks, and memory."""
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import sound_tree
import soundfile
from conftest import ROOT
from test_features_dsd100 import SCRIPT, names

from deepconvsep.errors import InputError
from deepconvsep.features import folder as folders
from examples.dsd100 import compute_features, layout


def test_a_failing_song_is_named_and_the_others_are_computed(script, tmp_path):
    for song in ('a', 'b', 'c', 'd'):
        sound_tree.write_song(tmp_path, song, 3000)
    sound_tree.write(sound_tree.dsd100_paths(tmp_path, 'a')[3], np.zeros((3265, 2)), 48000)
    os.unlink(sound_tree.dsd100_paths(tmp_path, 'b')[2])
    cut = sound_tree.dsd100_paths(tmp_path, 'c')[4]
    with open(cut, 'r+b') as out:
        out.truncate(6000)
    done = script(SCRIPT, '--db', tmp_path, '--nprocs', 2)
    assert done.returncode == 1
    assert 'Dev/a: %s has 48000 Hz, expected 44100 Hz: resample it' % sound_tree.dsd100_paths(
        tmp_path, 'a')[3] in done.stderr
    assert 'Dev/b: %s is missing' % sound_tree.dsd100_paths(tmp_path, 'b')[2] in done.stderr
    assert 'Dev/c: %s is shorter than its header says, it was cut off: copy it again' % cut in done.stderr
    assert '1 songs written, 0 already there, 0 left out, 3 failed' in done.stderr and 'Traceback' not in done.stderr
    assert names(tmp_path / 'transforms' / 't1') == ['d_0']


def test_a_song_that_fails_while_it_is_read(script, tmp_path):
    for song in ('a', 'b'):
        sound_tree.write_song(tmp_path, song, 3000)
    bad = sound_tree.dsd100_paths(tmp_path, 'a')[1]
    soundfile.write(bad, np.full((3000, 2), np.nan), 44100, subtype='FLOAT')
    done = script(SCRIPT, '--db', tmp_path, '--quiet')
    assert done.returncode == 1
    assert 'Dev/a: %s holds NaN or infinity at 0.000 s' % bad in done.stderr and '1 of 2 failed' in done.stderr
    assert names(tmp_path / 'transforms' / 't1') == ['b_0']


def test_wrong_usage(script, tmp_path):
    done = script(SCRIPT)
    assert done.returncode == 2 and '--db' in done.stderr
    done = script(SCRIPT, '--db', tmp_path / 'nowhere')
    assert done.returncode == 1 and 'nowhere is not a folder, expected that of the dataset' in done.stderr
    (tmp_path / 'train').mkdir()
    done = script(SCRIPT, '--db', tmp_path)
    assert done.returncode == 1 and 'holds no songs of the subset Dev of MUSDB18-HQ' in done.stderr


def test_help_does_not_import_theano():
    code = ("import sys; sys.path.insert(0, %r); from examples.dsd100 import compute_features\n"
            "try: compute_features.main(['--help'])\nfinally: print('theano' in sys.modules)" % ROOT)
    done = subprocess.run([sys.executable, '-c', code], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0 and '--subset' in done.stdout and done.stdout.endswith('False\n')


def test_layouts_are_told_apart(tmp_path):
    with pytest.raises(InputError, match='has the folders of no dataset, expected either Mixtures and Sources'):
        layout.dataset_name(str(tmp_path))
    (tmp_path / 'test').mkdir()
    assert layout.dataset_name(str(tmp_path)) == 'MUSDB18-HQ'
    (tmp_path / 'Sources').mkdir()
    with pytest.raises(InputError, match='has the folders of DSD100 and MUSDB18-HQ, expected either'):
        layout.dataset_name(str(tmp_path))


def test_a_full_disk_is_seen_before_the_work(tmp_path, monkeypatch):
    sound_tree.write_song(tmp_path, 'song', 50000)
    usage = shutil.disk_usage(str(tmp_path))._replace(free=5 * 100 * 513 * 8 - 1)
    monkeypatch.setattr(folders.shutil, 'disk_usage', lambda path: usage)
    with pytest.raises(InputError, match=r'has room for 2.1 MB, the features need 2.1 MB: choose --float32'):
        compute_features.main(['--db', str(tmp_path)])
    assert compute_features.main(['--db', str(tmp_path), '--float32', '--quiet']) == 0
    with pytest.raises(InputError, match='holds features with dtype float32, now wanted: dtype float64'):
        compute_features.main(['--db', str(tmp_path)])
    # what is replaced makes room
    monkeypatch.setattr(folders.shutil, 'disk_usage', lambda path: usage._replace(free=0))
    assert compute_features.main(['--db', str(tmp_path), '--float32', '--quiet', '--overwrite']) == 0
    with pytest.raises(InputError, match=r'has room for 1.0 MB, the features need 2.1 MB: choose --float32'):
        compute_features.main(['--db', str(tmp_path), '--overwrite'])


def test_files_in_a_file(script, tmp_path):
    sound_tree.write_song(tmp_path, 'song', 50)
    (tmp_path / 'out').write_text('')
    done = script(SCRIPT, '--db', tmp_path, '--feature_path', tmp_path / 'out')
    assert done.returncode == 1 and 'out is a file, expected a folder' in done.stderr


def test_memory_does_not_grow_with_the_song(tmp_path):
    peaks = []
    for seconds in (30, 150):
        db = tmp_path / str(seconds)
        mixture, *others = sound_tree.dsd100_paths(db, 'song')
        sound_tree.write(mixture, np.zeros(seconds * 44100))
        for path in others:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.link(mixture, path)
        process = subprocess.Popen([sys.executable, os.path.join(ROOT, SCRIPT), '--db', str(db), '--nprocs', '1',
                                    '--float32', '--quiet'])
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0
        peaks.append(usage.ru_maxrss / 1024)
    # whole songs would need 211 MB more for the five signals alone
    assert peaks[1] - peaks[0] < 60, peaks
