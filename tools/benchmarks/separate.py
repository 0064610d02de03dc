"""Separation through the command line: multiples of real time with an empty and a warm compile cache, peak memory.

    python tools/benchmarks/separate.py [--minutes 0.5 1 5 60]
"""
import argparse
import os
import shutil
import tempfile

import measure
import numpy as np
import soundfile

SCRIPT = os.path.join(measure.ROOT, 'examples', 'dsd100', 'separate_dsd.py')


def write_noise(path, minutes):
    """Stereo noise, a second at a time."""
    second = np.random.RandomState(0).uniform(-0.3, 0.3, (44100, 2)).astype(np.float32)
    with soundfile.SoundFile(path, 'w', 44100, 2) as out:
        for _ in range(int(60 * minutes)):
            out.write(second)


def main():
    flags = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    flags.add_argument('--minutes', type=float, nargs='+', default=[0.5, 1, 5, 60])
    minutes = flags.parse_args().minutes
    folder = tempfile.mkdtemp()
    try:
        cache = {'THEANO_FLAGS': 'base_compiledir=%s' % os.path.join(folder, 'cache')}
        for number, length in enumerate([minutes[0]] + minutes):
            path = os.path.join(folder, 'noise.wav')
            write_noise(path, length)
            time, _, memory = measure.command([SCRIPT, '-i', path, '-o', folder, '-m', measure.MODEL, '--overwrite',
                                            '--quiet'], cache)
            print('%g minutes, %s compile cache: %.1f s, %.1f times real time, peak %.0f MB'
                  % (length, 'warm' if number else 'empty', time, 60 * length / time, memory), flush=True)
    finally:
        shutil.rmtree(folder)


if __name__ == '__main__':
    main()
