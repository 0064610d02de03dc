"""The page of a separation: links, escaping, scores against mir_eval."""
import html.parser
import json
import os
import shutil
import subprocess
import sys
import urllib.parse

import mir_eval
import numpy as np
import pytest
import soundfile
from conftest import ROOT

from deepconvsep.errors import InputError
from deepconvsep.formats import pickles
from deepconvsep.metrics import compare, ideal_ratio
from deepconvsep.network import architecture
from deepconvsep.report.page import Song, mean, write
from examples.bach10 import recipe
from transform import transformFFT

SCRIPT = 'examples/bach10/separate_bach10.py'
HOSTILE = '<img src=x onerror=alert(1)> & "50%" \'#1?\' é'
RATE = 8000


class Page(html.parser.HTMLParser):
    """Links, text, the rows of tables, and the names of all elements of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.rows, self.names, self.text = [], [], [], ''
        with open(path, encoding='utf-8') as source:
            self.feed(source.read())

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.links += [value for name, value in attrs if name in ('src', 'href')]
        assert not any(name.startswith('on') for name, _ in attrs)
        if tag == 'tr':
            self.rows.append('')

    def handle_data(self, data):
        self.text += data
        if self.rows and 'table' in self.names:
            self.rows[-1] += ' ' + data


def tone(seconds, frequency, rate=RATE, seed=0):
    time = np.arange(int(seconds * rate)) / rate
    return 0.1 * np.sin(2 * np.pi * frequency * time) + 0.02 * np.random.default_rng(seed).standard_normal(len(time))


@pytest.fixture(scope='module')
def separated(tmp_path_factory):
    """A sound with a hostile name, separated with a page by a model of constant masks; and the true stems."""
    folder = tmp_path_factory.mktemp('report')
    params = [np.zeros(shape, np.float32) for shape in architecture.BACH10_COMPACT.param_shapes()]
    params[-1][:] = 1, 2, 3, 4
    pickles.dump_arrays(str(folder / 'model.pkl'), params)
    true = [tone(2, 300 * (index + 1), 44100, index) for index in range(4)]
    (folder / 'true').mkdir()
    for source, samples in zip(('bassoon', 'clarinet', 'saxophone', 'violin'), true):
        soundfile.write(str(folder / 'true' / ('%s_%s.wav' % (HOSTILE, source))), samples, 44100)
    soundfile.write(str(folder / (HOSTILE + '.wav')), sum(true), 44100)
    done = subprocess.run([sys.executable, os.path.join(ROOT, SCRIPT), '-i', HOSTILE + '.wav', '-o', 'out', '-m',
                           'model.pkl', '--report', '--references', 'true', '--accompaniment', '--quiet'],
                          cwd=str(folder), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == os.path.join('out', 'index.html')
    return folder


def test_all_links_lead_to_files_of_the_folder(separated, tmp_path):
    shutil.copytree(str(separated / 'out'), str(tmp_path / 'moved'))
    links = [link for link in Page(str(tmp_path / 'moved' / 'index.html')).links if link != 'data:,']
    assert len(links) == 10 + 10 + 1, 'a sound and a picture each of mixture, 5 stems, 4 references; the scores'
    for link in links:
        assert ':' not in link and not link.startswith('/'), link
        assert os.path.getsize(str(tmp_path / 'moved' / urllib.parse.unquote(link))) > 100, link
    sounds = [urllib.parse.unquote(link) for link in links if link.endswith(('.wav', '.flac'))]
    lengths = {soundfile.info(str(tmp_path / 'moved' / sound)).frames for sound in sounds}
    assert lengths == {2 * 44100}
    original = soundfile.read(str(separated / (HOSTILE + '.wav')), dtype='int16')[0]
    assert (soundfile.read(str(tmp_path / 'moved' / sounds[0]), dtype='int16')[0] == original).all()


def test_names_are_escaped(separated):
    page = Page(str(separated / 'out' / 'index.html'))
    assert page.names.count('img') == 10 and page.names.count('audio') == 10 and page.names.count('script') == 1
    assert HOSTILE in page.text
    words = "%s -i '%s.wav'" % (SCRIPT.replace('/', os.sep), HOSTILE.replace("'", "'\"'\"'"))
    assert words in page.text.replace('\n', ''), 'the command is quoted for a shell'


def ideally_masked(stems, transform):
    magnitudes = np.stack([transform.compute_file(stem) for stem in stems])
    mixture, phase = transform.compute_file(stems.sum(axis=0), phase=True)
    masks = magnitudes / np.maximum(magnitudes.sum(axis=0), 1e-300)
    return np.stack([transform.compute_inverse(mask * mixture, phase)[:stems.shape[1]] for mask in masks])


@pytest.mark.filterwarnings('ignore::FutureWarning')
def test_scores_are_those_of_mir_eval(separated):
    with open(str(separated / 'out' / 'report' / 'scores.json')) as source:
        scores = json.load(source)['scores'][HOSTILE]
    read = [[soundfile.read(str(separated / folder / ('%s_%s.wav' % (HOSTILE, name))))[0] for name in names]
            for folder, names in (('true', ('bassoon', 'clarinet', 'saxophone', 'violin')), ('out', recipe.SOURCES))]
    mixture = soundfile.read(str(separated / (HOSTILE + '.wav')))[0]
    sdr, sir, sar, _ = mir_eval.separation.bss_eval_sources(*map(np.array, read), compute_permutation=False)
    before = mir_eval.separation.bss_eval_sources(np.array(read[0]), np.array([mixture] * 4), False)[0]
    for index, source in enumerate(recipe.SOURCES):
        np.testing.assert_allclose([scores[source][name] for name in ('SDR', 'SIR', 'SAR', 'mixture SDR')],
                                   [sdr[index], sir[index], sar[index], before[index]], atol=1e-3)
    rows = [row.split() for row in Page(str(separated / 'out' / 'index.html')).rows[1:]]
    assert [row[0] for row in rows[:4]] == ['Bassoon', 'Clarinet', 'Saxophone', 'Violin'] and rows[4][0] == 'Mean'
    for row, source in zip(rows, recipe.SOURCES):
        values = [scores[source][name] for name in ('SDR', 'SIR', 'SAR', 'mixture SDR')]
        shown = [float(cell.replace('−', '-')) for cell in row[1:6]]
        np.testing.assert_allclose(shown, values + [values[0] - values[3]], atol=0.0501)
    assert abs(float(rows[4][1].replace('−', '-')) - sdr.mean()) < 0.06
    ideal = ideally_masked(np.array(read[0]), transformFFT(frameSize=2048, hopSize=512, sampleRate=44100))
    best = mir_eval.separation.bss_eval_sources(np.array(read[0]), ideal, compute_permutation=False)
    assert rows[5][:3] == ['Mean,', 'ideal', 'mask']
    np.testing.assert_allclose([float(cell.replace('−', '-')) for cell in rows[5][3:6]],
                               [values.mean() for values in best[:3]], atol=0.06)


def test_true_stems_are_not_replaced(script, separated, tmp_path):
    """Neither by stems of the same names, nor by a separation that a mistyped input turned into one with a title."""
    folder = tmp_path / 'true'
    shutil.copytree(str(separated / 'true'), str(folder))
    for source in ('bassoon', 'clarinet', 'saxophone', 'violin'):
        shutil.copy(str(folder / ('%s_%s.wav' % (HOSTILE, source))), str(folder / (source + '.flac')))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    arguments = (SCRIPT, '-i', separated / (HOSTILE + '.wav'), '-o', folder, '-m', separated / 'model.pkl',
                 '--overwrite')
    done = script(*arguments, '--report', '--references', folder)
    assert done.returncode == 2 and 'as a true stem, which this separation would write: give another' in done.stderr
    done = script(*arguments, '--report', 'x.WAV')
    assert done.returncode == 2 and '--report took x.WAV for its title' in done.stderr
    done = script(*arguments, '--report', '--references', '')
    assert done.returncode == 2 and 'expected a path' in done.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_in_the_place_of_a_stem(script, separated, tmp_path):
    (tmp_path / (HOSTILE + '_clarinet.wav')).mkdir()
    done = script(SCRIPT, '-i', separated / (HOSTILE + '.wav'), '-o', tmp_path, '-m', separated / 'model.pkl',
                  '--overwrite')
    assert done.returncode == 1 and 'is a folder, expected to write a stem there' in done.stderr
    assert len(list(tmp_path.iterdir())) == 1


def test_flags_that_do_not_fit(script, separated):
    flags = ['-i', HOSTILE + '.wav', '-m', 'model.pkl', '--quiet']
    done = script(SCRIPT, *flags, '-o', 'a', '--references', 'true', cwd=separated)
    assert done.returncode == 2 and '--references is for the page of --report' in done.stderr
    (separated / 'b').mkdir(exist_ok=True)
    (separated / 'b' / 'index.html').write_text('mine')
    done = script(SCRIPT, *flags, '-o', 'b', '--report', cwd=separated)
    assert done.returncode == 1 and 'index.html exists: give --overwrite' in done.stderr
    done = script(SCRIPT, *flags, '-o', 'c', '--report', '--references', 'out', cwd=separated)
    assert done.returncode == 0, 'the stems themselves have the names of true stems'
    done = script(SCRIPT, *flags, '-o', 'd', '--report', '--references', 'b', cwd=separated)
    assert done.returncode == 1 and 'b has no true stem of the bassoon of' in done.stderr
    assert not (separated / 'd').exists(), 'checked before any work'
    # two sounds, one set of stems without a name
    (separated / 'flat').mkdir(exist_ok=True)
    for source in ('bassoon', 'clarinet', 'saxophone', 'violin'):
        shutil.copy(str(separated / 'true' / ('%s_%s.wav' % (HOSTILE, source))),
                    str(separated / 'flat' / (source + '.wav')))
    shutil.copy(str(separated / (HOSTILE + '.wav')), str(separated / 'again.wav'))
    done = script(SCRIPT, '-i', HOSTILE + '.wav', 'again.wav', '-m', 'model.pkl', '--quiet', '-o', 'e', '--report',
                  '--references', 'flat', cwd=separated)
    assert done.returncode == 1 and 'again.wav have the same true stems, flat/bassoon.wav ...:' in done.stderr
    assert not (separated / 'e').exists()


def test_a_former_page_and_accompaniment_do_not_stay_beside_new_stems(script, separated, tmp_path):
    """--overwrite without the flags that wrote them; files of others stay."""
    folder = tmp_path / 'out'
    shutil.copytree(str(separated / 'out'), str(folder))
    stems = sorted(name for name in os.listdir(str(folder)) if name.endswith('.wav'))
    assert len(stems) == 5 and (folder / 'report').is_dir() and (folder / 'index.html').exists()
    (folder / 'notes.txt').write_text('of somebody else')
    shutil.copyfile(str(folder / stems[1]), str(folder / (stems[1][:-4] + '.flac')))
    arguments = (SCRIPT, '-i', separated / (HOSTILE + '.wav'), '-o', folder, '-m', separated / 'model.pkl')
    refused = script(*arguments)
    assert refused.returncode == 1 and len(os.listdir(str(folder))) == 9
    done = script(*arguments, '--overwrite')
    assert done.returncode == 0, done.stderr
    other = stems[1][:-4] + '.flac'   # that no page shows: it may be of somebody else
    assert sorted(os.listdir(str(folder))) == sorted(['notes.txt', other] + [name for name in stems
                                                                             if 'accompaniment' not in name])
    assert done.stderr.count(', which belonged to the stems that are replaced') == 1
    assert done.stderr.count('.flac stays beside the new stems, which it does not belong to: remove it, if') == 1
    assert 'index.html, which showed the stems that are replaced: --report writes it again' in done.stderr


def test_what_belongs_to_stems_that_are_not_replaced_stays(script, separated, tmp_path):
    """Of an input that turns bad at its end, in a run that replaces the stems of another."""
    shutil.copytree(str(separated / 'out'), str(tmp_path / 'out'))
    samples = tone(2, 300, 44100)
    soundfile.write(str(tmp_path / 'good.wav'), samples, 44100)
    samples[-1] = np.nan
    soundfile.write(str(tmp_path / (HOSTILE + '.wav')), samples, 44100, 'FLOAT')
    before = {path: path.read_bytes() for path in (tmp_path / 'out').rglob('*') if path.is_file()}
    flags = ('-o', 'out', '-m', separated / 'model.pkl', '--overwrite', '--quiet')
    done = script(SCRIPT, '-i', HOSTILE + '.wav', *flags, cwd=tmp_path)
    assert done.returncode == 1 and 'holds NaN' in done.stderr and 'removed' not in done.stderr
    done = script(SCRIPT, '-i', HOSTILE + '.wav', 'good.wav', *flags, cwd=tmp_path)
    assert done.returncode == 1 and 'good_violin.wav' in done.stdout and 'removed' not in done.stderr
    assert {path: path.read_bytes() for path in before} == before


def test_failures_are_named_when_the_page_fails_too(script, separated, tmp_path):
    (tmp_path / 'broken.wav').write_text('no sound')
    flags = ('-i', 'broken.wav', separated / (HOSTILE + '.wav'), '-m', separated / 'model.pkl', '--quiet', '--report')
    for folder in ('a', 'b'):
        (tmp_path / folder).mkdir()
    (tmp_path / 'a' / 'report').write_text('mine')
    done = script(SCRIPT, *flags, '-o', 'a', cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.count('\n') == 1, 'before any work'
    assert '%s is a file, expected a folder' % os.path.join('a', 'report') in done.stderr
    (tmp_path / 'b' / 'index.html').mkdir()
    done = script(SCRIPT, *flags, '-o', 'b', '--overwrite', cwd=tmp_path)
    assert done.returncode == 1 and 'broken.wav is not a sound file' in done.stderr
    assert 'index.html: Is a directory' in done.stderr


def test_a_page_of_other_stems_stays(script, separated, tmp_path):
    folder = tmp_path / 'out'
    shutil.copytree(str(separated / 'out'), str(folder))
    before = (folder / 'index.html').read_bytes()
    soundfile.write(str(tmp_path / 'other.wav'), tone(0.5, 400, 44100), 44100)
    arguments = (SCRIPT, '-i', tmp_path / 'other.wav', '-o', folder, '-m', separated / 'model.pkl', '--quiet')
    for more in ((), ('--overwrite',)):
        done = script(*arguments, *more)
        assert done.returncode == 0 and 'removed' not in done.stderr
    assert (folder / 'index.html').read_bytes() == before and (folder / 'report').is_dir()


def test_page_of_several_sounds_without_references(tmp_path):
    (tmp_path / 'page').mkdir()
    songs = []
    for number in range(2):
        path = str(tmp_path / 'page' / ('%d.wav' % number))
        soundfile.write(path, tone(0.5, 500), RATE)
        songs.append(Song('song %d' % number, path, {'all': path}))
    soundfile.write(str(tmp_path / 'page' / 'empty.wav'), np.zeros(0), RATE)
    songs.append(Song('nothing', str(tmp_path / 'page' / 'empty.wav'), {}))
    page = Page(write(str(tmp_path / 'page'), songs, 'Two', ['python', 'x.py'], {'Model': '<b>'}))
    assert 'song 1' in page.text and '#sound-2' in page.links and 'table' not in page.names and 'b' not in page.names
    assert '0.wav' in page.links and sorted(os.listdir(str(tmp_path / 'page' / 'report'))) == [
        '%d-%s.png' % (number, kind) for number, kind in
        [(1, 'all'), (1, 'mixture'), (2, 'all'), (2, 'mixture'), (3, 'mixture')]], 'what is there is not copied'


# --- scores ------------------------------------------------------------------------------------------

@pytest.mark.filterwarnings('ignore::FutureWarning')
def test_long_sounds_are_scored_in_windows(tmp_path):
    true = {name: tone(46, 400 * (index + 1), seed=index) for index, name in enumerate('ab')}
    true['b'][:35 * RATE] *= np.linspace(1, 0, 35 * RATE)
    estimates = {'a': true['a'] + 0.1 * true['b'], 'b': true['b'] + 0.3 * true['a']}
    paths = {}
    for kind, signals in (('true', true), ('estimate', estimates), ('mixture', {'x': true['a'] + true['b']})):
        paths[kind] = {name: str(tmp_path / ('%s-%s.wav' % (kind, name))) for name in signals}
        for name, samples in signals.items():
            soundfile.write(paths[kind][name], samples, RATE, 'FLOAT')
    scores = compare.score(paths['mixture']['x'], paths['estimate'], paths['true'])
    windows = [slice(0, 30 * RATE), slice(15 * RATE, 45 * RATE)]
    expected = np.mean([mir_eval.separation.bss_eval_sources(
        *(np.array([signals[name][window] for name in 'ab']) for signals in (true, estimates)), False)[0]
        for window in windows], axis=0)
    np.testing.assert_allclose([scores['a']['SDR'], scores['b']['SDR']], expected, atol=1e-2)


def test_silent_reference_has_no_score(tmp_path):
    for name, samples in (('a', tone(1, 500)), ('b', np.zeros(RATE))):
        soundfile.write(str(tmp_path / (name + '.wav')), samples, RATE)
    paths = {name: str(tmp_path / (name + '.wav')) for name in 'ab'}
    scores = compare.score(paths['a'], {'a': paths['a'], 'b': paths['a']}, paths)
    assert np.isnan(scores['b']['SDR']) and scores['a']['SDR'] > 50
    assert compare.encode(scores)['b']['SDR'] is None and mean(scores)['SDR'] == scores['a']['SDR']


def test_true_stems_that_are_not_of_the_mixture_are_said(tmp_path, caplog):
    generator = np.random.RandomState(0)
    true = {name: str(tmp_path / (name + '.wav')) for name in ('a', 'b')}
    sounds = {name: 0.1 * generator.randn(30000) for name in true}
    for name, path in true.items():
        soundfile.write(path, sounds[name], 8000)
    mixture = str(tmp_path / 'mixture.wav')
    for sound, said in ((sum(sounds.values()), False), (np.tanh(8 * sum(sounds.values())), False),
                        (np.roll(sum(sounds.values()), 800), True), (0.1 * generator.randn(30000), True),
                        (np.zeros(30000), False)):
        soundfile.write(mixture, sound, 8000, subtype='FLOAT')
        caplog.clear()
        compare.score(mixture, true, true)
        assert ('are they those of another sound, or at other times?' in caplog.text) == said


def test_true_stems_are_found_by_name(tmp_path):
    names = ['song-violin.wav', 'song2-violin.wav', 'song_saxophone.flac', 'others.wav']
    for name in names:
        soundfile.write(str(tmp_path / name), np.zeros(10), RATE)
    found = compare.find_references(str(tmp_path), 'song', ('violin', 'saxphone', 'other'))
    assert [os.path.basename(path) for path in found.values()] == [names[0], names[2], names[3]]
    (tmp_path / 'song').mkdir()
    shutil.copy(str(tmp_path / names[3]), str(tmp_path / 'song' / 'violin.wav'))
    assert compare.find_references(str(tmp_path), 'song', ['violin'])['violin'] == str(tmp_path / 'song' / 'violin.wav')
    with pytest.raises(InputError, match='has no true stem of the drums of 50%, expected .*50%-drums.wav or .*'):
        compare.find_references(str(tmp_path), '50%', ['drums'])


@pytest.mark.parametrize('samples,rate', [(RATE, 44100), (3 * RATE, RATE), (0, RATE)])
def test_true_stems_of_another_sound(tmp_path, samples, rate):
    soundfile.write(str(tmp_path / 'mixture.wav'), np.zeros(RATE), RATE)
    soundfile.write(str(tmp_path / 'a.wav'), np.zeros(samples), rate)
    with pytest.raises(InputError, match='a.wav has %d samples at %d Hz and .*mixture.wav 8000 at 8000 Hz'
                       % (samples, rate)):
        compare.check(str(tmp_path / 'mixture.wav'), {'a': str(tmp_path / 'a.wav')})


def test_sounds_that_end_a_little_apart_share_the_shortest_length(tmp_path):
    lengths = {'mixture': 2 * RATE, 'a': 2 * RATE - 4096, 'b': 2 * RATE + 4096}
    paths = {name: str(tmp_path / (name + '.wav')) for name in lengths}
    for number, (name, path) in enumerate(paths.items()):
        soundfile.write(path, tone(3, 300 + 50 * number)[:lengths[name]], RATE)
    true = {name: paths[name] for name in 'ab'}
    assert compare.check(paths['mixture'], true) == (RATE, lengths['a'])
    assert min(compare.score(paths['mixture'], true, true)[name]['SDR'] for name in 'ab') > 50


def test_ideal_masks_are_those_of_the_whole_sound():
    stems = np.stack([tone(3, 300), tone(3, 310, seed=1), np.zeros(3 * RATE)])
    expected = ideally_masked(stems, transformFFT(frameSize=1024, hopSize=256, sampleRate=RATE))
    for block in (1000, 1 << 16):
        found = ideal_ratio.separate(stems, np.hanning(1024), 256, block)
        np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_allclose(found.sum(axis=0), stems.sum(axis=0), atol=1e-9)
