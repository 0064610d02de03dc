"""Figures: of the SMC 2017 results, of scores per track, of spectrograms. They need no display."""
import os

from deepconvsep import command, files
from deepconvsep.metrics import stems

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


def song(path):
    """The name of a song by its sound file: that of the folder where the file is called mixture, as in DSD100.

    >>> song('DSD100/Mixtures/Test/a song/mixture.wav'), song('music/a song.wav')
    ('a song', 'a song')
    """
    name = stems.stem(path)
    return os.path.basename(os.path.dirname(os.path.abspath(path))) if name == 'mixture' else name


def text_of(name):
    r"""A name as text of a figure: in one line, and what is between two ``$`` is not set as mathematics.

    >>> print(text_of('$a$'), text_of('b\udcff'))
    \$a\$ b\udcff
    """
    return command.one_line(name).replace('$', r'\$')


def methods(table, items):
    """The methods of a table of scores as numbers, since legends leave out names that begin with an underscore.

    Parameters
    ----------
    table : pandas.DataFrame
        With a column ``approach``.
    items : str
        The column whose different values are counted.

    Returns
    -------
    hue : pandas.Series
        A number for each row, as text.
    labels : list of str
        The texts of the legend, for :func:`set_labels`.
    """
    counts = table.groupby('approach', sort=False)[items].nunique()
    numbers = {name: str(number) for number, name in enumerate(counts.index)}
    return table['approach'].map(numbers), ['%s, n = %d' % (text_of(name), count) for name, count in counts.items()]


def set_labels(legend, labels):
    """Set the texts of a legend, whatever they begin with."""
    for text, label in zip(legend.get_texts(), labels):
        text.set_text(label)


def add_output_flags(flags):
    """Add --output and --format to a parser."""
    flags.add_arg('--output', type=command.path, default='figures', metavar='FOLDER', help='where the figures go')
    flags.add_arg('--format', nargs='+', choices=FORMATS, default=list(FORMATS), help='kinds of files')
