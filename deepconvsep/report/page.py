"""A page to hear and see a separation: players, spectrograms, scores, and how it was made.

``<folder>/index.html`` is one static page that needs no network. All links are relative and lead to files in the
folder, so that it can be moved, zipped and put on a server; what lies elsewhere is copied into ``<folder>/report``.
"""
import math
import os
import shlex
import urllib.parse
from dataclasses import dataclass, field

from deepconvsep import audio, files
from deepconvsep.command import one_line
from deepconvsep.metrics import compare, tables
from deepconvsep.metrics.stems import ASSETS, PAGE, usual_name
from deepconvsep.report import picture

SCORES = 'scores.json'

#: By place among the sources; the same for a stem, its true stem and its scores, readable on light and dark.
COLOURS = ('#e0803f', '#2a9d8f', '#5b8def', '#b56fd0', '#c9a227', '#d65a7c')
MIXTURE_COLOUR = '#8a94a6'

#: What browsers play. Other formats are copied as FLAC.
PLAYABLE = ('.wav', '.flac', '.mp3', '.ogg', '.oga')


@dataclass
class Song:
    """One sound and its stems.

    Attributes
    ----------
    name, mixture : str
        For the heading; path.
    stems, references : dict of str to str
        Paths by source. `references` may be empty; else scores are computed, of the sources that it has.
    downmix : {'mean', 'sum'}
        How the channels of the mixture became one for the separation.
    """

    name: str
    mixture: str
    stems: dict[str, str]
    references: dict[str, str] = field(default_factory=dict)
    downmix: str = 'mean'


def write(folder, songs, title, command, facts):
    """Write the page.

    Parameters
    ----------
    folder : str
        It exists.
    songs : list of Song
    title : str
    command : list of str
        The words of the command that made it.
    facts : dict of str to str
        What else made the separation: model, settings.

    Returns
    -------
    str
        Path of the page.

    Raises
    ------
    InputError
        When a sound cannot be read or does not fit the others, or a file cannot be written.
    """
    import jinja2
    files.make_folder(os.path.join(folder, ASSETS))
    scores = {song.name: compare.score(song.mixture, song.stems, song.references, song.downmix)
              for song in songs if song.references}
    if scores:
        files.write_json(os.path.join(folder, ASSETS, SCORES), {
            'rule': compare.RULE, 'scores': {name: compare.encode(values) for name, values in scores.items()}})
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(os.path.dirname(os.path.abspath(__file__))),
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters['decibels'] = decibels
    html = environment.get_template('page.html').render(
        title=one_line(title), command=[one_line(shlex.quote(word)) for word in command],
        rule=compare.RULE, ideal=compare.IDEAL_RULE, mixture_colour=MIXTURE_COLOUR, dynamics=picture.DYNAMICS,
        facts={name: one_line(value) for name, value in facts.items()},
        sources='; '.join(dict.fromkeys(', '.join(map(label, song.stems)) for song in songs)).capitalize(),
        songs=[_describe(folder, number, song, scores.get(song.name)) for number, song in enumerate(songs, 1)],
        scores_link=link(ASSETS + '/' + SCORES) if scores else None)
    path = os.path.join(folder, PAGE)
    with files.atomic_path(path) as temporary, open(temporary, 'w', encoding='utf-8') as out:
        out.write(html.lstrip())
    return path


def link(path):
    """A relative path as a link; any bytes that a file name may hold.

    >>> link('a b/50% #1?.wav'), link('x:y.wav')
    ('a%20b/50%25%20%231%3F.wav', 'x%3Ay.wav')
    """
    return urllib.parse.quote(os.fsencode(path.replace(os.sep, '/')))


def decibels(value):
    """A score as text; a dash where there is none.

    >>> decibels(6.04), decibels(-0.5), decibels(float('nan'))
    ('6.0', '−0.5', '–')
    """
    return '–' if value != value else ('%.1f' % value).replace('inf', '∞').replace('-', '−')


def label(source):
    """How a page writes the name of a source.

    >>> label('saxphone'), label('vocals')
    ('Saxophone', 'Vocals')
    """
    source = one_line(usual_name(source))
    return source[:1].upper() + source[1:]


