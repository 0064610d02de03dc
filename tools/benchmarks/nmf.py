"""The score-informed factorisation on all of Bach10, whose pieces have stems and no mixture: stems for an evaluation.

    python tools/benchmarks/nmf.py --db Bach10/Sources -o DIR [--method network+nmf]

Writes what `examples/bach10_scoreinformed/separate_bach10.py --method nmf` writes of a mixture, under the names that
the evaluation of the dataset expects, and prints the seconds that it took.
"""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from deepconvsep import audio, command
from deepconvsep.files import make_folder
from deepconvsep.models import known, store
from deepconvsep.separation.sound import separate_file
from examples.bach10 import recipe as bach10
from examples.bach10_scoreinformed import recipe


def main(argv=None):
    """Separate by the flags `argv`; return the exit code."""
    flags = command.Parser(prog='nmf.py', description=__doc__.split('\n')[0])
    flags.add_arg('--db', required=True, metavar='DIR', help='the pieces of Bach10')
    flags.add_arg('-o', '--odir', required=True, metavar='DIR', help='folder for the stems; it is created')
    flags.add_arg('--batch_size', type=command.positive_int, default=32, help='windows per call of the network')
    recipe.add_separation_flags(flags)
    flags.set_defaults(method='nmf')
    args = flags.parse_args(argv)
    loaded = store.load(known.path(recipe.DEFAULT_MODEL), recipe.NETWORKS, 'this program')
    separator = recipe.separator(loaded, loaded.settings, args)
    make_folder(args.odir)
    for piece in bach10.pieces(args.db):
        start = time.perf_counter()
        paths = bach10.stem_paths(args.db, piece)
        outputs = [os.path.join(args.odir, '%s-%s.wav' % (piece, source)) for source in recipe.SOURCES]
        samples = separate_file(separator, paths, outputs, recipe.guide(paths, loaded.settings, args), quiet=True)
        print('\n'.join(outputs))
        with audio.Reader(paths[0]) as reader:
            print('%.1f s of sound in %.1f s' % (samples / reader.rate, time.perf_counter() - start), flush=True)


if __name__ == '__main__':
    command.run(main)
