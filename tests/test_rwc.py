"""Notes of an RWC tree against the recorded answers of the original."""
import os
import shutil

import numpy as np
import pytest
import scipy.io

import rwc
from deepconvsep.errors import InputError


@pytest.fixture(scope='module')
def recorded(golden, golden_json):
    return golden_json('7_rwc/instruments.json')['rows'], np.load(golden('7_rwc/getAudio.npz'))


@pytest.fixture(scope='module')
def instruments(golden, recorded):
    return [rwc.Instrument(golden('7_rwc/rwc'), row['instid'], row['allowed_styles'], row['allowed_case'],
                           row['allowed_dynamics']) for row in recorded[0]]


@pytest.fixture
def tree(golden, tmp_path):
    """A copy of the tree, to spoil."""
    return shutil.copytree(golden('7_rwc/rwc'), str(tmp_path / 'rwc'))


def test_instruments_recorded(golden, recorded, instruments):
    root = golden('7_rwc/rwc')
    for row, instrument in zip(recorded[0], instruments):
        for name in ('notes_code', 'notes_len', 'notes_nr', 'notes_d', 'notes_s', 'notes_c', 'instrumentName',
                     'instrumentSymbol', 'dynamics', 'style', 'total_notes'):
            assert getattr(instrument, name) == row[name], (row['k'], name)
        assert [os.path.relpath(path, root) for path in instrument.wav_list] == row['wav_list']
        for note, expected in zip(instrument.notes, row['notes']):
            for name, value in expected.items():
                if isinstance(value, float):
                    assert getattr(note, name) == pytest.approx(value, abs=1e-12)
                else:
                    assert getattr(note, name) == value, name


def test_get_note_recorded(recorded, instruments):
    asked = 0
    for row, instrument in zip(recorded[0], instruments):
        for *question, noteid in row['getNote'] + [row['getNote_defaults']]:
            note = instrument.getNote(*question)
            assert (-1 if note is None else note.noteid) == noteid, question
            asked += 1
    assert asked > 100


def test_get_audio_recorded(recorded, instruments):
    rows, arrays = recorded
    for row, instrument in zip(rows, instruments):
        for call in row['getAudio']:
            note = instrument.notes[call['noteid']]
            before = vars(note).copy()
            samples = note.getAudio(max_duration=call['max_duration'])
            assert vars(note) == before  # the original moves noteStart
            if call['noteStart_before'] != pytest.approx(note.noteStart):
                continue  # a later call in the original, on the note that it moved
            assert samples.dtype == float
            np.testing.assert_array_equal(np.rint(samples * 32767), arrays['k%d.call%d' % (row['k'], call['call'])])


def write_mat(path, start, end):
    """The description of a file at 48 kHz with one note, from one sample to another."""
    fields = [dict(a=0, b=0, c=0, fs=48000), 0, 0, 'F', 30, 0, 'bassoon', 'FG', 0, 'NO', 0, 0, 0, 0, [43], [start],
              [end]]
    scipy.io.savemat(path, {'featureStruct': {'f%02d' % i: field for i, field in enumerate(fields)}}, oned_as='row')


def test_onset_is_trimmed_at_any_rate(tmp_path):
    """A burst after 0.2 s of silence, at 48 kHz: from one hop before the first window that touches it."""
    from deepconvsep import audio
    root = tmp_path
    for folder in ('wav/301', 'mat'):
        (root / folder).mkdir(parents=True)
    samples = np.zeros(48000)
    samples[9600:28800] = 0.5
    audio.write(str(root / 'wav/301/301FGNOF.WAV'), samples, 48000)
    write_mat(str(root / 'mat/301fgnof.wav.mat'), 0, 38400)
    note = rwc.Instrument(str(root), 30, allowed_case=[1]).getNote(43)
    first = int(np.argmax(note.getAudio() > 0))
    assert 1024 - 128 <= first <= 1024 + 128 and len(note.getAudio()) == 38400 - (9600 - first)
    assert len(note.getAudio(max_duration=0.25)) == 12000


