# PYTHON_ARGCOMPLETE_OK
"""Box plot of scores per track: a group per target, a colour per method, published medians as lines.

    python -m plots.scores --input separated --output figures

Reads the JSON files that the evaluation programs write. A point of a box is a track: the mean over its windows.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import plots
from deepconvsep import command
from deepconvsep.errors import InputError
from deepconvsep.metrics import published, records, stems, tables

#: Style and colour of the lines of published medians.
LINES = {'published': ('-', '#1d2330'), 'corrected': ((0, (4, 1.5)), '#c0392b')}
FEW = 5   # tracks: of fewer a box says little, and the tracks are drawn as points too


def main(argv=None):
    flags = command.Parser(description='Draw the scores of every track as box plots.')
    flags.add_arg('--input', type=command.path, required=True, metavar='FOLDER',
                  help='where the results of an evaluation program are')
    flags.add_arg('--measure', default='SDR', choices=records.ORDER, help='the score')
    flags.add_arg('--subset', help='only this part of the data set (DSD100: Test, Dev; default: Test if it is there)')
    plots.add_output_flags(flags)
    args = flags.parse_args(argv)
    table = read_scores(args.input, args.measure)
    subsets = list(dict.fromkeys(table['subset']))
    subset = args.subset or ('Test' if 'Test' in subsets else subsets[0])
    if subset not in subsets:
        raise InputError('%s has no subset %s, expected one of: %s' % (args.input, subset, ', '.join(subsets)))
    table = table[table['subset'] == subset]
    print('box: quartiles over tracks of the mean over windows; line: median; whiskers: 1.5 times the box')
    print(table.groupby(['target', 'approach'])['dB'].agg(tracks='size', scored='count', median='median')
          .to_string(float_format='%.2f'))
    reason = why_not(table, subset)
    if reason:
        print(reason)
    name = 'scores_%s' % '_'.join(part for part in (subset, args.measure) if part)
    print('\n'.join(plots.save(draw(table, args.measure, subset), args.output, name, args.format)))


def read_scores(folder, measure):
    """One number per track and target, as a table with columns dB, target, approach, subset, track.

    Raises
    ------
    InputError
        When a record cannot be read, lacks the measure, or there is none.
    """
    import numpy as np
    import pandas
    rows = []
    for parent, leaves in stems.walk(folder):
        for leaf in leaves:
            if not leaf.endswith('.json') or not records.is_record(os.path.join(parent, leaf)):
                continue
            record = records.read(os.path.join(parent, leaf))
            records.require_current(os.path.join(parent, leaf))
            for target, result in record['targets'].items():
                if measure not in result['scores']:
                    raise InputError('%s has no %s, expected one of: %s'
                                     % (os.path.join(parent, leaf), measure, ', '.join(sorted(result['scores']))))
                value = tables.over_windows(records.decode(result['scores'][measure]))
                rows.append({'dB': value if np.isfinite(value) else np.nan, 'target': target,
                             'approach': record['method'], 'subset': record['subset'], 'track': record['track']})
    table = pandas.DataFrame(rows)
    keys = ['approach', 'subset', 'track', 'target']
    if rows and table.duplicated(keys).any():
        twice = table[table.duplicated(keys)].iloc[0]
        raise InputError('%s holds the results of %s by %s more than once: give a folder that has them once'
                         % (folder, twice['track'], twice['approach']))
    if not rows:
        raise InputError('%s holds no results, expected the .json files of an evaluation program' % folder)
    return table


def is_dsd(table, subset):
    """Whether targets and subset are those of DSD100."""
    return set(table['target']) == set(published.TARGETS) and subset in published.NUMBERS


def why_not(table, subset):
    """Why a table in the form of DSD100 has no published medians beside it; nothing when it has, or is of another."""
    return published.why_not(table['track'], subset) if is_dsd(table, subset) else None


def draw(table, measure, subset):
    """The figure; published medians only for the targets, subsets and songs of DSD100."""
    import seaborn
    from matplotlib.lines import Line2D
    dsd = is_dsd(table, subset)
    order = list(published.TARGETS) if dsd else sorted(set(table['target']))
    with seaborn.axes_style('whitegrid'), seaborn.plotting_context('paper'):
        figure, axes = plots.new_figure(plots.WIDTH, 3.4)
        few = table.groupby('approach')['track'].nunique().min() < FEW
        hue, labels = plots.methods(table, 'track')
        seaborn.boxplot(data=table, x='target', y='dB', hue=hue, order=order, palette='colorblind', width=0.6,
                        linewidth=1.2, fliersize=0 if few else 3, saturation=0.9, fill=not few, gap=0.1, ax=axes)
        handles, _ = axes.get_legend_handles_labels()
        if few:
            seaborn.stripplot(data=table, x='target', y='dB', hue=hue, order=order, palette='colorblind',
                              dodge=True, jitter=False, size=4, legend=False, ax=axes)
        if dsd and not why_not(table, subset):
            entry = published.load()['DSD100']
            for name, (style, colour) in LINES.items():
                for position, target in enumerate(order):
                    axes.hlines(entry['subsets'][subset][name][target][measure], position - 0.42, position + 0.42,
                                colors=colour, linestyles=[style], linewidth=1.4, zorder=5)
                handles.append(Line2D([], [], color=colour, linestyle=style, linewidth=1.4))
                labels.append('%s, %s median' % (entry['entry'], name))
        axes.set(xlabel='', ylabel='%s (dB)' % measure)
        axes.set_title('box: quartiles over tracks, line: median, whiskers: 1.5 times the box', loc='left',
                       fontsize='small')
        seaborn.despine(ax=axes, left=True)
        legend = axes.legend(handles, [str(number) for number in range(len(handles))], loc='center left',
                             bbox_to_anchor=(1, 0.5), frameon=False)
        plots.set_labels(legend, labels)
    return figure


if __name__ == '__main__':
    command.run(main)
