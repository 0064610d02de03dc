"""Progress bars, alone and on pseudo-terminals of 80 and 20 columns, where the scripts run as a user types them."""
import io
import logging
import os
import struct
import types

import numpy as np
import pytest
import sound_tree
import soundfile
import terminal

from deepconvsep import command, jobs, progress
from deepconvsep.formats import pickles
from deepconvsep.network import architecture

DSD = 'examples/dsd100/separate_dsd.py'
COLUMNS = pytest.mark.parametrize('columns', [80, 20])


class Terminal(io.StringIO):
    """A standard error that takes itself for a terminal."""

    encoding = 'utf-8'

    def isatty(self):
        return True


@pytest.fixture
def screen(monkeypatch):
    # not sys.stderr itself: pytest sets that between here and the test
    monkeypatch.setattr(progress, 'sys', types.SimpleNamespace(stderr=Terminal()))
    monkeypatch.setattr(progress, 'INTERVAL', 0)
    return progress.sys.stderr


def test_a_bar_counts_steps_and_shows_units(screen):
    with progress.Bar(441000, 's of sound', 'separating', per_unit=44100) as bar:
        bar.update(220500, postfix='loss=1')
        assert 'separating:  50%|' in screen.getvalue() and '| 5/10 s of sound [00:00<00:00, loss=1]' in bar.line(79)
    assert screen.getvalue().endswith('| 10/10 s of sound [00:00<00:00, loss=1]\n')


@pytest.mark.parametrize('steps', [0, 3, 9])
def test_a_bar_ends_at_its_total_whatever_was_counted(screen, steps):
    """The header of a damaged file, or one of MP3, may say another length than it has."""
    with progress.Bar(4, 'files', '') as bar:
        for _ in range(steps):
            bar.update()
    last = screen.getvalue().split('\r')[-1]
    assert last.startswith('100%|') and '| 4/4 files [' in last


def test_a_failure_of_the_work_leaves_the_bar_where_it_was(screen):
    with pytest.raises(KeyError), progress.Bar(4, 'files', '') as bar:
        bar.update()
        raise KeyError
    assert '25%' in screen.getvalue().split('\r')[-1] and screen.getvalue().endswith('\n')


def test_nothing_is_drawn_where_there_is_no_terminal(monkeypatch, screen):
    with progress.Bar(3, 'files', '', quiet=True) as bar:
        bar.update()
    with progress.Bar(0, 'files', ''):
        pass
    assert screen.getvalue() == ''
    closed = Terminal()
    closed.isatty = lambda: io.StringIO.isatty(closed)
    for stderr in (io.StringIO(), None, closed):
        monkeypatch.setattr(progress.sys, 'stderr', stderr)
        if stderr is closed:
            closed.close()
        with progress.Bar(3, 'files', '') as bar:
            bar.update()
        assert stderr is None or stderr.closed or stderr.getvalue() == ''


@pytest.mark.parametrize('what', ['line', '_draw', 'write', 'flush'])
def test_what_fails_in_drawing_is_no_failure_of_the_work(screen, monkeypatch, what):
    def fail(*_):
        raise (OSError(5, 'the terminal is gone') if what in ('write', 'flush') else TypeError('a bug'))
    if what == '_draw':
        monkeypatch.setattr(progress, '_writes_blocks', fail)
    else:
        monkeypatch.setattr(progress.Bar if what == 'line' else screen, what, fail)
    assert [outcome.result for outcome in jobs.run(abs, [-1, 2, -3])] == [1, 2, 3]


def test_a_bar_keeps_within_a_terminal_that_becomes_narrow(screen, monkeypatch):
    monkeypatch.setattr(progress, '_columns', lambda: 99)
    with progress.Bar(10, 'batches', 'epoch 1000/1000') as bar:
        monkeypatch.setattr(progress, '_columns', lambda: 19)
        bar.update()
    assert [len(part) for part in screen.getvalue().strip('\r\n').split('\r')] == [99, 19, 19]


def test_a_line_that_is_logged_is_alone(screen, monkeypatch):
    monkeypatch.setattr(logging.root, 'handlers', [])
    monkeypatch.setattr(logging.root, 'level', logging.root.level)
    command.enable_default_logging()
    logging.root.handlers[0].setStream(screen)
    with progress.Bar(2, 'files', '') as bar:
        bar.update()
        logging.getLogger('test').warning('look here')
        bar.update()
    lines = terminal.Seen(0, screen.getvalue()).lines
    assert lines[0] == 'W test: look here' and lines[1].startswith('100%|') and lines[2:] == ['']
    assert not logging.root.handlers[0].filters


