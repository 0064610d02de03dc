"""audio.py against recorded values and files written by other means."""
import glob
import os
import struct
import wave

import numpy as np
import pytest
import soundfile
from conftest import ROOT

import util
from deepconvsep import audio
from deepconvsep.errors import InputError


def test_recorded_wav_values(golden, golden_json):
    recorded = np.load(golden('2_util/wav.npz'))
    for name in ('mono16.wav', 'stereo16.wav', 'i32.wav', 'mono16_48k.wav'):
        samples, rate = audio.read(golden('2_util/wav/' + name))
        expected = recorded[name]
        np.testing.assert_allclose(samples, expected.reshape(len(expected), -1), rtol=0, atol=1e-12)
        row = [row for row in golden_json('2_util/wav.json') if row.get('file') == name][0]
        assert rate == row['sampleRate']


def test_float_and_8_bit_files_are_read_right(golden):
    # the original divided floats by the largest float, and did not centre 8 bits
    samples, _ = audio.read(golden('2_util/wav/f32.wav'))
    np.testing.assert_array_equal(samples[:, 0], soundfile.read(golden('2_util/wav/f32.wav'))[0])
    assert np.abs(samples).max() > 0.1
    samples, _ = audio.read(golden('2_util/wav/u8.wav'))
    with wave.open(golden('2_util/wav/u8.wav')) as source:
        raw = np.frombuffer(source.readframes(source.getnframes()), np.uint8)
    np.testing.assert_allclose(samples[:, 0], (raw.astype(float) - 128) / 127, atol=1e-12)


def test_recorded_written_values(golden, tmp_path):
    recorded = np.load(golden('2_util/wav.npz'))
    path = str(tmp_path / 'w.wav')
    audio.write(path, recorded['write_input'], 44100, rounding=np.trunc)
    with wave.open(path) as source:
        written = np.frombuffer(source.readframes(200), '<i2').reshape(-1, 2)
    inside = (np.abs(recorded['write_input']) <= 1).all(axis=1)
    assert 0 < inside.sum() < len(inside)
    np.testing.assert_array_equal(written[inside], recorded['written_int16'][inside])
    beyond = recorded['write_input'] > 1
    assert (written[beyond] == 32767).all()


@pytest.mark.parametrize('subtype,bits', [('PCM_16', 16), ('PCM_24', 24), ('FLOAT', None)])
@pytest.mark.parametrize('format', ['WAV', 'FLAC'])
def test_round_trip(tmp_path, format, subtype, bits):
    path = str(tmp_path / 'x')
    x = np.random.RandomState(0).uniform(-1, 1, (1000, 2))
    if (format, subtype) == ('FLAC', 'FLOAT'):
        with pytest.raises(InputError, match='FLAC cannot hold FLOAT: choose WAV'):
            audio.write(path, x, 44100, format, subtype)
        return
    assert audio.write(path, x, 22050, format, subtype) == 0
    back, rate = audio.read(path)
    assert rate == 22050
    assert np.abs(back - x).max() <= (0.5 / (2 ** (bits - 1) - 1) * 1.001 if bits else 1e-7)


