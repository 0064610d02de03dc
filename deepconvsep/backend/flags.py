"""Theano's flags: what the user set, completed and translated, never overridden."""
import configparser
import glob
import os
import re
import subprocess
import zlib

import numpy as np

from deepconvsep import command

logger = command.get_logger('backend')

# what the original's README uses, and what Theano 1.0 calls it
OLD_DEVICE = re.compile(r'gpu(\d*)$')
OLD_NAMES = {'lib.cnmem': 'gpuarray.preallocate'}
DEVICE_FLAGS = ('device', 'init_gpu_device')

# SciPy's OpenBLAS since SciPy 1.14: all its names begin with scipy_
SCIPY_OPENBLAS = 'libscipy_openblas-*.so'
# the names that Theano's C code calls
BLAS_NAMES = (['%s%s_' % (kind, name) for kind in 'sd'
               for name in ('axpy', 'copy', 'dot', 'gemm', 'gemv', 'ger', 'scal')]
              + ['cblas_sdot', 'cblas_ddot', 'openblas_get_num_threads', 'openblas_set_num_threads'])
# NumPy 2 took these out of its headers; Theano's C code is written for Python 2 and 3
NUMPY_2_MACROS = ['-DNPY_PY3K=1', '-DNPY_TARGET_VERSION=NPY_2_0_API_VERSION', '-DPyInt_Check=PyLong_Check',
                  '-DPyInt_AsLong=PyLong_AsLong', '-DPyInt_FromLong=PyLong_FromLong']


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
    found = sorted(glob.glob(os.path.join(libs, 'libopenblasp-*.so')) + glob.glob(os.path.join(libs, SCIPY_OPENBLAS)))
    if found and not re.search(r'[\s,]', found[0]):
        # old-style RPATH: it also finds the Fortran library that OpenBLAS itself needs
        return '-L%s -l:%s -Xlinker --disable-new-dtags' % (libs, os.path.basename(found[0]))
    linked = subprocess.run([compiler, '-x', 'c++', '-', '-o', os.devnull, '-lopenblas'], input=b'int main(){}',
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return '-lopenblas' if linked.returncode == 0 else ''


def complete(flags, compiler):
    """Add what the user left open: float32, BLAS, no cuDNN, a cache of its own, and Python mode where there is no
    compiler; and add to ``gcc.cxxflags`` what NumPy 2 needs, and that nobody debugs."""
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
    given = flags.get('gcc.cxxflags', '').split()
    # Theano asks for what only a debugger reads; it takes a tenth of the time of a compilation
    added = [] if any(flag.startswith('-g') for flag in given) else ['-g0']
    added += compiler_macros(np.__version__, flags['blas.ldflags'])
    if added:
        flags['gcc.cxxflags'] = ' '.join(given + added)
    if 'compiledir' not in flags:
        flags.setdefault('compiledir_format', cache_format(flags))
    return flags


def compiler_macros(numpy_version, ldflags):
    """The macros that Theano's C code needs under a NumPy of 2 or later, and with SciPy's OpenBLAS of 1.14 or later."""
    macros = list(NUMPY_2_MACROS) if int(numpy_version.split('.')[0]) >= 2 else []
    if SCIPY_OPENBLAS.split('*')[0] in ldflags:
        macros += ['-D%s=scipy_%s' % (name, name) for name in BLAS_NAMES]
    return macros


def cache_format(flags):
    """The name of the folder of compiled modules, a pattern of Theano's: one per Python, NumPy and compiler's flags.

    Theano's own name knows Python only, but modules that were compiled for another NumPy do not load, or crash.
    """
    text = ' '.join('%s=%s' % (name, flags.get(name, '')) for name in ('cxx', 'gcc.cxxflags', 'blas.ldflags'))
    return ('compiledir_%%(short_platform)s-%%(processor)s-%%(python_version)s-%%(python_bitwidth)s'
            '-numpy_%%(numpy_version)s-%08x' % zlib.crc32(text.encode()))


def wanted_gpu(flags):
    """The device of the flags if it is a GPU, else None."""
    devices = [flags.get(name, '') for name in DEVICE_FLAGS]
    return next((device for device in devices if device.startswith(('cuda', 'opencl'))), None)
