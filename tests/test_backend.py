"""backend.py: the user's flags are completed and translated, never overridden."""
import os
import sys
import types

import pytest
from conftest import ROOT

from deepconvsep.backend import compiler
from deepconvsep.backend.flags import complete, translate, user_flags
from deepconvsep.backend.prepare import prepare


@pytest.fixture
def no_rc(tmp_path):
    return {'THEANORC': str(tmp_path / 'none')}


def test_flags_of_rc_and_environment(tmp_path):
    rc = tmp_path / 'rc'
    rc.write_text('[global]\nfloatX = float64\ndevice = gpu\n[lib]\ncnmem = 0.5\n[blas]\nldflags = -lfoo\n')
    flags = user_flags({'THEANORC': str(rc), 'THEANO_FLAGS': 'device=cpu, mode=FAST_RUN,,nonsense'})
    assert flags == {'floatX': 'float64', 'device': 'cpu', 'mode': 'FAST_RUN', 'lib.cnmem': '0.5',
                     'blas.ldflags': '-lfoo'}


def test_a_broken_rc_is_said(tmp_path, caplog):
    (tmp_path / 'rc').write_text('no section\n')
    assert user_flags({'THEANORC': str(tmp_path / 'rc')}) == {}
    assert '.theanorc is not understood' in caplog.text


@pytest.mark.parametrize('old,new', [('gpu', 'cuda'), ('gpu0', 'cuda0'), ('gpu12', 'cuda12'), ('cpu', 'cpu'),
                                     ('cuda1', 'cuda1'), ('opencl0:0', 'opencl0:0')])
def test_removed_devices_are_translated(old, new):
    assert translate({'device': old, 'init_gpu_device': old}) == {'device': new, 'init_gpu_device': new}


def test_what_the_user_set_stays():
    given = {'floatX': 'float64', 'blas.ldflags': '', 'device': 'cuda0', 'dnn.enabled': 'auto', 'cxx': '/my/g++',
             'compile.wait': '7', 'compiledir_format': 'mine'}
    kept = complete(given, '/my/g++')
    kept.pop('gcc.cxxflags')  # what NumPy 2 needs, and no debugging
    assert kept == given
    assert complete({**given, 'gcc.cxxflags': '-O1'}, '/my/g++')['gcc.cxxflags'].split()[:2] == ['-O1', '-g0']
    assert '-g0' not in complete({**given, 'gcc.cxxflags': '-g'}, '/my/g++')['gcc.cxxflags'].split()


CPUINFO = 'processor\t: %d\nmodel name\t: A\ncpu MHz\t\t: %d\nflags\t\t: fpu %s\n\n'


def test_the_processor_is_described_by_what_does_not_change(tmp_path):
    first, same, other = (tmp_path / name for name in 'abc')
    first.write_text(CPUINFO % (0, 2000, 'avx') + CPUINFO % (1, 2100, 'avx'))
    same.write_text(CPUINFO % (0, 2345, 'avx'))
    other.write_text(CPUINFO % (0, 2000, 'avx512f'))
    assert compiler.describe_processor(str(first)) == {'model name': 'A', 'flags': 'fpu avx'}
    assert compiler.describe_processor(str(first)) == compiler.describe_processor(str(same))
    assert compiler.describe_processor(str(first)) != compiler.describe_processor(str(other))
    assert compiler.describe_processor(str(tmp_path / 'none')) == {}


def test_the_compiler_is_asked_once_for_the_processor(tmp_path, monkeypatch):
    cxx, asked = tmp_path / 'c++', []
    cxx.write_text('#!/bin/sh\n')
    cxx.chmod(0o755)
    monkeypatch.setattr(compiler, 'describe_processor', lambda path: {'flags': 'avx'})

    def start(cxxflags='-g0', cxx=str(cxx)):
        def ask():
            asked.append(cxxflags)
            gcc.march_flags = ['-march=x%d' % len(asked)]
        gcc = types.SimpleNamespace(march_flags=None, compile_args=ask)
        config = types.SimpleNamespace(cxx=cxx, compiledir=str(tmp_path), gcc=types.SimpleNamespace(cxxflags=cxxflags))
        compiler.remember(types.SimpleNamespace(
            config=config, gof=types.SimpleNamespace(cmodule=types.SimpleNamespace(GCC_compiler=gcc))))
        return gcc.march_flags

    assert start() == start() == ['-march=x1'] and len(asked) == 1
    assert start('-O1') == start('-O1') == ['-march=x2']      # other flags
    cxx.write_text('#!/bin/sh\nexit\n')
    assert start('-O1') == start('-O1') == ['-march=x3']      # another compiler
    (tmp_path / compiler.NAME).write_text('{"question": ')
    assert start('-O1') == start('-O1') == ['-march=x4']      # a damaged file
    assert start(cxx='') is None and len(asked) == 4


