"""climate.py, files.py, errors.py: flags, exit codes, whole files."""
import os
import pickle
import signal
import stat
import subprocess
import sys
import time

import pytest
from conftest import ROOT

from deepconvsep import command, files, jobs
from deepconvsep.errors import InputError, UsageError
from deepconvsep.features import making


def run(main):
    with pytest.raises(SystemExit) as stop:
        command.run(main)
    return stop.value.code


def start(tmp_path, program):
    """A program in a process of its own; ``command`` is imported."""
    path = tmp_path / 'p.py'
    path.write_text('import os, sys, threading, time\nsys.path.insert(0, %r)\nfrom deepconvsep import command\n%s'
                    % (ROOT, program))
    env = {name: value for name, value in os.environ.items() if name != 'PYTHONUNBUFFERED'}
    return subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)


def raising(error):
    def main(argv):
        raise error
    return main


@pytest.mark.parametrize('error,code,message', [
    (InputError('bad file'), 1, 'bad file'), (UsageError('bad flag'), 2, 'bad flag'),
    (InputError('two\nlines\x1b[2J'), 1, r'two\nlines\x1b[2J'),
    (OSError(28, 'No space left on device', 'x.wav'), 1, 'x.wav: No space left on device'),
    (MemoryError(), 1, 'out of memory'), (KeyboardInterrupt(), 130, 'interrupted')])
def test_exceptions_become_exit_codes_and_one_line(capsys, error, code, message):
    assert run(raising(error)) == code
    text = capsys.readouterr().err
    assert message in text and text.count('\n') == 1


def test_errors_of_the_system_are_said_in_one_way():
    full = OSError(28, 'No space left on device', 'x.wav')
    said = making.failure('A', full), jobs._attempt(raising(full), None).error
    assert [str(error).removeprefix('A: ') for error in said] == ['x.wav: No space left on device'] * 2
    assert command.describe(OSError(28, 'No space left on device')) == 'No space left on device'
    assert command.describe(OSError('as it is')) == 'as it is' and command.describe(MemoryError()) == 'MemoryError'


def test_exit_codes_of_main():
    assert run(lambda argv: None) == 0
    assert run(lambda argv: 1) == 1
    with pytest.raises(ZeroDivisionError):
        command.run(lambda argv: 1 / 0)


def test_the_reader_of_stdout_may_go_away(tmp_path):
    process = start(tmp_path, 'def main(argv):\n    for n in range(100000):\n        print("line", n)\n'
                              'command.run(main)\n')
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b'' and process.wait() == 1


@pytest.mark.parametrize('last', [
    'threading.Thread(target=lambda: (os.write(1, b"."), time.sleep(2))).start()\n',  # joined first
    'class Slow:\n    def __del__(self, write=os.write, sleep=time.sleep):\n'
    '        write(1, b".")\n        sleep(.5)\nsys.slow = Slow()\n'], ids=['thread', 'finalizer'])
@pytest.mark.parametrize('code', [0, 1])
def test_an_interruption_at_the_end_changes_no_result(tmp_path, last, code):
    process = start(tmp_path, last + 'command.run(lambda argv: %d)\n' % code)
    assert process.stdout.read(1) == b'.'
    time.sleep(.2)  # in which the thread's program returns from main
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == (b'', b'') and process.returncode == code


def test_what_a_program_leaves_for_its_end_is_done(tmp_path):
    process = start(tmp_path, 'import atexit\natexit.register(print, "first handler")\n'
                              'class Kept:\n    def __del__(self, write=os.write):\n        write(1, b"finalizer\\n")\n'
                              'def main(argv):\n    atexit.register(print, "handler", flush=True)\n'
                              '    threading.Thread(target=lambda: (time.sleep(.3), print("thread"))).start()\n'
                              '    sys.kept = Kept()\n'
                              '    print("main")\n    sys.stderr.write("no line")\n    return 1\n'
                              'command.run(main)\n')
    assert process.communicate(timeout=60) == (b'main\nthread\nhandler\nfirst handler\nfinalizer\n', b'no line')
    assert process.returncode == 1


@pytest.mark.parametrize('stderr', ['closed', 'full'])
@pytest.mark.parametrize('error,code', [('UsageError("x")', 2), ('KeyboardInterrupt', 130)])
def test_the_exit_code_of_an_error_that_nobody_reads(stderr, error, code):
    program = 'from deepconvsep import command\nfrom deepconvsep.errors import UsageError\n' \
              'def main(argv):\n    raise %s\ncommand.run(main)\n' % error
    with open('/dev/full', 'wb') as full:
        done = subprocess.run([sys.executable, '-c', program], cwd=ROOT, stderr=full if stderr == 'full' else None,
                              preexec_fn=(lambda: os.close(2)) if stderr == 'closed' else None)
    assert done.returncode == code


