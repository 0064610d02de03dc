"""What a start costs: the help of a script, and separating 10 s with an empty and a warm folder of compiled modules.

    python tools/benchmarks/start.py

CPU time counts the compiler and what else is started; both times are of one run, the warm ones the least of three.
"""
import os
import shutil
import sys
import tempfile

import measure
import separate

from deepconvsep import command

THREADS = {'OMP_NUM_THREADS': '1', 'OPENBLAS_NUM_THREADS': '1'}


def main(argv=None):
    command.Parser(description=__doc__.split('\n')[0]).parse_args(argv)
    help_of = [sys.executable, separate.SCRIPT, '--help']
    print('--help: %.2f s of CPU, %.2f s' % min(measure.cpu_seconds(help_of) for _ in range(3)))
    folder = tempfile.mkdtemp()
    try:
        path = os.path.join(folder, 'noise.wav')
        separate.write_noise(path, 10 / 60)
        run = [sys.executable, separate.SCRIPT, '-i', path, '-o', folder, '-m', measure.MODEL, '--overwrite', '--quiet']
        env = dict(THREADS, THEANO_FLAGS='base_compiledir=%s' % os.path.join(folder, 'cache'))
        print('10 s, empty folder of compiled modules: %.1f s of CPU, %.1f s' % measure.cpu_seconds(run, env))
        print('10 s, warm: %.2f s of CPU, %.2f s' % min(measure.cpu_seconds(run, env) for _ in range(3)))
    finally:
        shutil.rmtree(folder)


if __name__ == '__main__':
    command.run(main)
