# PYTHON_ARGCOMPLETE_OK
"""One row for the singing voice: the mean over all songs and windows of DSD100 results, as power ratios.

    python -m evaluation.handle_voice_eval_results --input results_test --output results_dB

Reads the .mat files that DSD100_eval_only (or the original's program) wrote for one method and one part of DSD100, in
or below a folder, and writes ``results_dB_test.txt``: a header ``SDR, ISR, SIR, SAR`` and a row of dB. Windows with a
silent voice, and other scores that are not finite, are left out and counted.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import numpy as np

from deepconvsep import command, files
from deepconvsep.errors import InputError
from deepconvsep.formats import mat
from deepconvsep.metrics import records

TARGET = 'vocals'


def main(argv=None):
    flags = command.Parser(description='Average the scores of the voice over all songs and windows.')
    flags.add_arg('--input', type=command.path, default='results_test', metavar='FOLDER',
                  help='where the results of DSD100 are')
    flags.add_arg('--output', type=command.path, default='results_dB', metavar='FOLDER',
                  help='where results_dB_test.txt goes')
    args = flags.parse_args(argv)
    paths = sorted(os.path.join(parent, leaf) for parent, _, leaves in files.walk(args.input)
                   for leaf in leaves if leaf.endswith('.mat'))
    if not paths:
        raise InputError('%s holds no .mat file, expected results of DSD100_eval_only' % args.input)
    places = sorted({os.path.dirname(path) for path in paths})
    if len(places) > 1:
        raise InputError('%s holds the results of %d methods or parts of DSD100, expected those of one: give --input %s'
                         % (args.input, len(places), ' or '.join(places)))
    for path in paths:
        records.require_current(path)
    songs = [read_results(path).get(TARGET) for path in paths]
    if None in songs:
        raise InputError('%s has no scores of %s, expected results of DSD100_eval_only'
                         % (paths[songs.index(None)], TARGET))
    for path, song in zip(paths, songs):
        missing = [measure for measure in records.MEASURES if measure not in song]
        if missing:
            raise InputError('%s has no %s of the %s, expected results of DSD100_eval_only'
                             % (path, missing[0], TARGET))
    pooled = {measure: np.concatenate([song[measure] for song in songs]) for measure in records.MEASURES}
    means = ['%.4f' % power_mean(pooled[measure]) for measure in records.MEASURES]
    lines = [', '.join(records.MEASURES), ', '.join(means)]
    files.make_folder(args.output)
    path = os.path.join(args.output, 'results_dB_test.txt')
    with files.atomic_path(path) as temporary, open(temporary, 'w') as out:
        out.write('\n'.join(lines) + '\n')
    print('rule: mean of 10 ** (dB / 10) over all songs and windows, in dB')
    print('songs: %d, windows: %d, not finite: %s' % (len(paths), len(pooled['SDR']), ', '.join(
        '%s %d' % (measure, (~np.isfinite(values)).sum()) for measure, values in pooled.items())))
    print('\n'.join(lines))


def read_results(path):
    """The scores in a .mat file of the original's structure: ``[target][measure]`` -> (nwindows,) float64.

    A window without SDR (NaN, or -inf: its reference is silent) has no other score either, as in the JSON files. The
    file may hold a finite SAR for it, which is that of the leakage.

    Raises
    ------
    InputError
        When the file is not such a file.
    """
    try:
        results = mat.load(path)['results'][0, 0]
        found = {target: {measure.upper(): np.ravel(results[target][measure][0, 0]).astype(float)
                          for measure in results[target].dtype.names}
                 for target in results.dtype.names if results[target].dtype.names}
        return {target: {measure: _without_silence(values, scores.get('SDR', values))
                         for measure, values in scores.items()} for target, scores in found.items()}
    except (OSError, KeyError, IndexError, ValueError, TypeError, NotImplementedError) as error:
        raise InputError('%s holds no results (%s), expected a .mat file of an evaluation program'
                         % (path, command.one_line(error))) from error


def _without_silence(values, sdr):
    return np.where(np.isnan(sdr) | np.isneginf(sdr), np.nan, values)


def power_mean(values):
    """The mean of power ratios, in dB, over the finite values; NaN when there is none.

    Examples
    --------
    >>> round(power_mean(np.array([0., 10., np.nan])), 4)
    7.4036
    """
    finite = values[np.isfinite(values)]
    return float(10 * np.log10(np.mean(10 ** (finite / 10)))) if len(finite) else float('nan')


if __name__ == '__main__':
    command.run(main)
