"""separation.py and streaming.py: recorded stems, invariances, and identities."""
import argparse
import dataclasses
import errno

import numpy as np
import pytest
import soundfile

import transform
import util
from deepconvsep import audio, settings, stft
from deepconvsep.errors import InputError
from deepconvsep.models import store
from deepconvsep.network import architecture
from deepconvsep.report import page as report
from deepconvsep.separation import page
from deepconvsep.separation.masking import Masking, NotFinite
from deepconvsep.separation.separator import Separator
from deepconvsep.separation.sound import separate_file
from examples.dsd100 import recipe

RS = np.random.RandomState


@pytest.fixture(scope='session')
def separator(golden):
    loaded = store.load(golden('5_end_to_end/dsd/model_dsd.pkl'), recipe.NETWORKS, 'separate_dsd')
    return Separator(loaded.network, loaded.params, recipe.LEGACY_SETTINGS, batch_size=8)


def run(separator, x, size=1 << 16, **more):
    """Separate the array `x` of shape (samples, channels) in blocks of `size`: (samples, stems, channels)."""
    blocks = [x[start:start + size] for start in range(0, len(x), size)]
    return np.concatenate(list(separator.stems(blocks, **more)))


@pytest.mark.parametrize('length', [0, 1, 511, 512, 1023, 5000, 44100])
@pytest.mark.parametrize('block', [1, 333, 4096, 100000])
@pytest.mark.parametrize('hop', [512, 300, 1000])
def test_streamed_transform_equals_the_whole(length, block, hop):
    if block == 1 and length > 5000:
        pytest.skip('too slow sample by sample')
    x = RS(0).normal(size=(2, length))
    window = np.hanning(1024)
    analysis, synthesis = stft.STFT(window, hop, 2), stft.InverseSTFT(window, hop)
    spectra, sound = [], []
    for start in range(0, length, block):
        spectra.append(analysis.push(x[:, start:start + block]))
        sound.append(synthesis.push(spectra[-1]))
    spectra.append(analysis.finish())
    sound += [synthesis.push(spectra[-1]), synthesis.finish()]
    for channel in range(2):
        whole = transform.stft_norm(x[channel], window, hop, 1024)
        np.testing.assert_allclose(np.concatenate(spectra, axis=1)[channel], whole, atol=1e-12)
        back = transform.istft_norm(whole, window, None, hop, 1024)
        np.testing.assert_allclose(np.concatenate(sound, axis=1)[channel], back, atol=1e-10)


@pytest.mark.parametrize('length', [1, 100, 11776, 14336, 14337, 60000])
def test_stems_add_up_to_the_mixture(separator, length):
    x = RS(length).uniform(-0.5, 0.5, (length, 2))
    kept = x.copy()
    stems = run(separator, x)
    assert stems.shape == (length, 4, 1)
    np.testing.assert_allclose(stems.sum(axis=1)[:, 0], x.mean(axis=1), atol=1e-6)
    np.testing.assert_array_equal(x, kept)
    # no stem is the mixture itself, and the end is no more silent than the rest
    assert (np.abs(stems).max(axis=(0, 2)) < np.abs(x.mean(axis=1)).max()).all()
    if length > 40000:
        energy = (stems ** 2).sum(axis=2)
        assert (energy[-2000:].mean(axis=0) > 0.2 * energy.mean(axis=0)).all()


def test_no_samples_give_no_samples(separator):
    assert list(separator.stems([])) == []


def test_blocks_and_batches_do_not_change_the_stems(separator, golden):
    x = RS(5).uniform(-0.5, 0.5, (70000, 1))
    reference = run(separator, x)
    for size in (999, 5000, 70000):
        np.testing.assert_allclose(run(separator, x, size), reference, atol=1e-6)
    loaded = store.load(golden('5_end_to_end/dsd/model_dsd.pkl'), recipe.NETWORKS, 'separate_dsd')
    other = Separator(loaded.network, loaded.params, recipe.LEGACY_SETTINGS, batch_size=3)
    np.testing.assert_allclose(run(other, x), reference, atol=1e-6)
    np.testing.assert_array_equal(run(separator, x), reference)


def test_stereo_applies_the_masks_of_the_downmix_to_every_channel(separator):
    x = RS(6).uniform(-0.5, 0.5, (50000, 2))
    mono, stereo = run(separator, x), run(separator, x, stereo=True)
    assert stereo.shape == (50000, 4, 2)
    np.testing.assert_allclose(stereo.mean(axis=2), mono[..., 0], atol=1e-6)
    np.testing.assert_allclose(stereo.sum(axis=1), x, atol=1e-6)
    one = run(separator, x[:, :1], stereo=True)
    np.testing.assert_allclose(one[..., 0], run(separator, x[:, :1])[..., 0], atol=1e-6)


def test_accompaniment_is_the_rest(separator):
    x = RS(7).uniform(-0.5, 0.5, (50000, 2))
    stems = run(separator, x, accompaniment_of=0)
    assert stems.shape == (50000, 5, 1)
    np.testing.assert_allclose(stems[:, 4], stems[:, 1:4].sum(axis=1), atol=1e-6)


def test_an_identity_network_returns_the_input():
    separator = Separator.__new__(Separator)
    separator.network = dataclasses.replace(architecture.DSD100, decoders=(0,), outputs=None, biases=None)
    separator.settings = settings.Settings(('all',), window='hanning')
    separator.window, separator.batch_size = np.hanning(1024).astype(np.float32), 4

    def ones(frames, weights):
        masks = np.zeros((1, 5 * len(weights) + 25, 513), np.float32)
        for start, row in zip(range(0, 5 * len(weights), 5), weights):
            masks[0, start:start + 30] += row[:, None]
        return masks, np.ones(weights.shape, bool)
    separator._engine = ones
    x = RS(8).uniform(-1, 1, (33333, 1))
    np.testing.assert_allclose(run(separator, x)[:, 0], x, atol=1e-6)


