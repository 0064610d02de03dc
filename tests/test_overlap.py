"""overlap.py against recorded values and the definition."""
import numpy as np
import pytest
from conftest import assert_sampled

import util


def test_recorded_windows(golden, golden_json):
    recorded = np.load(golden('2_util/generate_overlapadd.npz'))
    index = golden_json('2_util/generate_overlapadd.json')
    compared = 0
    for row in index['rows']:
        size = (row['T'], row['features'])
        x = np.random.RandomState(row['seed']).uniform(size=((row['channels'],) + size if row['channels'] else size))
        fbatch, count = util.generate_overlapadd(x, row['features'], row['time_context'], row['overlap'],
                                                    row['batch_size'])
        # the original made no window of a song that is shorter than the overlap, and crashed
        if row.get('util_n', 0) > 0:
            assert count == row['util_n'] and list(fbatch.shape) == row['util_shape']
            assert_sampled(recorded, 'util%d.fbatch' % row['k'], fbatch, atol=1e-15)
            compared += 1
        else:
            assert count == 1
    assert compared > 20


def test_recorded_cross_fade(golden, golden_json):
    recorded = np.load(golden('2_util/overlapadd.npz'))
    index = golden_json('2_util/overlapadd.json')
    for row in index['rows']:
        fbatch = np.random.RandomState(row['seed']).uniform(size=row['fbatch_shape'])
        blended = util.overlapadd_multi(fbatch, None, row['nchunks'], overlap=row['overlap'])
        assert_sampled(recorded, 'multi%d' % row['k'], blended, atol=1e-12)
        if row['fbatch_shape'][1] >= 2:
            first, second = util.overlapadd(fbatch, None, row['nchunks'], overlap=row['overlap'])
            np.testing.assert_array_equal(first, blended[0])
            np.testing.assert_array_equal(second, blended[1])


@pytest.mark.parametrize('frames', [1, 5, 29, 30, 31, 100])
@pytest.mark.parametrize('shared', [0, 10, 20, 25])
def test_windows_and_cross_fade_are_inverse(frames, shared):
    x = np.random.RandomState(frames).uniform(size=(frames, 3))
    fbatch, count = util.generate_overlapadd(x, 3, 30, shared, 8)
    back = util.overlapadd_multi(fbatch[:, None], None, count, shared)
    np.testing.assert_allclose(back[0, :frames], x, atol=1e-15)
