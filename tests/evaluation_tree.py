"""The recorded trees of sounds to evaluate, and comparisons of what is made of them."""
import os
import shutil

import numpy as np
import scipy.io


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
