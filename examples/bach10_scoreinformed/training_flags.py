"""What the two score-informed training scripts share, on top of those of :mod:`examples.bach10`."""
import os

from deepconvsep import command
from deepconvsep.errors import InputError, UsageError
from deepconvsep.features import tensors
from deepconvsep.training import checkpoint
from examples.bach10 import recipe as data
from examples.bach10 import training_flags
from examples.bach10_scoreinformed import recipe

NETWORKS = {**training_flags.NETWORKS, 'harmonic': '0.1 million, of the power at the harmonics of the notes alone'}

#: Timings of the generated pieces, in the order of preference.
STYLES = ('gt', 'original')


def parser(prog, description, defaults):
    """The flags of a training script.

    `defaults` by name, with ``recorded``, the network of --legacy, and ``every_epoch``: whether --nsamples files are
    drawn anew in every epoch.
    """
    made = training_flags.parser(prog, description, dict(
        defaults, nepochs=40, batch_memory=100, feature_path='<dbs>/transforms/t3_rwc'),
        dbs='folder of Bach10 Sibelius, in whose features --feature_path is by default', networks=NETWORKS)
    made.add_arg('--gt', type=command.switch, default=None, metavar='0|1',
                 help='1: the timing of the recordings; 0: that of the score; default: what the features have')
    made.add_arg('--function', choices=('build_ca', 'build_ca_1x1'), default='build_ca',
                 help='build_ca_1x1: convolutions only, 3.2 million parameters')
    made.add_arg('--legacy', action='store_true', help='the recorded network, in which one branch serves all sources')
    recipe.add_guide_flags(made)
    return made


def refuse_scores(flags):
    """Raise UsageError for flags of the scores that a separation reads, when there is none: training has notes."""
    unused = [name for name, default in (('scores', None), ('score_ending', recipe.TEST_ENDING), ('score_tempo', 1.),
                                         ('score_offset', 0.)) if getattr(flags, name) != default]
    if unused:
        raise UsageError('--%s is for the separation of the test songs, training takes the notes beside the features: '
                         'leave it out, or --skip_sep' % unused[0])


def has_notes(folder):
    """Whether a folder of features has notes beside them."""
    return os.path.isdir(folder) and any(leaf.endswith(recipe.WIDENED + '.data') for leaf in os.listdir(folder))


def run(flags):
    """Train and separate the test songs; return the exit code."""
    if flags.timbre_model_path and not os.path.isfile(flags.timbre_model_path):
        raise InputError('--timbre_model_path %s: there is no such file' % flags.timbre_model_path)
    if flags.skip_sep:
        refuse_scores(flags)
    timings = Timings(flags)
    if flags.skip_train and len(timings.trained) > 1:
        raise UsageError('there are %s: give --gt 0 or 1, or another --model with --skip_train'
                         % ' and '.join(map(timings.model_path, timings.trained)))
    flags.model = timings.name((flags.skip_train and timings.trained or timings.styles)[0])
    return training_flags.run(flags, timings.folders, recipe.RECIPE)


class Timings:
    """The timings of scores that the flags leave open, with their features and models.

    A timing is one of :data:`STYLES`, or None for pieces as they are.

    Attributes
    ----------
    styles : tuple of str
        In the order in which they are looked for.
    trained : list of str or None
        Those that there is a model of.
    """

    def __init__(self, flags):
        self._flags = flags
        self._base = flags.model + ('_x' if flags.function == 'build_ca_1x1' else '')
        self.styles = STYLES if flags.gt is None else STYLES[:1] if flags.gt else STYLES[1:]
        self.trained = [style for style in (((None,) if flags.gt is None else ()) + self.styles)
                        if os.path.exists(self.model_path(style))]

    def name(self, style):
        """The name of a model."""
        return '_'.join([self._base] + [style] * (style is not None) + ['tm'] * bool(self._flags.timbre_model_path))

    def model_path(self, style):
        """Where a model lies."""
        return checkpoint.model_path(self._flags.output or self._flags.db, self.name(style))

    def folders(self, path):
        """The folders of features below `path`, of the first timing that all pieces have; the flags name its model."""
        flat = self._flags.gt is None and os.path.isdir(path)
        if flat and any(file.endswith(tensors.MAGNITUDES + '.data') for file in os.listdir(path)):
            self._flags.model = self.name(None)   # of pieces as they are, which have one timing
            return [path]
        found = {style: [os.path.join(path, piece, style) for piece in data.pieces(path)] for style in self.styles}
        for ready in (has_notes, os.path.isdir):   # those without notes are named where they are read
            for style in self.styles:
                if all(map(ready, found[style])):
                    self._flags.model = self.name(style)
                    self._refuse_other(style)
                    return found[style]
        raise InputError('%s has no features of the timing %s for every piece: compute them with '
                         'compute_features_bach10rwc.py' % (path, ' or '.join(self.styles)))

    def _refuse_other(self, style):
        """Raise UsageError when --resume is for a timing without a model, and there is one of the other."""
        other = [found for found in self.trained if found not in (None, style)]
        if self._flags.resume and other and style not in self.trained:
            raise UsageError('--resume finds no %s, but %s: give --gt %d to go on with that'
                             % (self.model_path(style), self.model_path(other[0]), other[0] == STYLES[0]))
