# PYTHON_ARGCOMPLETE_OK
"""The picture of README: a mixture, its separated stems and the true ones, in the colours of the page.

    python plots/readme.py --demo demo --output docs/figures

It shows what ``python tools/demo.py`` made; ``make readme-figures`` does both.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import numpy as np

import plots
from deepconvsep import audio, command
from deepconvsep.errors import InputError
from deepconvsep.metrics import stems
from deepconvsep.recipes.bach10 import INSTRUMENTS
from deepconvsep.report import page, picture
from plots.spectrograms import by_source

SIZE = 9.6, 3.9   # inches
DPI = 110
TICKS = (100, 1000, 10000), ('100 Hz', '1 kHz', '10 kHz')


def main(argv=None):
    flags = command.Parser(description='Draw the picture of README from what the demo made.')
    flags.add_arg('--demo', required=True, metavar='FOLDER', help='where tools/demo.py wrote to')
    flags.add_arg('--output', type=command.path, default='figures', metavar='FOLDER', help='where the figure goes')
    args = flags.parse_args(argv)
    stems.folders(args.demo, 'the folder that tools/demo.py wrote to')
    true = by_source(os.path.join(args.demo, 'references'), '')
    missing = set(INSTRUMENTS) - set(true)
    if missing:
        raise InputError('%s has no true stem of the %s, expected the folder that tools/demo.py wrote to'
                         % (args.demo, min(missing)))
    true = {source: true[source] for source in INSTRUMENTS}
    mixture = os.path.join(args.demo, common_name(true) + '.flac')
    separated = by_source(args.demo, mixture)
    figure = draw(mixture, {source: (separated[source], true[source]) for source in INSTRUMENTS})
    print('\n'.join(plots.save(figure, args.output, 'separation', ['png'], dpi=DPI)))


def common_name(paths):
    """The name of the piece, which the files of all sources begin with.

    >>> common_name({'violin': 'a/01-x-violin.flac', 'bassoon': 'a/01-x-bassoon.flac'})
    '01-x'
    """
    return os.path.basename(os.path.commonprefix(list(paths.values()))).rstrip('-_ ')


def draw(mixture, sources):
    """The figure.

    Parameters
    ----------
    mixture : str
        Path.
    sources : dict of str to (str, str)
        The paths of the separated and of the true stem of each source.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = plots.empty_figure(*SIZE)
    names = list(sources)
    axes = figure.subplot_mosaic([['mixture'] + ['%s %d' % (name, row) for name in names] for row in (0, 1)],
                                 sharey=True, width_ratios=[1.5] + [1] * len(names))
    whole = picture.levels(mixture)
    with audio.Reader(mixture) as reader:
        seconds, limits = reader.frames / reader.rate, picture.frequencies(reader.rate)

    def show(axis, levels, colour, title):
        axis.imshow(levels, origin='lower', aspect='auto', extent=(0, seconds, 0, 1), interpolation='nearest',
                    cmap=picture.shades(colour), vmin=whole.max() - picture.DYNAMICS, vmax=whole.max())
        axis.set_title(title, loc='left', fontsize='medium')
        axis.set_xticks(np.arange(0, seconds, 5))

    show(axes['mixture'], whole, page.MIXTURE_COLOUR, 'Mixture')
    for number, (name, paths) in enumerate(sources.items()):
        for row, (path, kind) in enumerate(zip(paths, ('separated', 'true'))):
            show(axes['%s %d' % (name, row)], picture.levels(path), page.COLOURS[number],
                 '%s, %s' % (page.label(name), kind))
    places = np.log(np.array(TICKS[0]) / limits[0]) / np.log(limits[1] / limits[0])
    axes['mixture'].set_yticks(places, TICKS[1])
    for axis in axes.values():
        axis.label_outer()
    figure.supxlabel('time (s)', fontsize='medium')
    return figure


if __name__ == '__main__':
    command.run(main)
