"""STFT features: magnitudes and phases of audio signals, their inverse, and saving them as feature files.

The short-time Fourier transform is centred: frame `n` is centred on sample ``n * hop``. A signal of `L`
samples has ``ceil(L / hop) + 2`` frames, and analysis followed by synthesis returns it exactly,
unless the windows leave gaps.
All arithmetic is float64. Source: the original's `transform.py`; P. Chandna, M. Miron, J. Janer and
E. Gomez, "Monoaural audio source separation using deep convolutional neural networks", LVA/ICA 2017, section 2.
"""
import os

import numpy as np

from deepconvsep import command, stft
from deepconvsep.features import tensors
from deepconvsep.settings import has_gaps
from deepconvsep.stft import sinebell

logger = command.get_logger('transform')


def stft_norm(data, window=sinebell(2048), hopsize=256.0, nfft=2048.0, fs=44100.0):
    """Short-time Fourier transform without scaling.

    Parameters
    ----------
    data : array_like, shape (samples,)
        The signal; any length, 0 included.
    window : ndarray, shape (width,)
        Analysis window.
    hopsize, nfft : int
        Hop and FFT length in samples (whole numbers; floats are accepted as in the original).
    fs : float
        Unused; kept for callers of the original.

    Returns
    -------
    ndarray of complex128, shape (frames, nfft // 2 + 1)
        ``ceil(samples / hopsize) + 2`` frames.

    See Also
    --------
    istft_norm : the inverse.
    """
    padded, count = stft.pad(data, len(window), int(hopsize))
    return stft.stft_frames(padded, np.asarray(window, dtype=float), int(hopsize), int(nfft), count)


