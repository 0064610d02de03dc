"""A fixed small part of ``make fuzz``, and every defect that it has found, by itself."""
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pytest
import scipy.io
from conftest import ROOT

import rwc
from deepconvsep import audio, command, files, score
from deepconvsep.errors import InputError
from deepconvsep.features import tensors
from deepconvsep.formats import mat, npz, pickles
from deepconvsep.metrics import published, records
from deepconvsep.score import masks, rows
from deepconvsep.training import checkpoint

# music21 takes 10 ms a case and a second to import, and the command lines a second to prepare
CASES = {'midi': 200, 'musicxml': 60, 'flags': 100}


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='limits and counts memory as Linux does')
def test_a_small_part():
    """In a fresh process: it forks, and the audit hook cannot be taken away again."""
    pytest.importorskip('music21', reason='music21 is not installed (requirements/scores.txt)')
    program = ('import sys; sys.path.insert(0, %r)\nfrom tools.fuzz import harness, readers\ncases = %r\n'
               'for name, reader in readers.READERS.items():\n'
               '    report = harness.run(reader(), 1, range(cases.get(name, 300)))\n'
               '    print(name, report.read + report.refused, report.failures)' % (ROOT, CASES))
    done = subprocess.run([sys.executable, '-c', program], stdout=subprocess.PIPE, text=True, check=True,
                          stderr=subprocess.DEVNULL, env=dict(os.environ, OMP_NUM_THREADS='1'))
    lines = done.stdout.strip().split('\n')
    assert len(lines) == 17
    for line in lines:
        name, count, failures = line.split(' ', 2)
        assert failures == '[]' and int(count) == CASES.get(name, 300), line


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='as above')
def test_the_harness_sees_what_it_looks_for():
    program = '''if 1:
        import sys; sys.path.insert(0, %r)
        import os, pickle, time
        from deepconvsep.errors import InputError
        from tools.fuzz import base, harness

        def memory():
            try:
                bytearray(3 << 30)
            except MemoryError:
                raise InputError('damaged')

        def refuse():
            raise InputError('damaged')
        harness.SECONDS = 3
        deeds = [lambda: None, refuse, lambda: 1 / 0, lambda: os.system('true'), memory, lambda: time.sleep(15),
                 lambda: open('../outside', 'w'), lambda: open('case/inside', 'w').close(), os.abort,
                 lambda: pickle.loads(b'cos\\nsystem\\n.'), lambda: os.rename('case', '/tmp/elsewhere')]

        class Deeds(base.Reader):
            name = 'deeds'
            def make(self, rng, folder):
                return (self.deed,)
            def read(self, deed):
                deed()
        for deed in deeds:
            reader = Deeds()
            reader.deed = deed
            report = harness.run(reader, 0, range(1))
            print(report.read, report.refused, [what[:40] for _, what in report.failures])''' % ROOT
    done = subprocess.run([sys.executable, '-c', program], stdout=subprocess.PIPE, text=True, check=True)
    expected = ['1 0 []', '0 1 []', 'ZeroDivisionError', 'os.system', 'more than 1 GB', 'took more than',
                'open outside of', '1 0 []', 'ended with signal 6', 'pickle.find_class', 'os.rename outside']
    for line, part in zip(done.stdout.strip().split('\n'), expected):
        assert part in line, (line, part)


# --- one test for each defect -------------------------------------------------------------------------

