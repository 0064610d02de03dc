"""Separation through the command line: seconds, multiples of real time, peak memory; both engines, one thread.

    python tools/benchmarks/separate.py [--minutes 0.5 1 5 60] [--against [COMMIT]] [--songs 8]
                                         [--song_minutes 1 4]

With --against, 5 minutes by an older commit and by this tree in turns; it is the last one before the work on speed
unless named. With --songs, a folder of so many songs, by one process and by two. "Real time" is over the time of the
CPU, so that other work on the machine does not count.
"""
import argparse
import filecmp
import os
import shutil
import statistics
import subprocess
import tempfile

import measure
import numpy as np
import soundfile

SCRIPT = os.path.join(measure.ROOT, 'examples', 'dsd100', 'separate_dsd.py')
#: The last commit before the work on speed.
BEFORE = '2db1ad8'
ENGINES = ('theano', 'numpy')


def write_noise(path, minutes):
    """Stereo noise, a second at a time."""
    second = np.random.RandomState(0).uniform(-0.3, 0.3, (44100, 2)).astype(np.float32)
    with soundfile.SoundFile(path, 'w', 44100, 2) as out:
        for _ in range(int(60 * minutes)):
            out.write(second)


def main():
    flags = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    flags.add_argument('--minutes', type=float, nargs='*', default=[0.5, 1, 5], help='lengths (0.5 1 5)')
    flags.add_argument('--against', nargs='?', const=BEFORE, metavar='COMMIT', help='an older commit (%s)' % BEFORE)
    flags.add_argument('--songs', type=int, default=0, help='songs of a folder (none)')
    flags.add_argument('--song_minutes', type=int, nargs='+', default=[1, 4], help='their lengths, in turn (1 4)')
    flags.add_argument('--repeats', type=int, default=5, help='of --against and --songs; the median counts (5)')
    args = flags.parse_args()
    folder = tempfile.mkdtemp()
    try:
        cache = {'THEANO_FLAGS': 'base_compiledir=%s' % os.path.join(folder, 'cache'),
                 'OMP_NUM_THREADS': '1', 'OPENBLAS_NUM_THREADS': '1'}
        for number, length in enumerate(args.minutes[:1] + args.minutes):
            by_length(folder, cache, length, 'warm' if number else 'empty')
        if args.against:
            against(folder, cache, args.against, args.repeats)
        for length in args.song_minutes if args.songs else []:
            songs(folder, cache, args.songs, length, args.repeats)
    finally:
        shutil.rmtree(folder)


def by_length(folder, cache, minutes, state):
    """Separate a song of so many minutes by each engine, and print what it takes."""
    path = os.path.join(folder, 'noise.wav')
    write_noise(path, minutes)
    for engine in ENGINES:
        _, cpu, memory = measure.command([SCRIPT, *arguments(path, folder), '--engine', engine], cache)
        print('%g minutes, %s, %s compile cache: %.1f s of CPU, %.0f times real time, peak %.0f MB'
              % (minutes, engine, state, cpu, 60 * minutes / cpu, memory), flush=True)


def arguments(path, folder):
    return ['-i', path, '-o', os.path.join(folder, 'stems'), '-m', measure.MODEL, '--overwrite', '--quiet']


def against(folder, cache, commit, repeats):
    """Separate 5 minutes by an older commit and by this tree, in turns, and print the ratios."""
    tree = os.path.join(folder, 'older')
    os.mkdir(tree)
    archive = subprocess.run(['git', '-C', measure.ROOT, 'archive', commit], check=True, stdout=subprocess.PIPE)
    subprocess.run(['tar', 'x', '-C', tree], input=archive.stdout, check=True)
    path = os.path.join(folder, 'noise.wav')
    write_noise(path, 5)
    scripts = {commit: [SCRIPT.replace(measure.ROOT, tree)],
               **{engine: [SCRIPT, '--engine', engine] for engine in ENGINES}}
    found = {name: [] for name in scripts}
    for number in range(repeats + 1):
        for name, script in scripts.items():
            # the older one compiles otherwise
            env = dict(cache, THEANO_FLAGS=cache['THEANO_FLAGS'] + '_older') if name == commit else cache
            result = measure.command(script + arguments(path, folder), env)
            if number:  # the first one compiles
                found[name].append(result[1:])
    medians = {name: [statistics.median(column) for column in zip(*results)] for name, results in found.items()}
    for name in ENGINES:
        measure.compare('5 minutes, CPU, median of %d' % repeats, commit, medians[commit][0], name, medians[name][0])
        print('    peak %.0f MB, %.0f MB' % (medians[commit][1], medians[name][1]), flush=True)


def songs(folder, cache, count, minutes, repeats):
    """Separate a folder of songs of so many minutes by one process and by two, and print the seconds."""
    place = os.path.join(folder, 'songs')
    os.makedirs(place, exist_ok=True)
    for number in range(count):
        write_noise(os.path.join(place, 'song%d.wav' % number), minutes)
    for engine in ENGINES:
        found = {1: [], 2: []}
        for number in range(repeats + 1):
            for processes, results in found.items():
                run = [SCRIPT, *arguments(place, folder), '--engine', engine, '--nprocs', str(processes)]
                run[run.index('-o') + 1] = os.path.join(folder, 'stems%d' % processes)
                result = measure.command(run, cache)
                if number:
                    results.append(result[:2])
        (one, one_cpu), (two, two_cpu) = ([statistics.median(column) for column in zip(*results)]
                                          for results in found.values())
        names = sorted(os.listdir(os.path.join(folder, 'stems1')))
        _, other, broken = filecmp.cmpfiles(os.path.join(folder, 'stems1'), os.path.join(folder, 'stems2'),
                                            [name for name in names if name.endswith('.wav')], shallow=False)
        print('%d songs of %d min, %s: %.1f s by one process, %.1f s by two, %.2f times as fast; CPU %.1f s, %.1f s; '
              '%s' % (count, minutes, engine, one, two, one / two, one_cpu, two_cpu,
                      'other bytes' if other or broken else 'the same bytes'), flush=True)


if __name__ == '__main__':
    main()