# --- scripts on terminals ---------------------------------------------------------------------------------

def assert_clean(seen, columns, bars):
    """All went well, every one of so many bars ended at 100 %, and no line was broken by them."""
    assert seen.code == 0, seen.text
    assert 'Traceback' not in seen.text and 'Warning' not in seen.text, seen.text
    lengths = [len(bar) for bar in seen.bars]
    assert lengths and max(lengths) < columns
    # each bar began below 100 %
    ends = [bar for bar, after in zip(seen.bars, seen.bars[1:] + ['0%']) if '100%' in bar and '100%' not in after]
    assert len(ends) == bars and '100%' in seen.bars[-1], seen.bars


def sparse(path, rate, frames):
    """Write a WAV file of silence that takes no room on the disk."""
    soundfile.write(str(path), np.zeros(0), rate, 'PCM_16')
    with open(str(path), 'r+b') as out:
        size = out.seek(0, os.SEEK_END)
        assert size == 44
        for place, value in ((4, size - 8 + 2 * frames), (40, 2 * frames)):
            out.seek(place)
            out.write(struct.pack('<I', value))
        out.truncate(size + 2 * frames)


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp('model') / 'model.pkl'
    pickles.dump_arrays(str(path), [np.zeros(shape, np.float32) for shape in architecture.DSD100.param_shapes()])
    return path


def separated(columns, model, source, output):
    # FLAC, of which silence takes no room
    return terminal.run(columns, DSD, '-i', source, '-o', output, '-m', model, '--overlap', 0, '--format', 'FLAC')


@pytest.mark.parametrize('rate,columns,seconds', [(44100, 80, 1200), (48000, 20, 300)])
def test_separating_a_long_sound(model, tmp_path, rate, columns, seconds):
    sparse(tmp_path / 'long.wav', rate, seconds * rate)
    seen = separated(columns, model, tmp_path / 'long.wav', tmp_path / 'out')
    assert_clean(seen, columns, 1)
    assert soundfile.info(str(tmp_path / 'out' / 'bass.flac')).frames == seconds * rate
    bars = [line for line in seen.lines if '%|' in line]
    assert len(bars) == 1 and ('%d/%d s of sound [' % (seconds, seconds) in bars[0] or columns == 20)


@COLUMNS
def test_separating_a_folder_of_songs(model, tmp_path, columns):
    (tmp_path / 'in').mkdir()
    for number in range(3):
        # two blocks, whose seconds, rounded, were more than those of the song
        sparse(tmp_path / 'in' / ('%d.wav' % number), 44100, 2 << 16)
    assert_clean(separated(columns, model, tmp_path / 'in', tmp_path / 'out'), columns, 1)   # of songs
    assert_clean(separated(columns, model, tmp_path / 'in' / '0.wav', tmp_path / 'one'), columns, 1)
    assert sorted(os.listdir(str(tmp_path / 'out'))) == ['0', '1', '2']


@COLUMNS
def test_features_training_and_evaluation(tmp_path, columns):
    db = tmp_path / 'db'
    for seed, (song, subset) in enumerate((('001 - A', 'Dev'), ('002 - B', 'Dev'), ('003 - C', 'Test'))):
        sound_tree.write_song(db, song, 44100, subset, seed=10 * seed)
    assert_clean(terminal.run(columns, 'examples/dsd100/compute_features.py', '--db', db, '--float32'), columns, 1)
    # two epochs, then three songs
    seen = terminal.run(columns, 'examples/dsd100/trainCNN.py', '--db', db, '--output', tmp_path / 'out', '--nepochs',
                        2,
                        '--batch_size', 4)
    assert_clean(seen, columns, 5)
    assert sum('epoch ' in bar for bar in seen.lines) == 2, 'the bars of epochs are erased'
    seen = terminal.run(columns, 'evaluation/DSD100_eval_only.py', '--db', db, '--estimates',
                        tmp_path / 'out' / 'output',
                        '--output', tmp_path / 'scores')
    assert_clean(seen, columns, 1)


def test_a_variable_of_tqdm_that_makes_no_sense(tmp_path):
    sound_tree.write_song(tmp_path, '001 - A', 5000)
    seen = terminal.run(80, 'examples/dsd100/compute_features.py', '--db', tmp_path, env={'TQDM_NCOLS': 'many'})
    assert seen.code == 0 and 'Traceback' not in seen.text and seen.bars == []
