# PYTHON_ARGCOMPLETE_OK
"""Make a tree like iKala's out of the songs of the game Frets on Fire, whose lead guitar is recorded apart.

    apt-get install fretsonfire-songs-sectoid fretsonfire-songs-muldjord
    python frets_on_fire.py --out frets

Writes <out>/Wavfile/<band>_<song>_<nn>.wav, 30 s, stereo: left the band without the lead guitar, right the lead guitar,
where iKala has accompaniment and voice. Songs are scaled as a whole, so that the sum of both channels stays within full
scale. Clips in which the guitar sounds for less than a third of the time are left out and counted.
"""
import functools
import hashlib
import os
import re
import sys
from typing import NamedTuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

import numpy as np

from deepconvsep import audio, command, files, jobs
from deepconvsep.errors import InputError
from deepconvsep.features import folder as record
from examples.ikala import layout, recipe

logger = command.get_logger('frets_on_fire')

#: Where the packages put the songs: a folder for each band, in it a folder for each song.
INSTALLED = '/usr/share/games/fretsonfire/data/songs'
BAND, GUITAR = 'song.ogg', 'guitar.ogg'

SECONDS = 30

#: The sum of both channels reaches at most this.
PEAK = 0.99

#: Share of a clip in which the guitar must sound, and how far below its loudest frame it still does, in dB.
LEAST_SHARE, SILENT_BELOW, FRAME = 1 / 3., -40., 1024

#: By band: package, authors and licence, as the package's copyright file gives them.
BANDS = {
    'sectoid': ('fretsonfire-songs-sectoid', 'Copyright (c) 2006/2007 Carlos Viola Iborra (Sectoid)',
                'the licence of its package, which is that of MIT'),
    'muldjord': ('fretsonfire-songs-muldjord', 'Copyright (c) 2009 El Senator (Muldjord, www.muldjord.com)',
                 'Creative Commons Attribution-ShareAlike 3.0'),
}
#: Beside the clips: which songs they are of, and how long they are.
RECORD = 'frets_on_fire.json'
REMEDY = 'choose another --out'

INSTALL = 'apt-get install ' + ' '.join(package for package, _, _ in BANDS.values())


class Source(NamedTuple):
    """One song: its name in the tree, ``<band>_<song>``, and its folder."""

    name: str
    folder: str

    def __str__(self):
        return self.name


def main(argv=None):
    """Make the tree by the flags `argv`; return the exit code."""
    flags = command.Parser(prog='frets_on_fire.py', description=__doc__.split('\n')[0])
    flags.add_arg('--out', type=command.path, required=True, metavar='DIR', help='folder for the tree; it is created')
    flags.add_arg('--songs', type=command.path, metavar='DIR', default=INSTALLED,
                  help='folder of the bands: <band>/<song>/%s and %s' % (BAND, GUITAR))
    flags.add_arg('--seconds', type=command.positive_int, default=SECONDS, help='length of the clips')
    flags.add_arg('--nprocs', type=command.positive_int, default=1, help='songs at the same time')
    flags.add_arg('--quiet', action='store_true', help='no progress')
    args = flags.parse_args(argv)
    command.enable_default_logging('WARNING' if args.quiet else 'INFO')
    found = sources(args.songs)
    folder = os.path.join(args.out, layout.FOLDER)
    files.make_folder(folder)
    if os.listdir(folder) and not os.path.exists(os.path.join(args.out, RECORD)):
        raise InputError('%s holds clips, and nothing says how they were made: %s' % (args.out, REMEDY))
    record.check_record(args.out, describe(found, args.seconds), name=RECORD, remedy=REMEDY, what='clips')
    write_notice(args.out, found, args.seconds)
    outcomes = jobs.run(functools.partial(write_clips, folder, args.seconds), found, args.nprocs,
                        unit='song', quiet=args.quiet)
    done = [(outcome.item, outcome.result) for outcome in outcomes if outcome.error is None]
    for source, (written, left_out, factor) in done:
        logger.info('%s: %d clips, scaled by %.3f, %d left out', source, written, factor, left_out)
    logger.info('%d clips in %s; %d left out, in which the guitar sounds for less than a third',
                sum(result[0] for _, result in done), folder, sum(result[1] for _, result in done))
    code = jobs.summarize(outcomes)
    if code == 0:
        layout.write_count(args.out, sum(result[0] for _, result in done))
    return code


def sources(folder):
    """The songs below a folder, sorted by name.

    Returns
    -------
    list of Source

    Raises
    ------
    InputError
        When there are none, or two would have the same name.
    """
    found = {}
    for parent, folders, leaves in os.walk(folder):
        folders.sort()
        if BAND not in leaves or GUITAR not in leaves:
            continue
        band, song = os.path.abspath(parent).split(os.sep)[-2:]
        source = Source('%s_%s' % (plain(band), plain(song)), parent)
        if source.name in found:
            raise InputError('%s and %s would both be called %s: rename one'
                             % (found[source.name].folder, parent, source.name))
        found[source.name] = source
    if not found:
        raise InputError('%s holds no song, expected <band>/<song>/%s and %s: install the songs with "%s", or give '
                         '--songs' % (folder, BAND, GUITAR, INSTALL))
    return [found[name] for name in sorted(found)]