def _describe(folder, number, song, scores):
    """What the template shows of a song; writes its pictures and copies."""
    whole, peaks = picture.levels(song.mixture), picture.envelope(song.mixture)
    loudest, highest = whole.max(), peaks.max()

    def track(path, kind, colour):
        levels = whole if path == song.mixture else picture.levels(path)
        image = '%s/%d-%s.png' % (ASSETS, number, kind)
        picture.save(os.path.join(folder, image), levels, loudest, colour)
        shown = playable(folder, path, '%s/%d-%s.flac' % (ASSETS, number, kind))
        with audio.Reader(path) as reader:
            rate, seconds = reader.rate, reader.frames / reader.rate
        return {'sound': link(shown), 'image': link(image), 'seconds': seconds,
                'wave': wave(peaks if path == song.mixture else picture.envelope(path), highest),
                'times': time_marks(seconds), 'pitches': pitch_marks(rate), 'size': levels.shape[::-1]}

    mixture = track(song.mixture, 'mixture', MIXTURE_COLOUR)
    parts = []
    for place, (source, path) in enumerate(song.stems.items()):
        colour = COLOURS[place % len(COLOURS)]
        part = {'label': label(source), 'colour': colour, 'reference': None, 'scores': (scores or {}).get(source),
                # what overlaps with the other stems is not to be heard with them from the start
                'extra': source.startswith('all but '),
                'separated': track(path, source, colour)}
        if source in song.references:
            part['reference'] = track(song.references[source], source + '-reference', colour)
        parts.append(part)
    return {'name': one_line(song.name), 'mixture': mixture, 'parts': parts, 'mean': mean(scores),
            'ideal': ideal(scores)}


def mean(scores):
    """Every measure of `score`, mean over the sources that have it; None without scores."""
    if not scores:
        return None
    return {measure: tables.over_tracks([values[measure] for values in scores.values()], 'mean')
            for measure in compare.MEASURES + ('mixture SDR',) + compare.IDEAL}


def ideal(scores):
    """As :func:`mean`, of ideal masks in the place of the stems."""
    means = mean(scores)
    return means and dict(means, **{measure: means['ideal ' + measure] for measure in compare.MEASURES})


def playable(folder, path, copy):
    """A path, relative to `folder`, of a sound that browsers play: that of the file itself, or of a copy as FLAC.

    A copy has 16 bits, and one channel when the file has more than two.
    """
    relative = os.path.relpath(os.path.abspath(path), os.path.abspath(folder))
    if relative.split(os.sep)[0] != os.pardir and not os.path.isabs(relative) and path.lower().endswith(PLAYABLE):
        return relative
    with audio.Reader(path) as reader:
        channels = reader.channels if reader.channels <= 2 else 1
        with audio.Writer(os.path.join(folder, copy), reader.rate, channels, 'FLAC') as writer:
            for block in reader.blocks():
                writer.write(block if channels == reader.channels else audio.downmix(block))
    return copy


def time_marks(seconds):
    """Marks of a time axis: [(percent from the left, text)], at most six.

    >>> time_marks(12.5)
    [(0.0, '0:00'), (40.0, '0:05'), (80.0, '0:10')]
    """
    step = next((step for step in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800) if seconds < 6 * step),
                max(3600, int(seconds / 6)))
    return [(100. * mark / max(seconds, 1e-9), '%d:%02d' % divmod(mark, 60))
            for mark in range(0, int(seconds) + 1, step) if mark <= 0.95 * seconds]


def pitch_marks(rate):
    """Marks of the frequency axis of a picture: [(percent from the bottom, text)].

    >>> [text for _, text in pitch_marks(44100)]
    ['100 Hz', '300', '1 kHz', '3', '10 kHz']
    """
    low, high = picture.frequencies(rate)
    return [(100 * math.log(mark / low) / math.log(high / low), text)
            for mark, text in ((100, '100 Hz'), (300, '300'), (1000, '1 kHz'), (3000, '3'), (10000, '10 kHz'))
            if low < mark < high]


def wave(peaks, loudest):
    """An envelope as text, two hexadecimal digits a point, of which ff is `loudest`.

    >>> wave([0, 0.25, 2], 0.5), wave([0], 0)
    ('0080ff', '00')
    """
    return ''.join('%02x' % min(255, round(255 * float(peak) / (loudest or 1))) for peak in peaks)
