"""The two sets of pins against each other: the same work under two interpreters, in turns, in processor time.

    python tools/benchmarks/sets.py OLD_PYTHON NEW_PYTHON [--repeats 15] [--only stft ...]

Both processes stay alive and take turns after every call, so that other work on the machine slows both; the median is
given. Each uses one thread.
"""
import argparse
import os
import subprocess
import sys
import time

import measure

DESCRIPTIONS = {
    'stft': 'STFT and its inverse, 10 s, frames of 1024', 'bss_eval': 'BSS Eval, 5 s, 4 stereo sources',
    'forward': 'forward pass, DSD100, 32 windows', 'training': 'training step, DSD100, batch 32',
    'separation': 'separation, DSD100, 10 s'}


def work(name):
    """A function that does one unit of the work, its preparation done."""
    import numpy as np
    rs = np.random.RandomState(0)
    if name == 'stft':
        import scipy.signal.windows

        import transform
        data, window = rs.normal(size=10 * 44100), scipy.signal.windows.blackmanharris(1024)
        return lambda: transform.istft_norm(transform.stft_norm(data, window, 512, 1024), window, None, 512, 1024)
    if name == 'bss_eval':
        from bss_eval import signals

        from deepconvsep.metrics import bss_eval
        references, estimates = signals(5, np.float32)
        return lambda: bss_eval.bss_eval_images_framewise(references, estimates, 5 * 44100, 5 * 44100)
    from deepconvsep.backend.prepare import prepare
    theano = prepare(verbose=False)
    from examples.dsd100 import recipe
    network = recipe.NETWORKS[0]
    if name == 'forward':
        import lasagne

        from deepconvsep.network.build import build
        entry = theano.tensor.tensor4()
        function = theano.function([entry], lasagne.layers.get_output(build(network, entry, 32)))
        inputs = rs.uniform(size=(32, 1, 30, network.feat_size)).astype(theano.config.floatX)
        return lambda: function(inputs)
    if name == 'training':
        from deepconvsep.training.step import Step
        step = Step(network, recipe.SETTINGS, recipe.LOSS, 32)
        parts = (rs.uniform(size=(4, 400, network.feat_size)) ** 3).astype(theano.config.floatX)
        step.load_chunk(parts.sum(axis=0), parts.transpose(1, 0, 2).reshape(400, -1))
        return lambda: step.train(np.arange(32) * 10)
    from deepconvsep.models import store
    from deepconvsep.separation.separator import Separator
    loaded = store.load(measure.MODEL, recipe.NETWORKS, 'this benchmark')
    separator = Separator(loaded.network, loaded.params, recipe.LEGACY_SETTINGS, batch_size=32)
    sound = rs.uniform(-.3, .3, (10 * 44100, 1))
    return lambda: [len(stems) for stems in separator.stems([sound])]


class Side:
    """One interpreter, which does a unit when it is asked to."""

    def __init__(self, python, name):
        one = dict.fromkeys(('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'), '1')
        self._process = subprocess.Popen([python, os.path.abspath(__file__), '--worker', name], text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ, **one))

    def seconds(self):
        """Processor time of one unit."""
        self._process.stdin.write('\n')
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit('the interpreter ended with exit code %d' % self._process.wait())
        return float(answer)

    def end(self):
        self._process.stdin.close()
        self._process.wait()


def serve(name):
    """Do a unit for each line of standard input, and answer with its processor time."""
    answers, sys.stdout = sys.stdout, sys.stderr
    unit = work(name)
    for _ in sys.stdin:
        start = time.process_time()
        unit()
        answers.write('%.6f\n' % (time.process_time() - start))
        answers.flush()


def median(values):
    values = sorted(values)
    return (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2


def main():
    flags = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    flags.add_argument('pythons', nargs='*', metavar='PYTHON', help='the interpreters of the old and of the new set')
    flags.add_argument('--repeats', type=int, default=15)
    flags.add_argument('--only', nargs='+', choices=sorted(DESCRIPTIONS), default=list(DESCRIPTIONS))
    flags.add_argument('--worker', choices=sorted(DESCRIPTIONS), help=argparse.SUPPRESS)
    args = flags.parse_args()
    if args.worker:
        return serve(args.worker)
    if len(args.pythons) != 2:
        flags.error('got %d interpreters, expected that of the old set and that of the new one' % len(args.pythons))
    print('| what | old set, ms | new set, ms | new / old |\n|---|---|---|---|')
    for name in args.only:
        sides = [Side(python, name) for python in args.pythons]
        times = [[side.seconds() for side in sides] for _ in range(args.repeats + 2)][2:]  # two to warm up
        old, new = (median(column) for column in zip(*times))
        print('| %s | %.1f | %.1f | %.2f |' % (DESCRIPTIONS[name], 1e3 * old, 1e3 * new, new / old), flush=True)
        for side in sides:
            side.end()


if __name__ == '__main__':
    main()
