"""Each mend of Theano and Lasagne: without it something fails where it is made; where it is not, nothing is changed."""
import inspect
import json
import pickle
import subprocess
import sys
import sysconfig

import numpy as np
import pytest
from conftest import ROOT

from deepconvsep.backend import repairs
from deepconvsep.backend.prepare import prepare

theano = prepare(verbose=False)

import theano.tensor as T


def gradient():
    number = T.dscalar()
    return theano.grad(T.arctan(number), number)


#: What Theano does with each name that NumPy took out, and how that fails without it.
USES = {
    'complex': (lambda: T.get_scalar_constant_value(np.asarray(2.)), T.NotScalarConstantError),
    'product': (lambda: theano.scalar.mul.impl(2, 3), AttributeError),
    'sctype2char': (lambda: theano.function([], T.exp(T.arange(2)), mode=theano.Mode('py', None))(), AttributeError),
    'cast': (gradient, AttributeError),
}

#: Each mend is left out in a process of its own, which is forked before Theano, or Lasagne, is imported.
PROGRAM = '''
import contextlib, json, os, sys, warnings
sys.path.insert(0, %r)
import numpy as np
from deepconvsep.backend import flags, repairs, stand_ins

os.environ['THEANO_FLAGS'] = ','.join('%%s=%%s' %% item for item in flags.complete(flags.user_flags(), 'g++').items())


class NoSetuptools:
    """An environment without setuptools, and so without what it brings."""

    def find_spec(name, path=None, target=None):
        if name.split('.')[0] in stand_ins.OF_SETUPTOOLS:
            raise ModuleNotFoundError('No module named %%r' %% name)


sys.meta_path.insert(0, NoSetuptools)
found = {'missing': [*stand_ins.OF_SETUPTOOLS, *(
    name for name in stand_ins.MAKERS if name not in stand_ins.OF_SETUPTOOLS and stand_ins.is_missing(name))]}


def without(what, prepare, package):
    """How the import of a package ends when `prepare` has taken something away."""
    read, write = os.pipe()
    if not os.fork():
        try:
            prepare()
            with contextlib.redirect_stdout(sys.stderr):
                repairs.import_old(package)
            outcome = 'imported'
        except BaseException as error:
            outcome = '%%s: %%s' %% (type(error).__name__, error)
        os.write(write, outcome.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        found[what] = answer.read()
    os.wait()


for name in ('distutils', 'numpy.distutils'):
    without(name, lambda: stand_ins.MAKERS.pop(name), 'theano')
theano = repairs.import_old('theano')
without('pkg_resources', lambda: (repairs.mend_for_lasagne(), stand_ins.MAKERS.pop('pkg_resources')), 'lasagne')
without('downsample', lambda: None, 'lasagne')
repairs.mend_for_lasagne()
without('nothing', lambda: None, 'lasagne')

import theano.tensor as T
from theano.gof.cc import CLinker


def state():
    """Whether a reshaping has C code; how the product of matrices is known to the compile cache; a small constant."""
    matrix = T.fmatrix()
    reshape = matrix.reshape((4,)).owner
    try:
        reshape.op.c_code(reshape, 'n', ['a', 'b'], ['c'], {'fail': '', 'params': 'p'})
        code = True
    except theano.gof.utils.MethodNotDefined:
        code = False
    graph = theano.gof.FunctionGraph(*theano.gof.graph.clone([matrix], [theano.tensor.blas.Dot22()(matrix, matrix)]))
    with theano.configparser.change_flags(floatX='float64'):
        return {'code': code, 'version': bool(CLinker().accept(graph).cmodule_key()[0]),
                'small': str(theano.scalar.convert(1e-6).dtype)}


found['before'] = state()
repairs.after_import(theano)
found['after'] = state()
print(json.dumps(found))
''' % ROOT


@pytest.fixture(scope='module')
def found():
    done = subprocess.run([sys.executable, '-c', PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize('name', ['distutils', 'numpy.distutils', 'pkg_resources'])
def test_a_stand_in_is_needed_where_the_module_is_missing(found, name):
    if name in found['missing']:
        assert found[name] == "ModuleNotFoundError: No module named '%s'" % name
    else:
        assert found[name] == 'imported'


def test_since_python_3_12_all_of_them_are_missing(found):
    """Else nothing would be shown."""
    if sys.version_info >= (3, 12):
        assert set(found['missing']) == {'distutils', 'numpy.distutils', 'pkg_resources'}


def test_lasagne_needs_its_module_of_pooling(found):
    assert 'downsample' in found['downsample'] and 'Error' in found['downsample']
    assert found['nothing'] == 'imported'


def test_views_and_the_cache_are_mended_on_every_set(found):
    assert found['before']['code'] and not found['after']['code']
    assert not found['before']['version'] and found['after']['version']


def test_numbers_are_mended_where_numpy_is_2(found):
    assert found['after']['small'] == 'float64'
    assert (found['before']['small'] == 'float64') == (not repairs.numpy_is_2())


@pytest.mark.parametrize('name', repairs.NUMPY_NAMES)
def test_a_name_of_numpy_is_needed(monkeypatch, name):
    use, failure = USES[name]
    with monkeypatch.context() as without:
        without.delattr(np, name)
        with pytest.raises(failure):
            use()
        assert repairs.give_numpy_its_names() == [name]
        use()
    assert repairs.give_numpy_its_names() == []


@pytest.mark.skipif(not theano.config.cxx, reason='there is no compiler')
def test_all_axes_have_another_number_where_numpy_is_2():
    """Theano's C code says NPY_MAXDIMS, which still compiles there and then means axis 64."""
    assert 'axis = NPY_MAXDIMS;' in inspect.getsource(T.MaxAndArgmax)
    code = ('#include <Python.h>\n#include <numpy/arrayobject.h>\n'
            'static_assert(NPY_MAXDIMS != NPY_RAVEL_AXIS, "the same");\n')
    folders = ['-I' + folder for folder in (np.get_include(), sysconfig.get_path('include'))]
    done = subprocess.run([theano.config.cxx, '-fsyntax-only', '-x', 'c++', '-', *theano.config.gcc.cxxflags.split(),
                           *folders], input=code, capture_output=True, text=True)
    assert (done.returncode == 0) == repairs.numpy_is_2(), done.stderr


def test_another_process_never_finds_half_of_the_keys_of_a_module(tmp_path):
    path, found = tmp_path / 'key.pkl', []

    class Key:
        """Says, while it is written, what another process would read."""

        def __reduce__(self):
            found.append(path.read_bytes())
            return int, ()

    module = theano.gof.cmodule.KeyData({Key()}, 'hash', str(path), 'entry')
    for save, expected in ((module.original_save_pkl, b''), (module.save_pkl, b'those of before')):
        path.write_bytes(b'those of before')
        save()
        assert found.pop() == expected
        assert pickle.loads(path.read_bytes()).keys == {0} and len(list(tmp_path.iterdir())) == 1


def test_keys_that_cannot_be_written_are_not_kept(tmp_path):
    class Key:
        def __reduce__(self):
            raise pickle.PicklingError

    (tmp_path / 'key.pkl').write_bytes(b'those of before')
    with pytest.raises(pickle.PicklingError):
        theano.gof.cmodule.KeyData({Key()}, 'hash', str(tmp_path / 'key.pkl'), 'entry').save_pkl()
    assert list(tmp_path.iterdir()) == []
