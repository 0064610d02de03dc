"""The command lines of all scripts, up to the work itself, which is left out."""
import contextlib
import glob
import importlib
import io
import json
import os
import re
import shutil
import sys

import numpy as np

from deepconvsep import command
from deepconvsep.errors import UsageError
from tools.fuzz import base

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

#: Values of flags that scripts may get wrong; those that are names stand for things in the case's folder.
VALUES = ('', ' ', '-', '--', '.', '..', '0', '1', '-1', '2', '1e3', '1e999', 'nan', 'inf', '-inf', '0x10', '1_0', '٣',
          '99999999999999999999999', '0.5', '1e-320', 'yes', 'a b', "a'b", 'a"b', 'a\nb', 'ü', '\udcff', '%s',
          '%(prog)s',
          '{0}', '<db>', 'x' * 300, 'x/' * 3000, 'a\\b', '~', '$HOME', '@flags.txt', '@missing', '@binary', '@',
          'file', 'folder', 'missing', 'missing/deeper', 'file/inside', 'loop', 'dangling', 'binary', 'tone.wav',
          'tone.wav/', 'model.pkl', 'model_dsd.pkl', 'dsd', 'ikala', 'bach10', 'estimates', 'features', '/dev/null',
          'pipe', 'endless', 'out', 'out/deeper', '../case/out', 'PCM_24', 'FLAC', 'pdf', 'png', 'WAV', 'wav', 'SDR',
          'hanning', 'Test', 'Dev', 'gt', 'fluid', 'rwc', 'training', 'tcp://127.0.0.1:1', 'compact')

#: A command line that is right, by the name of the script.
GOOD = {
    'separate': '-i tone.wav -o out -m model_dsd.pkl', 'trainCNN': '--db dsd --feature_path features --output out',
    'compute_features': '--db dsd --feature_path out --nprocs 1', 'synthesize': 'bach10 --out out --banks fluid',
    'DSD100_eval_only': '--db dsd --estimates estimates --output out',
    'Bach10_eval_only': '--db bach10 --estimates estimates --output out',
    'evaluate_SS_iKala': '--db ikala --estimates estimates --output out',
    'handle_voice': '--input estimates --output out', 'bach10_smc_stats': '--db estimates --output out',
    'scores': '--input estimates --output out', 'spectrograms': '--mixture tone.wav --estimates . --output out',
}


class Flags:
    """One reader: a script, a folder to stand in, and a command line."""

    name = 'flags'
    output = base.Reader.output

    def warm_up(self):
        import plots
        from deepconvsep import jobs
        from deepconvsep.separation import program as separation
        from deepconvsep.training import program as training
        from examples import running
        from examples.bach10 import chorales
        self.run = command.run
        for package in ('matplotlib.font_manager', 'mido', 'music21', 'pandas', 'scipy.signal'):
            # slow to import, may write or run something then, and not all are required
            with contextlib.suppress(ImportError):
                importlib.import_module(package)
        # the work itself is not what is tested here
        running.run = lambda *_, **__: None
        jobs.run = lambda function, items, *_, **__: [jobs.Outcome(item, error='left out') for item in items]
        separation.separate = lambda plan, *_: []
        training.train = lambda *_: None
        training.separate_test_songs = lambda *_: 0
        chorales.training = lambda count, seed: {'101-BWV1': '1'}
        plots.save = lambda *_: []
        self.scripts = [(name, importlib.import_module(name)) for name in scripts()]
        for _, module in self.scripts:
            if hasattr(module, 'draw'):
                module.draw = lambda *_: None
        self.options = [options(module.main) for _, module in self.scripts]
        shutil.rmtree('tree', ignore_errors=True)   # of a process that had to be ended
        os.mkdir('tree')
        write_tree('tree')

    def make(self, rng, folder):
        shutil.rmtree(folder)
        shutil.copytree('tree', folder, symlinks=True, ignore=lambda *_: ['pipe'])
        os.mkfifo(os.path.join(folder, 'pipe'))
        index = rng.randrange(len(self.scripts))
        name, module = self.scripts[index]
        short = name.rpartition('.')[2]
        good = next((line for begin, line in GOOD.items() if short.startswith(begin)), '').split()
        if '.ikala.' in name:
            good = [{'dsd': 'ikala'}.get(word, word) for word in good]
        for _ in range(rng.randint(0, 4)):
            place = rng.randint(0, len(good))
            kind = rng.randrange(5)
            if kind == 0 and good:
                good[min(place, len(good) - 1)] = rng.choice(VALUES)
            elif kind == 1:
                del good[place:place + 1]
            else:
                option = rng.choice(self.options[index])
                good[place:place] = [option] if rng.random() < .3 else [option, rng.choice(VALUES)] \
                    if rng.random() < .9 else ['%s=%s' % (option, rng.choice(VALUES))]
        return folder, module.main, good

    def read(self, folder, main, argv):
        before = os.getcwd(), sys.argv
        os.chdir(folder)
        sys.argv = ['script.py']
        sys.stderr = complaint = io.StringIO()
        try:
            self.run(main, argv)
        except SystemExit as end:
            last = complaint.getvalue().strip().split('\n')[-1]
            if end.code not in (0, 1, 2) or end.code == 2 and 'error: ' not in last:
                raise ValueError('%r ends with %r: %.200s' % (argv, end.code, last)) from end
            if end.code:
                raise UsageError('refused') from end
        finally:
            os.chdir(before[0])
            sys.argv = before[1]


