"""The STFT and its inverse against loops over the frames, for 30 s at the settings of DSD100.

    python tools/benchmarks/stft.py
"""
import measure
import numpy as np
import scipy.signal.windows

import transform
from deepconvsep import command, stft


def stft_loop(data, window, hop):
    """One frame after the other."""
    width = len(window)
    count = stft.frame_count(len(data), hop)
    padded = np.concatenate([np.zeros(width // 2), data, np.zeros(2 * width + hop)])
    spectrum = np.empty((count, width // 2 + 1), complex)
    for n in range(count):
        spectrum[n] = np.fft.rfft(window * padded[n * hop:n * hop + width])
    return spectrum


def istft_loop(spectrum, window, hop):
    """One frame after the other."""
    width = len(window)
    audio = np.zeros((len(spectrum) - 1) * hop + width)
    norm = np.zeros_like(audio)
    for n, frame in enumerate(spectrum):
        audio[n * hop:n * hop + width] += window * np.fft.irfft(frame, width)
        norm[n * hop:n * hop + width] += window ** 2
    norm[norm == 0] = 1
    return (audio / norm)[width // 2:]


def main(argv=None):
    command.Parser(description=__doc__.split('\n')[0]).parse_args(argv)
    for width in (1024, 4096):
        data = np.random.RandomState(0).normal(size=30 * 44100)
        window = scipy.signal.windows.blackmanharris(width)
        spectrum = stft_loop(data, window, 512)
        assert np.allclose(spectrum, transform.stft_norm(data, window, 512, width), atol=1e-10)
        assert np.allclose(istft_loop(spectrum, window, 512), transform.istft_norm(spectrum, window, None, 512, width))
        measure.compare('STFT of 30 s, frame %d' % width,
                        'loop', measure.seconds(lambda: stft_loop(data, window, 512)),
                        'ours', measure.seconds(lambda: transform.stft_norm(data, window, 512, width)))
        measure.compare('inverse STFT of 30 s, frame %d' % width,
                        'loop', measure.seconds(lambda: istft_loop(spectrum, window, 512)),
                        'ours', measure.seconds(lambda: transform.istft_norm(spectrum, window, None, 512, width)))


if __name__ == '__main__':
    command.run(main)
