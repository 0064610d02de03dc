"""Variants of clips to train on: the voice of one place of a song over the accompaniment of another, and the like.

What a variant changes is drawn by seed, clip and number, always all of it: a training on one way alone has the same
draws as that on all. Songs are not mixed with each other, so that a song that is held out stays so.
"""
import functools
import os
import re
import zlib
from typing import NamedTuple

import numpy as np

from deepconvsep import audio, command
from deepconvsep.errors import InputError
from deepconvsep.features import tensors
from deepconvsep.features.songs import Song
from examples.ikala import layout, recipe

logger = command.get_logger('features')

#: gain: each source louder or softer; shift: voice from another place of the song; pitch: all higher or lower.
WAYS = ('gain', 'shift', 'pitch')

#: At most so many dB, and so many semitones, up or down.
GAIN, PITCH = 6., 1.


class Draw(NamedTuple):
    """How a variant differs from its clip.

    Attributes
    ----------
    gains : tuple of float
        Of accompaniment and voice, in dB.
    shift : float
        By which share of its length the voice is turned around.
    semitones : float
        By which everything is higher.
    """

    gains: tuple[float, float] = (0., 0.)
    shift: float = 0.
    semitones: float = 0.


def called(clip, number):
    """The name of a variant of a clip; :func:`examples.ikala.recipe.song_of` has the song of both."""
    return '%s_v%d' % (clip, number)


def songs(clips, count, ways=WAYS, seed=0):
    """Variants of clips, as further songs of the dataset.

    Parameters
    ----------
    clips : list of songs.Song
        Of :func:`examples.ikala.layout.clips`.
    count : int
        Variants of each.
    ways : tuple of str
        Some of :data:`WAYS`.
    seed : int

    Returns
    -------
    list of songs.Song
        Named by :func:`called`; their files are the clip, of which they have the accompaniment, and the clip of the
        same song that they have the voice of.
    """
    by_song = {}
    for clip in clips:
        by_song.setdefault(recipe.song_of(clip.name + '__m_.data'), []).append(clip)
    made = []
    for clip in clips:
        others = by_song[recipe.song_of(clip.name + '__m_.data')]
        for number in range(1, count + 1):
            generator = np.random.default_rng([seed, number, zlib.crc32(clip.name.encode())])
            gains, semitones = tuple(generator.uniform(-GAIN, GAIN, 2)), generator.uniform(-PITCH, PITCH)
            shift, other = generator.uniform(), others[generator.integers(len(others))]
            draw = Draw(gains if 'gain' in ways else Draw().gains, shift if 'shift' in ways else 0.,
                        semitones if 'pitch' in ways else 0.)
            paths = clip.paths + (other if 'shift' in ways else clip).paths
            made.append(Song(called(clip.name, number), clip.subset, paths, clip.channels, clip.rate,
                             tolerance=np.inf, read=functools.partial(read, draw)))
    return made


def remove_beyond(folder, clips, count, anew):
    """Remove the features of variants of clips beyond the first `count`, and say so.

    Raises
    ------
    InputError
        When there are some and not all is made `anew`: a training would use them.
    """
    names = {clip.name for clip in clips}
    beyond = []
    for leaf in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        # without an underscore: as they were called before
        found = re.fullmatch(r'((.+?)(_?)v(\d+))' + re.escape(tensors.MAGNITUDES) + r'\.data', leaf)
        if found and found[2] in names and found[1] not in names and (not found[3] or int(found[4]) > count):
            beyond.append(found[1])
    if beyond and not anew:
        raise InputError('%s has %d variants that --variants %d does not make, %s, ...: give the number that it was '
                         'made with, another --feature_path, or --overwrite to remove them'
                         % (folder, len(beyond), count, beyond[0]))
    for name in beyond:
        tensors.remove_tensor(os.path.join(folder, name + '.data'), tensors.MAGNITUDES)
    if beyond:
        logger.warning('removed the features of %d variants that are not made now, %s, ...', len(beyond), beyond[0])


def read(draw, paths, length, size, settings):
    """Read a variant in blocks; see :class:`deepconvsep.features.plan.Dataset`.

    `paths` are the clips of the accompaniment and of the voice. What is shorter than `length` begins again.
    """
    both = np.empty((length, 2))
    for channel, path, gain, shift in ((recipe.ACCOMPANIMENT_CHANNEL, paths[0], draw.gains[0], 0.),
                                       (recipe.VOICE_CHANNEL, paths[1], draw.gains[1], draw.shift)):
        samples = np.resize(higher(audio.read(path)[0][:, channel], draw.semitones), length)
        both[:, channel] = 10 ** (gain / 20) * np.roll(samples, int(shift * length))
    for start in range(0, length, size):
        yield layout.separate_channels(both[start:start + size])


def higher(signal, semitones):
    """Play a signal so much faster that it sounds higher: ndarray of float64, shorter when `semitones` are above 0.

    >>> higher(np.zeros(2000), 12.).shape, higher(np.zeros(2000), -12.).shape
    ((1000,), (4000,))
    """
    rate = 44100
    blocks = audio.resample_blocks([signal[:, None]], rate, round(rate / 2 ** (semitones / 12)), 1)
    return np.concatenate(list(blocks))[:, 0]
