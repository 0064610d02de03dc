"""The recorded trees of sounds to evaluate, and comparisons of what is made of them."""
import os
import shutil

import numpy as np
import pytest
import scipy.io
import soundfile


def copy(golden, tmp_path, name):
    """A copy of a recorded tree of a data set with estimates."""
    return shutil.copytree(golden('8_evaluation/' + name), str(tmp_path / name))


def passed(process, code=0):
    assert process.returncode == code, process.stderr
    assert 'Traceback' not in process.stderr
    return process.stdout


def fields(value):
    """A MATLAB struct as nested dicts."""
    if value.dtype.names:
        return {name: fields(value[name][0, 0]) for name in value.dtype.names}
    return value


def assert_same_structure(path, expected, atol=1e-6):
    """Names, their order, shapes and values of two .mat files with a struct `results`."""
    got, want = (fields(scipy.io.loadmat(name)['results']) for name in (path, expected))
    assert list(got) == list(want)
    assert got.pop('name') == want.pop('name')
    for target in want:
        assert list(got[target]) == list(want[target])
        for measure, values in want[target].items():
            assert got[target][measure].shape == values.shape
            np.testing.assert_allclose(got[target][measure], values, rtol=0, atol=atol, err_msg=target + measure)


def rename(folder, old, new):
    for parent, _, leaves in os.walk(folder):
        for leaf in leaves:
            if old in leaf:
                os.rename(os.path.join(parent, leaf), os.path.join(parent, leaf.replace(old, new)))


@pytest.fixture
def tree(golden, tmp_path):
    """A copy of a recorded tree of a data set with estimates: ``tree('dsd_tree')``."""
    return lambda name: copy(golden, tmp_path, name)


SONG = '901 - Fake'


@pytest.fixture
def dsd(tree, script):
    """A DSD100 tree and the program that evaluates it."""
    root = tree('dsd_tree')

    def evaluate(*args, code=0, estimates='estimates', module=True):
        how = ('-m', 'evaluation.DSD100_eval_only') if module else ('evaluation/DSD100_eval_only.py',)
        return script(*how, '--db', os.path.join(root, 'DSD100'), '--estimates', os.path.join(root, estimates), *args)
    evaluate.root = root
    evaluate.stems = os.path.join(root, 'estimates', 'methodA', 'Test', SONG)
    evaluate.results = os.path.join(root, 'estimates', 'methodA', 'Test', SONG + '_results')
    return evaluate


@pytest.fixture
def small(dsd):
    """The DSD100 tree cut to one window and one channel, which is faster to evaluate."""
    for path in everything(dsd):
        samples, rate = soundfile.read(path, dtype='int16', always_2d=True)
        soundfile.write(path, samples[:12400, 0], rate, subtype='PCM_16')
    return dsd


def everything(dsd):
    folders = os.path.join(dsd.root, 'DSD100', 'Sources', 'Test', SONG), dsd.stems
    return [os.path.join(folder, leaf) for folder in folders for leaf in os.listdir(folder)]


def second_song(dsd):
    """A copy of the song and its estimates under another name."""
    shutil.copytree(os.path.join(dsd.root, 'DSD100', 'Sources', 'Test', SONG),
                    os.path.join(dsd.root, 'DSD100', 'Sources', 'Test', '902 - B'))
    shutil.copytree(dsd.stems, os.path.join(os.path.dirname(dsd.stems), '902 - B'))
