"""Where iKala keeps its clips, and what their channels hold: ``<db>/Wavfile/<clip>.wav``, stereo."""
import os

import numpy as np

from deepconvsep import audio, command, files
from deepconvsep.errors import InputError
from deepconvsep.features.songs import Song
from examples.ikala import recipe

logger = command.get_logger('ikala')

FOLDER = 'Wavfile'

#: Sounds that are no clips, whose names end otherwise.
OTHERS = '.flac', '.ogg', '.mp3', '.aif', '.aiff'

#: Clips of the public part of the dataset.
COUNT = 252

#: In a tree that is like iKala's but another dataset: how many clips it was made with, ``{"clips": 49}``.
COUNT_FILE = 'tree.json'


def clips(db):
    """All clips, sorted.

    Returns
    -------
    list of songs.Song
    """
    folder = os.path.join(db, FOLDER)
    if not os.path.isdir(folder):
        raise InputError('%s has no folder %s, expected %s/<clip>.wav: is it that of iKala?' % (db, FOLDER, FOLDER))
    visible = sorted(name for name in os.listdir(folder) if not name.startswith('.'))
    others = [name for name in visible if name.lower().endswith(OTHERS)]
    if others:
        logger.warning('%d sound files in %s are left out, such as %s, expected <clip>.wav: convert them to WAV',
                       len(others), folder, others[0])
    return [Song(os.path.splitext(name)[0], FOLDER, (os.path.join(folder, name),), (2,), recipe.SETTINGS.sample_rate)
            for name in visible if name.lower().endswith('.wav')]


def count(db):
    """How many clips the dataset has when it is complete.

    Raises
    ------
    InputError
        When the tree has a :data:`COUNT_FILE` that does not say it.
    """
    path = os.path.join(db, COUNT_FILE)
    if not os.path.exists(path):
        return COUNT
    clips = files.read_json(path, 'the number of clips').get('clips')
    if type(clips) is not int or clips < 1:
        raise InputError('%s gives clips = %.40r, expected a number: make the tree again' % (path, clips))
    return clips


def write_count(db, clips):
    """Say of a tree that it is complete with so many clips."""
    files.write_json(os.path.join(db, COUNT_FILE), {'clips': clips})


def separate_channels(samples):
    """Mixture, voice and accompaniment of a clip.

    Parameters
    ----------
    samples : ndarray of float64, shape (samples, 2)

    Returns
    -------
    ndarray of float64, shape (samples, 3)
        The mixture is the plain sum of the other two.
    """
    mixture = audio.downmix(samples, recipe.SETTINGS.downmix)
    return np.stack([mixture, samples[:, recipe.VOICE_CHANNEL], samples[:, recipe.ACCOMPANIMENT_CHANNEL]], axis=1)


def read(paths, length, size, settings):
    """Read a clip in blocks; see :class:`deepconvsep.features.plan.Dataset`."""
    with audio.Reader(paths[0]) as reader:
        for block in reader.blocks(size):
            yield separate_channels(block)
