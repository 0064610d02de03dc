"""What Theano and Lasagne lack: each mend is needed where it is made, and does nothing where it is not."""
import importlib.util
import json
import os
import subprocess
import sys
import textwrap
import types
import warnings

import constant_types
import numpy as np
import pytest
from conftest import ROOT

from deepconvsep.backend import flags, repairs, stand_ins
from deepconvsep.backend.prepare import prepare
from deepconvsep.network import architecture

theano = prepare(verbose=False)
NUMPY_2 = repairs.numpy_is_2()

with open(constant_types.RECORDED) as source:
    RECORDED = json.load(source)


@pytest.mark.parametrize('real', ['float32', 'float64'])
def test_numbers_have_the_recorded_types(real):
    with theano.configparser.change_flags(floatX=real):
        assert constant_types.of_numbers(theano) == RECORDED['numbers ' + real]


@pytest.mark.parametrize('real', ['float32', 'float64'])
@pytest.mark.parametrize('kind', ['masks', 'training'])
@pytest.mark.parametrize('network', architecture.KNOWN, ids=lambda network: network.name)
def test_constants_in_graphs_have_the_recorded_types(network, kind, real):
    with theano.configparser.change_flags(floatX=real):
        found = constant_types.of_network(theano, constant_types.small(network), kind == 'training')
    assert found == RECORDED['%s, %s, %s' % (network.name, kind, real)]


def test_the_types_are_mended_only_where_numpy_is_2(monkeypatch):
    caster = theano.scalar.basic.NumpyAutocaster
    assert hasattr(caster, 'original_call') == NUMPY_2
    if NUMPY_2:
        monkeypatch.setattr(caster, '__call__', caster.original_call)
        with theano.configparser.change_flags(floatX='float64'):
            assert theano.scalar.convert(1e-6).dtype != RECORDED['numbers float64']['1e-06'][0]


def test_the_axis_has_its_name_of_numpy_2():
    seen = []

    class compiler:
        @staticmethod
        def compile_str(name, code, *args, **kwargs):
            seen.append((name, code, args, kwargs))

    repairs.name_the_axis(compiler)
    once = compiler.compile_str
    repairs.name_the_axis(compiler)
    assert compiler.compile_str is once
    once('m', 'axis = NPY_MAXDIMS;', 1, libs=2)
    assert seen == [('m', 'axis = NPY_RAVEL_AXIS;', (1,), {'libs': 2})]
    assert hasattr(theano.gof.cmodule.GCC_compiler.compile_str, 'names_the_axis') == NUMPY_2


def test_only_absent_names_of_numpy_are_set():
    numpy = types.SimpleNamespace(product='its own', cast='its own')
    assert repairs.give_numpy_its_names(numpy) == ['complex', 'sctype2char']
    assert numpy.product == numpy.cast == 'its own' and numpy.complex is complex
    assert numpy.sctype2char('float32') == 'f'
    numpy = types.SimpleNamespace()
    assert repairs.give_numpy_its_names(numpy) == list(repairs.NUMPY_NAMES)
    assert repairs.give_numpy_its_names(numpy) == []
    assert numpy.cast['float32'](1).dtype == 'float32' and numpy.product([2, 3]) == 6


def test_stand_ins_are_there_only_where_modules_are_missing(monkeypatch):
    before = set(sys.modules)
    monkeypatch.setattr(stand_ins, 'is_missing', lambda name: False)
    with stand_ins.in_place() as missing:
        assert missing == [] and set(sys.modules) - set(stand_ins.NOT_NEEDED) == before - set(stand_ins.NOT_NEEDED)
    assert set(sys.modules) == before


