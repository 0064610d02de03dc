"""The method to compare with: score-informed non-negative matrix factorisation of Bach10, in NumPy alone.

    python tools/benchmarks/nmf.py -i FILE ... -o DIR [--scores DIR]
    python tools/benchmarks/nmf.py --db Bach10/Sources -o DIR

Of --db, the sums of the stems of all pieces are separated. Writes the stems that
examples/bach10_scoreinformed/separate_bach10.py writes, from the same scores, under the same names, and prints the
seconds that it took.

The magnitudes V (bins, frames) are approximated by W H, with a column of W for each note of each instrument. W starts
with the note's harmonics and is 0 beside them, H starts with 1 where the score has the note, widened by its tolerance,
and is 0 elsewhere; multiplicative updates for the generalised Kullback-Leibler divergence keep these zeros. An
instrument gets the share of the mixture that its notes have in W H. Sources: S. Ewert and M. Mueller, "Using
score-informed constraints for NMF-based source separation", ICASSP 2012 (without its templates of onsets); updates:
D. D. Lee and H. S. Seung, "Algorithms for non-negative matrix factorization", NIPS 2000.
"""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

import numpy as np

from deepconvsep import audio, command
from deepconvsep.files import make_folder
from deepconvsep.score.guide import note_array
from deepconvsep.separation import plan as planning
from examples.bach10 import recipe as bach10
from examples.bach10_scoreinformed import recipe

ITERATIONS = 50
#: Below the magnitude of any sound.
TINY = 1e-12


def main(argv=None):
    """Separate by the flags `argv`; return the exit code."""
    flags = command.Parser(prog='nmf.py', description=__doc__.split('\n')[0])
    source = flags.add_mutex(required=True)
    source.add_argument('-i', '--ifile', nargs='+', metavar='FILE', help='mono sound files, or folders of them')
    source.add_argument('--db', metavar='DIR', help='the pieces of Bach10')
    flags.add_arg('-o', '--odir', required=True, metavar='DIR', help='folder for the stems; it is created')
    flags.add_arg('--iterations', type=command.positive_int, default=ITERATIONS, help='updates of W and H')
    recipe.add_score_flags(flags)
    args = flags.parse_args(argv)
    if args.db:
        songs = [(bach10.stem_paths(args.db, piece), ['%s-%s' % (piece, source) for source in recipe.SOURCES])
                 for piece in bach10.pieces(args.db)]
        plan = [(paths, [os.path.join(args.odir, name + '.wav') for name in names]) for paths, names in songs]
    else:
        inputs = planning.gather(args.ifile, args.odir)
        plan = planning.plan_outputs(inputs, args.odir, recipe.SOURCES, 'WAV', recipe.stem_names, len(inputs) > 1)
    scores = [recipe.read_scores(path, args) for path, _ in plan]
    make_folder(args.odir)
    for (path, outputs), notes in zip(plan, scores):
        start = time.perf_counter()
        stems = bach10.read_stems([path] if isinstance(path, str) else path)
        mixture = np.zeros(max(map(len, stems)))
        for stem in stems:
            mixture[:len(stem)] += stem
        for output, stem in zip(outputs, separate(mixture, notes, args.iterations)):
            audio.write(output, stem, bach10.SAMPLE_RATE)
            print(output)
        print('%.1f s of sound in %.1f s' % (len(mixture) / bach10.SAMPLE_RATE, time.perf_counter() - start),
              flush=True)


def separate(mixture, scores, iterations=ITERATIONS):
    """Separate a mixture.

    Parameters
    ----------
    mixture : ndarray, shape (samples,)
        At 44.1 kHz.
    scores : list of list of score.Note
        One list an instrument.
    iterations : int

    Returns
    -------
    ndarray, shape (instruments, samples)
        They add up to the mixture.
    """
    transform = bach10.transform()
    magnitudes, phases = transform.compute_file(mixture, phase=True)
    notes = note_array(scores, recipe.SETTINGS, len(magnitudes))
    spectra, activations, owners = factorize(magnitudes.T, notes, iterations)
    parts = np.array([spectra[:, owners == owner] @ activations[owners == owner] for owner in range(len(scores))])
    # where no note claims a bin, all get the same
    masks = (parts + TINY) / (parts + TINY).sum(axis=0)
    return np.array([transform.compute_inverse(mask.T * magnitudes, phases)[:len(mixture)] for mask in masks])


def factorize(magnitudes, notes, iterations):
    """Factorise a spectrogram into the notes of a score.

    Parameters
    ----------
    magnitudes : ndarray, shape (bins, frames)
    notes : ndarray
        Note array; see :mod:`deepconvsep.score.rows`.
    iterations : int

    Returns
    -------
    spectra : ndarray, shape (bins, notes)
        One for each MIDI number of each instrument, of sum 1.
    activations : ndarray, shape (notes, frames)
    owners : ndarray of int, shape (notes,)
        The instrument of each.
    """
    spectra, activations = constraints(notes, magnitudes.shape)
    owners = np.array([instrument for instrument, _ in spectra], int)
    spectra = np.array(list(spectra.values())).reshape(-1, magnitudes.shape[0]).T
    activations = np.array(list(activations.values())).reshape(-1, magnitudes.shape[1]) * magnitudes.mean()
    for _ in range(iterations):
        ratio = magnitudes / (spectra @ activations + TINY)
        activations *= spectra.T @ ratio / (spectra.sum(axis=0)[:, None] + TINY)
        ratio = magnitudes / (spectra @ activations + TINY)
        spectra *= ratio @ activations.T / (activations.sum(axis=1) + TINY)
        sums = spectra.sum(axis=0) + TINY
        spectra /= sums
        activations *= sums[:, None]
    return spectra, activations, owners


def constraints(notes, shape):
    """What W and H start with: by (instrument, MIDI number), the harmonics of the note, and 1 where it sounds."""
    spectra, activations = {}, {}
    for instrument, rows in enumerate(notes):
        for row in rows[rows[:, 2] > 0].astype(int):
            key = instrument, row[2]
            if key not in spectra:
                spectra[key], activations[key] = np.zeros(shape[0]), np.zeros(shape[1])
                for number, (low, high) in enumerate(row[3:].reshape(-1, 2), 1):
                    spectra[key][low:high] = np.maximum(spectra[key][low:high], 1. / number)
            activations[key][row[0]:row[1]] = 1.
    return spectra, activations


if __name__ == '__main__':
    command.run(main)
