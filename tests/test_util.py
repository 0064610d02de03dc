"""util.py: the original's names, and the sound file helpers under them."""
import numpy as np
import pytest
import soundfile

import util
from deepconvsep.errors import InputError


def test_the_names_are_there():
    for name in util.__all__:
        assert name.isupper() or callable(getattr(util, name)), name
    assert len(util.__all__) == 23


@pytest.mark.parametrize('name', ['mono16.wav', 'stereo16.wav', 'i32.wav', 'mono16_48k.wav'])
def test_recorded_reading(golden, golden_json, name):
    row = [row for row in golden_json('2_util/wav.json') if row.get('file') == name][0]
    assert list(util.infoAudioScipy(golden('2_util/wav/' + name))) == row['info']
    samples, rate, kind = util.readAudioScipy(golden('2_util/wav/' + name))
    np.testing.assert_allclose(samples, np.load(golden('2_util/wav.npz'))[name], rtol=0, atol=1e-12)
    assert (rate, kind) == (row['sampleRate'], row['bitrate'])


@pytest.mark.parametrize('kind', ['int16', 'int32', 'uint8', 'int24', 'float32'])
def test_writing(golden, tmp_path, kind):
    recorded = np.load(golden('2_util/wav.npz'))
    path = str(tmp_path / 'x.wav')
    samples = np.clip(recorded['write_input'], -0.999, 0.999)
    util.writeAudioScipy(path, samples, 44100, kind)
    back, rate, read_kind = util.readAudioScipy(path)
    assert (rate, read_kind) == (44100, kind)
    steps = {'int16': 32767, 'int32': 2 ** 31 - 1, 'uint8': 127, 'int24': 2 ** 23 - 1, 'float32': 1e7}[kind]
    assert np.abs(back - samples).max() < 1.001 / steps
    if kind == 'int16':
        np.testing.assert_array_equal(soundfile.read(path, dtype='int16')[0], np.trunc(samples * 32767))


def test_an_unknown_type_is_named(tmp_path):
    with pytest.raises(InputError, match="got bitrate 'int12', expected one of float32, float64, int16"):
        util.writeAudioScipy(str(tmp_path / 'x.wav'), np.zeros(3), 44100, 'int12')


@pytest.mark.parametrize('bitrate', [np.int16, np.dtype('float64'), 'float64'])
def test_bitrates_by_dtype(tmp_path, bitrate):
    samples = np.random.RandomState(0).uniform(-1, 1, 500)
    util.writeAudioScipy(str(tmp_path / 'a.wav'), samples, 44100, bitrate)
    found, _, kind = util.readAudioScipy(str(tmp_path / 'a.wav'))
    assert kind == np.dtype(bitrate).name
    np.testing.assert_allclose(found, samples, rtol=0, atol=0 if kind == 'float64' else 1 / 32767)
    with pytest.raises(InputError, match='hold NaN or infinity'):
        util.writeAudioScipy(str(tmp_path / 'b.wav'), [0., np.nan], 44100, bitrate)
    assert not (tmp_path / 'b.wav').exists()


def test_samples_beyond_full_scale_are_counted(tmp_path, caplog):
    util.writeAudioScipy(str(tmp_path / 'a.wav'), [0., 2., -2., 1.], 44100)
    assert caplog.messages == ['%s: 2 samples are beyond full scale and saturate: scale them down'
                               % (tmp_path / 'a.wav')]


@pytest.mark.parametrize('dtype', [np.int8, np.int64, bool])
def test_full_scale_of_integers_is_one(tmp_path, dtype):
    util.writeAudioScipy(str(tmp_path / 'a.wav'), np.array([0, 1, 0, 1], dtype), 44100)
    assert soundfile.read(str(tmp_path / 'a.wav'), dtype='int16')[0].tolist() == [0, 32767, 0, 32767]


def test_another_format_than_wav_is_refused(tmp_path):
    with pytest.raises(InputError, match='a.flac would hold WAV, expected a name that ends in .wav: rename it'):
        util.writeAudioScipy(str(tmp_path / 'a.flac'), [0.], 44100)


def test_constants_of_the_original():
    assert (util.MIDI_A4, util.FREQ_A4) == (69, 440.)
    np.testing.assert_allclose(util.midi2freq(70), util.FREQ_A4 * util.SEMITONE_RATIO)
