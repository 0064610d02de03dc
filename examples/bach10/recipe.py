"""Everything that is special about training with Bach10: layouts, transform, factors, networks, loss.

Bach10: Duan, Pardo, "Soundprism: an online system for score-informed source separation of music audio", IEEE JSTSP
2011. Bach10 Sibelius, RWC factors: Miron, Janer, Gomez, "Generating data to train convolutional neural networks for
classical music source separation", SMC 2017, sections 3 and 4.
"""
import dataclasses
import math
import os
import re

import numpy as np

from deepconvsep import audio, stft
from deepconvsep.errors import InputError, UsageError
from deepconvsep.network import architecture
from deepconvsep.recipe import Recipe
from deepconvsep.recipes.bach10 import (
    DEFAULT_MODEL,
    FRAME_SIZE,
    HOP_SIZE,
    INSTRUMENTS,
    LEGACY_SETTINGS,
    NETWORKS,
    SAMPLE_RATE,
    SEPARATION,
    SETTINGS,
    SOURCES,
)
from deepconvsep.score import find_score, read_score
from deepconvsep.training import objective
from transform import transformFFT

__all__ = ['DEFAULT_MODEL', 'FRAME_SIZE', 'HOP_SIZE', 'INSTRUMENTS', 'LEGACY_SETTINGS', 'NETWORKS', 'SAMPLE_RATE',
           'SETTINGS', 'SOURCES', 'RECIPE']

#: In a feature folder: how its files were made, as it was called before each file had a record of its own.
RECORD = 'generation.json'

#: Tempo styles of Bach10 Sibelius, and the ending of the score files of each.
SCORE_ENDINGS = {'gt': '_g', 'original': '_g_original', 'fast': '_g_fast20', 'slow': '_g_slow20'}

#: Tempo styles with the timing of the score.
TEMPI = ('fast', 'slow', 'original')

#: Seconds by which a source is delayed (Sibelius) or a note widened (RWC) when the timing is that of a score.
TIME_SHIFTS = (0., 0.1, 0.2)
#: Dynamics, style and musicians of the RWC samples.
DYNAMICS, STYLES, MUSICIANS = ('F', 'M', 'P'), ('NO',), (1, 2, 3)

# The original's training scripts separated at another scale than they trained at, and than its separation script.
SCALE_FACTOR_TEST = 0.2

# weight of the masks' noise while training
TRAINING_EPS = SETTINGS.mask_eps

# Source: SMC 2017, section 3.
LOSS = objective.reconstruction(SOURCES)


def transform():
    """The STFT of all Bach10 experiments: frames of 4096 samples, hop 512, Blackman-Harris, 44.1 kHz."""
    return transformFFT(frameSize=FRAME_SIZE, hopSize=HOP_SIZE, sampleRate=SAMPLE_RATE,
                        window=stft.blackmanharris)


def piece_folder(db, inside):
    """The folder `inside` of a data set, which holds its pieces; `db` itself, where that is this folder."""
    path = os.path.join(db, inside)
    return path if os.path.isdir(path) else db


def pieces(db):
    """Names of the piece folders in `db`, sorted: those that begin with a digit.

    Raises
    ------
    InputError
        When there are none.
    """
    try:
        names = sorted(name for name in os.listdir(db) if name[:1].isdigit() and os.path.isdir(os.path.join(db, name)))
    except OSError as error:
        raise InputError('cannot read the folder %s: %s' % (db, error.strerror)) from error
    if not names:
        raise InputError('there are no pieces in %s, expected folders such as 01-AchGottundHerr (in Bach10 they lie in '
                         'the folder Sources)' % db)
    return names


def stem_paths(db, piece, check=True):
    """The four sound files of a piece of Bach10; the saxophone may be spelled either way.

    With `check`, InputError when one is missing; without, its path all the same.
    """
    return [_existing(os.path.join(db, piece), ['%s-%s.wav' % (piece, name) for name in names], check)
            for names in zip(SOURCES, INSTRUMENTS)]


def sibelius_paths(dbs, piece, style, check=True):
    """The four sound files of a piece of Bach10 Sibelius in one tempo style, spelled either way too.

    `check` as in :func:`stem_paths`.
    """
    return [_existing(os.path.join(dbs, piece), ['%s_%s_%s.wav' % (piece, style, name) for name in names], check)
            for names in zip(INSTRUMENTS, SOURCES)]


