"""The cost of Open-Unmix and of this project: the same minute of stereo into four stereo stems, one thread.

    python tools/benchmarks/peers.py --env DIR [--python PYTHON] [--torch torch==2.13.0+cpu]

It compares cost, not quality: Open-Unmix gets random weights of its published size (`umxhq`, one step of its Wiener
filter), this project the model of the tests. Both read a file and write files of 16 bits; the time is that of the
whole process. DIR is an environment of Python that is made when it is not there, of about 1 GB; for Linux, PyPI's
PyTorch brings CUDA, several GB more, unless --torch names a build without. torchaudio, which Open-Unmix imports for its
programs and does not need to separate, is left out.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import types
import wave

import measure

PEER = 'openunmix==1.3.0'
RATE, SOURCES = 44100, 4


def main(argv=None):
    flags = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    flags.add_argument('--env', metavar='DIR', help='the environment of Open-Unmix')
    flags.add_argument('--python', default=sys.executable, help='what makes it (this one)')
    flags.add_argument('--torch', default='torch', help='how pip is asked for PyTorch (torch)')
    flags.add_argument('--minutes', type=float, default=1.)
    flags.add_argument('--repeats', type=int, default=3, help='of which the median counts (3)')
    flags.add_argument('--worker', nargs=2, metavar=('SONG', 'DIR'), help=argparse.SUPPRESS)
    args = flags.parse_args(argv)
    if args.worker:
        return separate(*args.worker)
    if not args.env:
        print('Open-Unmix is not compared: --env DIR says where its environment is, or is to be made')
        return None
    peer = os.path.join(args.env, 'bin', 'python')
    make(args.env, peer, args.python, args.torch)
    with tempfile.TemporaryDirectory() as folder:
        song = os.path.join(folder, 'song.wav')
        write_noise(song, args.minutes)
        ours = [os.path.join(measure.ROOT, 'deepconvsep', '__main__.py'), 'separate', song, '-o', folder, '-m',
                measure.MODEL, '--stereo', '--overwrite', '--quiet', '--nprocs', '1', '--engine']
        sides = {'Open-Unmix': ([os.path.abspath(__file__), '--worker', song, folder], peer),
                 'this project, NumPy': (ours + ['numpy'], sys.executable),
                 'this project, Theano': (ours + ['theano'], sys.executable)}
        env = {'OMP_NUM_THREADS': '1', 'OPENBLAS_NUM_THREADS': '1', 'MKL_NUM_THREADS': '1',
               'PYTHONPATH': measure.ROOT}
        found = {name: [] for name in sides}
        for number in range(args.repeats + 1):
            for name, (command, python) in sides.items():
                result = measure.command(command, env, python)
                if number:  # the first one fills caches
                    found[name].append(result)
    print('%g minutes of stereo into %d stereo stems, one thread, medians of %d'
          % (args.minutes, SOURCES, args.repeats))
    medians = {name: [statistics.median(column) for column in zip(*results)] for name, results in found.items()}
    for name, (_, cpu, memory) in medians.items():
        print('%s: %.1f s of CPU, peak %.0f MB; Open-Unmix takes %.1f times the time, %.1f times the memory'
              % (name, cpu, memory, medians['Open-Unmix'][1] / cpu, medians['Open-Unmix'][2] / memory))


def make(folder, python, maker, torch):
    """Make the environment, or say in one line what is missing."""
    steps = [[python, os.path.abspath(__file__), '--worker', '', '']]
    if not os.path.exists(python):
        install = [python, '-m', 'pip', 'install', '--quiet']
        steps = [[maker, '-m', 'venv', folder], install + [torch, 'numpy', 'tqdm'],
                 install + ['--no-deps', PEER], *steps]
    for step in steps:
        try:
            subprocess.run(step, check=True, capture_output=True, text=True)
        except OSError as error:
            raise SystemExit('Open-Unmix is not compared: %s: %s' % (step[0], error.strerror)) from None
        except subprocess.CalledProcessError as error:
            lines = (error.stderr or error.stdout).strip().splitlines() or ['it says nothing']
            raise SystemExit('Open-Unmix is not compared: %s failed: %s; remove %s before the next try'
                             % (' '.join(step), lines[-1], folder)) from None


def write_noise(path, minutes):
    """Stereo noise of 16 bits, the same second again and again."""
    import numpy as np
    second = np.random.RandomState(0).randint(-9000, 9000, (RATE, 2)).astype('<i2').tobytes()
    with wave.open(path, 'wb') as out:
        out.setparams((2, 2, RATE, 0, 'NONE', ''))
        for _ in range(int(60 * minutes)):
            out.writeframes(second)


def separate(song, folder):
    """Separate a file by Open-Unmix; run in its environment. Without a file, only see whether it is there."""
    sys.modules['torchaudio'] = types.ModuleType('torchaudio')
    import openunmix
    import torch
    if not song:
        return
    torch.set_num_threads(1)
    torch.manual_seed(0)
    separator = openunmix.umxhq(pretrained=False)
    separator.freeze()
    with wave.open(song) as source:
        samples = torch.frombuffer(bytearray(source.readframes(source.getnframes())), dtype=torch.int16)
    with torch.no_grad():
        stems = separator(samples.reshape(1, -1, 2).transpose(1, 2) / 32768)[0]
    for number, stem in enumerate(stems):
        with wave.open(os.path.join(folder, 'peer_%d.wav' % number), 'wb') as out:
            out.setparams((2, 2, RATE, 0, 'NONE', ''))
            out.writeframes((stem.T * 32767).clamp(-32768, 32767).short().contiguous().numpy().tobytes())


if __name__ == '__main__':
    main()
