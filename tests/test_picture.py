"""The pictures of a page: tones where they are, peaks, constant width and memory."""
import tracemalloc

import matplotlib.image
import numpy as np
import soundfile
from test_report import RATE, tone

from deepconvsep.report import picture


def test_picture_shows_tones_where_they_are(tmp_path):
    samples = np.concatenate([tone(4, 200, 44100), tone(4, 5000, 44100)])
    soundfile.write(str(tmp_path / 'a.wav'), np.stack([samples, samples], axis=1), 44100)
    levels = picture.levels(str(tmp_path / 'a.wav'))
    assert levels.shape == (picture.HEIGHT, -(-len(samples) // picture.HOP) + 2)
    for columns, frequency in ((slice(10, 150), 200), (slice(190, 330), 5000)):
        row = levels[:, columns].mean(axis=1).argmax()
        assert abs(row - picture.HEIGHT * np.log(frequency / 50) / np.log(16000 / 50)) < 4
    picture.save(str(tmp_path / 'a.png'), levels, levels.max(), '#2a9d8f')
    pixels = matplotlib.image.imread(str(tmp_path / 'a.png'))
    assert pixels.shape == levels.shape + (4,)
    brightest = np.unravel_index(pixels[..., :3].sum(axis=2).argmax(), levels.shape)
    assert levels[::-1][brightest] > levels.max() - 2, 'the lowest frequency is at the bottom'


def test_envelope_is_the_largest_magnitude_of_each_part(tmp_path):
    samples = np.zeros(8000)
    samples[[10, 4100, 7999]] = 0.25, -0.5, 0.125
    soundfile.write(str(tmp_path / 'a.wav'), np.stack([samples, samples], axis=1), RATE)
    peaks = picture.envelope(str(tmp_path / 'a.wav'), 8)
    np.testing.assert_allclose(peaks, [0.25, 0, 0, 0, 0.5, 0, 0, 0.125], atol=1e-4)
    soundfile.write(str(tmp_path / 'b.wav'), np.zeros(0), RATE)
    assert not picture.envelope(str(tmp_path / 'b.wav')).any()


def test_picture_of_a_long_sound_keeps_its_width_and_memory(tmp_path):
    noise = np.random.default_rng(0).standard_normal(60 * RATE) * 0.05
    peaks = []
    for minutes in (2, 20):
        with soundfile.SoundFile(str(tmp_path / 'a.wav'), 'w', RATE, 1) as out:
            for _ in range(minutes):
                out.write(noise)
        tracemalloc.start()
        levels = picture.levels(str(tmp_path / 'a.wav'))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert levels.shape == (picture.HEIGHT, picture.WIDTH)
    assert peaks[1] < 1.2 * peaks[0], peaks
    # white noise: as loud everywhere, and of the same power however many frames a column averages
    assert levels[:, 5:-5].mean(axis=1).std() < 1
