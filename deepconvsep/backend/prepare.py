"""The one place that prepares Theano: flags, BLAS, device, and the names that Lasagne 0.1 misses.

Call :func:`prepare` before anything imports theano. What the user set in ``THEANO_FLAGS`` or ``.theanorc``
is completed, never overridden; names of the back-end that Theano 1.0 removed are translated.
"""
import configparser
import glob
import logging
import os
import re
import shutil
import subprocess
import sys
import types

from deepconvsep import command
from deepconvsep.backend import gpu
from deepconvsep.errors import InputError

logger = command.get_logger('backend')

# what the original's README uses, and what Theano 1.0 calls it
OLD_DEVICE = re.compile(r'gpu(\d*)$')
OLD_NAMES = {'lib.cnmem': 'gpuarray.preallocate'}
DEVICE_FLAGS = ('device', 'init_gpu_device')


def user_flags(environ=os.environ):
    """The flags that the user set, as a dictionary of str: ``.theanorc`` first, ``THEANO_FLAGS`` over it."""
    flags = {}
    default = os.path.join(os.path.expanduser('~'), '.theanorc')
    rc = configparser.ConfigParser(interpolation=None)
    try:
        rc.read([os.path.expanduser(path) for path in environ.get('THEANORC', default).split(os.pathsep)])
    except (configparser.Error, UnicodeDecodeError) as error:
        logger.warning('.theanorc is not understood: %s', command.one_line(error))
        rc.clear()  # what was read before the error is not in its final form
    for section in rc.sections():
        for name, value in rc.items(section):
            flags[name if section == 'global' else '%s.%s' % (section, name)] = value
    for item in environ.get('THEANO_FLAGS', '').split(','):
        if '=' in item:
            name, value = item.split('=', 1)
            flags[name.strip()] = value.strip()
    # the rc reader lowers the case of names
    return {'floatX' if name.lower() == 'floatx' else name: value for name, value in flags.items()}


def translate(flags):
    """Give removed names of flags and devices their present ones.

    >>> translate({'device': 'gpu0', 'lib.cnmem': '0.95', 'floatX': 'float32'})
    {'device': 'cuda0', 'gpuarray.preallocate': '0.95', 'floatX': 'float32'}
    """
    new = {}
    for name, value in flags.items():
        if name in DEVICE_FLAGS:
            value = OLD_DEVICE.sub(r'cuda\1', value)
        new[OLD_NAMES.get(name, name)] = value
    return new


