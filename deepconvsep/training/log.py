"""What a training writes down about its epochs: a table, the original's list of losses, a picture."""
import csv
import io
import pickle
import warnings

from deepconvsep import command, files

logger = command.get_logger('training')


def write_table(path, history, terms):
    """Write the epochs as a table, whole.

    Parameters
    ----------
    path : str
    history : list of dict
        A row per epoch, as :class:`deepconvsep.training.run.Run` collects them.
    terms : tuple of Term
        Of the loss: their columns have their order, whatever that in the rows is.
    """
    columns = ['epoch', 'loss', 'seconds', 'examples_per_second'] + [term.name for term in terms] \
        + [name for name in ('validation', 'best') if name in history[0]]
    text = io.StringIO()
    rows = csv.DictWriter(text, columns, lineterminator='\n')
    rows.writeheader()
    rows.writerows(history)
    with files.atomic_path(path) as temporary, open(temporary, 'w', encoding='utf-8') as out:
        out.write(text.getvalue())


def write_losses(path, history, batch_size):
    """Write the list of losses as the original did: a pickle of protocol 2, of sums over a batch of `batch_size`."""
    with files.atomic_path(path) as temporary, open(temporary, 'wb') as out:
        pickle.dump([float(row['loss'] * batch_size) for row in history], out, protocol=2)


def plot_losses(path, history, terms, title='', changes=()):
    """Draw the loss, its terms and the held-out loss over the epochs as a PNG file.

    Parameters
    ----------
    path : str
    history : list of dict
        A row per epoch.
    terms : tuple of Term
    title : str
    changes : sequence of (int, str)
        After which epochs another optimiser went on, and which.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    try:
        figure = draw_losses(history, terms, title, changes)
        FigureCanvasAgg(figure)
        with files.atomic_path(path) as temporary, warnings.catch_warnings():
            warnings.filterwarnings('ignore', 'Glyph .* missing')   # of a name: a box stands for it
            figure.savefig(temporary, format='png', dpi=120)
    except (RuntimeError, TypeError, ValueError) as error:   # of matplotlib; the training itself is done
        logger.warning('%s could not be drawn, the losses are in the table beside it: %s', path, error)


def draw_losses(history, terms, title='', changes=()):
    """The figure of :func:`plot_losses`."""
    from matplotlib import ticker
    from matplotlib.figure import Figure
    figure = Figure(figsize=(8, 4.5), layout='constrained')
    axes = figure.subplots()
    epochs = [row['epoch'] for row in history]
    # the line of a single epoch is a point
    style = {'marker': '.' if len(history) < 30 else None}
    axes.plot(epochs, [row['loss'] for row in history], color='black', linewidth=2, label='loss', **style)
    for term in terms:
        axes.plot(epochs, [row[term.name] for row in history], linewidth=1, label=term.name, **style)
    if history and 'validation' in history[0]:
        axes.plot(epochs, [row['validation'] for row in history], color='black', linestyle='--', label='held out',
                  **style)
    for epoch, name in changes:
        axes.axvline(epoch + 0.5, color='gray', linestyle=':', linewidth=1)
        axes.annotate(name, (epoch + 0.5, 1), (3, -3), xycoords=axes.get_xaxis_transform(), textcoords='offset points',
                      va='top', fontsize='small', color='gray')
    axes.set(xlabel='epoch', ylabel='squared error per example', yscale='log')
    # the name of a model may be anything that a file can be called
    axes.set_title(command.one_line(title), loc='left', fontsize='medium', parse_math=False)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
    low, high = axes.get_ylim()
    if 0 < low < high:
        # within a few decades powers of ten alone would leave an axis without numbers
        few = high / low < 1000
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5) if few else (1,)))
        axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: '%g' % value))
        axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    axes.legend(fontsize='small', loc='center left', bbox_to_anchor=(1, 0.5), frameon=False)
    axes.grid(alpha=0.3)
    return figure
