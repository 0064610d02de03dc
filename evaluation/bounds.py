# PYTHON_ARGCOMPLETE_OK
"""Write the bounds of a table: the mixture itself as every stem, and what ideal ratio masks make of it.

    python -m evaluation.bounds --db Bach10 --output separated

Reads Bach10's layout and writes ``<output>/mixture/<piece>-<source>.wav`` and ``<output>/ideal_ratio_mask/...``, to be
evaluated by Bach10_eval_only as two methods more. An ideal ratio mask is the share of a source's magnitude in the
sum of all sources' magnitudes, with the transform of the Bach10 networks: no network that masks this transform with
the mixture's phase can be expected to do better.
"""
import functools
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import numpy as np

from deepconvsep import audio, command, files, jobs, stft
from deepconvsep.errors import InputError
from deepconvsep.metrics import ideal_ratio
from deepconvsep.metrics import stems as metrics
from examples.bach10 import recipe

METHODS = ('mixture', 'ideal_ratio_mask')


def main(argv=None):
    """Write the bounds by the flags `argv`; return the exit code."""
    flags = command.Parser(prog='bounds.py', description=__doc__.split('\n')[0])
    flags.add_arg('--db', type=command.path, required=True, metavar='FOLDER',
                  help='the Bach10 data set, or its folder Sources')
    flags.add_arg('--output', type=command.path, required=True, metavar='FOLDER', help='gets a folder for each bound')
    flags.add_arg('--nprocs', type=command.positive_int, default=1, help='pieces at the same time')
    flags.add_arg('--quiet', action='store_true', help='no progress bar')
    args = flags.parse_args(argv)
    command.enable_default_logging('WARNING' if args.quiet else 'INFO')
    root = recipe.piece_folder(args.db, 'Sources')
    pieces = recipe.pieces(root)
    for method in METHODS:
        files.make_folder(os.path.join(args.output, method))
    return jobs.summarize(jobs.run(functools.partial(write, root, args.output), pieces, args.nprocs, unit='piece',
                                   quiet=args.quiet))


def write(root, output, piece):
    """Write both bounds of one piece."""
    paths = recipe.stem_paths(root, piece)
    stems = recipe.read_stems(paths)
    length, shortest = max(map(len, stems)), min(map(len, stems))
    if length - shortest > metrics.LONGEST_TAIL:
        longest, short = (paths[[len(stem) for stem in stems].index(size)] for size in (length, shortest))
        raise InputError('%s has %d samples and %s %d, expected the same (give or take %d): it was cut off, restore it'
                         % (short, shortest, longest, length, metrics.LONGEST_TAIL))
    stems = np.stack([np.pad(stem, (0, length - len(stem))) for stem in stems])
    masked = ideal_ratio.separate(stems, stft.blackmanharris(recipe.FRAME_SIZE), recipe.HOP_SIZE)
    for method, estimates in zip(METHODS, [[stems.sum(axis=0)] * len(stems), masked]):
        for path, estimate in zip(paths, estimates):
            # as floats: a sum of stems may exceed full scale
            audio.write(os.path.join(output, method, os.path.basename(path)), estimate, recipe.SAMPLE_RATE,
                        subtype='FLOAT')


if __name__ == '__main__':
    command.run(main)