def describe(found, seconds):
    """What decides about the clips: their length, the number of songs, and one SHA-256 of all their files."""
    contents = '\n'.join(word for source in found for word in
                         (source.name, *(files.sha256(os.path.join(source.folder, name)) for name in (BAND, GUITAR))))
    return {'seconds': seconds, 'songs': len(found), 'sounds': hashlib.sha256(contents.encode()).hexdigest()}


def check(out, folder, seconds):
    """Check that a tree that is there has the clips that are asked for.

    Parameters
    ----------
    out : str
        The tree. One of an older version does not say what it was made of: then that is said.
    folder : str
        The songs; when it is not there any more, they are not compared.
    seconds : int

    Raises
    ------
    InputError
        When it was made of other songs, or its clips have another length.
    """
    if not os.path.exists(os.path.join(out, RECORD)):
        logger.warning('%s does not say of which songs it was made, and how long the clips are: taken as it is', out)
        return
    wanted = describe(sources(folder), seconds) if os.path.isdir(folder) else dict(
        files.read_json(os.path.join(out, RECORD), 'how clips were made'), seconds=seconds)
    record.check_record(out, wanted, name=RECORD, remedy=REMEDY, what='clips')


def plain(name):
    """A name without what file names and commands find difficult.

    >>> plain('Escape from chaosland'), plain('chaos_god')
    ('escape-from-chaosland', 'chaos-god')
    """
    return re.sub('[^a-z0-9]+', '-', name.lower()).strip('-') or 'unnamed'


def write_clips(folder, seconds, source):
    """Write the clips of one song.

    Returns
    -------
    written, left_out : int
        Clips.
    factor : float
        By which the song was scaled.
    """
    band, guitar = (read_mono(os.path.join(source.folder, name)) for name in (BAND, GUITAR))
    length = min(len(band), len(guitar))
    both = np.empty((length, 2))
    both[:, recipe.ACCOMPANIMENT_CHANNEL], both[:, recipe.VOICE_CHANNEL] = band[:length], guitar[:length]
    del band, guitar
    rate = recipe.SETTINGS.sample_rate
    size = seconds * rate
    if length < size:
        raise InputError('%s lasts %.1f s, expected at least %d s: give whole songs'
                         % (source.folder, length / rate, seconds))
    peak = max(np.abs(both).max(), np.abs(both.sum(axis=1)).max())
    factor = PEAK / peak if peak else 1.
    both *= factor
    sounds = sounding(both[:, recipe.VOICE_CHANNEL])
    left_out = 0
    for index in range(length // size):
        path = os.path.join(folder, '%s_%02d.wav' % (source.name, index + 1))
        if sounds[index * size // FRAME:(index + 1) * size // FRAME].mean() < LEAST_SHARE:
            left_out += 1
        else:
            audio.write(path, both[index * size:(index + 1) * size], rate)
    return length // size - left_out, left_out, factor


def read_mono(path):
    """A sound file's average over its channels, at the rate of the recipe: float64, (samples,)."""
    with audio.Reader(path) as reader:
        mono = (audio.downmix(block)[:, None] for block in reader.blocks())
        blocks = list(audio.resample_blocks(mono, reader.rate, recipe.SETTINGS.sample_rate, 1))
        reader.check_whole()
    return np.concatenate(blocks)[:, 0] if blocks else np.zeros(0)


def sounding(signal):
    """Whether a signal sounds, by frames: bool, (samples // FRAME,).

    >>> sounding(np.repeat([1., 0.1, 0.001], FRAME)).tolist()
    [True, True, False]
    """
    frames = signal[:len(signal) // FRAME * FRAME].reshape(-1, FRAME)
    levels = np.sqrt((frames ** 2).mean(axis=1))
    return levels > levels.max(initial=0.) * 10 ** (SILENT_BELOW / 20)


def write_notice(out, found, seconds):
    """Write README.txt: whose songs they are, and by which licence."""
    lines = ['Clips made by DeepConvSep from songs of the game Frets on Fire: left the band, right the lead guitar,',
             'both mono, %d s each, scaled by song.' % seconds, '']
    for band in sorted({source.name.partition('_')[0] for source in found}):
        package, author, licence = BANDS.get(band, ('no package that is known', 'see there', 'ask who made it'))
        lines += ['%s_*.wav: from %s, %s; licence: %s.' % (band, package, author, licence)]
        if band in BANDS:
            lines += ['  The whole text: /usr/share/doc/%s/copyright' % package]
        lines += ['  %s' % source.name for source in found if source.name.startswith(band + '_')] + ['']
    with files.atomic_path(os.path.join(out, 'README.txt')) as temporary, open(temporary, 'w') as file:
        file.write('\n'.join(lines))


if __name__ == '__main__':
    command.run(main)
