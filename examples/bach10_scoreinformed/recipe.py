"""What score-informed separation of Bach10 adds to :mod:`examples.bach10.recipe`: scores, networks, phases of training.

Source: Miron, Janer, Gomez, "Monaural score-informed source separation for classical music using convolutional neural
networks", ISMIR 2017.
"""
import argparse
import dataclasses
import functools
import math
import os

import dataset as datasets
from deepconvsep import command, files
from deepconvsep.data.sampled import SampledDataset
from deepconvsep.errors import InputError, UsageError
from deepconvsep.formats import pickles
from deepconvsep.network import architecture
from deepconvsep.recipe import network_separator
from deepconvsep.score import find_score, read_score, retime
from deepconvsep.score.guide import ScoreGuide
from deepconvsep.score.owners import Traits
from deepconvsep.settings import ScoreSettings
from examples.bach10 import recipe as bach10
from examples.bach10.recipe import LOSS, SCALE_FACTOR_TEST, SOURCES, TRAINING_EPS, song_of, stem_names

__all__ = ['LOSS', 'SCALE_FACTOR_TEST', 'SOURCES', 'TRAINING_EPS', 'song_of', 'stem_names']

NETWORKS = architecture.SCOREINFORMED_NETWORKS

#: What separate_bach10.py separates with by default; see the package `models`.
DEFAULT_MODEL = 'bach10_scoreinformed_compact'

# how this project trains
SETTINGS = dataclasses.replace(bach10.SETTINGS, score=ScoreSettings())

# the published models were trained with notes that are early, and with bins one too high
LEGACY_SETTINGS = dataclasses.replace(bach10.SETTINGS, score=ScoreSettings(legacy=True))

#: Note arrays beside the features, by tag: the aligned score as it is, the coarse one as it is, and what the network
#: is trained with, widened by the tolerance of an alignment.
ALIGNED, COARSE, WIDENED = '__g_', '__b_', '__e_'

#: Ending of the names of the scores that a separation reads.
TEST_ENDING = '_b'

#: Ranges of the instruments, in the order of INSTRUMENTS: a tenor saxophone, as in the samples of RWC. A bassoon's
#: highest notes are rare; of the four, only a clarinet has weak even harmonics.
TRAITS = (Traits(34, 77), Traits(49, 97, hollow=True), Traits(44, 92), Traits(55, 108))

#: Beside features: how their notes were made.
NOTES_FILE = 'notes.json'


# --- training -----------------------------------------------------------------------------------------