def scripts():
    """Modules that are scripts."""
    found = []
    for pattern in ('examples/*/*.py', 'evaluation/*.py', 'plots/*.py'):
        for path in sorted(glob.glob(os.path.join(ROOT, pattern))):
            with open(path, encoding='utf-8') as source:
                if 'command.run(main)' in source.read():
                    found.append(os.path.relpath(path, ROOT)[:-len('.py')].replace(os.sep, '.'))
    return found


def options(main):
    """The options of a script, from its help."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        main(['--help'])
    return sorted(set(re.findall(r'(?<![\w-])--?[a-z]\w*', text.getvalue())))


def write_tree(folder):
    """Small data sets of every kind, odd files, and links that lead nowhere or in a circle."""
    from deepconvsep import audio
    from deepconvsep.features import tensors
    from deepconvsep.formats import pickles
    from deepconvsep.network import architecture

    def sound(*parts, channels=1):
        path = os.path.join(folder, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        audio.write(path, np.random.RandomState(0).uniform(-.1, .1, (600, channels)), 44100)

    sound('tone.wav')
    for source in ('vocals', 'bass', 'drums', 'other'):
        sound('dsd', 'Sources', 'Dev', 'song', source + '.wav')
        sound('estimates', 'song', source + '.wav')
    sound('dsd', 'Mixtures', 'Dev', 'song', 'mixture.wav')
    sound('ikala', 'Wavfile', '1_verse.wav', channels=2)
    for source in ('bassoon', 'clarinet', 'saxphone', 'violin'):
        sound('bach10', '01-A', '01-A-%s.wav' % source)
    os.mkdir(os.path.join(folder, 'features'))
    tensors.save_tensor(os.path.join(folder, 'features', 'song_0.data'), np.ones((5, 3, 513)), '__m_')
    shapes = architecture.Architecture('small', 5, (1, 1), 5, 1, (3, 1), 1, (0,), time_context=5).param_shapes()
    pickles.dump_arrays(os.path.join(folder, 'model.pkl'), [np.zeros(shape) for shape in shapes])
    os.symlink(os.path.join(ROOT, 'tests', 'golden', '5_end_to_end', 'dsd', 'model_dsd.pkl'),
               os.path.join(folder, 'model_dsd.pkl'))
    texts = {'file': b'text', 'flags.txt': b'--quiet\n', 'binary': bytes(range(256)),
             'model.json': json.dumps({'format': 'other'}).encode()}
    for name, data in texts.items():
        with open(os.path.join(folder, name), 'wb') as out:
            out.write(data)
    os.symlink('loop', os.path.join(folder, 'loop'))
    os.symlink('missing/nowhere', os.path.join(folder, 'dangling'))
    os.symlink('/dev/zero', os.path.join(folder, 'endless'))
    os.mkdir(os.path.join(folder, 'folder'))