def test_what_is_open_is_filled_in():
    flags = complete({}, 'g++')
    assert flags['floatX'] == 'float32' and 'openblas' in flags['blas.ldflags']
    assert complete({'device': 'cuda'}, 'g++')['dnn.enabled'] == 'False'
    python = complete({}, None)
    assert '%(numpy_version)s' in python.pop('compiledir_format')
    python.pop('gcc.cxxflags')
    assert python == {'floatX': 'float32', 'compile.wait': '1', 'cxx': '', 'linker': 'py',
                      'optimizer_excluding': 'fusion:inplace',
                      'blas.ldflags': ''}


def test_the_flags_of_the_original_work(script, golden, tmp_path, no_rc):
    """README of the original: mode, gpu names and cnmem; here on the CPU, so that it ends with the device's absence."""
    program = tmp_path / 'program.py'
    program.write_text('import sys\nsys.path.insert(0, %r)\nimport climate\nclimate.enable_default_logging()\n'
                       'from deepconvsep.backend.prepare import prepare\ntheano = prepare()\nimport lasagne\n'
                       'print(theano.config.device, theano.config.gpuarray.preallocate, theano.config.floatX)\n'
                       % ROOT)
    done = script(str(program), env=dict(no_rc, THEANO_FLAGS='mode=FAST_RUN,device=cpu,floatX=float32,lib.cnmem=0.95,'
                                         + os.environ['THEANO_FLAGS']))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ['cpu', '0.95', 'float32']
    assert 'lib.cnmem=0.95 is from a back-end that Theano 1.0 removed: using gpuarray.preallocate=0.95' in done.stderr
    assert 'device cpu, float32, BLAS OpenBLAS' in done.stderr


def test_operations_without_properties_are_cached():
    theano = prepare(verbose=False)
    from theano.tensor.blas import Dot22
    assert Dot22.__props__ and Dot22() == Dot22()
    assert 'lasagne' in sys.modules or __import__('lasagne')
    assert theano.tensor.signal.downsample.max_pool_2d


@pytest.mark.parametrize('level,expected', [('INFO', ['I backend: waiting: another process is compiling']),
                                            ('WARNING', [])])
def test_another_process_that_compiles_is_waited_for(script, tmp_path, level, expected):
    """The lock of a process that is alive, for three tries; then that of one that was killed."""
    program = tmp_path / 'program.py'
    program.write_text(
        'import os, shutil, sys, threading\nsys.path.insert(0, %r)\n'
        'from deepconvsep import command\ncommand.enable_default_logging(%r)\nfrom deepconvsep.backend.prepare import '
        'prepare\nprepare(verbose=False)\n'
        'from theano.gof import compilelock\n'
        'def lock(pid):\n    os.mkdir("lock")\n'
        '    open("lock/lock", "w").write("%%d_1_%%s" %% (pid, compilelock.hostname))\n'
        'lock(os.getppid())\nthreading.Timer(4.5, shutil.rmtree, ["lock"]).start()\n'
        'compilelock.get_lock("./lock")\ncompilelock.release_lock()\n'
        'lock(2 ** 22 + 1)\ncompilelock.get_lock("./lock")\n' % (ROOT, level))
    done = script(str(program))
    assert done.returncode == 0 and done.stderr.splitlines() == expected


@pytest.mark.parametrize('level,flags,lines', [('INFO', '', 1), ('WARNING', '', 0), ('INFO', ',cxx=', 0)])
def test_compiling_is_said_once_and_only_where_it_is_done(script, tmp_path, no_rc, level, flags, lines):
    program = tmp_path / 'program.py'
    program.write_text(
        'import sys\nsys.path.insert(0, %r)\n'
        'from deepconvsep import command\ncommand.enable_default_logging(%r)\nfrom deepconvsep.backend.prepare import '
        'prepare\ntheano = prepare(seconds=7)\n'
        'x = theano.tensor.vector()\n'
        'for y in (x + 1, theano.tensor.exp(x)):\n    theano.function([x], y)([0])\nprepare()\n' % (ROOT, level))
    for expected in (lines, 0):   # the cache is empty, and warm
        done = script(str(program), env=dict(no_rc, THEANO_FLAGS='base_compiledir=%s%s' % (tmp_path / 'cache', flags)))
        assert done.returncode == 0, done.stderr
        assert done.stderr.count('I backend: compiling the network, once: some 7 s\n') == expected
        assert done.stderr.count('compiling') == expected
