"""Where DSD100 and MUSDB18-HQ keep their songs.

DSD100      ``<db>/Mixtures/{Dev,Test}/<song>/mixture.wav``, ``<db>/Sources/{Dev,Test}/<song>/{vocals,...}.wav``
MUSDB18-HQ  ``<db>/{train,test}/<song>/{mixture,vocals,bass,drums,other}.wav``
"""
import os

from deepconvsep.errors import InputError
from deepconvsep.features.songs import Song
from examples.dsd100 import recipe

SUBSETS = ('Dev', 'Test')

#: Folders of the subsets in MUSDB18-HQ, by their names in DSD100.
MUSDB_FOLDERS = {'Dev': 'train', 'Test': 'test'}

#: How many songs each subset has, by the name of the dataset.
COUNTS = {'DSD100': {'Dev': 50, 'Test': 50}, 'MUSDB18-HQ': {'Dev': 100, 'Test': 50}}

CHANNELS = (1, 2)


def dataset_name(db):
    """``'DSD100'`` or ``'MUSDB18-HQ'``, told by the folders in `db`.

    Raises
    ------
    InputError
        When it has the folders of neither, or of both.
    """
    is_there = {'DSD100': any(os.path.isdir(os.path.join(db, folder)) for folder in ('Mixtures', 'Sources')),
                'MUSDB18-HQ': any(os.path.isdir(os.path.join(db, folder)) for folder in MUSDB_FOLDERS.values())}
    names = [name for name, there in is_there.items() if there]
    if len(names) != 1:
        raise InputError('%s has the folders of %s, expected either Mixtures and Sources (DSD100) or train and test '
                         '(MUSDB18-HQ)' % (db, ' and '.join(names) or 'no dataset'))
    return names[0]


def songs(db, subsets=SUBSETS):
    """All songs of some subsets, sorted: the mixture, then the sources in the order of the recipe.

    Parameters
    ----------
    db : str
        Folder of the dataset, in either layout.
    subsets : iterable of {'Dev', 'Test'}

    Returns
    -------
    list of songs.Song
        Songs of which only a part is there are among them.
    """
    musdb = dataset_name(db) == 'MUSDB18-HQ'
    found = []
    for subset in subsets:
        if musdb:
            mixtures = sources = os.path.join(db, MUSDB_FOLDERS[subset])
        else:
            mixtures, sources = (os.path.join(db, part, subset) for part in ('Mixtures', 'Sources'))
        for name in sorted(set(_folders(mixtures)) | set(_folders(sources))):
            paths = [os.path.join(mixtures, name, 'mixture.wav')]
            paths += [os.path.join(sources, name, source + '.wav') for source in recipe.SOURCES]
            found.append(Song(name, subset, tuple(paths), CHANNELS, recipe.SETTINGS.sample_rate, mixed=True))
    return found


def _folders(path):
    if not os.path.isdir(path):
        return []
    return [name for name in os.listdir(path)
            if not name.startswith('.') and os.path.isdir(os.path.join(path, name))]
