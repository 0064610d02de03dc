"""The rule of docs/architecture.md: the root is the original's, everything else is a package that never imports it."""
import ast
import glob
import os
import subprocess
import sys

import pytest
from conftest import ROOT

import deepconvsep

ROOT_MODULES = {'climate', 'dataset', 'rwc', 'transform', 'util'}
OUTSIDE = ROOT_MODULES | {'examples', 'evaluation', 'plots', 'tools', 'tests'}
PACKAGE = sorted(glob.glob(os.path.join(ROOT, 'deepconvsep', '**', '*.py'), recursive=True))

#: Lines of a module, at most: beyond, it does two jobs.
LONGEST = 350
PROGRAMS = sorted(path for folder in ('examples', 'evaluation', 'plots', 'tools')
                  for path in glob.glob(os.path.join(ROOT, folder, '**', '*.py'), recursive=True))


def imported(path):
    """The top names of all modules that a file imports, anywhere in it."""
    with open(path, encoding='utf-8') as source:
        for node in ast.walk(ast.parse(source.read())):
            if isinstance(node, ast.Import):
                yield from (name.name.split('.')[0] for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module.split('.')[0] if not node.level else ''


def test_the_root_has_the_modules_of_the_original():
    assert {name[:-3] for name in os.listdir(ROOT) if name.endswith('.py')} == ROOT_MODULES


@pytest.mark.parametrize('path', PACKAGE, ids=[os.path.relpath(path, ROOT) for path in PACKAGE])
def test_a_module_of_the_package(path):
    assert not set(imported(path)) & OUTSIDE


def test_no_module_does_two_jobs():
    lengths = {}
    for path in PACKAGE + PROGRAMS + [os.path.join(ROOT, name + '.py') for name in ROOT_MODULES]:
        with open(path, encoding='utf-8') as source:
            lengths[os.path.relpath(path, ROOT)] = len(source.readlines())
    assert len(lengths) > 150
    assert {path: number for path, number in lengths.items() if number > LONGEST} == {}


def test_files_of_the_user_shadow_nothing(script, tmp_path):
    for name in ('files', 'model', 'settings', 'errors', 'audio', 'score'):
        (tmp_path / (name + '.py')).write_text('raise RuntimeError("this is the user\'s own")\n')
    (tmp_path / 'mine.py').write_text('from dataset import LargeDataset\nfrom transform import transformFFT\n'
                                      'import rwc, util\nprint(LargeDataset.__name__)\n')
    done = subprocess.run([sys.executable, 'mine.py'], cwd=str(tmp_path), env=dict(os.environ, PYTHONPATH=ROOT),
                          capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, 'LargeDataset\n', '')


def test_importing_changes_nothing_in_the_process():
    """Any module, of the package and of the root; those with layers after Theano, which prepares it as it likes."""
    names = sorted(ROOT_MODULES) + [os.path.relpath(path, ROOT)[:-3].replace(os.sep, '.') for path in PACKAGE
                                    if not path.endswith(('__init__.py', '__main__.py'))]
    layered = [name for name in names if name.startswith(('deepconvsep.network.', 'deepconvsep.training.'))
               and not name.endswith(('architecture', 'objective', 'checkpoint', 'program'))]
    program = ('import atexit, importlib, logging, os, signal, sys\n'
               'def state():\n'
               '    return ([signal.getsignal(number) for number in signal.valid_signals()], sys.excepthook,\n'
               '            sys.unraisablehook, logging.root.handlers[:], logging.root.level, dict(os.environ))\n'
               'def check(names):\n'
               '    before, keep, registered = state(), atexit.register, []\n'
               '    atexit.register = lambda *args, **more: registered.append(args)\n'
               '    for name in names:\n'
               '        importlib.import_module(name)\n'
               '    atexit.register = keep\n'
               '    assert state() == before\n'
               '    ours = [args for args in registered\n'
               '            if getattr(args[0], "__module__", "").startswith("deepconvsep")]\n'
               '    assert not ours, ours\n'
               'import soundfile, matplotlib, scipy.signal, tqdm, pandas, jinja2\n'   # not ours: as they like
               'check(%r)\n'
               'from deepconvsep.backend.prepare import prepare\n'
               'prepare()\n'
               'import lasagne\n'
               'check(%r)\n'
               'import codecs\n'
               'try:\n'
               '    codecs.lookup_error("deepconvsep.names")\n'
               'except LookupError:\n'
               '    pass\n'
               'else:\n'
               '    raise AssertionError("an error handler of texts was registered")\n'
               % ([name for name in names if name not in layered], layered))
    done = subprocess.run([sys.executable, '-c', program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(layered) > 6 and len(names) > 80


def test_scripts_know_their_flags_without_scipy_and_theano():
    """What takes long to import is imported where it is used: `--help` is there at once."""
    scripts = [path for folder in ('examples/*', 'evaluation', 'plots')
               for path in sorted(glob.glob(os.path.join(ROOT, folder, '*.py'))) if not path.endswith('__init__.py')]
    names = [os.path.relpath(path, ROOT)[:-3].replace(os.sep, '.') for path in scripts] + ['transform', 'tools.demo']
    program = ('import importlib, sys\n'
               'for name in ("scipy", "theano", "lasagne", "matplotlib", "pandas", "music21", "mido"):\n'
               '    sys.modules[name] = None\n'
               'for name in %r:\n'
               '    importlib.import_module(name)\n' % names)
    done = subprocess.run([sys.executable, '-c', program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and len(names) > 40, done.stderr


def test_every_script_says_its_version(script):
    for path in ('examples/dsd100/separate_dsd.py', 'examples/bach10/trainCNNrwc.py', 'evaluation/DSD100_eval_only.py',
                 'plots/scores.py', 'tools/demo.py'):
        done = script(path, '--version')
        assert done.returncode == 0 and done.stdout.startswith('DeepConvSep 0.'), path


def test_the_version_is_the_same_everywhere():
    for name, line in (('CHANGELOG.md', '## %s'), ('CITATION.cff', 'version: %s')):
        with open(os.path.join(ROOT, name), encoding='utf-8') as source:
            lines = source.read().splitlines()
        assert [text for text in lines if text.split(' (')[0] == line % deepconvsep.__version__], name


def test_the_version_leaves_flags_of_the_user_alone(tmp_path):
    (tmp_path / 'mine.py').write_text('import climate\nclimate.add_arg("--version", type=int)\n'
                                      'print(climate.parse_args().version)\n')
    done = subprocess.run([sys.executable, 'mine.py', '--version', '3'], cwd=str(tmp_path),
                          env=dict(os.environ, PYTHONPATH=ROOT), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, '3\n'), done.stderr


def test_a_command_of_the_makefile_has_its_line():
    done = subprocess.run(['make', '-s', 'help'], cwd=ROOT, capture_output=True, text=True)
    listed = {line.split()[1] for line in done.stdout.splitlines() if line.startswith('make ')}
    with open(os.path.join(ROOT, 'Makefile'), encoding='utf-8') as source:
        phony = next(line for line in source if line.startswith('.PHONY:'))
    assert listed == set(phony.split()[1:]) and 'Style and common mistakes' in done.stdout


SCOREINFORMED = sorted(os.path.basename(path)[:-3] for path in glob.glob(os.path.join(
    ROOT, 'examples', 'bach10_scoreinformed', '*.py')) if '__main__' in open(path, encoding='utf-8').read())


@pytest.mark.parametrize('name', SCOREINFORMED)
def test_the_folder_that_the_original_names_leads_to_every_score_informed_script(name, script):
    for how in (('examples/bach10_sourceseparation/%s.py' % name,),
                ('-m', 'examples.bach10_sourceseparation.' + name)):
        done = script(*how, '--version')
        assert (done.returncode, done.stderr) == (0, '') and done.stdout.startswith('DeepConvSep ')
