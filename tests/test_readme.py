"""The commands of README and docs: scripts exist, flags and choices are theirs, and what needs no dataset runs."""
import glob
import os
import re
import shlex
import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest
import soundfile
from conftest import ROOT

from deepconvsep import files
from deepconvsep.models import known
from deepconvsep.score import notes
from examples.bach10 import recipe
from tools import demo as demo_script

DOCUMENTS = ['README.md'] + sorted('docs/' + name for name in os.listdir(os.path.join(ROOT, 'docs'))
                                   if name.endswith('.md'))

#: A command with one of these in an argument needs what is not part of the project: a dataset, a song or a model of the
#: reader's, SoundFonts; or results of such a command before it.
PLACEHOLDERS = ('/path/to', '<', 'DB', 'FILE', 'DIR', 'FOLDER', 'MODEL', 'song.wav', 'rock.wav', 'clip.wav',
                'chorale.wav', 'model_', '--banks', 'open/', 'results', 'DSD100', 'Bach10Sibelius', 'iKala', 'frets',
                'separated')

PROGRAMS = 'python3?|make|deepconvsep'
PACKAGE = 'deepconvsep/__main__.py'   # that program

#: They take minutes; tests and benchmarks of their own run them.
SLOW = ('demo.py', 'experiment.py', 'benchmarks/')


def commands(text):
    """The command lines in the fenced and indented blocks of a text, with the folder that a `cd` before them went to.

    >>> commands('Run\\n\\n    python a.py -x\\\\\\n      1  # note\\n\\n'
    ...          '```\\ncd b\\nA=1 python -m c.d\\n```\\npython no')
    [('.', ['python', 'a.py', '-x', '1']), ('b', ['python', '-m', 'c.d'])]
    """
    found, fenced, folder = [], False, '.'
    for line in text.replace('\\\n', ' ').splitlines():
        if line.startswith('```'):
            fenced, folder = not fenced, '.'
        elif fenced or line.startswith('    '):
            if not re.match(r'\s*(\w+=\S* )*(\S*/)?(%s|cd) ' % PROGRAMS, line):
                continue
            words = plain(line)
            if words[0] == 'cd':
                folder = words[1]
            else:
                found.append((folder, words))
    return found


def plain(line):
    """The words of a command line: without variables, and whatever Python is called."""
    words = shlex.split(line, comments=True)
    while '=' in words[0]:
        del words[0]
    program = os.path.basename(words[0])
    return {'deepconvsep': ['python', '-m', 'deepconvsep']}.get(
        program, ['python' if program.startswith('python') else program]) + words[1:]


def commands_in_prose(text):
    """The command lines between backticks.

    >>> commands_in_prose('Call `python -m a.b\\n--x 1`, `make` or `deepconvsep models`, not `python`')
    [['python', '-m', 'a.b', '--x', '1'], ['python', '-m', 'deepconvsep', 'models']]
    """
    return [plain(' '.join(line.split())) for line in re.findall('(?<!`)`([^`]+)`(?!`)', text)
            if re.match(r'(\w+=\S* )*(\S*/)?(%s)\s' % PROGRAMS, line) and '<' not in line]


def named_script(folder, words):
    """Path of the script of a command, relative to the root, and its arguments."""
    if words[1] == '-m':
        module = words[2].replace('.', '/')
        package = os.path.join(module, '__main__.py')
        return package if os.path.isdir(os.path.join(ROOT, module)) else module + '.py', words[3:]
    path = os.path.normpath(os.path.join(folder, words[1]))
    if os.path.basename(path) == path and not os.path.exists(os.path.join(ROOT, path)):
        # said of the folder that the script is in
        path = next(iter(glob.glob('examples/*/' + path, root_dir=ROOT)), path)
    return path, words[2:]


def text_of(name):
    with open(os.path.join(ROOT, name), encoding='utf-8') as source:
        return source.read()


def all_commands(name):
    return commands(text_of(name)) + [('.', words) for words in commands_in_prose(text_of(name))]


#: Scripts that a document makes; tests/test_own_data.py runs the commands of that.
MADE = 'guitar/'