def test_the_first_take_of_a_note_is_given(tmp_path):
    """Of two files of one style, dynamics and musician."""
    from deepconvsep import audio
    for name in ('301FGNOF', '301FGNO2F'):
        for folder in ('wav/301', 'mat'):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        audio.write(str(tmp_path / 'wav/301' / (name + '.WAV')), np.full(4800, .5), 48000)
        write_mat(str(tmp_path / 'mat' / (name.lower() + '.wav.mat')), 0, 4800)
    instrument = rwc.Instrument(str(tmp_path), 30, allowed_case=[1])
    assert [note.code for note in instrument.notes] == ['301fgno2f.wav', '301fgnof.wav']
    assert instrument.getNote(43) is instrument.notes[0]


# --- what is missing is named -------------------------------------------------------------------------

def test_missing_mat_is_named(tree, caplog):
    rwc.Instrument(tree, 15)
    assert '153VNNOF.WAV is left out: there is no' in caplog.text  # recorded so
    os.unlink(os.path.join(tree, 'mat', '151vnnof.wav.mat'))
    instrument = rwc.Instrument(tree, 15)
    assert 'there is no %s' % os.path.join(tree, 'mat', '151vnnof.wav.mat') in caplog.text
    assert '151vnnof' not in instrument.notes_code and instrument.notes


def test_unknown_instrument_is_named(tree):
    with pytest.raises(InputError, match=r'there are no notes of instrument 99 in .*, expected wav.99<1-3> with .WAV'):
        rwc.Instrument(tree, 99)


def test_missing_musician_is_named(tree, caplog):
    shutil.rmtree(os.path.join(tree, 'wav', '152'))
    assert 2 not in rwc.Instrument(tree, 15).notes_c
    assert 'musician 2 is left out' in caplog.text


def test_unreadable_sound_is_named(tree):
    note = rwc.Instrument(tree, 15).notes[0]
    open(note.wav_path, 'wb').write(b'no sound')
    with pytest.raises(InputError, match='151VNNOF.WAV is not a sound file'):
        note.getAudio()
    os.unlink(note.wav_path)
    with pytest.raises(InputError, match='cannot read .*151VNNOF.WAV: No such file'):
        note.getAudio()


def test_note_beyond_the_file_is_named(tree):
    note = rwc.Instrument(tree, 15).notes[2]
    note.noteStart, note.noteEnd = 1000., 1001.
    with pytest.raises(InputError, match=r'151VNNOF.WAV ends before its note 2 \(1000.00 s\) begins'):
        note.getAudio()


@pytest.mark.parametrize('spoil', [b'no mat file', None])
def test_unreadable_mat_is_named(tree, spoil):
    path = os.path.join(tree, 'mat', '151vnnof.wav.mat')
    if spoil:
        open(path, 'wb').write(spoil)
    else:
        scipy.io.savemat(path, {'other': 1})
    with pytest.raises(InputError, match='151vnnof.wav.mat is not a description of RWC notes'):
        rwc.Instrument(tree, 15)


@pytest.mark.parametrize('start,end,message', [
    (-4800, 48000, 'from -0.1 s to 1 s'), (np.nan, 48000, 'from nan s to 1 s'), (0, np.nan, 'from 0 s to nan s'),
    (0, np.inf, 'from 0 s to inf s'), (-np.inf, 0, 'from -inf s to 0 s'), (96000, 48000, 'from 2 s to 1 s')])
def test_a_note_that_cannot_be_is_named(tmp_path, start, end, message):
    write_mat(str(tmp_path / 'a.wav.mat'), start, end)
    with pytest.raises(InputError, match='a.wav.mat is not a description of RWC notes .*: its note 0 lasts ' + message):
        rwc.read_mat(str(tmp_path / 'a.wav.mat'))
    write_mat(str(tmp_path / 'a.wav.mat'), 480, 480)
    empty = rwc.read_mat(str(tmp_path / 'a.wav.mat'))
    assert empty['start'] == empty['end'] == [.01]
