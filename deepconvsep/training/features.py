"""What is looked at in features before they are trained on: whether they fit, and what is said of them."""
import os

from deepconvsep import command
from deepconvsep.data.reading import TAG
from deepconvsep.errors import InputError
from deepconvsep.features import folder as feature_folder

logger = command.get_logger('train')


def refuse_unfit(parts, feature_paths, settings, bins):
    """Raise InputError when features are not what a training with these settings needs.

    Parameters
    ----------
    parts : list of deepconvsep.data.large.LargeDataset
    feature_paths : list of str
        Folders of the features.
    settings : deepconvsep.settings.Settings
    bins : int
        Of the network.
    """
    if parts[0].input_size != bins:
        raise InputError('the features in %s have %d bins, expected %d: compute them again with compute_features'
                         % (feature_paths[0], parts[0].input_size, bins))
    wanted = feature_folder.transform_settings(settings)
    known = [('in ' + path, feature_folder.settings_of(path)) for path in feature_paths]
    # folders of Bach10 know less than their files
    known += [(path, record['settings']) for part in parts for path, record in records(part.feature_paths())]
    for place, found in known:
        if not isinstance(found, dict):
            continue
        sources = found.get('sources')
        if isinstance(sources, list) and sources != list(wanted['sources']):
            raise InputError('the features %s are of %s, expected %s: give the --feature_path of this dataset'
                             % (place, ', '.join(map(str, sources)), ', '.join(wanted['sources'])))
        other = [name for name in wanted if name != 'sources' and found.get(name, wanted[name]) != wanted[name]]
        if other:
            raise InputError('the features %s were made with %s, expected %s: compute them again with '
                             'compute_features' % (place, ', '.join('%s %s' % (name, found[name]) for name in other),
                                                   ', '.join('%s %s' % (name, wanted[name]) for name in other)))


def records(paths):
    """The magnitude files among feature files that have a record, and these: [(path, record), ...]."""
    found = [(path, feature_folder.read_record(path)) for path in paths if path.endswith(TAG)]
    return [(path, record) for path, record in found if record is not None]


def warn_of_few(data, flags):
    """Say which of the flags ask for more than the features have."""
    if data.total_points < flags.batch_size:
        logger.warning('--batch_size %d: there are %d windows, so that each epoch is one step', flags.batch_size,
                       data.total_points)
    if len(data.tracks) < flags.nsamples:
        logger.warning('--nsamples %d: there are %d files of features, and all are used', flags.nsamples,
                       len(data.tracks))
    short = sum(track.frames < flags.time_context for track in data.tracks)
    if short:
        logger.warning('--time_context %d: %d of %d files of features have fewer frames, and are filled up with zeros',
                       flags.time_context, short, len(data.tracks))


def warn_of_removed(found, roots):
    """Say which features are trained on although the dataset does not hold the sounds, as they were, any more.

    Parameters
    ----------
    found : list of (str, dict)
        As :func:`records` gives them. Where the dataset has nothing of what they were made from, they have moved away
        from it, and nothing is said.
    roots : list of str
        The folders of the dataset.
    """
    states = {}   # many features are made from the same files

    def state(name, entry):
        key = name, entry['sha256']
        if key not in states:
            states[key] = _state([os.path.join(root, name) for root in roots], entry)
        return states[key]
    made_from = {path: [state(name, entry) for name, entry in record['made_from'].items()
                        if not name.startswith(feature_folder.SAMPLES)] for path, record in found}
    gone = [path for path, own in made_from.items() if not all(same is True for same in own)]
    if gone and any(same is not None for own in made_from.values() for same in own):
        logger.warning('%d files of features are trained on, although the sounds that they were made from are not in '
                       '%s any more, or have changed: %s%s; compute them again, or remove them', len(gone),
                       ' or '.join(roots), ', '.join(gone[:5]), ', ...' if len(gone) > 5 else '')


def _state(paths, entry):
    """Whether one of the files `paths` is as a record's `entry` says; None when there is none of them."""
    there = [path for path in paths if os.path.isfile(path)]
    return any(feature_folder.is_as_recorded(path, entry) for path in there) if there else None


def warn_of_missing(songs, feature_paths, db):
    """Say which songs of the dataset `db` have no features; when none has any, these are of another dataset.

    Parameters
    ----------
    songs : list of str
        Names: the feature files of each are called so, or so with ``_`` and more behind.
    feature_paths : list of str
    db : str
    """
    known = set()
    for name in (name for path in feature_paths for name in os.listdir(path) if name.endswith(TAG)):
        parts = name[:-len(TAG)].rstrip('_').split('_')
        known.update('_'.join(parts[:count]) for count in range(1, len(parts) + 1))
    missing = [song for song in songs if song not in known]
    if 0 < len(missing) < len(songs):
        logger.warning('%d of %d songs of %s have no features, and are not trained on: %s%s', len(missing), len(songs),
                       db, ', '.join(missing[:5]), ', ...' if len(missing) > 5 else '')
