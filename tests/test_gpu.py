"""gpu.py, and the networks on a GPU against the CPU: on an NVIDIA GPU, else on any OpenCL device that is there
(Debian: pocl-opencl-icd and libclblast-dev run Theano's GPU back-end on a CPU), else skipped."""
import ctypes
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from deepconvsep.backend import gpu
from deepconvsep.backend.flags import complete, wanted_gpu
from deepconvsep.errors import InputError

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run(*args, **flags):
    """Run Python with THEANO_FLAGS completed."""
    given = ['%s=%s' % item for item in flags.items()]
    environ = dict(os.environ, THEANO_FLAGS=','.join([os.environ.get('THEANO_FLAGS', '')] + given))
    return subprocess.run([sys.executable] + list(args), env=environ, capture_output=True, text=True, cwd=ROOT)


@pytest.fixture(scope='session')
def device():
    """A device that works, the first of CUDA and OpenCL."""
    reasons = []
    for name in ('cuda0', 'opencl0:0'):
        checked = run('-m', 'deepconvsep.backend.gpu', '--device', name)
        if checked.returncode == 0:
            return name
        reasons.append(checked.stderr.strip())
    pytest.skip('no GPU: %s' % '; '.join(reasons))


@pytest.mark.parametrize('name', ['dsd100_train_smooth', 'ikala_train_smooth', 'bach10_train_smooth'])
def test_device_agrees_with_the_cpu(device, name, tmp_path):
    results = []
    for flags in ({'device': 'cpu'}, {'device': device}):
        path = str(tmp_path / (re.sub(r'\W', '', flags['device']) + '.npz'))
        done = run(os.path.join('tests', 'on_device.py'), path, name, floatX='float32', **flags)
        assert done.returncode == 0, done.stderr[-2000:]
        results.append(np.load(path))
    cpu, other = results
    assert sorted(cpu.files) == sorted(other.files) and 'steps' in cpu.files and 'outputs' in cpu.files
    for key in cpu.files:
        assert np.isfinite(cpu[key]).all() and cpu[key].shape == other[key].shape
        np.testing.assert_allclose(other[key], cpu[key], rtol=1e-4, atol=1e-4 * np.abs(cpu[key]).max(), err_msg=key)


def library(folder, name, value):
    """A shared library whose function ``answer`` gives a value."""
    source = folder / 'answer.c'
    source.write_text('int answer(void) { return %d; }' % value)
    path = str(folder / name)
    subprocess.run(['g++', '-shared', '-fPIC', '-x', 'c', '-o', path, str(source), '-Wl,-soname,' + name], check=True)
    return path


@pytest.mark.skipif(not shutil.which('g++'), reason='there is no C++ compiler')
def test_links_make_a_versioned_library_found_by_its_plain_name(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, 'LIBRARIES', {'numbers': '', 'none': ''})
    for version in (9, 12):
        library(tmp_path, 'libnumbers.so.%d' % version, version)
    assert gpu.find_library('numbers', [str(tmp_path)]) == str(tmp_path / 'libnumbers.so.12')
    assert gpu.find_library('none', [str(tmp_path)]) is None
    with pytest.raises(OSError):
        ctypes.CDLL('libnumbers.so')
    assert gpu.make_links(str(tmp_path / 'links'), [str(tmp_path)]) == ['numbers']
    gpu.open_links(str(tmp_path / 'links'))
    assert ctypes.CDLL('libnumbers.so').answer() == 12


@pytest.mark.skipif(not shutil.which('g++'), reason='there is no C++ compiler')
def test_a_file_that_is_no_library_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, 'LIBRARIES', {'broken': ''})
    (tmp_path / 'libbroken.so.1').write_text('not a library')
    with pytest.raises(InputError, match='cannot link .*libbroken.so.1'):
        gpu.make_links(str(tmp_path / 'links'), [str(tmp_path)])


def test_what_is_missing_is_said_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, 'LIBRARIES', {'absent': 'get it'})
    monkeypatch.setattr(gpu, 'links_folder', lambda: str(tmp_path))
    monkeypatch.setitem(sys.modules, 'pygpu', None)
    with pytest.raises(InputError, match='pygpu is missing .*make gpu'):
        gpu.check('cuda0')
    monkeypatch.setitem(sys.modules, 'pygpu', gpu)
    with pytest.raises(InputError, match='libabsent.so is missing: get it'):
        gpu.check('cuda0')
    gpu.check('opencl0:0')


def test_a_device_that_is_not_there_ends_the_script():
    done = run('-c', 'from deepconvsep import command; from deepconvsep.backend.prepare import prepare; '
               'command.run(lambda argv: prepare() and 0)', device='cuda77')
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert len(done.stderr.strip().split('\n')) == 1


def test_a_device_that_failed_is_refused_again():
    """In place of Theano, one that cannot initialise the device, and of the check one that passes."""
    program = """if True:
        import sys, types
        from deepconvsep.backend import compiler, gpu, prepare, repairs
        from deepconvsep.errors import InputError
        config = types.SimpleNamespace(device='cuda0', floatX='float32', cxx='', linker='py')
        stub = types.SimpleNamespace(config=config, gpuarray=types.SimpleNamespace(pygpu_activated=False))
        repairs.import_old = lambda name: sys.modules.setdefault(name, stub)
        gpu.check = repairs.after_import = compiler.remember = lambda argument: None
        for _ in range(2):
            try:
                prepare.prepare(verbose=False)
                print('goes on')
            except InputError as error:
                print(error)
    """
    done = run('-c', program, device='cuda0')
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2 and all(line.startswith('the device cuda0 cannot be used: ') for line in lines)


def test_which_flags_choose_a_gpu():
    assert wanted_gpu({}) is None and wanted_gpu({'device': 'cpu'}) is None
    assert wanted_gpu({'device': 'cpu', 'init_gpu_device': 'cuda1'}) == 'cuda1'
    assert complete({'device': 'cuda'}, 'g++')['dnn.enabled'] == 'False'