def zipped(header, data=b''):
    """A zip file with one array."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('arr_0.npy', b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header.encode() + data)
    return out.getvalue()


@pytest.mark.parametrize('shape,data', [('(1000000000,)', b''), ('(2, 3)', bytes(20)), ('(' * 3000 + ',)', b''),
                                        ('(10000000000, 0, )', b'x'), ('(2,)', bytes(9))])
def test_an_array_that_claims_what_it_has_not_is_refused(tmp_path, shape, data):
    (tmp_path / 'a.npz').write_bytes(zipped("{'descr': '<f4', 'fortran_order': False, 'shape': %s, }" % shape, data))
    with pytest.raises(ValueError, match='its header says|is no array'):
        npz.load(str(tmp_path / 'a.npz'), 1 << 30)


@pytest.mark.parametrize('dtype,shape', [('<f3', '(1,)'), ('<i3', '(1,)'), ('<f4', '(1 1,)'), ('<U999999999', '(0,)')])
def test_an_array_of_no_type_or_shape_is_refused(tmp_path, dtype, shape):
    header = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (dtype, shape)
    (tmp_path / 'a.npz').write_bytes(zipped(header, bytes(4)))
    with pytest.raises(ValueError, match='is no array of numbers or text'):
        npz.load(str(tmp_path / 'a.npz'), 1 << 30)


@pytest.mark.parametrize('shape,expected', [('(01, 2)', (1, 2)), ('(2,1)', (2, 1)), ('()', ())])
def test_the_sizes_of_a_shape_are_numbers(tmp_path, shape, expected):
    header = "{'descr': '|i2', 'fortran_order': False, 'shape': %s, }" % shape
    (tmp_path / 'a.npz').write_bytes(zipped(header, bytes(4 if expected else 2)))
    assert npz.load(str(tmp_path / 'a.npz'), 1 << 30)['arr_0'].shape == expected


def test_arrays_are_read_as_numpy_reads_them(tmp_path):
    arrays = {kind: np.zeros((2, 1), kind) for kind in ('f2', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8')}
    arrays = {**arrays, 'a': np.float64(3), 'b': 'h\xe9llo', 'c': np.asfortranarray(np.arange(6.).reshape(2, 3)),
              'd': np.zeros((0, 3)), 'e': np.arange(3, dtype='>f4')}
    for save in (np.savez, np.savez_compressed):
        save(str(tmp_path / 'a.npz'), **arrays)
        with np.load(str(tmp_path / 'a.npz')) as expected:
            found = npz.load(str(tmp_path / 'a.npz'), 10000)
            assert list(found) == expected.files
            for name in found:
                assert found[name].dtype == expected[name].dtype
                np.testing.assert_array_equal(found[name], expected[name])
    with pytest.raises(ValueError, match='more than 100 bytes'):
        npz.load(str(tmp_path / 'a.npz'), 100)


def test_a_bytearray_in_a_pickle_takes_no_memory(tmp_path):
    (tmp_path / 'm.pkl').write_bytes(b'\x80\x05\x96' + struct.pack('<Q', 1 << 40) + b'.')
    with pytest.raises(InputError, match=r'is damaged \(EOFError\)'):
        pickles.load_arrays(str(tmp_path / 'm.pkl'))


@pytest.mark.parametrize('compressed', [False, True])
def test_matlab_files_are_read_as_scipy_reads_them(tmp_path, compressed):
    path = str(tmp_path / 'a.mat')
    scipy.io.savemat(path, {'results': {'name': 'a song', 'bass': {'sdr': np.arange(5.), 'none': np.zeros((0, 0))}},
                            'cell': np.array([1, 'two', [3.]], object), 'c': 1 + 2j}, do_compression=compressed)
    found, expected = mat.load(path), scipy.io.loadmat(path)
    assert set(found) == set(expected)
    np.testing.assert_array_equal(found['results']['bass'][0, 0]['sdr'][0, 0], [np.arange(5.)])
    assert str(found) == str(expected)


@pytest.mark.parametrize('at,value', [(144, 17), (160, 1 << 30), (132, 1 << 31), (156, 99)])
def test_a_matlab_file_that_lies_never_reaches_scipy(tmp_path, at, value):
    path = tmp_path / 'a.mat'
    scipy.io.savemat(str(path), {'featureStruct': np.arange(12.).reshape(3, 4)})
    data = bytearray(path.read_bytes())
    struct.pack_into('<I', data, at, value)
    path.write_bytes(data)
    with pytest.raises(ValueError):
        mat.load(str(path))
    with pytest.raises(InputError, match='not a description of RWC notes'):
        rwc.read_mat(str(path))


def test_a_compressed_matlab_file_cannot_grow_without_limit(tmp_path):
    bomb = zlib.compress(struct.pack('<II', 14, (1 << 27) - 8) + bytes((1 << 27) - 8), 9)
    header = b'MATLAB 5.0 MAT-file'.ljust(124) + struct.pack('<H', 0x100) + b'IM'
    (tmp_path / 'a.mat').write_bytes(header + struct.pack('<II', 15, len(bomb)) + bomb)
    with pytest.raises(ValueError, match='cut off or too large'):
        mat.load(str(tmp_path / 'a.mat'))


@pytest.mark.parametrize('read', [
    files.read_json, files.sha256, pickles.load_arrays, score.read_score, rwc.read_mat, tensors.get_shape,
    lambda path: audio.Reader(path), published.read_frames])
@pytest.mark.parametrize('kind', ['pipe', 'endless'])
def test_a_pipe_or_a_device_is_refused_and_not_waited_for(tmp_path, read, kind):
    path = str(tmp_path / 'a.txt')
    if kind == 'pipe':
        os.mkfifo(path)
    else:
        os.symlink('/dev/zero', path)
    with pytest.raises((InputError, OSError), match='not a regular file|there is no score'):
        read(path)


def test_a_large_json_file_is_refused(tmp_path):
    with open(str(tmp_path / 'a.json'), 'wb') as out:
        out.truncate(10 << 30)
    with pytest.raises(InputError, match='is larger than 64 MB'):
        files.read_json(str(tmp_path / 'a.json'))


@pytest.mark.parametrize('change', [{'history': [{}]}, {'data': None}, {'sums': 'a'}, {'seconds': []}, {'facts': 1}])
def test_a_checkpoint_without_its_parts_is_refused(tmp_path, change):
    path = str(tmp_path / 'c.npz')
    info = dict({'facts': {}, 'data': {}, 'history': [], 'sums': [0.], 'seconds': 0.}, **change)
    checkpoint.save(path, [np.zeros(2)], [], info)
    with pytest.raises(InputError, match=r'is not a checkpoint or is damaged \(its %s\)' % next(iter(change))):
        checkpoint.load(path)


@pytest.mark.parametrize('change,part', [({'method': None}, 'method'), ({'targets': {'a': 1}}, 'targets'),
                                         ({'targets': {'a': {'scores': {'SDR': ['x']}, 'not_scored': {}}}}, 'targets'),
                                         ({'notes': 3}, 'notes'), ({'v4': [1]}, 'v4')])
def test_results_without_their_parts_are_refused(tmp_path, change, part):
    record = {'schema': records.SCHEMA, 'version': records.VERSION, 'track': 't', 'method': 'm', 'subset': 's',
              'notes': [], 'targets': {'a': {'scores': {'SDR': [1.5, None, '-inf']}, 'not_scored': {'silence': [1]}}}}
    path = tmp_path / 'r.json'
    path.write_text(json.dumps(record))
    assert records.read(str(path)) == record
    path.write_text(json.dumps(dict(record, **change)))
    with pytest.raises(InputError, match='has no usable ' + part):
        records.read(str(path))


def test_a_published_score_that_is_no_number_is_refused(tmp_path):
    columns = ['track_id', 'track', 'subset', 'target', *published.MEASURES, *published.MASKS.values()]
    (tmp_path / 'a.csv').write_text('%s\n1,a,Test,vocals,x,1,1,1,0,0\n' % ','.join(columns))
    with pytest.raises(InputError, match="score that is no number: could not convert string to float: 'x'"):
        published.read_frames(str(tmp_path / 'a.csv'))


def test_midi_number_127_has_no_column_in_a_roll():
    notes = rows.stack_rows([rows.note_rows([score.Note(0., .1, midi)], 20) for midi in (127, 126, 127)])
    roll = masks.piano_roll(notes, 0, 8)
    assert roll.shape == (8, 3 * 127) and np.flatnonzero(roll.any(axis=0)).tolist() == [127 + 126]


@pytest.mark.parametrize('column,value', [(0, -1), (1, np.nan), (2, 128), (2, 1e19), (3, np.inf), (4, -5)])
def test_impossible_notes_are_refused(column, value):
    notes = rows.stack_rows([rows.note_rows([score.Note(0., .1, 60)], 20)])
    masks.check_notes(notes, 'a.data')
    notes[0, 0, column] = value
    with pytest.raises(InputError, match='a.data gives the .* expected 0 to .*: compute the notes again'):
        masks.check_notes(notes, 'a.data')


@pytest.mark.parametrize('line', ['0,1,A10', '0,1,C-2', '0,1e300,A4', '0,1,C99999999999999999999'])
def test_impossible_notes_of_a_score_are_refused(tmp_path, line):
    (tmp_path / 'a.txt').write_text(line)
    with pytest.raises(InputError, match='a.txt, line 1'):
        score.read_score(str(tmp_path / 'a.txt'))


@pytest.mark.parametrize('tag', ['<beats>99999</beats>', '<beats>1024th</beats>',
                                 '<duration>1e300</duration>', '<divisions>9e9</divisions>'])
def test_numbers_that_would_keep_music21_busy_for_hours_are_refused(tmp_path, tag):
    pytest.importorskip('music21', reason='music21 is not installed (requirements/scores.txt)')
    (tmp_path / 'a.xml').write_text('<score-partwise>%s</score-partwise>' % tag)
    with pytest.raises(InputError, match='holds the number'):
        score.read_parts(str(tmp_path / 'a.xml'))


def test_a_midi_file_of_years_is_refused(tmp_path):
    mido = pytest.importorskip('mido', reason='mido is not installed (requirements/scores.txt)')
    track = mido.MidiTrack([mido.Message('note_on', note=60), mido.Message('note_off', note=60, time=(1 << 28) - 1)])
    mido.MidiFile(ticks_per_beat=1, tracks=[track]).save(str(tmp_path / 'a.mid'))
    with pytest.raises(InputError, match='lasts 1.34218e.08 s, more than any music'):
        score.read_parts(str(tmp_path / 'a.mid'))


def test_flags_from_a_file_that_is_not_text_or_has_no_end(tmp_path, capsys):
    (tmp_path / 'binary').write_bytes(b'\xff\xfe')
    (tmp_path / 'good').write_text('--a\n1\n')
    (tmp_path / 'circle').write_text('@%s\n' % (tmp_path / 'circle'))
    parser = command.Parser(prog='p')
    parser.add_arg('--a')
    assert parser.parse_args(['@%s' % (tmp_path / 'good')]).a == '1'
    for name in ('binary', 'circle', 'missing', '/dev/zero'):
        with pytest.raises(SystemExit) as end:
            parser.parse_args(['@%s' % (tmp_path / name)])
        assert end.value.code == 2
    assert capsys.readouterr().err.count('\n') == 4


def test_a_file_name_that_is_not_text_is_printed(tmp_path):
    program = ('import sys; sys.path.insert(0, %r); from deepconvsep import command\n'
               'command.run(lambda argv: print("a\\udcff\\ud800"))' % ROOT)
    done = subprocess.run([sys.executable, '-c', program], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b'') and done.stdout.startswith(b'a')


def test_a_log_message_is_one_line(script, tmp_path):
    (tmp_path / 'p.py').write_text('import sys; sys.path.insert(0, %r); import climate\n'
                                   'climate.enable_default_logging()\nclimate.get_logger("x").info("a\\nb")' % ROOT)
    assert script(str(tmp_path / 'p.py')).stderr == 'I x: a\\nb\n'


def test_settings_whose_network_has_no_name_are_refused(tmp_path):
    from deepconvsep.network import architecture
    values = dict(architecture.DSD100.to_dict(), name=[1])
    with pytest.raises(InputError, match='gives the network name'):
        architecture.described(values, 'a.json')


def test_a_rc_file_with_an_error_is_left_out_whole(tmp_path):
    from deepconvsep.backend.flags import translate, user_flags
    (tmp_path / 'rc').write_bytes(b'[global]\ndevice = cuda\nfloatX\n')
    assert translate(user_flags({'THEANORC': str(tmp_path / 'rc')})) == {}


def test_a_pickle_of_a_list_is_still_read(tmp_path):
    with open(str(tmp_path / 'm.pkl'), 'wb') as out:
        pickle.dump([np.arange(3.)], out, 2)
    assert [array.tolist() for array in pickles.load_arrays(str(tmp_path / 'm.pkl'))] == [[0., 1., 2.]]