def blas_flags(compiler):
    """Linker flags for OpenBLAS: the one that SciPy's wheel brings, or the system's; '' when there is none.

    With '' Theano calls the BLAS that NumPy was built with through NumPy, a little slower.
    """
    import scipy
    libs = os.path.join(os.path.dirname(os.path.dirname(scipy.__file__)), 'scipy.libs')
    found = sorted(glob.glob(os.path.join(libs, 'libopenblasp-*.so')))
    if found and not re.search(r'[\s,]', found[0]):
        # old-style RPATH: it also finds the Fortran library that OpenBLAS itself needs
        return '-L%s -l:%s -Xlinker --disable-new-dtags' % (libs, os.path.basename(found[0]))
    linked = subprocess.run([compiler, '-x', 'c++', '-', '-o', os.devnull, '-lopenblas'], input=b'int main(){}',
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return '-lopenblas' if linked.returncode == 0 else ''


def complete(flags, compiler):
    """Add what the user left open: float32, BLAS, no cuDNN, and Python mode where there is no compiler."""
    flags = dict(flags)
    flags.setdefault('floatX', 'float32')
    flags.setdefault('compile.wait', '1')  # seconds until it is tried again while another process compiles
    if not compiler:
        flags.setdefault('cxx', '')
    if flags.get('cxx', compiler) == '':
        # in Python mode a fused operation runs element by element, and in-place ones fall back to it
        flags.setdefault('linker', 'py')
        flags.setdefault('optimizer_excluding', 'fusion:inplace')
        flags.setdefault('blas.ldflags', '')
    elif 'blas.ldflags' not in flags:
        flags['blas.ldflags'] = blas_flags(compiler)
    if wanted_gpu(flags):
        flags.setdefault('dnn.enabled', 'False')
    return flags


def wanted_gpu(flags):
    """The device of the flags if it is a GPU, else None."""
    devices = [flags.get(name, '') for name in DEVICE_FLAGS]
    return next((device for device in devices if device.startswith(('cuda', 'opencl'))), None)


def prepare(verbose=True, seconds=15):
    """Set the flags, import Theano and mend it for Lasagne 0.1; a second call does nothing new.

    Parameters
    ----------
    verbose : bool
        Log one line with device, floatX, BLAS and compiler.
    seconds : int
        What is said of the time that compiling takes on a CPU when nothing is in the cache; 15 is that of a separation.

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
    device = None
    failures = []
    if 'theano' not in sys.modules:
        given = user_flags()
        flags = translate(given)
        for name, value in given.items():
            new = OLD_NAMES.get(name, name)
            if (new, flags[new]) != (name, value):
                logger.warning('%s=%s is from a back-end that Theano 1.0 removed: using %s=%s',
                               name, value, new, flags[new])
        compiler = flags.get('cxx') or shutil.which('g++')
        flags = complete(flags, compiler)
        os.environ['THEANO_FLAGS'] = ','.join('%s=%s' % item for item in flags.items())
        device = wanted_gpu(flags)
        if device:
            gpu.check(device)
            # its traceback; raised below
            logging.getLogger('theano.gpuarray').addFilter(lambda record: failures.append(record) or False)
        logging.getLogger('theano.gof.compilelock').addFilter(_Waiting())
        compiling = logging.getLogger('theano.gof.cmodule')
        compiling.addFilter(_Compiling(device, seconds))
        compiling.setLevel(logging.DEBUG)
    # what it warns about, the BLAS, is said by describe() in plain words
    logging.getLogger('theano.tensor.blas').setLevel(logging.ERROR)
    level = logging.root.level
    theano = _import_theano()
    # numpy.distutils, which Theano imports, sets the level of all logging
    logging.root.setLevel(level)
    if device and not theano.gpuarray.pygpu_activated:
        error = failures[0].exc_info[1] if failures and failures[0].exc_info else 'Theano cannot initialise it'
        raise InputError('the device %s cannot be used: %s; python -m deepconvsep.backend.gpu says what is missing' % (device, gpu.reason(error)))
    _mend_for_lasagne()
    _leave_views_to_python()
    _let_modules_be_cached(theano.gof.Op)
    if verbose:
        logger.info('%s', describe(theano.config))
    return theano


def _import_theano():
    """Theano; what it says about its flags and its folder as one line."""
    try:
        import theano
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


def _mend_for_lasagne():
    """Supply the module that Lasagne 0.1 imports and Theano 1.0 no longer has."""
    name = 'theano.tensor.signal.downsample'
    if name in sys.modules:
        return
    import theano.tensor.signal.pool as pool

    def max_pool_2d(input, ds, ignore_border=None, st=None, padding=(0, 0), mode='max'):
        return pool.pool_2d(input, ws=ds, ignore_border=ignore_border, stride=st, pad=padding, mode=mode)

    module = types.ModuleType(name)
    module.max_pool_2d = max_pool_2d
    sys.modules[name] = module
    import theano.tensor.signal
    theano.tensor.signal.downsample = module


def _leave_views_to_python():
    """Run operations that only rearrange memory through NumPy: they take microseconds, but a second each to compile."""
    from theano.gof.utils import MethodNotDefined
    from theano.tensor.basic import Alloc, Join, Reshape
    from theano.tensor.elemwise import DimShuffle
    from theano.tensor.subtensor import Subtensor

    def c_code(self, *args):
        raise MethodNotDefined('%s runs in Python' % type(self).__name__)

    for operation in (Alloc, DimShuffle, Join, Reshape, Subtensor):
        operation.c_code = c_code


def _let_modules_be_cached(operation):
    """Mend the compile cache: Theano takes an operation without properties for one without a version,
    and compiles it anew in every process. The matrix product is one."""
    for subclass in operation.__subclasses__():
        if subclass.__dict__.get('__props__') == ():
            subclass.__props__ = ('versioned',)
            subclass.versioned = True
        _let_modules_be_cached(subclass)
