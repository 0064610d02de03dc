# PYTHON_ARGCOMPLETE_OK
"""The two figures of the SMC 2017 paper, from results of Bach10.

    python -m plots.bach10_smc_stats --db results --output figures

``<db>/<method>/`` holds the results of one method: the .mat files of the original (such as those of the SMC 2017
result set, zenodo.org/record/344499, folder "results"), or the JSON files that Bach10_eval_only writes.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import numpy as np

import plots
from deepconvsep import command
from deepconvsep.errors import InputError
from deepconvsep.metrics import records, stems
from deepconvsep.recipes.bach10 import INSTRUMENTS
from evaluation import handle_voice_eval_results

MEASURES = records.SOURCE_MEASURES


def main(argv=None):
    flags = command.Parser(description='Draw the figures of the SMC 2017 paper from results of Bach10.')
    flags.add_arg('--db', type=command.path, required=True, metavar='FOLDER', help='results: a sub-folder per method')
    plots.add_output_flags(flags)
    args = flags.parse_args(argv)
    table = read_results(args.db)
    counts = table.groupby('approach', sort=False).agg(pieces=('piece', 'nunique'), values=('dB', 'size'),
                                                       missing=('dB', lambda values: int(values.isna().sum())))
    print('bars: mean over pieces; lines: 95 % confidence interval (bootstrap)')
    print(counts.to_string())
    figures = {'bach10_measures': (table, 'measure', MEASURES, 'dB'),
               'bach10_sources': (table[table['measure'] == 'SDR'], 'source', INSTRUMENTS, 'SDR (dB)')}
    for name, (data, across, order, label) in figures.items():
        print('\n'.join(plots.save(draw(data, across, order, label), args.output, name, args.format)))


def read_results(folder):
    """All results below a folder as a table with columns dB, measure, approach, source, piece.

    Raises
    ------
    InputError
        When a file is not a result of Bach10, or there is none.
    """
    import pandas
    rows = []
    for approach in stems.folders(folder, 'a folder of results with a sub-folder per method'):
        inside = sorted(os.listdir(os.path.join(folder, approach)))
        # an evaluation writes both: the .mat file is enough
        chosen = [name for name in inside if name.endswith('.mat')] or [name for name in inside
                                                                        if name.endswith('.json')]
        for name in chosen:
            path = os.path.join(folder, approach, name)
            if name.endswith('.json') and not records.is_record(path):
                continue   # such as the settings beside a model
            records.require_current(path)
            piece = os.path.splitext(name)[0]
            for source in INSTRUMENTS:
                for measure, value in _scores(path, source).items():
                    rows.append({'dB': value, 'measure': measure, 'approach': approach, 'source': source,
                                 'piece': piece})
    if not rows:
        raise InputError('%s holds no results, expected <method>/<piece>_results.mat or .json' % folder)
    return pandas.DataFrame(rows)


def _scores(path, source):
    """SDR, SIR, SAR of one source; infinite ones count as missing, as they have no mean."""
    if path.endswith('.json'):
        targets = {name: {measure: records.decode(values) for measure, values in result['scores'].items()}
                   for name, result in records.read(path)['targets'].items()}
    else:
        targets = handle_voice_eval_results.read_results(path)
    found = next((targets[name] for name in stems.spellings(source) if name in targets), None)
    if found is None or not set(MEASURES) <= set(found):
        raise InputError('%s has no scores of the %s, expected results of Bach10' % (path, source))
    return {measure: found[measure][0] if np.isfinite(found[measure][0]) else np.nan for measure in MEASURES}


def draw(table, across, order, label):
    """A bar plot of `table`, grouped by the column `across`, with a colour per approach."""
    import seaborn
    with seaborn.axes_style('whitegrid'), seaborn.plotting_context('paper'):
        figure, axes = plots.new_figure(plots.WIDTH, 3.2)
        hue, labels = plots.methods(table, 'piece')
        seaborn.barplot(data=table, x=across, y='dB', hue=hue, order=list(order), errorbar=('ci', 95), seed=0,
                        palette='colorblind', saturation=1, capsize=0.08, err_kws={'linewidth': 1}, ax=axes)
        axes.set(xlabel='', ylabel=label)
        axes.set_title('bar: mean over pieces, line: its 95 % confidence interval (bootstrap)', loc='left',
                       fontsize='small')
        seaborn.despine(ax=axes, left=True)
        seaborn.move_legend(axes, 'center left', bbox_to_anchor=(1, 0.5), title='', frameon=False)
        plots.set_labels(axes.get_legend(), labels)
    return figure


if __name__ == '__main__':
    command.run(main)
