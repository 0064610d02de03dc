"""Speed of `dataset.LargeDataset` against the same windows read the obvious way, as ratios within one run.

The data, seeded noise in files as the DSD100 features are (5 x frames x 513), exceeds what may be in memory eight
times by default. Both sides give the windows scaled, as float32, shuffled chunk by chunk (the naive one without those
that the end of a file leaves incomplete):

naive     for each chunk: load whole files with numpy.fromfile, cut the windows one by one into an array, shuffle
batches   for inputs, outputs in LargeDataset(...)
chunks    for chunk in LargeDataset(...).chunks(): frames and starts, to be cut on a device

"busy" adds a stand-in for a training step per batch, which leaves the processor idle as a device does: ideal is the
time of the steps alone. Files come from the page cache unless there are more than the machine has memory for.

    python tools/benchmarks/loader.py --files 24 --nprocs 2
"""
import argparse
import os
import shutil
import sys
import tempfile
import time

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT)

import dataset
from deepconvsep import command
from deepconvsep.features import tensors

FACTOR = .3


def naive(folder, settings):
    """Chunks of windows, the obvious way: whole files, in the foreground."""
    time_context, step = settings['time_context'], settings['time_context'] - settings['overlap']
    limit = settings['batch_size'] * settings['batch_memory'] // 2
    rng = np.random.default_rng(0)
    names = [name for name in sorted(os.listdir(folder)) if name.endswith('_m_.data')]
    inputs, outputs = [], []
    for name in rng.permutation(names):
        path = os.path.join(folder, name)
        shape = tensors.get_shape(tensors.shape_path(path))
        tensor = (np.fromfile(path, np.float64).reshape(shape) * FACTOR).astype(np.float32)
        for start in range(0, shape[1] - time_context + 1, step):
            window = tensor[:, start:start + time_context]
            inputs.append(window[0])
            outputs.append(np.concatenate(list(window[1:]), axis=1))
            if len(inputs) == limit:
                order = rng.permutation(limit)
                yield np.array(inputs)[order], np.array(outputs)[order]
                inputs, outputs = [], []
    if inputs:
        yield np.array(inputs), np.array(outputs)


def naive_batches(folder, settings):
    """The batches of :func:`naive`."""
    size = settings['batch_size']
    for inputs, outputs in naive(folder, settings):
        for first in range(0, len(inputs), size):
            yield inputs[first:first + size], outputs[first:first + size]


def timed(batches, pause):
    """Examples per second of an iterable of (number of examples, number of batches)."""
    examples, begin = 0, time.perf_counter()
    for count, steps in batches:
        examples += count
        if pause:
            time.sleep(pause * steps)
    return examples / (time.perf_counter() - begin)


def main(argv=None):
    parser = command.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_arg('--files', type=command.positive_int, default=16, help='feature files (default 16)')
    parser.add_arg('--frames', type=command.positive_int, default=2586, help='frames per file (2586: 30 s)')
    parser.add_arg('--overlap', type=command.non_negative_int, default=25, help='frames shared by windows (25)')
    parser.add_arg('--nprocs', type=command.positive_int, default=2, help='reading threads (2)')
    parser.add_arg('--batch_memory', type=command.positive_int, help='batches in memory (an eighth of the data)')
    parser.add_arg('--step', type=command.positive_float, default=4., help='milliseconds per batch of "busy" (4)')
    parser.add_arg('--folder', help='where to put the data (a temporary folder, removed at the end)')
    args = parser.parse_args(argv)
    folder = tempfile.mkdtemp(dir=args.folder)
    try:
        rng = np.random.default_rng(0)
        for number in range(args.files):
            tensors.save_tensor(os.path.join(folder, 's%04d.data' % number),
                                 rng.uniform(size=(5, args.frames, 513)), '__m_')
        settings = dict(time_context=30, overlap=args.overlap, batch_size=32, batch_memory=10 ** 9)
        total = len(dataset.LargeDataset(folder, nsources=4, **settings))
        settings['batch_memory'] = args.batch_memory or max(2, total // 8)

        def loader():
            return dataset.LargeDataset(folder, nsources=4, tensortype='float32', mult_factor_in=FACTOR,
                                        mult_factor_out=FACTOR, nprocs=args.nprocs, **settings)

        print('%d files of %d frames, %.2f GB, %d batches of 32 windows, %d in memory, overlap %d of 30, %d threads'
              % (args.files, args.frames, args.files * 5 * args.frames * 513 * 8e-9, total,
                 settings['batch_memory'], args.overlap, args.nprocs))
        print('%-8s %-5s %14s %9s' % ('reader', '', 'examples/s', 'ratio'))
        for label, pause in (('', 0), ('busy', args.step / 1000)):
            speeds = {
                'naive': timed(((len(batch[0]), 1) for batch in naive_batches(folder, settings)), pause),
                'batches': timed(((len(batch[0]), 1) for batch in loader()), pause),
                'chunks': timed(((len(chunk.starts), len(chunk)) for chunk in loader().chunks()), pause)}
            if pause:
                speeds['ideal'] = 32 / pause
            for name, speed in speeds.items():
                print('%-8s %-5s %14.0f %9.2f' % (name, label, speed, speed / speeds['naive']))
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == '__main__':
    command.run(main)