def test_equals_a_plain_restatement(separator):
    """The original's way, whole arrays at once: windows, masked magnitudes, cross-fade, inverse."""
    x = RS(9).uniform(-0.5, 0.5, 40000)
    tt = transform.transformFFT(frameSize=1024, hopSize=512, window=np.hanning)
    mag, phase = tt.compute_file(x, phase=True)
    scaled = (0.3 * mag).astype(np.float32)
    fbatch, count = util.generate_overlapadd(scaled, 513, 30, 25, 8)

    def alone(window):
        frames = np.concatenate([window[0, :, None], np.zeros((35, 1, 513), np.float32)])
        return separator._engine(frames, np.ones((1, 30), np.float32))[0]

    masked = np.array([[alone(window) * window for window in batch] for batch in fbatch.astype(np.float32)])
    blended = util.overlapadd_multi(masked.transpose(0, 2, 1, 3, 4)[:, :, :, None], None, count, 25)
    for index, stem in enumerate(run(separator, x[:, None]).transpose(1, 0, 2)):
        expected = tt.compute_inverse(blended[index, :len(phase)] / 0.3, phase)[:len(x)]
        np.testing.assert_allclose(stem[:, 0], expected, atol=2e-6)


@pytest.mark.parametrize('rate', [8000, 22050, 48000])
@pytest.mark.parametrize('length', [1, 7, 30001])
def test_other_rates_keep_rate_and_length(separator, tmp_path, rate, length):
    x = RS(10).uniform(-0.5, 0.5, (length, 2))
    audio.write(str(tmp_path / 'x.wav'), x, rate)
    outputs = [str(tmp_path / name) for name in 'abcd']
    assert separate_file(separator, str(tmp_path / 'x.wav'), outputs, quiet=True) == length
    for output in outputs:
        stem, stem_rate = audio.read(output)
        assert stem.shape == (length, 1) and stem_rate == rate


def test_too_little_memory_is_the_fault_of_one_sound(separator, tmp_path, monkeypatch):
    soundfile.write(str(tmp_path / 'x.wav'), RS(12).uniform(-0.5, 0.5, (5000, 1)), 44100)
    monkeypatch.setattr(separator, 'stems', lambda *args, **more: iter(np.empty(1 << 55)))
    with pytest.raises(InputError, match='x.wav: out of memory: try a smaller --batch_size'):
        separate_file(separator, str(tmp_path / 'x.wav'), [str(tmp_path / name) for name in 'abcd'], quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ['x.wav']


def test_the_time_at_which_there_are_no_masks(separator):
    """In the third batch of two windows, which start every 5 frames, the fourth frame of the second window."""
    batches = []

    def engine(frames, weights):
        batches.append(frames)
        fine = np.ones((len(weights), 30), bool)
        fine[1, 3] = len(batches) < 3
        return np.zeros((4, 35, 513), np.float32), fine
    masking = Masking(engine, separator.network, separator.settings, 2, None)
    with pytest.raises(NotFinite, match=r'no finite masks at %.2f s: ' % ((5 * 5 + 3) * 512 / 44100)):
        list(masking.push(np.ones((1, 60, 513), np.complex64)))


@pytest.mark.parametrize('synced', range(5))
def test_no_stem_is_written_when_the_disk_is_full_at_the_end(separator, tmp_path, monkeypatch, synced):
    """For all but the first stems that come to it."""
    soundfile.write(str(tmp_path / 'x.wav'), RS(13).uniform(-0.5, 0.5, (5000, 1)), 44100)
    done = []

    def sync(handle):
        if len(done) == synced:
            raise OSError(errno.ENOSPC, 'No space left on device')
        done.append(handle)
    monkeypatch.setattr('os.fsync', sync)
    outputs = [str(tmp_path / name) for name in 'abcd']
    with pytest.raises(OSError, match='No space left on device') as caught:
        separate_file(separator, str(tmp_path / 'x.wav'), outputs, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ['x.wav']
    assert caught.value.filename == outputs[min(synced, 3)]


def test_nothing_is_written_when_an_input_turns_bad(separator, tmp_path):
    x = RS(11).uniform(-0.5, 0.5, (200000, 1))
    x[150000] = np.nan
    soundfile.write(str(tmp_path / 'x.wav'), x, 44100, 'FLOAT')
    with pytest.raises(InputError, match='holds NaN'):
        separate_file(separator, str(tmp_path / 'x.wav'), [str(tmp_path / name) for name in 'abcd'],
                                 quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ['x.wav']


@pytest.mark.parametrize('method, engine, absent', [
    ('network+nmf', 'theano', set()), ('network', 'numpy', {'Theano'}), (None, 'numpy', {'Theano'}),
    ('nmf', None, {'Theano', 'Network', 'Windows of the network'})])
def test_the_page_names_what_was_used(golden, monkeypatch, method, engine, absent):
    seen = {}
    monkeypatch.setattr(report, 'write', lambda *args: seen.update(args[-1]) or 'index.html')
    loaded = store.load(golden('5_end_to_end/dsd/model_dsd.pkl'), recipe.NETWORKS, 'a test')
    flags = argparse.Namespace(report='', odir='.', engine=engine, **({'method': method} if method else {}))
    page.write([report.Song('a', 'a.wav', {})], loaded, recipe.SETTINGS, flags, ['python'], [])
    assert seen['Method'] == (method or 'network') and 'numpy ' in seen['Versions']
    told = ' '.join([*seen, seen['Versions']])
    assert {word for word in ('Theano', 'Network', 'Windows of the network') if word not in told} == absent
