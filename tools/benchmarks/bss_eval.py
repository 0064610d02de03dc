"""BSS Eval framewise: this project against mir_eval, on the same signals, in one run.

Each runs in a process of its own; the times are those for the call, of the CPU and by the clock, the memory the peak of
the process with the signals in it. mir_eval takes a minute for 60 s of four stereo sources, 5 to 13 for 240 s.
"""
import multiprocessing
import os
import resource
import sys
import time
import warnings

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

import numpy as np

from deepconvsep import command, process

RATE, WINDOW, HOP = 44100, 30, 15


def main(argv=None):
    flags = command.Parser(description='Compare BSS Eval framewise with mir_eval: seconds and memory.')
    flags.add_arg('--seconds', type=command.positive_int, default=60, help='length of the four stereo sources')
    flags.add_arg('--skip_mir_eval', action='store_true', help='time this project alone')
    args = flags.parse_args(argv)
    print('4 stereo sources of %d s at %d Hz, windows of %d s every %d s, %d cores'
          % (args.seconds, RATE, WINDOW, HOP, process.cores()))
    ours = in_process(run_ours, args.seconds)
    print('this project: %.1f s of CPU, %.1f s by the clock, peak %.2f GB' % ours[:3])
    if args.skip_mir_eval:
        return
    theirs = in_process(run_mir_eval, args.seconds)
    print('mir_eval:     %.1f s of CPU, %.1f s by the clock, peak %.2f GB' % theirs[:3])
    print('ratio: %.1f times less of the CPU, %.1f times as fast by the clock; largest difference of a score: %.1e dB'
          % (theirs[0] / ours[0], theirs[1] / ours[1], np.abs(ours[3] - theirs[3]).max()))


def in_process(function, seconds):
    """Seconds of the CPU and by the clock, peak memory in GB and scores of `function` in a fresh process."""
    with multiprocessing.get_context('spawn').Pool(1, process.keep_memory) as pool:   # as in programs
        return pool.apply(function, (seconds,))


def signals(seconds, dtype):
    """The same noise at every call, alike in both channels, and estimates with leakage: (4, samples, 2) each."""
    generator = np.random.RandomState(0)
    samples = seconds * RATE
    references = np.empty((4, samples, 2), dtype)
    estimates = np.empty_like(references)
    for source in range(4):
        noise = generator.standard_normal(samples).astype('float32')
        for channel in range(2):
            references[source, :, channel] = noise + 0.5 * generator.standard_normal(samples).astype('float32')
    for source in range(4):
        for channel in range(2):
            estimates[source, :, channel] = (0.9 * references[source, :, channel]
                                             + 0.2 * references[source - 1, :, channel]
                                             + 0.1 * generator.standard_normal(samples).astype('float32'))
    return references, estimates


def run_ours(seconds):
    from deepconvsep.metrics import bss_eval
    references, estimates = signals(seconds, np.float32)
    return timed(bss_eval.bss_eval_images_framewise, references, estimates)


def run_mir_eval(seconds):
    import mir_eval.separation
    warnings.simplefilter('ignore', FutureWarning)
    references, estimates = (array.astype(np.float64) for array in signals(seconds, np.float32))
    return timed(mir_eval.separation.bss_eval_images_framewise, references, estimates)


def timed(function, references, estimates):
    begin, before = time.perf_counter(), time.process_time()
    scores = function(references, estimates, WINDOW * RATE, HOP * RATE)
    cpu, seconds = time.process_time() - before, time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return cpu, seconds, peak, np.array(scores[:4]).reshape(4, 4, -1)


if __name__ == '__main__':
    command.run(main)
