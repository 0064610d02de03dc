"""What the tests share: the project on the path, one Theano compile cache, the recorded values."""
import json
import os
import subprocess
import sys

import numpy as np
import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GOLDEN = os.path.join(ROOT, 'tests', 'golden')
sys.path.insert(0, ROOT)
os.environ.setdefault('MPLBACKEND', 'Agg')
if 'base_compiledir' not in os.environ.get('THEANO_FLAGS', ''):
    # one compile cache for all tests and the scripts they start
    os.environ['THEANO_FLAGS'] = ','.join(filter(None, [
        'base_compiledir=' + os.path.join(ROOT, '.theano'), os.environ.get('THEANO_FLAGS')]))


@pytest.fixture(scope='session')
def golden():
    """Path of a recorded file: ``golden('1_transform/stft_index.json')``; it must exist."""
    def path(name):
        found = os.path.join(GOLDEN, name)
        assert os.path.exists(found), 'the recorded file %s is missing' % found
        return found
    return path


@pytest.fixture(scope='session')
def golden_json(golden):
    """A recorded JSON file, parsed."""
    def read(name):
        with open(golden(name)) as source:
            return json.load(source)
    return read


@pytest.fixture(scope='session')
def dsd_model(golden):
    """The recorded model of DSD100, without settings beside it."""
    return golden('5_end_to_end/dsd/model_dsd.pkl')


@pytest.fixture(scope='session')
def complete_model(dsd_model, tmp_path_factory):
    """The recorded model with its settings beside it."""
    from deepconvsep.models import store
    from examples.dsd100 import recipe
    loaded = store.load(dsd_model, recipe.NETWORKS, 'a test')
    path = str(tmp_path_factory.mktemp('complete') / 'm.pkl')
    store.save(path, loaded.params, loaded.network, recipe.LEGACY_SETTINGS, {})
    return path


@pytest.fixture
def script(tmp_path):
    """Run a script or module as a user does: in a subprocess, from another folder.

    ``script('examples/dsd100/separate_dsd.py', '-i', 'a.wav')`` or ``script('-m', 'evaluation.Bach10_eval_only')``;
    returns the completed process with stdout and stderr as text.
    """
    def call(*args, cwd=tmp_path, env=None, timeout=600):
        args = [str(arg) for arg in args]
        environment = dict(os.environ, **(env or {}))
        if args[0] == '-m':
            environment['PYTHONPATH'] = ROOT
        else:
            args[0] = os.path.join(ROOT, args[0])
        return subprocess.run([sys.executable] + args, cwd=str(cwd), env=environment, timeout=timeout,
                              capture_output=True, text=True)
    return call


def assert_sampled(recorded, name, value, rtol=0., atol=0.):
    """Compare `value` with a recorded array, stored whole (`name`) or as samples (`name`.idx, .val, .stats)."""
    value = np.asarray(value)
    if name in recorded:
        np.testing.assert_allclose(value, recorded[name], rtol=rtol, atol=atol, err_msg=name)
        return
    assert tuple(recorded[name + '.shape']) == value.shape, name
    np.testing.assert_allclose(value.ravel()[recorded[name + '.idx']], recorded[name + '.val'],
                               rtol=rtol, atol=atol, err_msg=name)
    total, squares, low, high = recorded[name + '.stats']
    np.testing.assert_allclose((value.astype(float) ** 2).sum(), squares, rtol=max(rtol, 1e-9) * 10 + atol)
    np.testing.assert_allclose([value.min(), value.max()], [low, high], rtol=rtol, atol=atol)
