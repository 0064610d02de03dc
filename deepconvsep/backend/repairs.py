"""What Theano 1.0.5 and Lasagne 0.1 lack under the Pythons and NumPys of today, and what they miss of each other.

Everything is mended in the process, at their import: nothing in site-packages is changed. Each mend says what made it
necessary, and does nothing where it is not. Whole modules that are gone are in stand_ins.py; macros for the compiler,
which NumPy 2 and SciPy's OpenBLAS need, in flags.py.
"""
import contextlib
import importlib
import pickle
import sys
import types
import warnings

import numpy as np

from deepconvsep import files
from deepconvsep.backend import stand_ins

#: The names that Theano uses and NumPy took out: ``complex`` in 1.24, the others in 2.0.
NUMPY_NAMES = {
    'complex': lambda: complex,
    'product': lambda: np.prod,
    'sctype2char': lambda: lambda kind: np.dtype(kind).char,
    'cast': lambda: _Cast(),
}


class _Cast(dict):
    """``np.cast[dtype](value)``; also of the types that Theano gives a number, of which NumPy 2.5 makes no dtype."""

    def __missing__(self, dtype):
        name = getattr(dtype, 'dtype', None)
        return lambda value: np.asarray(value).astype(name if isinstance(name, str) else dtype)


def numpy_is_2():
    """Whether NumPy is of version 2 or later."""
    return int(np.__version__.split('.')[0]) >= 2


@contextlib.contextmanager
def silence():
    """Keep from the user what today's Python says of old sources while they are imported; all else is shown.

    These are the escapes in their strings (Python 3.12), the modules and names that are about to go, and pkg_resources
    (setuptools 67.5).
    """
    ours = r'(.*[/\\])?(theano|lasagne)([./\\]|$)'  # by name, and by path: the compiler knows no more than this
    with warnings.catch_warnings():
        for category in (SyntaxWarning, DeprecationWarning, FutureWarning):
            warnings.filterwarnings('ignore', category=category, module=ours)
        warnings.filterwarnings('ignore', message='pkg_resources is deprecated', module=ours)
        warnings.filterwarnings('ignore', category=DeprecationWarning,
                                module=r'(distutils|numpy\.distutils|pkg_resources)')
        yield


def import_old(name):
    """Import one of the two old packages, with what it misses around it."""
    with silence(), stand_ins.in_place():
        give_numpy_its_names()
        return importlib.import_module(name)


def give_numpy_its_names(numpy=np):
    """Set the names that NumPy took out where they are absent; return those that were."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # NumPy 1.20 to 1.23 warn of the names that they still have
        absent = [name for name in NUMPY_NAMES if not hasattr(numpy, name)]
    for name in absent:
        setattr(numpy, name, NUMPY_NAMES[name]())
    return absent


def after_import(theano):
    """Mend an imported Theano; a second call does nothing new."""
    if numpy_is_2():
        name_the_axis(theano.gof.cmodule.GCC_compiler)
        choose_types_by_value(theano.scalar.basic)
    mend_for_lasagne()
    leave_views_to_python()
    let_modules_be_cached(theano.gof.Op)
    replace_keys_at_once(theano.gof.cmodule.KeyData)


def name_the_axis(compiler):
    """NumPy 2: "over all axes" is NPY_RAVEL_AXIS in C, and no longer the greatest number of axes."""
    if getattr(compiler.compile_str, 'names_the_axis', False):
        return
    original = compiler.compile_str

    def compile_str(module_name, src_code, *args, **kwargs):
        return original(module_name, src_code.replace('NPY_MAXDIMS', 'NPY_RAVEL_AXIS'), *args, **kwargs)

    compile_str.names_the_axis = True
    compiler.compile_str = staticmethod(compile_str)


def choose_types_by_value(basic):
    """NumPy 2: give Python's numbers in expressions the types they had with NumPy 1, the smallest that is exact.

    Theano compares a number with its conversion, which NumPy 2 does in the converted type: there 1e-6 equals its
    float32. Under ``floatX=float64`` that is another number in the network.
    """
    cls = basic.NumpyAutocaster
    if hasattr(cls, 'original_call'):
        return
    cls.original_call = cls.__call__

    def call(self, x):
        settings = basic.config
        typed = hasattr(x, 'dtype') and str(x.dtype) in self.dtypes
        narrowed = isinstance(x, float) and settings.floatX in self.dtypes and settings.floatX != 'float64'
        if settings.cast_policy != 'custom' or typed or narrowed:
            return self.original_call(x)
        value = x.item() if hasattr(x, 'dtype') else x
        dtypes = [dtype for dtype in self.dtypes if settings.floatX == 'float16' or dtype != 'float16']
        return np.asarray(x, next((dtype for dtype in dtypes if _is_exact(value, dtype)), dtypes[-1]))

    cls.__call__ = call


def _is_exact(value, dtype):
    """Whether a type holds a number without loss."""
    if np.dtype(dtype).kind in 'iu':
        return np.iinfo(dtype).min <= value <= np.iinfo(dtype).max and value == int(value)
    with np.errstate(all='ignore'):
        return np.asarray(value).astype(dtype).item() == value


def mend_for_lasagne():
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


def leave_views_to_python():
    """Run operations that only rearrange memory through NumPy: they take microseconds, but a second each to compile."""
    from theano.gof.utils import MethodNotDefined
    from theano.tensor.basic import Alloc, Join, Reshape, ScalarFromTensor, TensorFromScalar
    from theano.tensor.elemwise import DimShuffle
    from theano.tensor.opt import MakeVector
    from theano.tensor.subtensor import Subtensor

    def c_code(self, *args):
        raise MethodNotDefined('%s runs in Python' % type(self).__name__)

    for operation in (Alloc, DimShuffle, Join, MakeVector, Reshape, ScalarFromTensor, Subtensor, TensorFromScalar):
        operation.c_code = c_code


def let_modules_be_cached(operation):
    """Mend the compile cache: Theano takes an operation without properties for one without a version,
    and compiles it anew in every process. The matrix product is one."""
    for subclass in operation.__subclasses__():
        if subclass.__dict__.get('__props__') == ():
            subclass.__props__ = ('versioned',)
            subclass.versioned = True
        let_modules_be_cached(subclass)


def replace_keys_at_once(keys):
    """Write the keys of a compiled module beside those that are there, and put them in their place.

    Theano writes over them. A process that starts at that moment reads half of them, takes the module for damaged and
    removes it, and the process that wrote ends in an error with its next key.
    """
    if hasattr(keys, 'original_save_pkl'):
        return
    keys.original_save_pkl = keys.save_pkl

    def save_pkl(self):
        try:
            contents = pickle.dumps(self, protocol=pickle.HIGHEST_PROTOCOL)
        except pickle.PicklingError:
            return self.original_save_pkl()   # which says so
        with files.atomic_path(self.key_pkl) as temporary, open(temporary, 'wb') as out:
            out.write(contents)

    keys.save_pkl = save_pkl
