"""What must hold for any input: masks, sums, lengths, and results that do not depend on how they are computed."""
import os

import numpy as np
import pytest
import sound_tree
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepconvsep import files
from deepconvsep.errors import InputError
from deepconvsep.network import architecture
from deepconvsep.separation import separator
from deepconvsep.settings import Settings

NETWORK = architecture.Architecture('small network', 33, (3, 3), 33, 1, (3, 1), 4, (0, 1), time_context=6)
SETTINGS = Settings(('one', 'two'), frame_size=64, hop_size=32, overlap=3)
FEW = settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope='module')
def separators():
    """The same small network in batches of 1 and of 5 windows."""
    generator = np.random.RandomState(0)
    params = [generator.normal(size=shape).astype(np.float32) for shape in NETWORK.param_shapes()]
    return [separator.Separator(NETWORK, params, SETTINGS, size) for size in (1, 5)]


@FEW
@given(seed=st.integers(0, 999), level=st.sampled_from([0., 1e-30, 1e-3, 1., 1e6]))
def test_masks_are_shares(separators, seed, level):
    frames = np.random.RandomState(seed).uniform(0, level, (18, 1, 33)).astype(np.float32)
    before = frames.copy()
    masks = []
    for window in range(5):
        alone = np.zeros((5, 6), np.float32)
        alone[window] = 1
        blended, fine = separators[1]._engine(frames, alone)
        assert fine.all()
        masks.append(blended[:, 3 * window:3 * window + 6])
    masks = np.array(masks)
    assert masks.min() >= 0 and masks.max() <= 1 + 1e-6 and np.isfinite(masks).all()
    np.testing.assert_allclose(masks.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(frames, before)


@FEW
@given(seed=st.integers(0, 999), length=st.integers(1, 3000), block=st.integers(1, 3000), channels=st.integers(1, 8))
def test_stems_add_up_whatever_the_blocks_and_batches(separators, seed, length, block, channels):
    signal = np.random.RandomState(seed).uniform(-1, 1, (length, channels))
    before = signal.copy()
    cut = [signal[start:start + block] for start in range(0, length, block)]
    whole = np.concatenate(list(separators[0].stems([signal], stereo=True)))
    parts = np.concatenate(list(separators[1].stems(cut, stereo=True)))
    assert whole.shape == (length, 2, channels)
    np.testing.assert_allclose(parts, whole, atol=1e-5)
    np.testing.assert_allclose(whole.sum(axis=1), signal, atol=1e-5)
    np.testing.assert_array_equal(signal, before)
    np.testing.assert_array_equal(np.concatenate(list(separators[1].stems(cut, stereo=True))), parts)


def test_workers_do_not_change_features(script, tmp_path):
    for song in 'abc':
        for subset in ('Dev', 'Test'):
            sound_tree.write_song(tmp_path / 'db', song + subset, 3000, subset, seed=ord(song))
    found = []
    for number in '13':
        done = script('examples/dsd100/compute_features.py', '--db', tmp_path / 'db',
                      '--feature_path', tmp_path / number, '--nprocs', number, '--quiet')
        assert done.returncode == 0, done.stderr
        found.append({name: (tmp_path / number / name).read_bytes() for name in os.listdir(str(tmp_path / number))})
    assert found[0] == found[1] and len(found[0]) > 6


# --- nothing outside of the folder --------------------------------------------------------------------

@pytest.mark.parametrize('name', ['..', '../up', '/tmp/up', 'a/b', 'a\\b', '.hidden', '', 'a\nb', 'a\x00b'])
def test_names_of_stems_that_lead_elsewhere_are_refused(name):
    values = dict(SETTINGS.to_dict(), sources=['one', name])
    with pytest.raises(InputError, match='gives sources = .*, which cannot be used'):
        Settings.from_dict(values, 'm.json')


def test_a_link_in_place_of_an_output_is_replaced_and_not_followed(tmp_path):
    (tmp_path / 'precious').write_text('as it was')
    (tmp_path / 'out').mkdir()
    os.symlink('../precious', str(tmp_path / 'out' / 'vocals.wav'))
    with files.atomic_path(str(tmp_path / 'out' / 'vocals.wav')) as temporary, open(temporary, 'w') as out:
        out.write('new')
    assert (tmp_path / 'precious').read_text() == 'as it was'
    assert not os.path.islink(str(tmp_path / 'out' / 'vocals.wav'))


def test_a_folder_nested_too_deep_is_refused(tmp_path):
    with pytest.raises(InputError, match='cannot create the folder'):
        files.make_folder(str(tmp_path / ('x/' * 3000)))


def test_files_are_read_where_there_are_no_pipes_to_wait_for(tmp_path, monkeypatch):
    (tmp_path / 'a').write_bytes(b'whole')
    monkeypatch.delattr(os, 'O_NONBLOCK')   # as on Windows
    with files.open_regular(str(tmp_path / 'a')) as source:
        assert source.read() == b'whole'
