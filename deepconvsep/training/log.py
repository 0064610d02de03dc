"""What a training writes down about its epochs: a table, the original's list of losses, a picture."""
import csv
import io
import pickle

from deepconvsep import files


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
    with files.atomic_path(path) as temporary, open(temporary, 'w') as out:
        out.write(text.getvalue())


def write_losses(path, history):
    """Write the list of losses as the original did: a pickle of protocol 2."""
    with files.atomic_path(path) as temporary, open(temporary, 'wb') as out:
        pickle.dump([float(row['loss']) for row in history], out, protocol=2)


def plot_losses(path, history, terms):
    """Draw the loss, its terms and the held-out loss over the epochs as a PNG file."""
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots(figsize=(7, 4.5))
    epochs = [row['epoch'] for row in history]
    axes.plot(epochs, [row['loss'] for row in history], color='black', linewidth=2, label='loss')
    for term in terms:
        axes.plot(epochs, [row[term.name] for row in history], linewidth=1, label=term.name)
    if history and 'validation' in history[0]:
        axes.plot(epochs, [row['validation'] for row in history], color='black', linestyle='--', label='held out')
    axes.set(xlabel='epoch', ylabel='squared error per example', yscale='log')
    axes.legend(fontsize='small', ncol=2)
    axes.grid(alpha=0.3)
    figure.tight_layout()
    with files.atomic_path(path) as temporary:
        figure.savefig(temporary, format='png', dpi=120)
    plt.close(figure)
