"""What computes the network's outputs: Theano, or NumPy alone.

Theano is the reference, and runs on a GPU too; it needs a C++ compiler. NumPy needs neither, and starts at once.
"""
import importlib.util
import shutil
import threading

import numpy as np

from deepconvsep import command
from deepconvsep.backend.flags import user_flags, wanted_gpu
from deepconvsep.errors import InputError
from deepconvsep.network.harmonic import HarmonicArchitecture
from deepconvsep.network.noise import mask_noise

logger = command.get_logger('engine')

# the masks' noise is far below audibility; with a fixed seed the same input gives the same bytes
NOISE_SEED = 0


def choose(wanted=None):
    """The engine that separates.

    Parameters
    ----------
    wanted : {'theano', 'numpy', None}
        None: Theano, or NumPy where that or its compiler is missing; a line then says so.

    Returns
    -------
    {'theano', 'numpy'}

    Raises
    ------
    InputError
        When there is no such engine, or Theano is wanted and is not there.
    """
    if wanted is not None and wanted not in ENGINES:
        raise InputError('the engine is %r, expected one of: %s' % (wanted, ', '.join(ENGINES)))
    missing = [name for name in ('theano', 'lasagne') if importlib.util.find_spec(name) is None]
    if wanted == 'theano' and missing:
        raise InputError('the engine theano needs %s, which is not installed: install it, or choose the engine numpy'
                         % ' and '.join(missing))
    if wanted is not None:
        return wanted
    flags = user_flags()
    if not missing and not wanted_gpu(flags) and not (flags['cxx'] if 'cxx' in flags else shutil.which('g++')):
        missing = ['a C++ compiler (g++)']
    if not missing:
        return 'theano'
    logger.info('NumPy separates: Theano would, with %s', ' and '.join(missing))
    return 'numpy'


def with_theano(network, params, settings, batch_size):
    """Compile the function that turns scaled magnitudes into masks.

    Parameters
    ----------
    network : architecture.Architecture
    params : list of ndarray
    settings : settings.Settings
    batch_size : int
        Windows in what the function takes.

    Returns
    -------
    callable
        ``run(frames, weights)``: of magnitudes, ndarray (frames, channels, feat_size), and what each window's masks
        weigh in its frames, (windows, time_context), the weighted sum of the masks of the windows, (sources, frames,
        feat_size), and in which frames of each there are masks, bool, (windows, time_context); see
        :mod:`deepconvsep.network.blend`. There may be fewer windows than `batch_size`; the frames are those that
        `batch_size` windows cover, and the masks those that the weighted ones do.
    """
    from deepconvsep.backend.prepare import prepare
    theano = prepare()
    import lasagne

    from deepconvsep.network.blended import BlendedMasks
    from deepconvsep.network.build import build, frame_count

    step = network.time_context - settings.overlap
    entry, weights = theano.tensor.tensor4('magnitudes'), theano.tensor.matrix('weights')
    net = build(network, entry, batch_size, params=params, step=step)
    channels, sources = net.channels(lasagne.layers.get_output(net.input_layers))
    noise = theano.shared(_noise(network, settings, theano.config.floatX))
    blended = BlendedMasks(sources, step, settings.mask_noise_in_numerator)(net.b, noise, weights, *channels)
    function = theano.function([entry, weights], blended, mode=_mode(network), allow_input_downcast=True)
    # a compiled function, and what it takes, are for one thread at a time
    lock = threading.Lock()
    room = np.zeros((1, network.channels, frame_count(network, batch_size, step), network.feat_size), np.float32)

    def run(frames, weights):
        with lock:
            room[0, :, :len(frames)] = frames.transpose(1, 0, 2)
            masks, fine = function(room, weights)
        return masks, fine.astype(bool)

    return run


def _mode(network):
    """How Theano computes: the harmonic network, whose many small operations take half a minute to compile, without C.

    What it takes most time for are products, of BLAS and SciPy either way. On a GPU all is compiled.
    """
    from theano.compile import Mode

    from deepconvsep.network.c_source import usable
    many_small = isinstance(network, HarmonicArchitecture)
    return Mode(linker='py', optimizer='fast_compile') if many_small and usable() else None


def with_numpy(network, params, settings, batch_size):
    """The same in NumPy; parameters and result as of :func:`with_theano`."""
    from deepconvsep.network.blend import blend
    from deepconvsep.network.forward import forward
    ready = forward(network, params)
    step, noise = network.time_context - settings.overlap, _noise(network, settings, np.float32)

    def run(frames, weights):
        covered = (len(weights) - 1) * step + network.time_context
        return blend(ready.windows(frames[:covered], step), noise, settings.mask_noise_in_numerator, weights, step)

    return run


def _noise(network, settings, dtype):
    """The masks' noise, weighted, shape (time_context, feat_size)."""
    noise = mask_noise((network.time_context, network.feat_size), NOISE_SEED, dtype)
    return noise * np.asarray(settings.mask_eps, dtype)


ENGINES = {'theano': with_theano, 'numpy': with_numpy}