@pytest.mark.parametrize('before', ['sys.ps1 = "> "', 'sys.excepthook = print', 'signal.signal(signal.SIGINT, print)'])
def test_interruptions_are_left_to_a_prompt_and_to_a_program_that_handles_them(before):
    program = 'import signal, sys; %s; before = sys.excepthook, signal.getsignal(2); ' \
              'from deepconvsep import command; command.handle_interruptions(); ' \
              'assert (sys.excepthook, signal.getsignal(2)) == before' % before
    subprocess.run([sys.executable, '-c', program], cwd=ROOT, check=True)


def test_the_interface_of_the_original(tmp_path):
    command.add_arg('--db', default='here', help='a flag')
    group = command.add_group('a group')
    group.add_argument('--count', type=command.positive_int, default=3)
    either = command.add_mutex()
    either.add_argument('--one', action='store_true')
    either.add_argument('--other', action='store_true')
    assert command.parse_args([]).db == 'here'
    assert command.parse_args([], db='there').db == 'there'
    (tmp_path / 'flags').write_text('--count\n7\n')
    assert command.parse_args(['@%s' % (tmp_path / 'flags')]).count == 7
    assert command.parse_known_args(['--unknown'])[1] == ['--unknown']
    with pytest.raises(SystemExit) as stop:
        command.parse_args(['--one', '--other'])
    assert stop.value.code == 2


def test_the_shell_completes_flags_where_argcomplete_is_there(tmp_path):
    (tmp_path / 'argcomplete.py').write_text(
        # as argcomplete does: it parses, to know which flags are given already
        'def autocomplete(parser):\n    try:\n        parser.parse_known_args([])\n'
        '    except SystemExit:\n        pass\n'
        '    print(parser.prog, sorted(parser._option_string_actions))\n    raise SystemExit\n')
    env = dict(os.environ, PYTHONPATH=str(tmp_path))
    program = [sys.executable, os.path.join(ROOT, 'plots', 'scores.py'), '--version']
    done = subprocess.run(program, env=dict(env, _ARGCOMPLETE='1'), capture_output=True, text=True)
    assert done.returncode == 0 and "'--input', '--measure', '--output'" in done.stdout, done.stderr
    assert done.stdout.count('--measure') == 1
    assert 'DeepConvSep' in subprocess.run(program, env=env, capture_output=True, text=True).stdout
    for line, prog, flag in [('deepconvsep ', 'deepconvsep', '--version'),
                             ('deepconvsep separate', 'deepconvsep', '-h'),
                             ('deepconvsep separate --sc', 'deepconvsep separate', '--scores'),
                             ('deepconvsep models ', 'deepconvsep models', '--verify'),
                             ('deepconvsep other --sc', 'deepconvsep', '--version')]:
        done = subprocess.run([sys.executable, '-m', 'deepconvsep'], capture_output=True, text=True, cwd=ROOT,
                              env=dict(env, _ARGCOMPLETE='1', COMP_LINE=line, COMP_POINT=str(len(line))))
        assert done.stdout.startswith("%s ['" % prog) and "'%s'" % flag in done.stdout, (line, done.stderr)


@pytest.mark.parametrize('program,place,line,expected', [
    (['-m', 'deepconvsep'], 1, 'deepconvsep ', {'separate', 'models'}),
    (['-m', 'deepconvsep'], 1, 'deepconvsep separate --score_', {'--score_ending', '--score_tempo', '--score_offset'}),
    (['-m', 'deepconvsep'], 3, 'python -m deepconvsep models --veri', {'--verify'}),
    ([os.path.join('plots', 'scores.py')], 2, 'python plots/scores.py --mea', {'--measure'})])
def test_argcomplete_itself_completes(tmp_path, program, place, line, expected):
    """As the shell asks: completions are written to descriptor 8, messages of argcomplete to 9."""
    words = ' '.join([sys.executable, *program])
    subprocess.run(['bash', '-c', words + ' 8>"$ANSWER" 9>/dev/null'], cwd=ROOT, capture_output=True, env=dict(
        os.environ, _ARGCOMPLETE=str(place), COMP_LINE=line, COMP_POINT=str(len(line)), COMP_TYPE='9',
        _ARGCOMPLETE_IFS='\n', ANSWER=str(tmp_path / 'answer')))
    assert expected <= {found.strip() for found in (tmp_path / 'answer').read_text().split('\n')}


