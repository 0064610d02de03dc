"""transform.py against values recorded from the original and against a plain loop."""
import contextlib
import os

import numpy as np
import pytest
import scipy.signal.windows
from conftest import assert_sampled

import transform
from deepconvsep import stft
from deepconvsep.errors import InputError
from deepconvsep.features import tensors

WINDOWS = {'hanning': np.hanning, 'blackmanharris': scipy.signal.windows.blackmanharris,
           'sinebell': stft.sinebell}


@pytest.mark.parametrize('width', [1, 2, 3, 512, 1023, 1024, 4096])
def test_the_blackman_harris_window_is_that_of_scipy(width):
    assert stft.blackmanharris(width).tobytes() == scipy.signal.windows.blackmanharris(width).tobytes()


def plain_stft(data, window, hop, nfft):
    """The definition, frame by frame."""
    width = len(window)
    count = int(np.ceil(len(data) / hop)) + 2
    padded = np.concatenate([np.zeros(width // 2), data, np.zeros(count * hop + width)])
    return np.array([np.fft.rfft(window * padded[n * hop:n * hop + width], nfft) for n in range(count)])


@pytest.mark.parametrize('config', ['1024_512_blackmanharris', '1024_512_hanning', '2048_512_sinebell',
                                    '4096_512_blackmanharris'])
def test_recorded_stft_and_inverse(config, golden, golden_json):
    frame, hop, window = config.split('_')
    recorded = np.load(golden('1_transform/stft_%s.npz' % config))
    rows = [row for row in golden_json('1_transform/stft_index.json')
            if (row['frameSize'], row['hopSize'], row['window']) == (int(frame), int(hop), window)]
    assert rows
    for row in rows:
        length, seed, name = row['length'], row['seed'], 'L%d' % row['length']
        n = np.arange(length)
        x = 0.3 * np.sin(2 * np.pi * (220 + seed % 97) * n / 44100) \
            + 0.1 * np.random.RandomState(seed).standard_normal(length)
        tt = transform.transformFFT(frameSize=int(frame), hopSize=int(hop), window=WINDOWS[window])
        mag, phase = tt.compute_file(x, phase=True)
        assert_sampled(recorded, name + '.mag', mag, atol=1e-12)
        if name + '.phase' in recorded and name + '.mag' in recorded:
            np.testing.assert_allclose(mag * np.exp(1j * phase),
                                       recorded[name + '.mag'] * np.exp(1j * recorded[name + '.phase']), atol=1e-12)
        else:
            index = recorded[name + '.phase.idx']
            assert len(index)
            there = mag.ravel()[index] > 1e-8
            turn = np.exp(1j * phase.ravel()[index]) - np.exp(1j * recorded[name + '.phase.val'])
            assert np.abs(turn[there]).max() < 1e-6
        back = tt.compute_inverse(mag, phase)
        assert len(back) == row['inv_len']
        assert_sampled(recorded, name + '.inv', back, atol=1e-10)
        assert np.abs(back[:length] - x).max() < 1e-12
        rs = np.random.RandomState(seed + 500)
        m2 = rs.uniform(size=mag.shape)
        p2 = rs.uniform(-np.pi, np.pi, size=mag.shape)
        assert_sampled(recorded, name + '.inv_random', tt.compute_inverse(m2, p2), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize('length', [0, 1, 511, 512, 513, 5000])
@pytest.mark.parametrize('width,hop,nfft', [(1024, 512, 1024), (1000, 300, 1024), (257, 64, 512), (64, 100, 64)])
def test_stft_equals_the_definition(length, width, hop, nfft):
    x = np.random.RandomState(length).standard_normal(length)
    window = np.hanning(width)
    np.testing.assert_allclose(transform.stft_norm(x, window, hop, nfft), plain_stft(x, window, hop, nfft), atol=1e-12)


@pytest.mark.parametrize('length', [0, 1, 2, 1000, 4096, 9999])
@pytest.mark.parametrize('hop', [100, 256, 512])
def test_round_trip(length, hop):
    x = np.random.RandomState(1).standard_normal(length)
    kept = x.copy()
    tt = transform.transformFFT(frameSize=1024, hopSize=hop, window=scipy.signal.windows.blackmanharris)
    back = tt.compute_inverse(*tt.compute_file(x, phase=True))
    assert len(back) >= length
    assert np.abs(back[:length] - x).max(initial=0) < 1e-10
    np.testing.assert_array_equal(x, kept)


def test_recorded_feature_files(golden, golden_json, tmp_path):
    index = golden_json('1_transform/compute_transform_index.json')
    audio = np.random.RandomState(index['seed']).uniform(-1, 1, size=(index['samples'], index['signals']))
    assert len(index['variants']) == 4
    for variant in index['variants']:
        folder = tmp_path / os.path.basename(variant['dir'])
        folder.mkdir()
        tt = transform.transformFFT(frameSize=1024, hopSize=512, suffix=variant['suffix'],
                                    window=scipy.signal.windows.blackmanharris)
        assert tt.compute_transform(audio, out_path=str(folder / 'song_0.data'), phase=variant['phase']) is None
        assert sorted(os.listdir(str(folder))) == sorted(variant['files'])
        for name in variant['files']:
            if '_p_' in name and name.endswith('.data'):
                continue   # phases of tiny bins depend on the FFT: they are compared by their returned values
            ours, theirs = str(folder / name), golden('1_transform/%s/%s' % (variant['dir'], name))
            if name.endswith('.shape'):
                assert open(ours).read() == open(theirs).read()
            else:
                np.testing.assert_allclose(np.fromfile(ours), np.fromfile(theirs), atol=1e-12)
                np.testing.assert_allclose(tensors.load_tensor(theirs).ravel(), np.fromfile(ours), atol=1e-12)


def test_recorded_return_values(golden, golden_json):
    recorded = np.load(golden('1_transform/compute_transform_returned.npz'))
    index = golden_json('1_transform/compute_transform_index.json')
    audio = np.random.RandomState(index['seed']).uniform(-1, 1, size=(index['samples'], index['signals']))
    tt = transform.transformFFT(frameSize=1024, hopSize=512, window=scipy.signal.windows.blackmanharris)
    assert_sampled(recorded, 'mag', tt.compute_transform(audio), atol=1e-12)
    mag, phase = tt.compute_transform(audio, out_path='unused.data', save=False, phase=True)
    assert_sampled(recorded, 'mag2', mag, atol=1e-12)
    assert_sampled(recorded, 'phase2', phase, atol=1e-6)
    assert not os.path.exists('unused__m_.data')


def test_compute_playing(tmp_path):
    audio = np.zeros((1000, 2))
    audio[300:600, 0] = 0.5
    audio[995:, 1] = -0.5   # of 104 samples that are there, loud enough
    tt = transform.transformFFT(frameSize=256, hopSize=128)
    tt.compute_playing(audio, tmp_path / 'x.data')
    labels = tt.loadTensor('__l_')
    expected = [[np.abs(audio[n:n + 128, j]).mean() > 0.02 for n in range(0, 1000, 128)] for j in range(2)]
    np.testing.assert_array_equal(labels, expected)
    assert labels.sum() == 4


def test_float32_features_are_half_the_size(tmp_path):
    tensor = np.random.RandomState(0).uniform(size=(3, 4, 5))
    tensors.save_tensor(str(tmp_path / 'a.data'), tensor, '__m_')
    tensors.save_tensor(str(tmp_path / 'b.data'), tensor, '__m_', np.float32)
    assert os.path.getsize(str(tmp_path / 'a__m_.data')) == 2 * os.path.getsize(str(tmp_path / 'b__m_.data')) == 480
    np.testing.assert_array_equal(tensors.load_tensor(str(tmp_path / 'a.data'), '__m_'), tensor)
    half = tensors.open_tensor(str(tmp_path / 'b.data'), '__m_')
    assert half.dtype == np.float32 and half.shape == (3, 4, 5)
    np.testing.assert_allclose(half, tensor, rtol=1e-6)


@pytest.mark.parametrize('text', [b'#5\t2586\t513', b'# 5\t2586\t513\r\n', b'#5, 2586, 513\n', b'#(5, 2586, 513)\n'])
def test_numbers_of_a_shape_file_may_be_set_apart_otherwise(tmp_path, text):
    (tmp_path / 'x.shape').write_bytes(text)
    assert tensors.get_shape(str(tmp_path / 'x.shape')) == (5, 2586, 513)


@pytest.mark.parametrize('text,message', [
    (None, 'cannot read the feature shape .*x__m_.shape: No such file'),
    (b'3\t4\n', 'x__m_.shape holds .*expected # and the dimensions'),
    (b'', 'x__m_.shape holds'),
    (b'#-3\t4\n', 'x__m_.shape holds'),
    (b'#3\t5\n', 'holds 96 bytes, but x__m_.shape says 3x5, that is 120'),
    (b'#999999999999\t999999999999\n', 'holds 96 bytes'),
])
def test_bad_shape_files_are_named(tmp_path, text, message):
    path = str(tmp_path / 'x.data')
    tensors.save_tensor(path, np.zeros((3, 4)), '__m_')
    shape = tmp_path / 'x__m_.shape'
    shape.unlink() if text is None else shape.write_bytes(text)
    with pytest.raises(InputError, match=message):
        tensors.open_tensor(path, '__m_')
    assert not tensors.is_finished(path, '__m_')


def test_truncated_data_is_named(tmp_path):
    path = str(tmp_path / 'x.data')
    tensors.save_tensor(path, np.zeros((3, 4)))
    with open(path, 'r+b') as data:
        data.truncate(50)
    with pytest.raises(InputError, match='x.data holds 50 bytes, but x.shape says 3x4'):
        tensors.load_tensor(path)


def test_the_base_class_computes_nothing():
    with pytest.raises(NotImplementedError, match='Transforms does not define compute_file'):
        transform.Transforms().compute_file(np.zeros(10))
    with pytest.raises(ValueError, match=r'shape \(10,\), expected \(samples, signals\)'):
        transform.transformFFT().compute_transform(np.zeros(10))


def test_what_is_wrong_with_the_sizes_and_shapes_is_said():
    tt = transform.transformFFT(frameSize=16., hopSize=4.)
    mag, ph = tt.compute_file(np.random.RandomState(0).uniform(-1, 1, 100), phase=True)
    single = tt.compute_inverse(mag.astype(np.float32), ph.astype(np.float32))
    assert single.dtype == np.float64 and single[:100].std() > 0.1
    for sizes in (dict(hopSize=0), dict(hopSize=2.5), dict(frameSize=-4)):
        with pytest.raises(ValueError, match='Size is .*, expected a whole number of samples, 1 or more'):
            transform.transformFFT(**sizes)
    with pytest.raises(ValueError, match='audio has the shape'):
        tt.compute_file(np.zeros((100, 2)))
    with pytest.raises(ValueError, match=r'expected \(frames, 9\) of both'):
        tt.compute_inverse(mag[:, 1:], ph[:, 1:])


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='there is no /dev/full')
def test_a_full_disk_is_said(tmp_path, monkeypatch):
    @contextlib.contextmanager
    def full(path):
        yield '/dev/full'
    monkeypatch.setattr(tensors.files, 'atomic_path', full)
    with pytest.raises(InputError, match='cannot write .*x__m_.data: .*: is the disk full'):
        tensors.save_tensor(str(tmp_path / 'x.data'), np.zeros(100000), '__m_')


def test_a_missing_folder_is_named_by_the_file_that_was_asked_for(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        tensors.save_tensor(str(tmp_path / 'nowhere' / 'x.data'), np.zeros(3))
    assert caught.value.filename == str(tmp_path / 'nowhere' / 'x.data')


def test_nothing_plays_in_no_samples(tmp_path):
    tt = transform.transformFFT()
    tt.compute_playing(np.zeros((0, 3)), str(tmp_path / 'x.data'))
    assert tensors.load_tensor(str(tmp_path / 'x.data'), '__l_').shape == (3, 0)


def test_a_hop_beyond_the_frame_is_refused():
    with pytest.raises(ValueError, match='hopSize 700 is beyond frameSize 512: samples between the frames'):
        transform.Transforms(hopSize=700, frameSize=512)


def test_a_transform_of_ones_own_as_the_original_was_extended(tmp_path):
    """Its saveTensor has the original's arguments; what it computes is stored in double precision."""
    saved = []

    class Own(transform.Transforms):
        def compute_file(self, audio, phase=False, sampleRate=44100):
            return np.ones((3, 2), np.float32)

        def saveTensor(self, t, name='_cqt_m_'):
            saved.append((t.dtype, t.shape, name, self.out_path))

    path = str(tmp_path / 'x.data')
    assert Own().compute_transform(np.zeros((100, 4)), out_path=path) is None
    assert saved == [(np.float64, (4, 3, 2), '__m_', path)]


def test_windows_that_leave_gaps_are_said(caplog):
    transform.transformFFT(frameSize=1024, hopSize=512)
    assert not caplog.messages
    transform.transformFFT(frameSize=1024, hopSize=1024)
    assert 'hopSize 1024 with frameSize 1024 and this window leaves samples nearly uncovered' in caplog.text