def istft_norm(X, window=sinebell(2048), analysisWindow=None, hopsize=256.0, nfft=2048.0):
    """Inverse of :func:`stft_norm` by overlap-add, divided by the overlap-added product of the windows.

    Parameters
    ----------
    X : ndarray of complex, shape (frames, nfft // 2 + 1)
    window, analysisWindow : ndarray, shape (width,)
        Synthesis and analysis window; None: the same.
    hopsize, nfft : int
        Hop and FFT length in samples.

    Returns
    -------
    ndarray of float64, shape (hopsize * (frames - 1) + width - width // 2,)
        A little longer than the signal that was analysed: cut it to that length.
    """
    hop, width = int(hopsize), len(window)
    window = np.asarray(window, dtype=float)
    product = window * (window if analysisWindow is None else analysisWindow)
    audio = stft.overlap_add(stft.synthesis_frames(X, window, int(nfft)), hop)
    norm = stft.overlap_add(np.broadcast_to(product, (len(X), width)), hop)
    norm[norm == 0] = 1
    return (audio / norm)[width // 2:]


class Transforms:
    """What all transforms share: the settings and the saving of features. Subclasses compute.

    Parameters
    ----------
    ttype, bins, tffmin, tffmax, iscale
        Accepted and stored as in the original, where nothing reads them either.
    frameSize, hopSize : int
        Window and hop in samples (1024: 23 ms, 256: 5.8 ms at 44.1 kHz).
    suffix : str
        Goes into the tag of the feature files: ``_<suffix>_m_`` (with the empty default ``__m_``).
    sampleRate : int
        Sample rate in Hz.
    window : callable
        Makes the window from its length: `numpy.hanning`, `sinebell`,
        :func:`deepconvsep.stft.blackmanharris`.
    """

    def __init__(self, ttype='fft', bins=48, frameSize=1024, hopSize=256, tffmin=25, tffmax=18000, iscale='lin',
                 suffix='', sampleRate=44100, window=np.hanning):
        for name, value in (('frameSize', frameSize), ('hopSize', hopSize)):
            if not value >= 1 or value != int(value):
                raise ValueError('%s is %r, expected a whole number of samples, 1 or more' % (name, value))
        if hopSize > frameSize:
            raise ValueError('hopSize %d is beyond frameSize %d: samples between the frames would be lost, expected at '
                             'most %d' % (hopSize, frameSize, frameSize))
        self.ttype = ttype
        self.bins = bins
        self.frameSize = int(frameSize)
        self.hopSize = int(hopSize)
        self.fmin = tffmin
        self.fmax = tffmax
        self.iscale = iscale
        self.suffix = suffix
        self.sampleRate = sampleRate
        self.window = window(self.frameSize)
        if has_gaps(self.window, self.hopSize):
            logger.warning('hopSize %d with frameSize %d and this window leaves samples nearly uncovered, whose '
                           'inverse is inexact: take a smaller hopSize', self.hopSize, self.frameSize)
        self.out_path = None

    def compute_file(self, audio, phase=False, sampleRate=44100):
        """Transform one signal; see :meth:`transformFFT.compute_file`."""
        raise NotImplementedError('%s does not define compute_file' % type(self).__name__)

    def compute_inverse(self, mag, phase, sampleRate=44100):
        """Invert the transform of one signal; see :meth:`transformFFT.compute_inverse`."""
        raise NotImplementedError('%s does not define compute_inverse' % type(self).__name__)

    def compute_transform(self, audio, out_path=None, phase=False, save=True, dtype=np.float64):
        """Transform several signals of the same length.

        Parameters
        ----------
        audio : ndarray, shape (samples, signals)
            Row 0 of the features is signal 0: by convention the mixture, followed by the sources.
        out_path : str, optional
            Where to save, ending in ``.data``: ``x.data`` gives ``x_<suffix>_m_.data`` and ``.shape``.
        phase : bool
            Compute the phases too (tag ``_<suffix>_p_``).
        save : bool
            False: return the features even when `out_path` is given.
        dtype : dtype
            Of the saved files: float64 as the original, or float32 for half the size.

        Returns
        -------
        None or ndarray or tuple
            None when saved; else magnitudes, or (magnitudes, phases), float64, shape (signals, frames, bins).
        """
        audio = np.asarray(audio)
        if audio.ndim != 2:
            raise ValueError('audio has the shape %s, expected (samples, signals)' % (audio.shape,))
        results = [self.compute_file(signal, phase=phase, sampleRate=self.sampleRate) for signal in audio.T]
        mags = np.array([result[0] for result in results] if phase else results, dtype=float)
        phases = np.array([result[1] for result in results], dtype=float) if phase else None
        # a saveTensor of a subclass may have only the arguments of the original's
        more = () if np.dtype(dtype) == np.float64 else (dtype,)
        if save and out_path is not None:
            self.out_path = os.fspath(out_path)
            self.saveTensor(mags, '_%s_m_' % self.suffix, *more)
            if phase:
                self.saveTensor(phases, '_%s_p_' % self.suffix, *more)
            return None
        return (mags, phases) if phase else mags

    def compute_playing(self, audio, out_path):
        """Save which signals sound when: mean absolute value per hop above 0.02.

        Parameters
        ----------
        audio : ndarray, shape (samples, signals)
        out_path : str or path-like
            ``x.data`` gives ``x_<suffix>_l_.data``: 0 or 1, shape (signals, ceil(samples / hopSize)).
        """
        audio = np.asarray(audio, dtype=float)
        count = -(-len(audio) // self.hopSize)
        padded = np.zeros((count * self.hopSize, audio.shape[1]))
        padded[:len(audio)] = np.abs(audio)
        # the last hop may be shorter: divide by the samples that are there
        sizes = np.minimum(self.hopSize, len(audio) - self.hopSize * np.arange(count))
        level = padded.reshape(count, self.hopSize, audio.shape[1]).sum(axis=1) / sizes[:, None]
        self.out_path = os.fspath(out_path)
        self.saveTensor((level > 0.02).T, '_%s_l_' % self.suffix)

    def saveTensor(self, t, name='_cqt_m_', dtype=np.float64):
        """Save a tensor beside `out_path` with the tag `name`; see :func:`deepconvsep.features.tensors.save_tensor`."""
        tensors.save_tensor(self.out_path, t, name, dtype)

    def loadTensor(self, name='_cqt_m_'):
        """Load the tensor saved beside `out_path` with the tag `name`; see `load_tensor`."""
        return tensors.load_tensor(self.out_path, name)

    def save_shape(self, shape_file, shape):
        """Write a ``.shape`` file; see :func:`deepconvsep.features.tensors.save_shape`."""
        tensors.save_shape(shape_file, shape)

    def get_shape(self, shape_file):
        """Read a ``.shape`` file; see :func:`deepconvsep.features.tensors.get_shape`."""
        return tensors.get_shape(shape_file)


class transformFFT(Transforms):
    """The short-time Fourier transform.

    Examples
    --------
    1. The magnitudes of several signals, saved as a feature file:

    >>> import os, tempfile
    >>> audio = np.random.RandomState(0).uniform(-1, 1, (44100, 2))
    >>> path = os.path.join(tempfile.mkdtemp(), 'song.data')
    >>> tt1 = transformFFT(frameSize=2048, hopSize=512, sampleRate=44100)
    >>> tt1.compute_transform(audio, out_path=path, phase=False)
    >>> sorted(os.listdir(os.path.dirname(path)))
    ['song__m_.data', 'song__m_.shape']

    2. The magnitude and phase of one signal:

    >>> tt1 = transformFFT(frameSize=2048, hopSize=512, sampleRate=44100)
    >>> mag, ph = tt1.compute_file(audio[:, 0], phase=True)
    >>> mag.shape
    (89, 1025)

    3. The signal again, from magnitude and phase; it comes back a little longer:

    >>> back = tt1.compute_inverse(mag, ph)
    >>> bool(np.allclose(back[:44100], audio[:, 0], atol=1e-12))
    True
    """

    def __init__(self, ttype='fft', bins=48, frameSize=1024, hopSize=256, tffmin=25, tffmax=18000, iscale='lin',
                 suffix='', sampleRate=44100, window=np.hanning):
        super().__init__('fft', bins, frameSize, hopSize, tffmin, tffmax, iscale, suffix, sampleRate, window)

    def compute_file(self, audio, phase=False, sampleRate=44100):
        """Magnitudes, and phases, of one signal.

        Parameters
        ----------
        audio : ndarray, shape (samples,)
        phase : bool
            Return the phases too.
        sampleRate : int
            Unused; kept for callers of the original.

        Returns
        -------
        mag : ndarray of float64, shape (frames, frameSize // 2 + 1)
            ``abs(STFT) / sqrt(frameSize)``.
        ph : ndarray of float64, same shape
            In radians, in (-pi, pi]. Only with `phase`.
        """
        if np.ndim(audio) != 1:
            raise ValueError('audio has the shape %s, expected (samples,): see compute_transform for several signals'
                             % (np.shape(audio),))
        return stft.magnitudes(audio, self.window, self.hopSize, phase)

    def compute_inverse(self, mag, phase, sampleRate=44100):
        """The signal of magnitudes and phases as :meth:`compute_file` returns them.

        Returns
        -------
        ndarray of float64, shape (hopSize * (frames - 1) + frameSize - frameSize // 2,)
            Longer than the signal that was analysed: cut it to that length.
        """
        mag, phase = np.asarray(mag), np.asarray(phase)
        if mag.shape != phase.shape or mag.ndim != 2 or mag.shape[1] != self.frameSize // 2 + 1:
            raise ValueError('mag has the shape %s and phase %s, expected (frames, %d) of both'
                             % (mag.shape, phase.shape, self.frameSize // 2 + 1))
        spectrum = mag.astype(np.float64) * np.sqrt(self.frameSize) * np.exp(1j * phase.astype(np.float64))
        return istft_norm(spectrum, self.window, None, self.hopSize, self.frameSize)