def test_what_no_network_needs_is_not_imported_and_still_works():
    program = ('import sys\n'
               'from deepconvsep.backend.prepare import prepare\n'
               'theano = prepare(verbose=False)\n'
               # before Python 3.12 numpy.distutils is NumPy's own, and brings setuptools
               'assert not {"scipy.stats", "scipy.signal"} & set(sys.modules)\n'
               'assert sys.version_info < (3, 12) or "setuptools" not in sys.modules\n'
               'import scipy.signal\n'
               'print(theano.scalar.basic_scipy.Chi2SF(name="chi2sf").impl(1., 2.), scipy.signal.windows.hann(3)[1])\n')
    done = subprocess.run([sys.executable, '-c', program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.split() == ['%s' % np.exp(-0.5), '1.0'], done.stdout + done.stderr


def test_stand_ins_do_what_theano_and_lasagne_ask():
    distutils = stand_ins.distutils()
    assert distutils['distutils.sysconfig'].get_python_version() == '%d.%d' % sys.version_info[:2]
    assert distutils['distutils.sysconfig'].get_config_var('EXT_SUFFIX').endswith('.so')
    assert distutils['distutils.spawn'].find_executable('sh')
    assert stand_ins.numpy_distutils()['numpy.distutils.misc_util'].get_numpy_include_dirs() == [np.get_include()]
    packages = stand_ins.pkg_resources()['pkg_resources']
    assert packages.get_distribution('Lasagne').version == '0.1'
    with pytest.raises(packages.DistributionNotFound):
        packages.get_distribution('no-such-package')


def test_stand_ins_do_not_stay():
    for name in stand_ins.MAKERS:
        assert 'Stand-in' not in (getattr(sys.modules.get(name), '__doc__', None) or '')


def test_what_is_missing_is_not_found_otherwise():
    assert not stand_ins.is_missing('json')
    assert stand_ins.is_missing('no_such_module') and importlib.util.find_spec('no_such_module') is None


@pytest.mark.parametrize('numpy,ldflags,macros', [
    ('1.26.4', '-lopenblas', ()), ('1.23.5', '-l:libopenblasp-1.so', ()), ('2.1.3', '-lopenblas', ('-DNPY_PY3K=1',)),
    ('1.26.4', '-l:libscipy_openblas-5f.so', ('-Dsgemm_=scipy_sgemm_',)),
    ('2.5.5', '-l:libscipy_openblas-5f.so', ('-DNPY_PY3K=1', '-Dcblas_ddot=scipy_cblas_ddot'))])
def test_macros_are_given_only_where_they_are_needed(numpy, ldflags, macros):
    given = flags.compiler_macros(numpy, ldflags)
    assert set(macros) <= set(given) and bool(given) == bool(macros)


def test_the_cache_is_one_per_numpy_and_flags():
    """Python's version is in Theano's own pattern, NumPy's in this; what the user chose stays."""
    one, two = ({'cxx': 'g++', 'blas.ldflags': name} for name in ('-la', '-lb'))
    assert flags.cache_format(one) == flags.cache_format(dict(one)) != flags.cache_format(two)
    for key in ('python_version', 'numpy_version'):
        assert '%%(%s)s' % key in flags.cache_format(one)
    here = theano.configdefaults.compiledir_format_dict
    pattern = os.path.basename(theano.config.compiledir)
    given = dict(flags.user_flags())
    assert flags.cache_format(given) % here == pattern, 'the flags that Theano was given'
    names = [flags.cache_format(one) % dict(here, python_version=python, numpy_version=numpy)
             for one in (one, two) for python in ('3.12.1', '3.13.0') for numpy in ('2.2.6', '2.5.5')]
    assert len(set(names)) == 8, 'two environments that share a home folder have a cache each'
    assert flags.complete({'compiledir_format': 'mine'}, 'g++')['compiledir_format'] == 'mine'
    assert 'compiledir_format' not in flags.complete({'compiledir': '/mine'}, 'g++')


def test_warnings_of_old_code_alone_are_silenced():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        with repairs.silence():
            warnings.warn_explicit('old', SyntaxWarning, '/x/site-packages/theano/gof/cc.py', 1)
            warnings.warn_explicit('old', DeprecationWarning, 'x.py', 1, module='lasagne.layers')
            warnings.warn_explicit('ours', DeprecationWarning, ROOT + '/transform.py', 1, module='transform')
    assert [str(warning.message) for warning in seen] == ['ours']


def test_a_users_terminal_stays_clean(script, tmp_path):
    """Also at the first start, when Theano and Lasagne are still to be compiled to bytecode; what is ours is said."""
    program = tmp_path / 'program.py'
    program.write_text(textwrap.dedent("""
        import importlib._bootstrap_external as loading
        import sys
        import warnings
        sys.path.insert(0, %r)
        known = loading.cache_from_source

        def anew(path, *args, **more):
            if {'theano', 'lasagne'} & set(path.split('/')):
                raise NotImplementedError  # as in a new environment
            return known(path, *args, **more)
        loading.cache_from_source = anew
        if sys.argv[1:]:
            from deepconvsep.backend import repairs
            import contextlib
            repairs.silence = contextlib.nullcontext
        from deepconvsep.backend.prepare import prepare
        prepare(verbose=False)
        import deepconvsep.separation.separator
        import deepconvsep.training.run
        warnings.warn('this is ours')
        """ % ROOT))
    done = script(str(program))
    assert done.returncode == 0
    said, source = done.stderr.splitlines()
    assert said.startswith(str(program)) and said.endswith(' UserWarning: this is ours') and 'this is ours' in source
    if sys.version_info >= (3, 12):  # what the escapes in their strings are to it
        assert 'lasagne/nonlinearities.py' in script(str(program), 'loud').stderr
