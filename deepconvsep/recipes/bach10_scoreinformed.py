"""Bach10 with scores: the instruments of chorales, guided by the notes of each.

Source: Miron, Janer, Gomez, "Monaural score-informed source separation for classical music using convolutional neural
networks", ISMIR 2017.
"""
import argparse
import dataclasses
import os

from deepconvsep import command, files
from deepconvsep.audio import mixture
from deepconvsep.errors import InputError
from deepconvsep.formats import pickles
from deepconvsep.network import architecture
from deepconvsep.recipes import bach10
from deepconvsep.recipes.bach10 import INSTRUMENTS
from deepconvsep.score import find_score, other_formats, read_score, retime
from deepconvsep.score.guide import ScoreGuide
from deepconvsep.score.notes import SHORTEST_NOTE
from deepconvsep.score.owners import Traits
from deepconvsep.settings import ScoreSettings

logger = command.get_logger('score')

NETWORKS = architecture.SCOREINFORMED_NETWORKS

#: What separates by default; see the package `models`.
DEFAULT_MODEL = 'bach10_scoreinformed_harmonic'

# how this project trains
SETTINGS = dataclasses.replace(bach10.SETTINGS, score=ScoreSettings())

# the published models were trained with notes that are early, and with bins one too high
LEGACY_SETTINGS = dataclasses.replace(bach10.SETTINGS, score=ScoreSettings(legacy=True))

#: Ending of the names of the scores that a separation reads.
TEST_ENDING = '_b'

#: Of the four, only a clarinet has weak even harmonics.
TRAITS = tuple(Traits(*limits, hollow=instrument == 'clarinet')
               for instrument, limits in zip(INSTRUMENTS, bach10.RANGES))


def add_guide_flags(flags):
    """The flags that a score and a timbre model need."""
    add_score_flags(flags)
    flags.add_arg('--timbre_model_path', type=command.path, metavar='FILE', default=None,
                  help='pickle of an array (instruments, 128, 20), as compute_timbre_model.py writes it: how strong '
                       'each harmonic of each MIDI number is; the same for training and separating')
    flags.add_arg('--confine', action=argparse.BooleanOptionalAction, default=None,
                  help='multiply the masks of the network by those of the score, so that no stem gets what its score '
                       'excludes; in training, in the loss as well (not of --network harmonic), and in the settings of '
                       'the model (default: as the settings of the model say; in training, no)')


def add_score_flags(flags):
    """The flags that tell where the scores are."""
    flags.add_arg('--scores', type=command.path, metavar='DIR', default=None,
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
        With the flags of :func:`add_guide_flags`.

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
    if flags.confine is not None:
        settings = dataclasses.replace(settings, score=dataclasses.replace(settings.score, confine=flags.confine))
    paths = score_paths(path, flags)
    scores = read_scores(paths, flags)
    check_within(scores, paths, path)
    for score in paths:
        others = other_formats(score)
        if others:
            logger.warning('%s is read, and %s beside it not: remove what is not wanted', score, ', '.join(others))
    return ScoreGuide(scores, settings, timbre, list(map(os.path.basename, paths)), TRAITS,
                      (flags.score_tempo, flags.score_offset))


def check_within(scores, read, path):
    """Raise InputError when the files `read` have notes, but none of the `scores` is left within the sound `path`."""
    with mixture.open_sound(path) as sound:
        seconds = sound.frames / sound.rate
    longest = max((note.offset - note.onset for notes in scores for note in notes), default=SHORTEST_NOTE)
    if longest < SHORTEST_NOTE:   # all are: their times are in another unit
        raise InputError('no note of the scores %s, ... is longer than %.2g s: check --score_tempo (1 for times in '
                         'seconds, 1000 for milliseconds)' % (read[0], longest))
    onsets = [note.onset for notes in scores for note in notes]
    if min(onsets, default=seconds) >= seconds and any(map(read_score, read)):
        where = 'the first begins at %.1f s' % min(onsets) if onsets else 'all end before 0 s'
        raise InputError('no note of the scores %s, ... is within the %.1f s of the sound, %s: check --score_tempo '
                         '(1000 for times in milliseconds) and --score_offset'
                         % (read[0], seconds, where))


def read_scores(paths, flags):
    """The notes of the four instruments, from the files of :func:`score_paths`, in the time of the flags."""
    return [retime(read_score(path), flags.score_tempo, flags.score_offset) for path in paths]


def score_paths(path, flags):
    """The scores of a sound, or of the stems whose sum it is, one per instrument; arguments as of :func:`guide`."""
    first = path if isinstance(path, str) else path[0]
    folder = flags.scores or os.path.dirname(first) or os.curdir
    name = os.path.splitext(os.path.basename(first))[0]
    if first is not path or name == 'mixture':   # the folder bears the name of the piece
        name = os.path.basename(os.path.dirname(os.path.abspath(first)))
    own = os.path.join(folder, name)
    folder = own if flags.scores and os.path.isdir(own) else folder
    try:
        return [find_score(folder, instrument + flags.score_ending) for instrument in INSTRUMENTS]
    except InputError as error:
        raise InputError('%s: put it there, or give its folder with --scores and the end of its name with '
                         '--score_ending' % error) from error


def timbre_digest(path):
    """SHA-256 of a timbre model, None without one."""
    return files.sha256(path) if path else None


SEPARATION = dataclasses.replace(
    bach10.SEPARATION, script='examples/bach10_scoreinformed/separate_bach10.py', networks=NETWORKS, settings=SETTINGS,
    legacy_settings=LEGACY_SETTINGS, default_model=DEFAULT_MODEL, add_separation_flags=add_guide_flags,
    guide=guide, methods=('network', 'nmf', 'network+nmf'))
