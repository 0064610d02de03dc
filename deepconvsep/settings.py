"""What separation must know besides the network: the transform, the scale, the windows, the masks."""
import dataclasses
from dataclasses import dataclass

import numpy as np

from deepconvsep import stft
from deepconvsep.errors import InputError

# all symmetric, as the original used them
WINDOWS = {'hanning': np.hanning, 'blackmanharris': stft.blackmanharris, 'sinebell': stft.sinebell}


#: Where the squares of the windows add up to less than this share of their maximum, a masked sound is noise.
LEAST_COVER = 0.01


def leaves_gaps(window, frame_size, hop_size):
    """Whether frames of `frame_size` samples every `hop_size`, windowed twice, leave samples (nearly) uncovered.

    >>> leaves_gaps('hanning', 1024, 512), leaves_gaps('hanning', 1024, 1024)
    (False, True)
    """
    return has_gaps(WINDOWS[window](frame_size), hop_size)


def has_gaps(window, hop_size):
    """As :func:`leaves_gaps`, of the samples of a window."""
    squares = np.zeros(-(-len(window) // hop_size) * hop_size)
    squares[:len(window)] = window ** 2
    cover = squares.reshape(-1, hop_size).sum(axis=0)
    return not cover.min() > LEAST_COVER * cover.max()


@dataclass(frozen=True)
class ScoreSettings:
    """How scores become the masks that filter the input of a score-informed network.

    Parameters
    ----------
    tolerance : float
        Seconds by which every note is widened at both ends.
    fermata : float
        Seconds by which a note may sound on where no later one begins.
    nharmonics : int
        Harmonics of a note.
    interval : float
        Cents from a harmonic to either limit of its range.
    tuning : float
        Frequency of A4, in Hz.
    legacy : bool
        Frames and bins of the notes as in the published models; see :mod:`deepconvsep.score.rows`.
    timbre : str or None
        SHA-256 of the timbre model that weighs the harmonics.
    confine : bool
        Multiply the network's masks by the score's; see :func:`deepconvsep.score.masks.confined`. Files of models that
        are older than this do not have it.
    notes : bool
        The network's input is the mixture and the piano roll, as of a
        :class:`deepconvsep.network.harmonic.HarmonicArchitecture`, not the mixture times each mask. It is stored where
        it is true.
    """

    tolerance: float = 0.2
    fermata: float = 0.5
    nharmonics: int = 20
    interval: float = 50.
    tuning: float = 440.
    legacy: bool = False
    timbre: str | None = None
    confine: bool = False
    notes: bool = False

    def to_dict(self):
        """The settings as a dictionary that JSON can hold."""
        values = dataclasses.asdict(self)
        if not self.notes:
            del values['notes']
        return values

    @classmethod
    def from_dict(cls, values, path):
        """From what JSON can hold; `path` is the file that errors name."""
        ranges = {'tolerance': (0, 60), 'fermata': (0, 60), 'nharmonics': (1, 1000), 'interval': (0, 1200),
                  'tuning': (1, 20000)}
        fields = {field.name for field in dataclasses.fields(cls)}
        if isinstance(values, dict):
            values = {'confine': False, 'notes': False, **values}
        if not isinstance(values, dict) or set(values) != fields \
                or not all(isinstance(values[name], bool) for name in ('legacy', 'confine', 'notes')) \
                or not (values['timbre'] is None or isinstance(values['timbre'], str)) \
                or type(values['nharmonics']) is not int \
                or not all(type(values[name]) in (int, float) and low <= values[name] <= high
                           for name, (low, high) in ranges.items()):
            raise InputError('%s gives the scores %.200r, which cannot be used: restore the file' % (path, values))
        return cls(**values)


@dataclass(frozen=True)
class Settings:
    """Settings of one kind of model. They are stored beside the weights and obeyed when these are used.

    Parameters
    ----------
    sources : tuple of str
        Names of the stems, in the order of the network's outputs.
    window : {'hanning', 'blackmanharris', 'sinebell'}
        Analysis and synthesis window.
    frame_size, hop_size : int
        In samples.
    sample_rate : int
        In Hz.
    scale_factor : float
        Magnitudes are multiplied by it before the network.
    overlap : int
        Frames that successive windows of the network share.
    downmix : {'mean', 'sum'}
        How channels become one; see :data:`deepconvsep.audio.DOWNMIX`.
    mask_eps : float
        Weight of the masks' noise.
    mask_noise_in_numerator : bool
        See :func:`deepconvsep.network.masks.soft_masks`.
    score : ScoreSettings, optional
        Of a score-informed model.
    """

    sources: tuple[str, ...]
    window: str = 'blackmanharris'
    frame_size: int = 1024
    hop_size: int = 512
    sample_rate: int = 44100
    scale_factor: float = 0.3
    overlap: int = 25
    downmix: str = 'mean'
    mask_eps: float = 1e-18
    mask_noise_in_numerator: bool = True
    score: ScoreSettings | None = None

    @property
    def input_scale(self):
        """What magnitudes are multiplied by before the network, a numpy.float32."""
        return np.float32(self.scale_factor / np.sqrt(self.frame_size))

    def to_dict(self):
        """The settings as a dictionary that JSON can hold; `score` is left out when there is none."""
        values = dict(dataclasses.asdict(self), sources=list(self.sources))
        del values['score']
        if self.score is not None:
            values['score'] = self.score.to_dict()
        return values

    @classmethod
    def from_dict(cls, values, path):
        """The reverse of :meth:`to_dict`; `path` is the file that errors name."""
        fields = {field.name for field in dataclasses.fields(cls)} - {'score'}
        if not isinstance(values, dict) or set(values) - {'score'} != fields:
            raise InputError('%s does not hold the settings %s: restore the file' % (path, ', '.join(sorted(fields))))
        number = {name: type(values[name]) in (int, float)
                  for name in ('frame_size', 'hop_size', 'sample_rate', 'scale_factor', 'overlap', 'mask_eps')}
        sources = values['sources']
        checks = {
            'sources': isinstance(sources, list) and 0 < len(sources) <= 64 and len(set(map(str, sources))) == len(
                sources) and all(isinstance(name, str) and name and name.isprintable() and len(name) < 100
                                 and not set(name) & set('/\\') and not name.startswith('.') for name in sources),
            'window': values['window'] in list(WINDOWS),
            'frame_size': type(values['frame_size']) is int and 2 <= values['frame_size'] <= 1 << 20,
            'hop_size': type(values['hop_size']) is int and type(values['frame_size']) is int
            and 1 <= values['hop_size'] <= values['frame_size'],
            'sample_rate': type(values['sample_rate']) is int and 1 <= values['sample_rate'] <= 1 << 22,
            'scale_factor': number['scale_factor'] and 0 < values['scale_factor'] <= 1e6,
            'overlap': type(values['overlap']) is int and 0 <= values['overlap'] <= 10 ** 6,
            'downmix': values['downmix'] in ('mean', 'sum'),
            'mask_eps': number['mask_eps'] and 0 < values['mask_eps'] <= 1,
            'mask_noise_in_numerator': isinstance(values['mask_noise_in_numerator'], bool),
        }
        for name, fine in checks.items():
            if not fine:
                raise InputError('%s gives %s = %.60r, which cannot be used: restore the file'
                                 % (path, name, values[name]))
        if leaves_gaps(values['window'], values['frame_size'], values['hop_size']):
            raise InputError('%s gives hop_size = %d, which with frames of %d samples and the window %s leaves gaps '
                             'between them: restore the file'
                             % (path, values['hop_size'], values['frame_size'], values['window']))
        score = ScoreSettings.from_dict(values['score'], path) if 'score' in values else None
        return cls(**dict(values, sources=tuple(sources), score=score))
