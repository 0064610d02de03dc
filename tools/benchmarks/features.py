"""From the stereo files of a song to its feature files on one core, against a loop over the frames.

    python tools/benchmarks/features.py [--minutes 2]

Both write through tensors.save_tensor, to memory where the system has /dev/shm: the disk is not measured.
"""
import argparse
import os
import shutil
import tempfile

os.environ['OMP_NUM_THREADS'] = '1'

import measure
import numpy as np
import scipy.fft
import scipy.io.wavfile
import scipy.signal.windows
import soundfile

import transform
from deepconvsep import audio
from deepconvsep.features import making, tensors
from deepconvsep.features import plan as plans
from deepconvsep.stft import frame_count
from examples.dsd100 import layout, recipe

BLOCK = 30 * 44100


def write_song(db, minutes):
    """A song of noise in the layout of MUSDB18-HQ."""
    folder = os.path.join(db, 'train', 'song')
    os.makedirs(folder)
    for seed, name in enumerate(('mixture',) + recipe.SOURCES):
        samples = np.random.RandomState(seed).randint(-9000, 9000, (int(minutes * 60 * 44100), 2)).astype(np.int16)
        soundfile.write(os.path.join(folder, name + '.wav'), samples, 44100)


def loop(paths, folder):
    """Whole files, one frame after the other, float64."""
    window = scipy.signal.windows.blackmanharris(1024)
    signals = [scipy.io.wavfile.read(path)[1] / 32767. for path in paths]
    signals = [(stereo[:, 0] + stereo[:, 1]) / 2 for stereo in signals]
    for k, start in enumerate(range(0, len(signals[0]), BLOCK)):
        tensor = []
        for signal in signals:
            part = signal[start:start + BLOCK]
            frames = frame_count(len(part), 512)
            padded = np.concatenate([np.zeros(512), part, np.zeros(2048)])
            magnitudes = np.empty((frames, 513))
            for n in range(frames):
                magnitudes[n] = np.abs(np.fft.rfft(window * padded[512 * n:512 * n + 1024])) / np.sqrt(1024)
            tensor.append(magnitudes)
        tensors.save_tensor(os.path.join(folder, 'loop_%d.data' % k), np.array(tensor))


def main():
    flags = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    flags.add_argument('--minutes', type=float, default=2.)
    minutes = flags.parse_args().minutes
    folder = tempfile.mkdtemp(dir='/dev/shm' if os.access('/dev/shm', os.W_OK) else None)
    try:
        write_song(folder, minutes)
        song, = layout.songs(folder, ['Dev'])
        dataset = plans.Dataset('MUSDB18-HQ', recipe.SETTINGS, (song,), {}, making.read_downmixed, 30)
        slow = measure.seconds(lambda: loop(song.paths, folder), repeats=2)
        for dtype in (np.float64, np.float32):
            plan = plans.plan_song(dataset, song, int(minutes * 60 * 44100), folder, dtype)

            def compute(plan=plan):
                making.compute(dataset.read, dataset.settings, True, plan)
            compute()
            ours = np.fromfile(plan.paths[0].replace('.data', '__m_.data'), dtype)
            assert np.allclose(ours, np.fromfile(os.path.join(folder, 'loop_0.data')), rtol=1e-5, atol=1e-6)
            measure.compare('features of %g minutes, %s files' % (minutes, np.dtype(dtype).name), 'loop', slow, 'ours',
                            measure.seconds(compute, repeats=2))
        parts(plan, folder)
    finally:
        shutil.rmtree(folder)


def parts(plan, folder):
    """Print where the time of one block goes."""
    stft = transform.transformFFT(frameSize=1024, hopSize=512, window=scipy.signal.windows.blackmanharris)
    path = plan.song.paths[0]
    signal = audio.downmix(audio.read(path)[0][:BLOCK])
    tensor = np.array([stft.compute_file(signal)] * 5)

    def save():
        tensors.save_tensor(os.path.join(folder, 'part.data'), tensor)

    reading = measure.seconds(lambda: next(making.read_downmixed(plan.song.paths, BLOCK, BLOCK, recipe.SETTINGS)))
    magnitudes = 5 * measure.seconds(lambda: stft.compute_file(signal))
    frames = np.ones((32, 1024))
    fft = 5 * measure.seconds(lambda: [scipy.fft.rfft(frames) for _ in range(len(tensor[0]) // len(frames))])
    print('of one block of 30 s: reading and mixing %.3f s, magnitudes %.3f s (the FFT alone %.3f s), '
          'writing float64 %.3f s' % (reading, magnitudes, fft, measure.seconds(save)))


if __name__ == '__main__':
    main()
