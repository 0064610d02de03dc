"""The note arrays that lie beside the features: the score of every source as the training reads it."""
import dataclasses

import numpy as np

from deepconvsep.features import tensors
from deepconvsep.files import make_folder
from deepconvsep.score.guide import note_array
from examples.bach10 import generation
from examples.bach10_scoreinformed import recipe


def add_flag(parser):
    """Add the switch of both feature scripts."""
    parser.add_arg('--legacy', action='store_true',
                   help='place notes as for the published models: 0.13 frames a second early, bins one too high')


def prepare(args):
    """Note how the notes are made, and refuse to mix them with others; return the settings for it."""
    settings = recipe.LEGACY_SETTINGS if args.legacy else recipe.SETTINGS
    make_folder(args.feature_path)
    generation.prepare_folder(args.feature_path, dataclasses.asdict(settings.score), recipe.NOTES_FILE)
    return settings


def write(path, kinds, settings, nframes, begin=0., finish=None):
    """Write note arrays of one feature file, all of the same length, unless they are there.

    Parameters
    ----------
    path : str
        Of the features, without tag.
    kinds : dict
        By tag: the scores, and the seconds by which notes are widened and may sound on; see
        :func:`deepconvsep.score.guide.note_array`.
    settings : settings.Settings
    nframes : int
        Frames of the features.
    begin, finish : float
        The stretch of the score, in seconds.
    """
    if all(tensors.is_finished(path, tag) for tag in kinds):
        return
    arrays = {tag: note_array(scores, settings, nframes, begin, finish, before, fermata)
              for tag, (scores, before, fermata) in kinds.items()}
    longest = max(1, max(array.shape[1] for array in arrays.values()))
    for tag, array in arrays.items():
        whole = np.zeros((len(array), longest, array.shape[2]))
        whole[:, :array.shape[1]] = array
        tensors.save_tensor(path, whole, tag)
