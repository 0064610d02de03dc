"""mixture.py: the sum of files, in blocks."""
import os

import numpy as np
import pytest
import soundfile

from deepconvsep.audio import mixture
from deepconvsep.errors import InputError


def write(path, samples, rate=44100):
    soundfile.write(str(path), samples, rate, 'DOUBLE')
    return str(path)


@pytest.mark.parametrize('size', [7, 40, 1000])
def test_the_sum_of_files_of_different_lengths(tmp_path, size):
    generator = np.random.default_rng(0)
    stems = [generator.uniform(-1, 1, (length, 2)) for length in (100, 40, 0, 93)]
    expected = np.zeros((100, 2))
    for stem in stems:
        expected[:len(stem)] += stem
    paths = [write(tmp_path / ('%d.wav' % number), stem) for number, stem in enumerate(stems)]
    with mixture.open_sound(paths) as reader:
        assert (reader.rate, reader.channels, reader.frames) == (44100, 2, 100)
        blocks = list(reader.blocks(size))
    assert all(len(block) == size for block in blocks[:-1]) and 0 < len(blocks[-1]) <= size
    np.testing.assert_array_equal(np.concatenate(blocks), expected)
    assert np.abs(expected).max() > 1  # nothing was cut off


def test_one_file_is_read_as_it_is(tmp_path):
    path = write(tmp_path / 'a.wav', np.array([0.5, -0.25]))
    with mixture.open_sound(path) as reader:
        assert reader.path == path and np.concatenate(list(reader.blocks())).tolist() == [[0.5], [-0.25]]


def test_files_that_do_not_go_together_are_named_and_closed(tmp_path):
    paths = [write(tmp_path / 'a.wav', np.zeros(5)), write(tmp_path / 'b.wav', np.zeros(5), 48000)]
    handles = len(os.listdir('/proc/self/fd')) if os.path.exists('/proc/self/fd') else None
    with pytest.raises(InputError, match=r'b.wav has 1 channels at 48000 Hz, expected 1 at 44100 Hz as .*a.wav has'):
        mixture.open_sound(paths)
    with pytest.raises(InputError, match='cannot read .*none.wav: No such file'):
        mixture.open_sound([paths[0], str(tmp_path / 'none.wav')])
    assert handles is None or len(os.listdir('/proc/self/fd')) == handles