def test_full_scale_saturates_and_is_counted(tmp_path):
    path = str(tmp_path / 'x.wav')
    assert audio.write(path, np.array([0.5, 1.5, -1.5, 1., -1.]), 44100) == 2
    assert soundfile.read(path, dtype='int16')[0].tolist() == [16384, 32767, -32768, 32767, -32767]


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
@pytest.mark.parametrize('subtype,bits', [('PCM_16', 16), ('PCM_24', 24), ('PCM_32', 32)])
def test_full_scale_of_any_precision_does_not_wrap_around(tmp_path, subtype, bits, dtype):
    path = str(tmp_path / 'x.wav')
    assert audio.write(path, np.array([1, .5, -1, 2], dtype), 8000, subtype=subtype) == 1
    top = 2 ** (bits - 1) - 1
    written = soundfile.read(path, dtype='int32')[0] >> (32 - bits)
    assert written.tolist() == [top, (top + 1) // 2, -top, top]


@pytest.mark.parametrize('channels', [1, 2, 3, 6])
def test_downmix(channels):
    x = np.random.RandomState(0).uniform(-1, 1, (50, channels))
    kept = x.copy()
    np.testing.assert_allclose(audio.downmix(x), x.mean(axis=1), atol=1e-15)
    np.testing.assert_allclose(audio.downmix(x, 'sum'), x.sum(axis=1), atol=1e-15)
    np.testing.assert_array_equal(x, kept)
    assert audio.downmix(x.astype(np.float32)).dtype == np.float32
    with pytest.raises(InputError, match='samples of int16, expected floating point'):   # a sum would wrap around
        audio.downmix(np.full((2, channels), 32767, np.int16))


@pytest.mark.parametrize('rate', [8000, 32000, 48000, 96000])
def test_resampling_keeps_time_and_pitch(rate):
    t = np.arange(3 * rate) / rate
    x = np.sin(2 * np.pi * 440 * t)[:, None] * np.hanning(len(t))[:, None]
    blocks = [x[start:start + 1000] for start in range(0, len(x), 1000)]
    y = np.concatenate(list(audio.resample_blocks(blocks, rate, 44100, 1)))
    assert abs(len(y) - 3 * 44100) <= 1
    u = np.arange(len(y)) / 44100
    np.testing.assert_allclose(y[:, 0], np.sin(2 * np.pi * 440 * u) * np.interp(u, t, np.hanning(len(t))), atol=2e-4)


def test_blocks_do_not_change_the_samples(golden):
    path = golden('2_util/wav/stereo16.wav')
    whole, _ = audio.read(path)
    with audio.Reader(path) as reader:
        np.testing.assert_array_equal(np.concatenate(list(reader.blocks(7))), whole)


def test_mp3_of_a_low_bit_rate_is_read_as_in_one_go(tmp_path):
    stems = glob.glob(os.path.join(ROOT, 'tools', 'demo_data', '01-*.flac'))
    chorale = sum(soundfile.read(stem)[0] for stem in sorted(stems))
    soundfile.write(str(tmp_path / 'x.mp3'), chorale, 44100, bitrate_mode='VARIABLE', compression_level=.6)
    whole = soundfile.read(str(tmp_path / 'x.mp3'))[0]
    assert len(stems) == 4 and np.array_equal(audio.read(str(tmp_path / 'x.mp3'))[0][:, 0], whole)


def test_recorded_circular_shift(golden, golden_json):
    recorded = np.load(golden('2_util/circular_shift.npz'))
    index = golden_json('2_util/circular_shift.json')
    compared = 0
    for row in index['rows']:
        x = np.random.RandomState(row['seed']).uniform(-1, 1, size=row['n'])
        shifted = util.circular_shift(x, row['min_size'], cs=row['cs'], sampleRate=row['sampleRate'])
        assert len(shifted) == row['min_size']
        if 'error' not in row:
            np.testing.assert_allclose(shifted, recorded['r%d' % row['k']], atol=1e-12)
            compared += 1
    assert compared > 5


def test_recorded_detect_silence(golden_json):
    for row in golden_json('2_util/detect_silence.json')['rows']:
        noise = row['amp'] * np.random.RandomState(row['seed']).uniform(-1, 1, size=row['noise'])
        x = np.concatenate([np.zeros(row['zeros']), noise])
        assert util.detect_silence(x) == row['result']
        assert util.detect_silence(x, 1e-6, 256, 1024) == row['result_th1e_6']


def test_extensible_and_odd_headers(tmp_path):
    # a WAV file with an extra chunk in front of the data
    body = b'fmt ' + struct.pack('<IHHIIHH', 16, 1, 1, 44100, 88200, 2, 16)
    body += b'LIST' + struct.pack('<I', 4) + b'INFO' + b'data' + struct.pack('<I', 4) + struct.pack('<hh', 32767,
                                                                                                    -32768)
    (tmp_path / 'x.wav').write_bytes(b'RIFF' + struct.pack('<I', 4 + len(body)) + b'WAVE' + body)
    samples, _ = audio.read(str(tmp_path / 'x.wav'))
    np.testing.assert_allclose(samples[:, 0], [1, -32768 / 32767])


@pytest.mark.parametrize('into', ['PCM_16', 'PCM_24', 'PCM_32', 'FLOAT'])
@pytest.mark.parametrize('kind', ['PCM_16', 'PCM_24', 'PCM_32', 'FLOAT'])
def test_what_was_read_is_written_as_exactly_what_it_was(tmp_path, kind, into):
    """As libsndfile reads both files: equal where `into` can hold `kind`, to half a step where it cannot."""
    sizes = {'PCM_16': 16, 'PCM_24': 24, 'PCM_32': 32, 'FLOAT': 25}
    x = np.random.RandomState(0).uniform(-.99, .99, (3000, 2))
    x[:2] = -1, .25
    soundfile.write(str(tmp_path / 'x.wav'), x, 44100, kind)
    with audio.Reader(str(tmp_path / 'x.wav')) as reader, \
            audio.Writer(str(tmp_path / 'y.wav'), 44100, 2, subtype=into, full_scale=reader.full_scale) as writer:
        for block in reader.blocks(1000):
            writer.write(block)
    assert writer.clipped == 0
    before, after = (soundfile.read(str(tmp_path / name), dtype='float64')[0] for name in ('x.wav', 'y.wav'))
    if into == kind or kind != 'FLOAT' and sizes[into] >= sizes[kind]:
        np.testing.assert_array_equal(after, before)
    elif into == 'FLOAT':
        np.testing.assert_array_equal(after, before.astype(np.float32))
    elif kind == 'FLOAT':
        # 1.0 of a float file is the largest integer, as in the original, and does not saturate
        top = 2. ** (sizes[into] - 1)
        np.testing.assert_array_equal(np.rint(after * top), np.rint(before * (top - 1)))
    else:
        assert np.abs(after - before).max() <= .5 / 2 ** (sizes[into] - 1)


def test_a_sum_of_files_of_several_formats_has_one_scale(tmp_path):
    from deepconvsep.audio.mixture import Mixture
    x = np.full((100, 1), .25)
    for kind in ('PCM_16', 'PCM_24', 'FLOAT'):
        soundfile.write(str(tmp_path / (kind + '.wav')), x, 44100, kind)
    before = sum(soundfile.read(str(tmp_path / (kind + '.wav')))[0] for kind in ('PCM_16', 'PCM_24', 'FLOAT'))
    with Mixture([str(tmp_path / (kind + '.wav')) for kind in ('PCM_16', 'PCM_24', 'FLOAT')]) as mixture:
        total = np.concatenate(list(mixture.blocks()))[:, 0] * mixture.full_scale
    np.testing.assert_allclose(total, before, atol=1e-12)


@pytest.mark.parametrize('subtype', ['PCM_16', 'FLOAT'])
@pytest.mark.parametrize('bad', [np.nan, np.inf, 1e300])
def test_what_is_not_finite_is_not_written(tmp_path, subtype, bad):
    if subtype == 'PCM_16' and np.isfinite(bad):
        assert audio.write(str(tmp_path / 'x.wav'), [bad], 44100) == 1  # saturates
        return
    x = np.zeros(44100)
    x[22050] = bad
    with pytest.raises(InputError, match='cannot write .*x.wav: NaN or infinity at 0.500 s'):
        audio.write(str(tmp_path / 'x.wav'), x, 44100, subtype=subtype)
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize('dtype', [np.int16, bool, complex])
def test_only_floating_point_is_written(tmp_path, dtype):
    name = np.dtype(dtype).name
    with pytest.raises(InputError, match='cannot write .*x.wav: got samples of %s, expected floating point' % name):
        audio.write(str(tmp_path / 'x.wav'), np.ones(100, dtype), 44100)
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize('rate', [8000, 22050, 44101, 48000, 96000, 999983])
@pytest.mark.parametrize('block', [7, 5000])
def test_the_edges_of_resampled_sounds(rate, block):
    """A tone that starts and ends at any value, against its formula; the blocks do not matter."""
    def tone(count, at):
        return .2 * np.sin(2 * np.pi * 440 * np.arange(count) / at + 1)
    x = tone(20000 if rate > 500000 else 4000, rate)[:, None]
    blocks = [x[start:start + block] for start in range(0, len(x), block)]
    y = np.concatenate(list(audio.resample_blocks(blocks, rate, 44100, 1)))[:, 0]
    assert len(y) == round(len(x) * 44100 / rate)
    # the last samples lie behind the last one of a lower rate
    np.testing.assert_allclose(y, tone(len(y), 44100), atol=0.012)
    assert np.abs(y - tone(len(y), 44100))[20:-20].max() < 2e-3
    back = np.concatenate(list(audio.resample_blocks([y[:, None]], 44100, rate, 1)))[:, 0]
    common = min(len(back), len(x))
    np.testing.assert_allclose(back[:common], x[:common, 0], atol=5e-4)


@pytest.mark.parametrize('count', [0, 1, 2, 300])
def test_the_shortest_sounds_are_resampled(count):
    x = np.full((count, 2), .3)
    y = np.concatenate(list(audio.resample_blocks([x], 48000, 44100, 2)))
    assert y.shape == (round(count * 44100 / 48000), 2)
    np.testing.assert_allclose(y, .3, atol=1e-6)