def _existing(folder, leaves, check):
    paths = [os.path.join(folder, leaf) for leaf in leaves]
    path = next(filter(os.path.exists, paths), None)
    if path is None and check:
        raise InputError('there is no %s' % paths[0])
    return path or paths[0]


def read_stems(paths):
    """Read mono stems.

    Returns
    -------
    list of numpy.ndarray
        float64, (samples,), of different lengths maybe.

    Raises
    ------
    InputError
        When one is not mono, not at 44.1 kHz, or cut off.
    """
    stems = []
    for path in paths:
        with audio.Reader(path) as reader:
            blocks, rate = list(reader.blocks()), reader.rate
            samples = np.concatenate(blocks) if blocks else np.zeros((0, reader.channels))
        reader.check_whole()
        if rate != SAMPLE_RATE or samples.shape[1] != 1:
            raise InputError('%s has %d channels at %d Hz, expected one at %d Hz: convert it'
                             % (path, samples.shape[1], rate, SAMPLE_RATE))
        stems.append(samples[:, 0])
    return stems


def read_scores(folder, ending):
    """Notes of the four instruments of a piece, from ``<instrument><ending>.txt`` (or MIDI, or MusicXML)."""
    return [read_score(path) for path in score_paths(folder, ending)]


def score_paths(folder, ending, check=True):
    """The scores of the four instruments of a piece; `check` as in :func:`stem_paths`."""
    paths = []
    for name in INSTRUMENTS:
        try:
            paths.append(find_score(folder, name + ending))
        except InputError:
            if check:
                raise
            paths.append(os.path.join(folder, name + ending + '.txt'))
    return paths


# --- training and separation --------------------------------------------------------------------------

def network(flags):
    """The network that the flags of the training scripts ask for."""
    if flags.network == 'compact':
        return sized(architecture.BACH10_COMPACT, flags, flags.time_context // 2)
    return sized(architecture.BACH10, flags, 2 * flags.time_context // 3)


def sized(network, flags, frames):
    """A network with the context and the bottleneck of the flags; `frames` under a filter of its second convolution."""
    return dataclasses.replace(network, time_context=flags.time_context, kernel=(frames, 1),
                               hidden=flags.bottleneck or network.hidden)


def song_of(name):
    """The piece of a feature file of any of the three experiments.

    >>> song_of('01-AchGottundHerr__m_.data'), song_of('02-A_t0-100-0-200_dFMPF_m1312_0__m_.data')
    ('01-AchGottundHerr', '02-A')
    """
    return re.sub(r'(_t\d+(-\d+)+(_.*)?)?__m_\.data$', '', name)


def test_songs(flags):
    """The pieces of Bach10 and, with --dbs, of Bach10 Sibelius: [(paths of the stems, names of what is separated)].

    ``<model>/<piece>-<source>``, and ``<model>_original/<piece>_<style>_<instrument>``.
    """
    songs = [(stem_paths(flags.db, piece), [os.path.join(flags.model, '%s-%s' % (piece, source)) for source in SOURCES])
             for piece in pieces(flags.db)]
    for piece in pieces(flags.dbs) if flags.dbs else []:
        for style in TEMPI:
            names = ['%s_%s_%s' % (piece, style, instrument) for instrument in INSTRUMENTS]
            songs.append((sibelius_paths(flags.dbs, piece, style),
                          [os.path.join(flags.model + '_original', name) for name in names]))
    return songs


def songs(flags):
    """Names of the pieces."""
    return pieces(flags.db)


def phases(flags):
    """Optimizers and their epochs: Adadelta and then, from the best epoch, Adam; without the one that has none.

    Of Adam there are --nepochs_adam, or when that is None, a fifth of --nepochs.
    """
    adam = math.ceil(flags.nepochs / 5) if flags.nepochs_adam is None else flags.nepochs_adam
    if flags.learning_rate and not adam:
        raise UsageError('--learning_rate is of Adam: give --nepochs_adam too')
    return [(name, epochs) for name, epochs in (('adadelta', flags.nepochs), ('adam', adam)) if epochs]


RECIPE = Recipe.of(SEPARATION, loss=LOSS, training_eps=TRAINING_EPS, network=network, test_songs=test_songs,
                   songs=songs, song_of=song_of, phases=phases)
