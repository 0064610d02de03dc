"""Scores of many tracks as one table: first over the windows of a track, then over the tracks."""
import numpy as np

from deepconvsep.metrics import records

RULES = {'mean': np.mean, 'median': np.median}


def over_windows(values, rule='mean'):
    """One number for a track: `rule` over its finite windows.

    NaN when no window has a score; infinite when all that have one are infinite and agree.

    Examples
    --------
    >>> over_windows([1., 2., float('nan'), float('inf')])
    1.5
    >>> float(over_windows([float('inf'), float('nan')]))
    inf
    """
    values = np.asarray(values, dtype=float)
    finite = values[np.isfinite(values)]
    if len(finite):
        return float(RULES[rule](finite))
    infinite = set(values[~np.isnan(values)])
    return infinite.pop() if len(infinite) == 1 else float('nan')


def over_tracks(values, rule='median'):
    """One number for a data set: `rule` over the tracks that have a number; NaN when none has."""
    values = np.asarray(values, dtype=float)
    values = values[~np.isnan(values)]
    with np.errstate(invalid='ignore'):
        return float(RULES[rule](values)) if len(values) else float('nan')


def summarize(tracks, key='targets'):
    """Median, mean and counts of every target and measure.

    Parameters
    ----------
    tracks : list of dict
        Records.
    key : str
        Where the scores are: 'targets', or 'v4'.

    Returns
    -------
    list of dict
        With keys target, measure, median, mean, sd (over tracks), tracks, windows, nan, inf (of windows).
    """
    rows = []
    present = [record for record in tracks if record.get(key)]
    for target in sorted(present[0][key]) if present else ():
        for measure in sorted(present[0][key][target]['scores'], key=records.ORDER.index):
            windows = [records.decode(record[key][target]['scores'][measure]) for record in present]
            means = np.array([over_windows(values) for values in windows])
            together = np.concatenate(windows)
            finite = means[np.isfinite(means)]
            rows.append({'target': target, 'measure': measure, 'median': over_tracks(means),
                         'mean': over_tracks(means, 'mean'), 'sd': float(finite.std()) if len(finite) else np.nan,
                         'tracks': int((~np.isnan(means)).sum()), 'windows': len(together),
                         'nan': int(np.isnan(together).sum()), 'inf': int(np.isinf(together).sum())})
    return rows


def reasons(tracks):
    """Numbers of windows that were not scored, by target and reason, as lines of text."""
    counts = {}
    for record in tracks:
        for target, result in record['targets'].items():
            for reason, where in result['not_scored'].items():
                counts[target, reason] = counts.get((target, reason), 0) + len(where)
    return ['not scored: %s, %s: %d' % (target, reason, count) for (target, reason), count in sorted(counts.items())]


def layout(header, rows):
    """A table of text: the first two columns to the left, numbers to the right with two decimals.

    Examples
    --------
    >>> print(layout(['target', 'score', 'median'], [['bass', 'SDR', 0.155], ['other', 'SDR', float('nan')]]))
    target  score  median
    bass    SDR      0.15
    other   SDR       NaN
    """
    cells = [list(header)] + [[_cell(value) for value in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for row in cells:
        aligned = [cell.ljust(width) if column < 2 else cell.rjust(width)
                   for column, (cell, width) in enumerate(zip(row, widths))]
        lines.append('  '.join(aligned).rstrip())
    return '\n'.join(lines)


def _cell(value):
    if isinstance(value, float):
        return 'NaN' if np.isnan(value) else '%.2f' % value
    return str(value)