def network(flags):
    """The network that the flags of the training scripts ask for."""
    if flags.network == 'compact':
        if flags.legacy or flags.function != 'build_ca':
            raise UsageError('--network compact has no other form: leave out --legacy and --function')
        return dataclasses.replace(architecture.SCOREINFORMED_COMPACT, time_context=flags.time_context,
                                   kernel=(flags.time_context // 2, 1))
    if flags.function == 'build_ca_1x1':
        chosen = architecture.SCOREINFORMED_1X1 if flags.legacy else architecture.SCOREINFORMED_1X1_FOUR_BRANCHES
        return dataclasses.replace(chosen, time_context=flags.time_context)
    chosen = flags.recorded if flags.legacy else architecture.SCOREINFORMED_FOUR_BRANCHES
    return dataclasses.replace(chosen, time_context=flags.time_context, kernel=(2 * flags.time_context // 3, 1))


def settings(flags):
    """The settings that the flags and the features of the training ask for."""
    if flags.skip_train:
        return SETTINGS
    return dataclasses.replace(SETTINGS, score=dataclasses.replace(
        read_notes_file(flags.feature_path), timbre=timbre_digest(flags.timbre_model_path)))


def dataset(flags):
    """The class of the training data, and its arguments."""
    kind = sampled if flags.every_epoch else datasets.LargeDatasetMask2
    return kind, {'pitch_code': WIDENED.strip('_'), 'timbre_model_path': flags.timbre_model_path}


def sampled(*args, nsamples, seed, batch_size, **more):
    """The training data with other files in every epoch, when there is a number of them."""
    load = functools.partial(datasets.LargeDatasetMask2, *args, batch_size=batch_size, **more)
    return SampledDataset(load, nsamples, seed, batch_size) if nsamples else load(nsamples=0, seed=seed)


def phases(flags):
    """Optimizers and their epochs: Adadelta and then, from the best epoch, a fifth as many of Adam."""
    adam = math.ceil(flags.nepochs / 5) if flags.nepochs_adam is None else flags.nepochs_adam
    return [('adadelta', flags.nepochs)] + [('adam', adam)] * (adam > 0)


def test_songs(flags):
    """The pieces of Bach10, as the score-free recipe gives them; those of Bach10 Sibelius have no coarse scores."""
    return bach10.test_songs(argparse.Namespace(db=flags.db, dbs=None, model=flags.model))


def read_notes_file(folder):
    """How the notes beside features were made.

    Raises
    ------
    InputError
        When it is not known.
    """
    path = os.path.join(folder, NOTES_FILE)
    if not os.path.exists(path):
        raise InputError('there is no %s: compute the features with examples/bach10_scoreinformed' % path)
    return ScoreSettings.from_dict(files.read_json(path, 'the settings of notes'), path)


# --- separation ---------------------------------------------------------------------------------------

def add_separation_flags(flags):
    """The flags that a score, a timbre model and the choice of a method need."""
    add_guide_flags(flags)
    add_method_flags(flags)


def add_guide_flags(flags):
    """The flags that a score and a timbre model need."""
    add_score_flags(flags)
    flags.add_arg('--timbre_model_path', metavar='FILE', default=None,
                  help='pickle of an array (instruments, 128, 20): how strong each harmonic of each MIDI number is; '
                       'the same for training and separating')


METHODS = ('network', 'nmf', 'network+nmf')


def add_method_flags(flags):
    """The flags that choose what separates."""
    flags.add_arg('--method', choices=METHODS, default='network',
                  help='network: the model alone, in constant memory; nmf: a factorisation of the whole piece that '
                       'learns its spectra from it, with the score (the best stems wherever the score is in time; '
                       'about '
                       '60 MB of memory a minute); network+nmf: the factorisation, started from the stems of the '
                       'network')


def separator(loaded, settings, flags):
    """What separates by `--method`; the settings are the model's for all of them."""
    from deepconvsep.separation.factorization import Factorizer
    if flags.method == 'nmf':
        return Factorizer(settings)
    network = network_separator(loaded, settings, flags)
    return network if flags.method == 'network' else Factorizer(settings, network)


def add_score_flags(flags):
    """The flags that tell where the scores are."""
    flags.add_arg('--scores', metavar='DIR', default=None,
                  help='folder of the scores, <instrument>%s.txt, or of folders of them called like the pieces '
                       '(default: the folder of the input)' % TEST_ENDING)
    flags.add_arg('--score_ending', metavar='TEXT', default=TEST_ENDING,
                  help='what the names of the scores end in: _b, a coarse alignment; _g, an exact one')
    flags.add_arg('--score_tempo', type=command.positive_float, metavar='FACTOR', default=1.,
                  help='play the scores this many times as fast: all their times are divided by it (default: 1; 1000 '
                       'for scores in milliseconds)')
    flags.add_arg('--score_offset', type=command.finite_float, metavar='SECONDS', default=0.,
                  help='play the scores so much later, after --score_tempo; earlier if negative (default: 0)')


def guide(path, settings, flags):
    """The score of a sound as what filters the network's input.

    Parameters
    ----------
    path : str or list of str
        A sound file, or the stems whose sum is separated.
    settings : settings.Settings
    flags : argparse.Namespace
        With the flags of :func:`add_separation_flags`.

    Raises
    ------
    InputError
        When a score is missing or cannot be read, or the timbre model is another than in training.
    """
    known = settings.score != LEGACY_SETTINGS.score  # a bare .pkl does not say how it was trained
    if settings.score.timbre and timbre_digest(flags.timbre_model_path) != settings.score.timbre:
        raise InputError('the model was trained with a timbre model (SHA-256 %s...): give that with --timbre_model_path'
                         % settings.score.timbre[:12])
    if flags.timbre_model_path and known and not settings.score.timbre:
        raise InputError('the model was trained without a timbre model: leave out --timbre_model_path')
    timbre = pickles.load_array(flags.timbre_model_path) if flags.timbre_model_path else None
    return ScoreGuide(read_scores(path, flags), settings, timbre, score_names(path, flags), TRAITS)


def read_scores(path, flags):
    """The notes of the four instruments of a sound, or of the stems whose sum it is; arguments as of :func:`guide`."""
    return [retime(read_score(score), flags.score_tempo, flags.score_offset) for score in score_paths(path, flags)]


def score_names(path, flags):
    """The names of the files that :func:`read_scores` reads."""
    return [os.path.basename(score) for score in score_paths(path, flags)]


def score_paths(path, flags):
    """The files that :func:`read_scores` reads."""
    first = path if isinstance(path, str) else path[0]
    folder = flags.scores or os.path.dirname(first) or os.curdir
    name = os.path.splitext(os.path.basename(first))[0] if first is path else os.path.basename(os.path.dirname(first))
    own = os.path.join(folder, name)
    folder = own if flags.scores and os.path.isdir(own) else folder
    return [find_score(folder, instrument + flags.score_ending) for instrument in bach10.INSTRUMENTS]


def timbre_digest(path):
    """SHA-256 of a timbre model, None without one."""
    return files.sha256(path) if path else None


RECIPE = dataclasses.replace(
    bach10.RECIPE, folder=os.path.dirname(os.path.abspath(__file__)), networks=NETWORKS, settings=SETTINGS,
    legacy_settings=LEGACY_SETTINGS, network=network, test_songs=test_songs, default_model=DEFAULT_MODEL,
    training_settings=settings, dataset=dataset, phases=phases, add_separation_flags=add_separation_flags, guide=guide,
    separator=separator)
