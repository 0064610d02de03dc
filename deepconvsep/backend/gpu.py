"""What Theano's GPU back-end needs on this machine: is it there, and is it found.

    python -m deepconvsep.backend.gpu            says in one line what is missing, or the device that works
    python -m deepconvsep.backend.gpu --links    makes the links below; `make gpu` does this

libgpuarray opens CUDA's libraries under the names ``libcuda.so``, ``libnvrtc.so`` and ``libcublas.so``. The driver and
NVIDIA's Python packages have them under other names (``libnvrtc.so.12``), in folders that are not searched. So small
libraries of the plain names, each of which only refers to the real one, are linked into the virtual environment,
and opened before Theano is imported: no environment variable and no system folder has to be changed.
"""
import ctypes
import glob
import os
import re
import shutil
import site
import subprocess
import sys

import numpy as np

from deepconvsep import command, files
from deepconvsep.errors import InputError

logger = command.get_logger('gpu')

#: What libgpuarray opens, and what to do where it is missing.
LIBRARIES = {'cuda': 'install the NVIDIA driver (Debian: apt-get install nvidia-driver)',
             'nvrtc': 'run make gpu, or install the CUDA toolkit',
             'cublas': 'run make gpu, or install the CUDA toolkit'}

#: Where CUDA's libraries lie that the system's loader does not know: the NVIDIA packages of PyPI, and the toolkit.
PLACES = ([os.path.join(folder, 'nvidia', '*', 'lib') for folder in site.getsitepackages()]
          + [os.path.join(os.environ[name], 'lib64') for name in ('CUDA_HOME', 'CUDA_PATH') if name in os.environ]
          + ['/usr/local/cuda/lib64', '/usr/local/cuda-*/lib64', '/usr/local/nvidia/lib64', '/usr/lib/x86_64-linux-gnu',
             '/usr/lib/x86_64-linux-gnu/nvidia/current', '/usr/lib/wsl/lib'])


def links_folder():
    """Where the links of this environment lie."""
    return os.path.join(sys.prefix, 'lib', 'cuda-links')


def find_library(name, places=None):
    """The file of a library of CUDA, or None: the newest version in the first place that has one."""
    for place in PLACES if places is None else places:
        found = [path for path in glob.glob(os.path.join(place, 'lib%s.so*' % name)) if 'stubs' not in path]
        if found:
            return max(found, key=lambda path: [int(part) for part in re.findall(r'\d+', os.path.basename(path))])
    return None


def make_links(folder=None, places=None):
    """Make the links for all libraries that are found.

    Returns
    -------
    list of str
        The names of those that were found.
    """
    folder = folder or links_folder()
    compiler = shutil.which('g++')
    if not compiler:
        raise InputError('there is no C++ compiler, which Theano\'s GPU back-end needs: install g++')
    files.make_folder(folder)
    made = []
    for name in LIBRARIES:
        path = find_library(name, places)
        if path is None:
            continue
        with files.atomic_path(os.path.join(folder, 'lib%s.so' % name)) as temporary:
            linked = subprocess.run(
                [compiler, '-shared', '-o', temporary, '-Wl,-soname,lib%s.so' % name, '-Wl,--no-as-needed', path,
                 '-Wl,--allow-shlib-undefined', '-Wl,--disable-new-dtags', '-Wl,-rpath,' + os.path.dirname(path)],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if linked.returncode:
                raise InputError('cannot link %s: %s' % (path, command.one_line(linked.stdout)))
        made.append(name)
    return made


def open_links(folder=None):
    """Open the links, so that libgpuarray finds the libraries under their plain names; those that are missing or broken
    are left to the system's loader."""
    for path in sorted(glob.glob(os.path.join(folder or links_folder(), 'lib*.so'))):
        try:
            ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            logger.warning('%s', command.one_line(error))


def check(device):
    """Open the links, and raise InputError saying what is missing for a device (as in Theano's flag) and what to do."""
    open_links()
    try:
        import pygpu  # noqa: F401
    except ImportError as error:
        raise InputError('pygpu is missing (%s): run make gpu on Debian 12' % command.one_line(error)) from error
    # OpenCL, which the tests use where there is no GPU, needs none of CUDA's libraries
    for name, remedy in LIBRARIES.items() if device.startswith('cuda') else ():
        try:
            ctypes.CDLL('lib%s.so' % name)
        except OSError:
            raise InputError('lib%s.so is missing: %s' % (name, remedy)) from None


def reason(error):
    """What an exception of libgpuarray says, whose text is of bytes."""
    text = error.args[0] if getattr(error, 'args', None) else error
    return command.one_line(text.decode(errors='replace') if isinstance(text, bytes) else text)


def try_kernels(context):
    """Compile and run a kernel, and a matrix product: a driver may refuse what a newer compiler made."""
    import pygpu
    from pygpu import blas, elemwise
    matrix = pygpu.asarray([[1., 2.], [3., 4.]], dtype='float32', context=context)
    twice = elemwise.elemwise2(matrix, '+', matrix, matrix)
    product = blas.gemm(1., matrix, twice, 0., twice.copy(), overwrite_c=True)
    if np.asarray(product).tolist() != [[14., 20.], [30., 44.]]:
        raise InputError('the device %s computes wrong numbers: check the driver and CUDA' % context.devname)


def main(argv=None):
    """Check the device; return the exit code."""
    flags = command.Parser(prog='deepconvsep.backend.gpu', description='Say what Theano\'s GPU back-end misses on '
                                                                       'this machine.')
    flags.add_arg('--device', default='cuda0', help='as in THEANO_FLAGS')
    flags.add_arg('--links', action='store_true', help='first link CUDA\'s libraries into the virtual environment')
    args = flags.parse_args(argv)
    command.enable_default_logging()
    if args.links:
        make_links()
    check(args.device)
    import pygpu
    try:
        context = pygpu.init(args.device)
        try_kernels(context)
        name = context.devname
    except (pygpu.gpuarray.GpuArrayException, ValueError) as error:
        raise InputError('the device %s cannot be used: %s' % (args.device, reason(error))) from error
    print('%s works: %s. Use it with THEANO_FLAGS=device=%s' % (args.device, name, args.device))
    return 0


if __name__ == '__main__':
    command.run(main)