@pytest.mark.parametrize('read,good,bad', [
    (command.positive_int, {'3': 3}, ['0', '-1', '1.5', 'x', '', '1' + 400 * '0', '9' * 5000]),
    (command.non_negative_int, {'0': 0}, ['-1']),
    (command.positive_float, {'0.3': 0.3, '1e-3': 1e-3}, ['0', 'nan', 'inf', '-1']),
    (command.share, {'0': 0., '0.2': 0.2}, ['1', '-0.1', 'nan']),
    (command.switch, {'0': False, '1': True, 'True': True, 'no': False}, ['2', '', 'maybe'])])
def test_types_of_flags(read, good, bad):
    for text, value in good.items():
        assert read(text) == value
    for text in bad:
        with pytest.raises(command.argparse.ArgumentTypeError, match='got .*, expected'):
            read(text)


def test_a_file_is_whole_or_not_there(tmp_path, monkeypatch):
    path = tmp_path / 'x.txt'
    with files.atomic_path(str(path)) as temporary:
        assert not path.exists() and os.path.basename(temporary).startswith('.x.txt.')
        with open(temporary, 'w') as out:
            out.write('whole')
    assert path.read_text() == 'whole'
    (tmp_path / 'plain').write_text('')
    assert path.stat().st_mode == (tmp_path / 'plain').stat().st_mode
    (tmp_path / 'plain').unlink()
    # to read the rights of new files is to set them, for all threads
    monkeypatch.delattr(os, 'umask')
    with files.atomic_path(str(path)) as temporary:
        os.chmod(temporary, 0o600)   # a user's own rights stay
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text('whole')
    with pytest.raises(RuntimeError):
        with files.atomic_path(str(path)) as temporary:
            with open(temporary, 'w') as out:
                out.write('half')
            raise RuntimeError
    assert path.read_text() == 'whole' and os.listdir(str(tmp_path)) == ['x.txt']


def test_json(tmp_path):
    path = str(tmp_path / 'x.json')
    files.write_json(path, {'b': 1, 'a': [1, 2]})
    assert files.read_json(path) == {'b': 1, 'a': [1, 2]}
    with pytest.raises(ValueError):
        files.write_json(path, {'a': float('nan')})
    assert files.read_json(path) == {'b': 1, 'a': [1, 2]}
    for text, message in [('{', 'x.json is not JSON'), ('[1]', 'holds a JSON list'), ('[' * 10000, 'is not JSON')]:
        with open(path, 'w') as out:
            out.write(text)
        with pytest.raises(InputError, match=message):
            files.read_json(path, 'settings')
    with pytest.raises(InputError, match='cannot read .*none.json: No such file'):
        files.read_json(str(tmp_path / 'none.json'))


def test_folders(tmp_path):
    files.make_folder(str(tmp_path / 'a' / 'b'))
    assert (tmp_path / 'a' / 'b').is_dir()
    (tmp_path / 'file').write_text('')
    for path in ('file', 'file/below'):
        with pytest.raises(InputError, match='file'):
            files.make_folder(str(tmp_path / path))


def test_sha256(tmp_path):
    (tmp_path / 'x').write_bytes(b'abc')
    assert files.sha256(str(tmp_path / 'x')).startswith('ba7816bf8f01cfea')


def test_a_file_of_flags_that_is_too_large_is_refused(tmp_path, capsys):
    flags = command.Parser(prog='p')
    flags.add_arg('-m', '--model')
    (tmp_path / 'flags').write_text('--model\nx\n' + '\n' * (1 << 20))
    with pytest.raises(SystemExit) as stop:
        flags.parse_args(['@%s' % (tmp_path / 'flags')])
    assert stop.value.code == 2
    assert 'flags is larger than 1 MB, expected a file of flags (see --help)' in capsys.readouterr().err


@pytest.mark.parametrize('typed', [['-m', 'x'], ['-mx'], ['--model', 'x'], ['--model=x']])
def test_the_flags_that_were_typed_are_known(typed):
    flags = command.Parser(prog='p')
    flags.add_arg('-m', '--model')
    flags.add_arg('-o', '--odir', default='-mine')
    assert flags.parse_args(typed).given == {'model'} and flags.parse_args([]).given == set()
    parsed = pickle.loads(pickle.dumps(flags.parse_args(typed)))
    assert parsed.given == {'model'} and set(vars(parsed)) == {'model', 'odir'}
