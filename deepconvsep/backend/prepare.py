"""The one place that prepares Theano: flags, device, and what it and Lasagne 0.1 lack today.

Call :func:`prepare` before anything imports theano. What the user set in ``THEANO_FLAGS`` or ``.theanorc``
is completed, never overridden; names of the back-end that Theano 1.0 removed are translated.
"""
import logging
import os
import shutil
import sys

from deepconvsep import command
from deepconvsep.backend import compiler as compilers
from deepconvsep.backend import gpu, repairs
from deepconvsep.backend.flags import OLD_NAMES, complete, translate, user_flags, wanted_gpu
from deepconvsep.errors import InputError

logger = command.get_logger('backend')


def prepare(verbose=True, seconds=10):
    """Set the flags, import Theano and mend it for Lasagne 0.1; a second call does nothing new.

    Parameters
    ----------
    verbose : bool
        Log one line with device, floatX, BLAS and compiler.
    seconds : int
        What is said of the time that compiling takes on a CPU when nothing is in the cache; 10 is that of a separation.

    Returns
    -------
    module
        theano

    Raises
    ------
    InputError
        When the flags choose a GPU that cannot be used, with which Theano would go on without it, several times
        slower; or when they make no sense to Theano.
    """
    given = user_flags()
    flags = translate(given)
    device = wanted_gpu(flags)
    failures = []
    if 'theano' not in sys.modules:
        for name, value in given.items():
            new = OLD_NAMES.get(name, name)
            if (new, flags[new]) != (name, value):
                logger.warning('%s=%s is from a back-end that Theano 1.0 removed: using %s=%s',
                               name, value, new, flags[new])
        compiler = flags.get('cxx') or shutil.which('g++')
        flags = complete(flags, compiler)
        os.environ['THEANO_FLAGS'] = ','.join('%s=%s' % item for item in flags.items())
        if device:
            try:
                gpu.check(device)
            except InputError as error:
                raise InputError('%s; without a GPU give THEANO_FLAGS=device=cpu' % error) from error
            # its traceback; raised below
            logging.getLogger('theano.gpuarray').addFilter(lambda record: failures.append(record) or False)
        logging.getLogger('theano.gof.compilelock').addFilter(_Waiting())
        compiling = logging.getLogger('theano.gof.cmodule')
        compiling.addFilter(_Compiling(device, seconds))
        compiling.setLevel(logging.DEBUG)
    # what it warns about, the BLAS, is said by describe() in plain words
    logging.getLogger('theano.tensor.blas').setLevel(logging.ERROR)
    # numpy.distutils, which Theano imports, sets the level of all logging: not that of what is said meanwhile
    root, own = logging.root.level, logger.level
    logger.setLevel(logger.getEffectiveLevel())
    try:
        theano = _import_theano()
    finally:
        logging.root.setLevel(root)
        logger.setLevel(own)
    if device and not theano.gpuarray.pygpu_activated:
        error = failures[0].exc_info[1] if failures and failures[0].exc_info else 'Theano cannot initialise it'
        raise InputError('the device %s cannot be used: %s; python -m deepconvsep.backend.gpu says what is missing; '
                         'without a GPU give THEANO_FLAGS=device=cpu'
                         % (device, gpu.reason(error)))
    if theano.config.floatX == 'float16':
        raise InputError('floatX is float16, expected float32 or float64: change THEANO_FLAGS or .theanorc')
    repairs.after_import(theano)
    compilers.remember(theano)
    repairs.import_old('lasagne')
    if verbose:
        logger.info('%s', describe(theano.config))
    return theano


def _import_theano():
    """Theano; what it says about its flags and its folder as one line."""
    try:
        theano = repairs.import_old('theano')
    except (ValueError, OSError, KeyError, RuntimeError) as error:
        raise InputError('Theano does not start: %s: correct THEANO_FLAGS or .theanorc' % command.one_line(
            str(error).split('\n')[0])) from error
    # the module that runs compiled functions: Theano goes on without when its file is damaged, and fails later
    if theano.config.cxx and theano.config.linker.startswith('cvm') and not hasattr(theano.gof.vm, 'CVM'):
        raise InputError('the compiled modules in %s are damaged: remove that folder, it is made anew'
                         % theano.config.compiledir)
    return theano


class _Waiting(logging.Filter):
    """Say once that another process compiles, in place of what Theano says at every try, advice to delete included."""

    said = False

    def filter(self, record):
        if record.msg.startswith('Waiting') and not self.said:
            self.said = True
            logger.info('waiting: another process is compiling')
        return record.levelno >= logging.ERROR


class _Compiling(logging.Filter):
    """Say once, when the first module is given to the compiler, that it takes a while; keep what Theano says of it.

    Theano logs every such call, those of its own import included, right before it is made, and none where the module is
    in the cache or where there is no compiler.
    """

    def __init__(self, device, seconds):
        super().__init__()
        self._line = 'compiling the network, once: some %d s' % seconds if device is None else \
            'compiling the network for %s, once: this takes a while' % device
        self._said = False

    def filter(self, record):
        if record.msg.startswith('Running cmd') and not self._said:
            self._said = True
            logger.info('%s', self._line)
        return record.levelno >= logging.WARNING


def describe(config):
    """One line about the device, the precision, the BLAS and the compiler."""
    blas = config.blas.ldflags
    if not config.cxx:
        compiler = 'no C++ compiler: Theano runs in Python mode, several times slower (install g++)'
    else:
        compiler = os.path.basename(config.cxx.split()[0])
    name = 'OpenBLAS' if 'openblas' in blas else blas if blas else 'of NumPy'
    return 'device %s, %s, BLAS %s, %s' % (config.device, config.floatX, name, compiler)
