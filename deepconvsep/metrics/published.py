"""Published scores, and the aggregation that led to them.

``published.json`` quotes figures with their source. The functions here give them again from the scores of every
window, which anyone can get from the campaign's repository, and put new results beside them.

The official aggregation of SiSEC MUS 2016 left out the windows in which a source is silent. It recognised them by
the scores of another entry (the oracle IBM), but took track k of one list for track k of the other, although the
lists differ: 49 of the 100 tracks of the entry CHA were masked with the silence of another song. :func:`aggregate`
offers both: ``by_position`` as published, ``by_song`` as intended.
"""
import os
import re

import numpy as np

from deepconvsep import command, files
from deepconvsep.errors import InputError
from deepconvsep.metrics import records, tables

MEASURES = records.MEASURES
TARGETS = ('vocals', 'accompaniment', 'bass', 'drums', 'other')
MASKS = {'by_song': 'ibm_silent_same_track', 'by_position': 'ibm_silent_as_published_by_position'}


#: The numbers that the names of DSD100's songs begin with, by subset.
NUMBERS = {'Test': range(1, 51), 'Dev': range(51, 101)}


def load():
    """The published figures, as a dict."""
    return files.read_json(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'published.json'),
                           'published scores')


def read_frames(path):
    """Scores of windows as a table: track_id, track, subset, target, SDR, ISR, SIR, SAR and a mask of each kind.

    Raises
    ------
    InputError
        When the file is not a CSV file with these columns.
    """
    import pandas
    try:
        with files.open_regular(path) as source:
            frames = pandas.read_csv(source)
    except (OSError, ValueError) as error:
        raise InputError('cannot read %s: %s' % (path, command.one_line(error))) from error
    missing = sorted({'track_id', 'track', 'subset', 'target', *MEASURES, *MASKS.values()} - set(frames.columns))
    if missing:
        raise InputError('%s has no column %s, expected scores of windows' % (path, missing[0]))
    try:
        frames = frames.astype(dict.fromkeys(MEASURES, float))
    except ValueError as error:
        raise InputError('%s has a score that is no number: %s' % (path, command.one_line(error))) from error
    return frames


def aggregate(frames, mask='by_song', windows='mean', excluded=()):
    """Medians over tracks, by subset, target and measure.

    Parameters
    ----------
    frames : pandas.DataFrame
        As :func:`read_frames`.
    mask : {'by_song', 'by_position'}
        Which windows count as silent and are left out.
    windows : {'mean', 'median'}
        How the windows of a track become one number.
    excluded : sequence of int
        Track ids to leave out.

    Returns
    -------
    dict
        ``[subset][target][measure]`` -> float, and ``[subset]['tracks']``.
    """
    silent = frames[MASKS[mask]].astype(str) != '0'   # 'na': the other song has no such window
    frames = frames[~silent & ~frames['track_id'].isin(excluded)]
    result = {}
    for (subset, target), part in frames.groupby(['subset', 'target']):
        tracks = part.groupby('track_id')[list(MEASURES)].agg(lambda values: tables.over_windows(values, windows))
        entry = result.setdefault(subset, {'tracks': 0})
        entry['tracks'] = max(entry['tracks'], len(tracks))
        entry[target] = {measure: tables.over_tracks(tracks[measure]) for measure in MEASURES}
    return result


def why_not(tracks, subset):
    """Why results cannot be put beside the published ones, in one line; nothing when all are of DSD100's songs.

    >>> why_not(['001 - ANiMAL - Clinic A'], 'Test')
    >>> why_not(['My song'], 'Test')
    'not put beside the published scores: My song is no song of DSD100 Test, whose names begin with 001 to 050'
    """
    numbers = NUMBERS[subset]
    for track in tracks:
        number = re.match(r'(\d{3}) - ', track)
        if not number or int(number.group(1)) not in numbers:
            return ('not put beside the published scores: %s is no song of DSD100 %s, whose names begin with %03d to '
                    '%03d' % (command.one_line(track), subset, numbers[0], numbers[-1]))
    return None


def comparison(done, subset):
    """Lines that put results of DSD100 beside the published ones, target by target, or a line that says why not.

    Parameters
    ----------
    done : list of dict
        Records of one method and one subset.
    subset : {'Test', 'Dev'}

    Returns
    -------
    list of str
    """
    reason = why_not([record['track'] for record in done], subset)
    if reason:
        return [reason]
    dsd = load()['DSD100']
    figures = dsd['subsets'][subset]
    here = {(row['target'], row['measure']): row['median'] for row in tables.summarize(done)}
    rows = []
    for target in TARGETS:
        for measure in MEASURES:
            published = figures['published'][target][measure]
            value = round(here.get((target, measure), np.nan), 2)
            rows.append([target, measure, published, figures['corrected'][target][measure], value,
                         value - published])
    return ['%s, entry %s (%s); medians over tracks' % (dsd['campaign'], dsd['entry'], dsd['source']),
            'published: %d tracks; %s' % (figures['published']['tracks'], dsd['rules']['published']),
            'corrected: %d tracks; %s' % (figures['corrected']['tracks'], dsd['rules']['corrected']),
            'here: %d tracks; %s' % (len(done), dsd['rules']['here']),
            'difference: here - published',
            tables.layout(['target', 'score', 'published', 'corrected', 'here', 'difference'], rows)]
