"""Figures: of the SMC 2017 results, of scores per track, of spectrograms. They need no display."""
import os

from deepconvsep import command, files

FORMATS = ('png', 'pdf')
WIDTH = 7.   # inches, of a figure that fills a page between its margins


def empty_figure(width, height):
    """A figure without a window or a display; its size in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    figure = Figure(figsize=(width, height), layout='constrained')
    FigureCanvasAgg(figure)
    return figure


def new_figure(width, height, **grid):
    """A figure and its axes, as `matplotlib.pyplot.subplots`, without a window or a display."""
    figure = empty_figure(width, height)
    return figure, figure.subplots(**grid)


def save(figure, folder, name, formats=FORMATS, dpi=200):
    """Write a figure in every format and return the paths; creation dates are left out, so that files can be compared.

    Raises
    ------
    InputError
        When the folder cannot be written to.
    """
    files.make_folder(folder)
    paths = []
    for kind in formats:
        path = os.path.join(folder, '%s.%s' % (name, kind))
        with files.atomic_path(path) as temporary:
            figure.savefig(temporary, format=kind, dpi=dpi, metadata={'CreationDate': None} if kind == 'pdf' else {})
        paths.append(path)
    return paths


def add_output_flags(flags):
    """Add --output and --format to a parser."""
    flags.add_arg('--output', type=command.path, default='figures', metavar='FOLDER', help='where the figures go')
    flags.add_arg('--format', nargs='+', choices=FORMATS, default=list(FORMATS), help='kinds of files')
