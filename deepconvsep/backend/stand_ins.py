"""Stand-ins for the modules that Theano 1.0.5 and Lasagne 0.1 import and that Python, NumPy or setuptools took out.

=================  =============================================  ==================================================
module             gone since                                     who imports it
=================  =============================================  ==================================================
distutils          Python 3.12 (setuptools may bring one)         theano.gof.cmodule, theano.configdefaults
numpy.distutils    NumPy's wheels for Python 3.12                 theano.gof.cmodule, theano.tensor.blas
pkg_resources      setuptools 81; no setuptools in a fresh        lasagne, theano.gpuarray.linalg
                   environment of Python 3.12
=================  =============================================  ==================================================

Each has only what these two call, and is there only while they are imported. A module that is found, but only by
importing setuptools, is taken for missing, and two parts of SciPy are kept away: each takes as long as a separation.
"""
import contextlib
import importlib.metadata
import importlib.util
import shutil
import sys
import sysconfig
import types

import numpy as np


def _module(name, **contents):
    module = types.ModuleType(name, 'Stand-in of deepconvsep.')
    vars(module).update(contents)
    return module


def _include(plat_specific=False):
    return sysconfig.get_path('platinclude' if plat_specific else 'include')


def _library(plat_specific=False, standard_lib=False):
    kind = 'stdlib' if standard_lib else 'lib'
    return sysconfig.get_path('plat' + kind if plat_specific else 'stdlib' if standard_lib else 'purelib')


def distutils():
    """The functions of ``distutils.sysconfig`` and ``distutils.spawn`` that Theano calls."""
    return {'distutils.sysconfig': _module(
                'distutils.sysconfig', get_config_var=sysconfig.get_config_var, get_python_inc=_include,
                get_python_lib=_library, get_python_version=sysconfig.get_python_version,
                get_config_h_filename=sysconfig.get_config_h_filename),
            'distutils.spawn': _module('distutils.spawn', find_executable=shutil.which)}


def numpy_distutils():
    """NumPy's folders of headers; of BLAS it knows nothing, whose flags are ours (see flags.py)."""
    return {'numpy.distutils.misc_util': _module('numpy.distutils.misc_util',
                                                 get_numpy_include_dirs=lambda: [np.get_include()]),
            'numpy.distutils.__config__': _module('numpy.distutils.__config__', blas_opt_info={})}


class DistributionNotFound(Exception):
    """What ``pkg_resources`` raises where a package is not installed."""


def pkg_resources():
    """The version of an installed package."""
    def get_distribution(name):
        try:
            return importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError as error:
            raise DistributionNotFound(name) from error

    return {'pkg_resources': _module('pkg_resources', get_distribution=get_distribution,
                                     DistributionNotFound=DistributionNotFound)}


#: The makers of what stands for a module that cannot be found.
MAKERS = {'distutils': distutils, 'numpy.distutils': numpy_distutils, 'pkg_resources': pkg_resources}


#: What setuptools brings, which takes long to import.
OF_SETUPTOOLS = {'pkg_resources', 'distutils'} if sys.version_info >= (3, 12) else {'pkg_resources'}

#: What Theano imports for operations that no network has, and what it finds instead: of the first it needs no more than
#: the name before the operation runs; without the second it goes on, as it does since SciPy 1.8 renamed a part of it.
NOT_NEEDED = {'scipy.stats': types.ModuleType('scipy.stats'), 'scipy.signal': None}


def is_missing(name):
    """Whether a module is not there already and cannot be found, or only in setuptools."""
    return name not in sys.modules and (name in OF_SETUPTOOLS or importlib.util.find_spec(name) is None)


@contextlib.contextmanager
def in_place():
    """While this context is open, what is missing can be imported; what is there is left alone.

    Yields
    ------
    list of str
        The names of the modules that were missing.
    """
    missing = [name for name in MAKERS if is_missing(name)]
    added = {}
    for name in missing:
        modules = MAKERS[name]()
        package = modules.setdefault(name, _module(name))
        for full, module in modules.items():
            if full != name:
                setattr(package, full.rpartition('.')[2], module)
        added.update(modules)
    added.update((name, module) for name, module in NOT_NEEDED.items() if name not in sys.modules)
    sys.modules.update(added)
    if 'numpy.distutils' in added:
        # Theano's compiler asks for it by this name later too
        np.distutils = added['numpy.distutils']
    try:
        yield missing
    finally:
        # another library, setuptools for one, is to find out by itself that they are missing
        for name in added:
            sys.modules.pop(name, None)
