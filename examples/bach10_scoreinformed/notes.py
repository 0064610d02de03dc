"""The note arrays that lie beside the features: the score of every source as the training reads it."""
import dataclasses
import functools

import numpy as np

from deepconvsep.features import folder, making, tensors
from deepconvsep.score import read_score
from deepconvsep.score.guide import note_array
from deepconvsep.settings import Settings
from examples.bach10 import generation
from examples.bach10 import recipe as data
from examples.bach10_scoreinformed import recipe

#: Seconds of a score of Bach10 that the original read.
LEGACY_LIMIT = 40.


@dataclasses.dataclass(frozen=True)
class Sheet:
    """The note arrays of one feature file, all of the same length.

    Parameters
    ----------
    db : str
        Folder of the dataset.
    scores : dict
        By name, the paths of the scores of the four sources.
    kinds : dict
        By tag: the name of the scores, and the seconds by which notes are widened and may sound on; see
        :func:`deepconvsep.score.guide.note_array`.
    settings : settings.Settings
    nframes : int
        Frames of the features.
    begin, finish : float
        The stretch of the score, in seconds.
    """

    db: str
    scores: dict[str, tuple[str, ...]]
    kinds: dict[str, tuple]
    settings: Settings
    nframes: int
    begin: float = 0.
    finish: float | None = None

    def origin(self):
        """What all of the arrays are made from, since they have the length of the longest."""
        paths = sorted(path for group in self.scores.values() for path in group)
        return folder.Origin(folder.sources(self.db, paths), dict(
            folder.transform_settings(self.settings), score=dataclasses.asdict(self.settings.score),
            kinds=self.kinds, nframes=self.nframes, begin=self.begin, finish=self.finish))

    def is_current(self, path, read=True):
        """As :meth:`deepconvsep.features.folder.Origin.is_current`, of all arrays."""
        origin = self.origin()
        return all(origin.is_current(path, tag, read=read) for tag in self.kinds)

    def write(self, path):
        """Write the arrays that belong to the feature file `path`, a name without tag."""
        origin = self.origin()
        record = origin.record()
        scores = {name: [read_score(score) for score in group] for name, group in self.scores.items()}
        arrays = {tag: note_array(scores[name], self.settings, self.nframes, self.begin, self.finish, before, fermata)
                  for tag, (name, before, fermata) in self.kinds.items()}
        longest = max(1, max(array.shape[1] for array in arrays.values()))
        for tag, array in arrays.items():
            whole = np.zeros((len(array), longest, array.shape[2]))
            whole[:, :array.shape[1]] = array
            tensors.save_tensor(path, whole, tag, record=record)
        origin.check(record)


def add_flag(parser):
    """Add the switch of both feature scripts."""
    parser.add_arg('--legacy', action='store_true',
                   help='place notes as for the published models: 0.13 frames a second early, bins one too high')


def notes(args, sheet):
    """What lies beside the features, by the parsed flags; `sheet` is :func:`of_piece` or :func:`of_rendering`."""
    settings = recipe.LEGACY_SETTINGS if args.legacy else recipe.SETTINGS
    made = dataclasses.asdict(settings.score)
    del made['confine']  # which is no matter of notes
    return making.Notes(made, recipe.NOTES_FILE, functools.partial(sheet, args.db, settings))


def of_piece(db, settings, plan, index):
    """The notes of a piece of Bach10: the aligned score, the coarse one, and this widened."""
    legacy = settings.score.legacy
    half = len(data.INSTRUMENTS)
    return Sheet(db, {'aligned': plan.song.scores[:half], 'coarse': plan.song.scores[half:]},
                 {recipe.ALIGNED: ('aligned', 0., 0.), recipe.COARSE: ('coarse', 0., settings.score.fermata),
                  recipe.WIDENED: ('coarse', None, None)},
                 settings, plan.length // data.HOP_SIZE if legacy else plan.shapes[index][1],
                 finish=LEGACY_LIMIT if legacy else None)


def of_rendering(db, settings, plan, index):
    """The notes of a chunk of a piece that is played: as they are played, and with the tolerance of an alignment."""
    begin, end = plan.chunks[index]
    shifts = [case.time_shift for case in plan.combination]
    score = settings.score
    return Sheet(db, {'played': plan.song.scores},
                 {recipe.ALIGNED: ('played', shifts, 0.),
                  recipe.WIDENED: ('played', [shift + score.tolerance for shift in shifts],
                                   [shift + score.fermata for shift in shifts])},
                 settings, plan.shapes[index][1], begin / data.SAMPLE_RATE, end / data.SAMPLE_RATE)


def render_frames(settings, scores, samples, combination, length, begin=0.):
    """Play a stretch of a piece as the original did: notes begin and end with frames, and silence the one before.

    Parameters and returned values as of :func:`examples.bach10.rendering.render`; the result is shorter by the largest
    time shift.
    """
    shifts = [case.time_shift for case in combination]
    finish = begin + length / data.SAMPLE_RATE
    rows = note_array(scores, settings, begin=begin, finish=finish, before=shifts, fermata=0.)
    length -= int(max(shifts) * data.SAMPLE_RATE)
    played = []
    for own, instrument, case in zip(rows, samples, combination):
        events = [generation.Event(int(row[0]) * data.HOP_SIZE, (row[1] - row[0]) * data.HOP_SIZE / data.SAMPLE_RATE,
                                   int(row[2])) for row in own if row[2] > 0]
        played.append(generation.play(events, instrument, case, length, legacy=True))
    return generation.with_mixture([signal for signal, _ in played]), [each for _, lost in played for each in lost]
