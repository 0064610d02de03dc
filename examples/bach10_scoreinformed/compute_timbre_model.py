# PYTHON_ARGCOMPLETE_OK
"""Learn a timbre model, how strong the harmonics of each note of each instrument are, from features with aligned notes.

    python compute_timbre_model.py --feature_path Bach10/Sources/transforms/t3_rwc --output timbre.pkl

What is written, a pickle of a float32 array (instruments, 128 MIDI numbers, harmonics), is for --timbre_model_path of
the trainers, and of separations with their models: the masks of the score weigh the harmonics by it.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command, files, progress
from deepconvsep.errors import InputError
from deepconvsep.features import tensors
from deepconvsep.formats import pickles
from examples.bach10_scoreinformed import recipe

logger = command.get_logger('timbre')


def main(argv=None):
    """Learn by the flags `argv`; return the exit code."""
    flags = command.Parser(prog='compute_timbre_model.py', description=__doc__.split('\n')[0])
    flags.add_arg('--feature_path', type=command.path, required=True, metavar='DIR',
                  help='features with notes; those in folders below it are used as well')
    flags.add_arg('--output', type=command.path, required=True, metavar='FILE', help='the timbre model, .pkl')
    flags.add_arg('--overwrite', action='store_true', help='replace the file if it is there')
    flags.add_arg('--quiet', action='store_true', help='no progress')
    args = flags.parse_args(argv)
    command.enable_default_logging()
    if os.path.lexists(args.output) and not args.overwrite:
        raise InputError('%s exists: give --overwrite or another file' % args.output)
    learner = learn(with_notes(args.feature_path), args.quiet)
    for source, counts in zip(recipe.SOURCES, learner.counts):
        if not counts.any():
            raise InputError('no note of the %s sounds in %s: compute the features again with scores that are in time'
                             % (source, args.feature_path))
        logger.info('%s: %d notes of %d pitches', source, counts.sum(), (counts > 0).sum())
    files.make_folder(os.path.dirname(os.path.abspath(args.output)))
    with files.atomic_path(args.output) as temporary:
        pickles.dump_array(temporary, learner.model())
    print(args.output)
    return 0


def with_notes(folder):
    """The paths of the features in and below a folder that have aligned notes beside them, without tags, sorted."""
    if not os.path.isdir(folder):
        raise InputError('there is no folder of features %s: compute them first, or check --feature_path' % folder)
    ending = recipe.ALIGNED + '.data'
    paths = sorted(os.path.join(parent, leaf[:-len(ending)] + '.data')
                   for parent, _, leaves in os.walk(folder) for leaf in leaves if leaf.endswith(ending))
    if not paths:
        raise InputError('%s has no features with aligned notes, expected <name>%s: compute them with '
                         'examples/bach10_scoreinformed' % (folder, ending))
    return paths


def learn(paths, quiet=False):
    """A learner that has seen the features `paths`, without tags."""
    from deepconvsep.score import masks, timbre
    learner = None
    with progress.Bar(len(paths), 'files', 'learning', quiet) as bar:
        for path in paths:
            magnitudes = tensors.open_tensor(path, tensors.MAGNITUDES)
            notes = tensors.load_tensor(path, recipe.ALIGNED)
            masks.check_notes(notes, tensors.tagged(path, recipe.ALIGNED))
            learner = learner or timbre.TimbreLearner(len(recipe.SOURCES), (notes.shape[-1] - 3) // 2)
            expected = (len(recipe.SOURCES), 2 * learner.slots + 3)
            if len(magnitudes) != 1 + expected[0] or (len(notes), notes.shape[-1]) != expected:
                raise InputError('%s holds %d tensors, and notes of the shape %s, expected 1 + %d, and (%d, notes, '
                                 '%d), as %s: compute the features again'
                                 % (path, len(magnitudes), notes.shape, expected[0], *expected, paths[0]))
            learner.add(magnitudes[1:], notes)
            bar.update()
    return learner


if __name__ == '__main__':
    command.run(main)