PYTHON = sorted({(name, folder, tuple(words)) for name in DOCUMENTS for folder, words in all_commands(name)
                 if words[0] == 'python' and not words[1].startswith(('-c', '-m', MADE))
                 or words[:2] == ['python', '-m'] and words[2] not in ('pip', 'venv', 'pytest', 'http.server')})
RUN = sorted({words for name, folder, words in PYTHON
              # in prose a script without arguments is only named
              if (named_script(folder, words)[1] or (folder, list(words)) in commands(text_of(name)))
              and not any(place in word for word in words for place in PLACEHOLDERS + SLOW)})


@pytest.fixture(scope='module')
def help_of():
    """What a script, or one of the commands of it, says with --help; asked once for each."""
    known = {}

    def text(path, arguments=()):
        asked = (path, *arguments[:path == PACKAGE])
        if asked not in known:
            program = ['-m', 'deepconvsep'] if path == PACKAGE else [path]
            done = subprocess.run([sys.executable, *program, *asked[1:], '--help'], capture_output=True, text=True,
                                  cwd=ROOT)
            assert done.returncode == 0, done.stderr
            known[asked] = done.stdout
        return known[asked]
    return text


def flags_in(text):
    return set(re.findall(r'(?<![\w-])--?[A-Za-z]\w*', text))


def faults(arguments, described):
    """What is wrong with the arguments of a command: flags and values that its --help does not know.

    >>> faults(['a.wav', '-x', '1', '--why=b', '--method', 'c'], 'usage: [-x X] [--method {a,b}]\\n\\nas --why did')
    ['no --why', '--method c is none of a,b']
    """
    words = [part for word in arguments for part in (word.split('=', 1) if word.startswith('-') else [word])]
    usage = described.split('\n\n')[0]   # elsewhere a flag may be one that is only spoken of
    found = []
    for word, value in zip(words, words[1:] + ['']):
        choices = re.search(r'%s \{([^}]*)\}' % re.escape(word), usage)
        if re.match('--?[A-Za-z]', word) and word not in flags_in(usage):
            found.append('no ' + word)
        elif choices and value not in choices.group(1).split(','):
            found.append('%s %s is none of %s' % (word, value, choices.group(1)))
    return found


