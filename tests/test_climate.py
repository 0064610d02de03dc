"""climate.py, files.py, errors.py: flags, exit codes, whole files."""
import os
import stat

import pytest

import climate
import files
from errors import InputError, UsageError


def run(main):
    with pytest.raises(SystemExit) as stop:
        climate.run(main)
    return stop.value.code


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


def test_exit_codes_of_main():
    assert run(lambda argv: None) == 0
    assert run(lambda argv: 1) == 1
    with pytest.raises(ZeroDivisionError):
        climate.run(lambda argv: 1 / 0)


def test_the_reader_of_stdout_may_go_away(script, tmp_path):
    program = tmp_path / 'p.py'
    program.write_text('import sys\nsys.path.insert(0, %r)\nimport climate\n'
                       'def main(argv):\n    for n in range(100000):\n        print("line", n)\n'
                       'climate.run(main)\n' % os.path.dirname(climate.__file__))
    import subprocess
    import sys
    process = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b'' and process.wait() == 1


def test_the_interface_of_the_original(tmp_path):
    climate.add_arg('--db', default='here', help='a flag')
    group = climate.add_group('a group')
    group.add_argument('--count', type=climate.positive_int, default=3)
    either = climate.add_mutex()
    either.add_argument('--one', action='store_true')
    either.add_argument('--other', action='store_true')
    assert climate.parse_args([]).db == 'here'
    assert climate.parse_args([], db='there').db == 'there'
    (tmp_path / 'flags').write_text('--count\n7\n')
    assert climate.parse_args(['@%s' % (tmp_path / 'flags')]).count == 7
    assert climate.parse_known_args(['--unknown'])[1] == ['--unknown']
    with pytest.raises(SystemExit) as stop:
        climate.parse_args(['--one', '--other'])
    assert stop.value.code == 2


@pytest.mark.parametrize('read,good,bad', [
    (climate.positive_int, {'3': 3}, ['0', '-1', '1.5', 'x', '', '9' * 5000]),
    (climate.non_negative_int, {'0': 0}, ['-1']),
    (climate.positive_float, {'0.3': 0.3, '1e-3': 1e-3}, ['0', 'nan', 'inf', '-1']),
    (climate.share, {'0': 0., '0.2': 0.2}, ['1', '-0.1', 'nan']),
    (climate.switch, {'0': False, '1': True, 'True': True, 'no': False}, ['2', '', 'maybe'])])
def test_types_of_flags(read, good, bad):
    for text, value in good.items():
        assert read(text) == value
    for text in bad:
        with pytest.raises(climate.argparse.ArgumentTypeError, match='got .*, expected'):
            read(text)


def test_a_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / 'x.txt'
    with files.atomic_path(str(path)) as temporary:
        assert not path.exists() and os.path.basename(temporary).startswith('.x.txt.')
        with open(temporary, 'w') as out:
            out.write('whole')
    assert path.read_text() == 'whole'
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~files._umask()
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
