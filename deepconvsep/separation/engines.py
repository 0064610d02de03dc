"""What computes the network's outputs: Theano, or NumPy alone.

Theano is the reference, and runs on a GPU too; it needs a C++ compiler. NumPy needs neither, and starts at once.
"""
import importlib.util
import shutil

import numpy as np

from deepconvsep import command
from deepconvsep.backend.flags import user_flags, wanted_gpu
from deepconvsep.errors import InputError
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
        When Theano is wanted and is not there.
    """
    missing = [name for name in ('theano', 'lasagne') if importlib.util.find_spec(name) is None]
    if wanted == 'theano' and missing:
        raise InputError('--engine theano needs %s, which is not installed: install it, or give --engine numpy'
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
    """Compile the function that turns scaled magnitudes into outputs and what they are divided by.

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
        ndarray (frames, channels, feat_size) -> for each window that fits the frames, what
        :func:`deepconvsep.network.masks.soft_masks` divides: the outputs, (sources, time_context, feat_size), and their
        sum, (time_context, feat_size), with the masks' noise. The caller may overwrite them.
    """
    from deepconvsep.backend.prepare import prepare
    theano = prepare()
    from deepconvsep.network.build import build
    from deepconvsep.network.masks import source_outputs, weighted

    entry = theano.tensor.tensor4('magnitudes')
    output = build(network, entry, batch_size, params=params)
    noise = theano.shared(mask_noise((1, network.time_context, network.feat_size), NOISE_SEED,
                                     theano.config.floatX), broadcastable=(True, False, False))
    outputs, total = weighted(source_outputs(output), noise, settings.mask_eps, settings.mask_noise_in_numerator)
    function = theano.function([entry], [*outputs, total], allow_input_downcast=True)

    def run(frames):
        windows = np.lib.stride_tricks.sliding_window_view(frames, network.time_context, axis=0)
        windows = windows[::network.time_context - settings.overlap]
        *outputs, total = function(np.ascontiguousarray(windows.transpose(0, 1, 3, 2)))
        return zip(zip(*outputs), total)

    return run


def with_numpy(network, params, settings, batch_size):
    """The same in NumPy; parameters and result as of :func:`with_theano`."""
    from deepconvsep.network.forward import forward
    ready = forward(network, params)
    step = network.time_context - settings.overlap
    noise = mask_noise((network.time_context, network.feat_size), NOISE_SEED) * np.float32(settings.mask_eps)

    def run(frames):
        for outputs in ready.windows(frames, step):
            if settings.mask_noise_in_numerator:
                outputs += noise
                yield outputs, outputs.sum(axis=0)
            else:
                yield outputs, outputs.sum(axis=0) + noise

    return run


ENGINES = {'theano': with_theano, 'numpy': with_numpy}