@pytest.fixture(scope='module')
def demo(tmp_path_factory):
    """A folder in which the demo has been run."""
    folder = tmp_path_factory.mktemp('demo')
    done = subprocess.run([sys.executable, os.path.join(ROOT, 'tools/demo.py'), '-o', 'demo'], cwd=str(folder),
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_commands_are_found():
    assert RUN
    assert sum(name == 'README.md' for name, _, _ in PYTHON) >= 8
    assert sum(name == 'docs/examples.md' for name, _, _ in PYTHON) >= 20
    assert ['make', 'demo'] in [words for _, words in all_commands('README.md')]


def test_links_lead_to_files_and_headings():
    for name in DOCUMENTS + ['CONTRIBUTING.md', 'deepconvsep/models/README.md']:
        for link in re.findall(r'\]\(([^)\s]+)\)', text_of(name)):
            if re.match('[a-z]+:', link):
                continue
            path, _, heading = link.partition('#')
            path = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
            assert os.path.exists(os.path.join(ROOT, path)), '%s names %s' % (name, link)
            headings = re.findall('^#+ (.*)', text_of(path), re.MULTILINE) if path.endswith('.md') else []
            assert not heading or heading in [re.sub('[^a-z0-9 -]', '', text.lower()).replace(' ', '-')
                                              for text in headings], '%s names %s' % (name, link)


def test_documents_that_are_named_exist():
    for name in DOCUMENTS + ['CONTRIBUTING.md', 'Makefile', 'pyproject.toml']:
        for path in re.findall(r'(?<![\w/])docs/[\w/]+\.(?:md|json|png|ipynb)', text_of(name)):
            assert os.path.exists(os.path.join(ROOT, path)), '%s names %s' % (name, path)


def test_pages_and_modules_of_the_documentation_exist():
    toctree = re.search('```{toctree}\n:glob:\n:maxdepth: 2\n(.*?)```', text_of('docs/index.md'), re.DOTALL)
    pages = toctree.group(1).split()
    assert pages.pop() == '[!i]*' and {'docs/%s.md' % page for page in pages} <= set(DOCUMENTS)
    modules = re.findall('^   ([a-z_.]+)$', text_of('docs/api.md'), re.MULTILINE)
    assert len(modules) > 15
    for module in modules:
        path = os.path.join(ROOT, *module.split('.'))
        assert os.path.isfile(path + '.py') or os.path.isfile(os.path.join(path, '__init__.py')), module


def test_readme_has_two_screens_and_one_small_picture():
    text = text_of('README.md')
    assert len(text.splitlines()) <= 100
    pictures = re.findall(r'!\[[^]]+\]\(([^)]+)\)', text)
    assert len(pictures) == 1 and os.path.getsize(os.path.join(ROOT, pictures[0])) < 400000
    first = text.split('## More')[0]
    shipped = re.findall('ships: `(\\w+)`', first)
    assert len(shipped) >= 3 and set(shipped) <= set(known.own())
    assert '--method nmf' in first and '--method network+nmf' in first


def test_every_script_of_the_examples_is_in_the_documents():
    named = {named_script(folder, words)[0] for _, folder, words in PYTHON}
    scripts = {os.path.relpath(path, ROOT).replace(os.sep, '/') for path in
               glob.glob(os.path.join(ROOT, 'examples', '*', '[cst]*.py')) if '__main__' in text_of(path)}
    assert scripts and not {path for path in scripts - named
                            if 'bach10_sourceseparation' not in path}


@pytest.mark.parametrize('name,folder,words', PYTHON, ids=[' '.join(words) for _, _, words in PYTHON])
def test_script_and_flags_exist(help_of, name, folder, words):
    path, arguments = named_script(folder, words)
    assert os.path.isfile(os.path.join(ROOT, path)), '%s names %s' % (name, path)
    if path == PACKAGE or any(word.startswith('-') for word in arguments):
        assert not faults(arguments, help_of(path, arguments)), '%s, of %s' % (name, path)


@pytest.mark.parametrize('name', [PACKAGE, 'Dockerfile'])
def test_commands_of_the_package_are_right_outside_of_documents_too(help_of, name):
    lines = re.findall('^(?: +|# docker run .* )deepconvsep (.*)', text_of(name), re.MULTILINE)
    assert lines
    for words in map(shlex.split, lines):
        assert not faults(words, help_of(PACKAGE, words)), words


def test_flags_that_the_documents_speak_of_are_some_scripts(help_of):
    known = set().union(*(flags_in(help_of(path)) for path in SCRIPTS))
    for name in DOCUMENTS + ['CONTRIBUTING.md', 'CHANGELOG.md']:
        for text in re.findall(r'(?<!`)`(--?[A-Za-z]\w*(?![\w.-])[^`]*)`(?!`)', text_of(name)):
            assert flags_in(text) <= known, '%s speaks of %s' % (name, text)


SCRIPTS = sorted(os.path.relpath(path, ROOT) for folder in ('examples/*', 'evaluation', 'plots', 'tools')
                 for path in glob.glob(os.path.join(ROOT, folder, '*.py'))
                 if '__main__' in open(path, encoding='utf-8').read() and 'bach10_sourceseparation' not in path)


@pytest.mark.parametrize('path', SCRIPTS + ['deepconvsep/__main__.py', 'deepconvsep/models/__main__.py'])
def test_the_shell_is_told_that_it_may_ask_for_completions(path):
    assert text_of(path).startswith('# PYTHON_ARGCOMPLETE_OK\n')   # argcomplete looks for it in the first 1024 bytes


@pytest.mark.parametrize('path', SCRIPTS)
def test_help_ends_with_an_example_and_shows_the_defaults_that_say_something(help_of, path):
    usage, sep, examples = help_of(path).partition('\nexample')
    assert not re.search(r'default:\s+(None|False|\[\])', usage), path
    found = commands(re.sub('[][|]', '', examples.split(':', 1)[1]))
    assert found
    for _, words in found:
        named, arguments = named_script(os.path.dirname(path), words)
        assert path in (named, os.path.relpath(named, ROOT), words[1]), words
        assert {word for word in arguments if re.match('--?[A-Za-z]', word)} <= flags_in(usage), words


@pytest.mark.parametrize('words', RUN, ids=[' '.join(words) for words in RUN])
def test_commands_that_need_no_dataset_run(script, demo, words):
    """In the folder in which `make demo` has been called; what they write stays there."""
    done = script(*words[1:], cwd=demo)
    assert done.returncode == 0, done.stderr


def test_demo_gains_more_with_every_thing_that_it_knows(demo):
    both = files.read_json(str(demo / 'demo' / 'report' / 'scores.json'))['scores']
    gains = {name: [values['SDR'] - values['mixture SDR'] for values in scores.values()]
             for name, scores in both.items()}
    assert all(set(both[name]) == set(recipe.SOURCES) for name in both if 'freedom' not in name)
    free, heard, informed, factorised = (np.array(gains['Ach Gott und Herr' + more]) for more in (
        '', ', by factorisation', ', with its scores', ', with its scores, by factorisation'))
    assert free.min() > 4 and heard.mean() > free.mean() + 2.5
    assert informed.mean() > free.mean() + 2 and factorised.mean() > informed.mean() + 1
    page = (demo / 'demo' / 'index.html').read_text(encoding='utf-8')
    assert 'Bassoon, clarinet, saxophone, violin; lead guitar, band: separated' in page
    assert page.count('<audio') == 4 * 9 + 5 and 'Ach Gott und Herr' in page and page.count('SHA-256') == 5
    song = both['War of freedom']
    assert song['lead guitar']['SDR'] - song['lead guitar']['mixture SDR'] > 4
    assert song['band']['SDR'] - song['band']['mixture SDR'] > 2 and 'Lead guitar' in page


def test_picture_of_readme_is_drawn_from_the_demo(script, demo):
    done = script('plots/readme.py', '--demo', 'demo', '--output', 'drawn', cwd=demo)
    assert (done.returncode, done.stdout.split()) == (0, [os.path.join('drawn', 'separation.png')]), done.stderr
    drawn_by = matplotlib.__version__.rpartition('.')[0]
    drawn, shipped = (matplotlib.image.imread(path) for path in (
        str(demo / 'drawn' / 'separation.png'), os.path.join(ROOT, 'docs', 'figures', 'separation.png')))
    # an older matplotlib places the axes a few pixels away
    limit = 0.02 if drawn_by == '3.11' else 0.1
    assert drawn.shape == shipped.shape and np.abs(drawn - shipped).mean() < limit, 'make readme-figures'
    done = script('plots/readme.py', '--demo', 'missing', cwd=demo)
    assert done.returncode == 1 and 'the folder that tools/demo.py wrote to' in done.stderr


@pytest.mark.parametrize('instrument', recipe.INSTRUMENTS)
def test_scores_of_the_demo_are_those_of_its_sounds(instrument):
    """The autocorrelation of the middle of each note has its highest peak at the note's period."""
    source = recipe.SOURCES[recipe.INSTRUMENTS.index(instrument)]
    sound, rate = soundfile.read(os.path.join(ROOT, 'tools', 'demo_data', '%s-%s.flac' % (demo_script.PIECE, source)))
    played = text_of(os.path.join('tools', 'demo_data', instrument + '_b.txt')).split()
    found = []
    for begin, end, name in (line.split(',') for line in played):
        middle, period = int((float(begin) + float(end)) / 2 * rate), rate / notes.midi2freq(notes.str2midi(name))
        part = sound[middle - 2048:middle + 2048]
        lags = np.correlate(part, part, 'full')[len(part) - 1:]
        first, last = int(period / 1.4), int(period * 1.4) + 2
        found.append(abs(1200 * np.log2((first + lags[first:last].argmax()) / period)))
    assert len(played) >= 15 and np.median(found) < 30, found


def test_targets_of_make_exist():
    with open(os.path.join(ROOT, 'Makefile')) as source:
        targets = set(re.findall(r'^([\w-]+):', source.read(), re.MULTILINE))
    named = {words[1] for name in DOCUMENTS for _, words in all_commands(name) if words[0] == 'make'}
    assert 'demo' in named and named <= targets
