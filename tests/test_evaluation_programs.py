"""The evaluation program of DSD100, run as users do, against the results that the MATLAB code left."""
import importlib.util
import os
import re
import shutil

import numpy as np
import pytest
import scipy.io
import soundfile
from evaluation_tree import (
    SONG,
    assert_same_structure,
    dsd,
    everything,
    fields,
    passed,
    rename,
    second_song,
    small,
    tree,
)

from deepconvsep.metrics import program, records, stems

__all__ = ['dsd', 'small', 'tree']


def test_dsd100_as_the_matlab_code(dsd, golden):
    out = passed(dsd())
    assert_same_structure(dsd.results + '.mat', golden('8_evaluation/dsd_results_1.mat'))
    assert 'tracks: 1 expected, 1 evaluated, 0 left out, 0 failed; problems with files: 0' in out
    assert 'not put beside the published scores: %s is no song of DSD100 Test' % SONG in out and 'difference' not in out
    assert 'the estimate of drums is mono' in out
    record = records.read(dsd.results + '.json')
    assert record['settings']['window_s'] == 30 and record['track'] == SONG and record['subset'] == 'Test'
    mat = fields(scipy.io.loadmat(dsd.results + '.mat')['results'])
    np.testing.assert_array_equal(records.decode(record['targets']['vocals']['scores']['SDR']), mat['vocals']['sdr'][0])


def test_dsd100_layouts_that_the_scripts_write(dsd, golden):
    rename(dsd.stems, 'mixture_', '')
    rename(dsd.stems, 'others', 'other')
    passed(dsd(module=False))
    assert_same_structure(dsd.results + '.mat', golden('8_evaluation/dsd_results_1.mat'))
    # folders of songs alone, and results elsewhere
    shutil.move(dsd.stems, os.path.join(dsd.root, 'plain', SONG))
    out = passed(dsd('--output', os.path.join(dsd.root, 'out'), '--method', 'plain', estimates='.'))
    assert 'plain Test: 1 tracks' in out
    assert_same_structure(os.path.join(dsd.root, 'out', 'plain', 'Test', SONG + '_results.mat'),
                          golden('8_evaluation/dsd_results_1.mat'))


def test_a_missing_estimate_is_named_or_counted(small):
    other = os.path.join(small.root, 'DSD100', 'Sources', 'Test')
    shutil.copytree(os.path.join(other, SONG), os.path.join(other, '902 - More'))
    process = small()
    passed(process, 1)
    assert 'methodA / Test / 902 - More: no estimate of bass below' in process.stderr.splitlines()[-1]
    assert '--allow_missing' in process.stderr and not os.path.exists(small.results + '.json')
    out = passed(small('--allow_missing'))
    assert 'tracks: 2 expected, 1 evaluated, 1 left out, 0 failed; problems with files: 4' in out
    assert 'tracks: 1 expected' in passed(small('--id', '1'))
    process = small('--id', '3')
    passed(process, 1)
    assert '--id 3 is too high: there are 2 tasks' in process.stderr


@pytest.mark.parametrize('name, content, message', [
    ('mixture_guitar.wav', None, 'mixture_guitar.wav belongs to no track of the data set'),
    ('bass.wav', None, 'bass.wav and .*mixture_bass.wav are both estimates of bass'),
    ('mixture_bass.wav', b'RIFF', r'mixture_bass.wav is not a sound file that can be read'),
    ('mixture_bass.wav', (np.zeros(12400), 800), r'mixture_bass.wav has 800 Hz and .*bass.wav 400 Hz'),
    ('mixture_bass.wav', (np.zeros(12399), 400), r'mixture_bass.wav has 12399 samples and .*bass.wav 12400'),
    ('mixture_bass.wav', (np.zeros(12400 + 4097), 400), r'has 16497 samples and .*bass.wav 12400'),
    ('mixture_bass.wav', (np.zeros((12400, 3)), 400), r'mixture_bass.wav has 3 channels, expected 1 or 2'),
    ('../../../../DSD100/Sources/Test/%s/drums.wav' % SONG, (np.zeros(12401), 400),
     r'drums.wav has 12401 samples and .*bass.wav 12400, expected the same length'),
], ids=['leftover', 'double', 'unreadable', 'rate', 'short', 'long', 'channels', 'true stem'])
def test_a_wrong_file_is_named(small, name, content, message):
    path = os.path.join(small.stems, name)
    if content is None:
        shutil.copy(os.path.join(small.stems, 'mixture_bass.wav'), path)
    elif isinstance(content, bytes):
        with open(path, 'wb') as out:
            out.write(content)
    else:
        soundfile.write(path, *content, subtype='PCM_16')
    process = small()
    passed(process, 1)
    assert re.search(message, process.stderr.splitlines()[-1]), process.stderr


def test_no_track_is_an_error(small):
    shutil.rmtree(small.stems)
    process = small()
    passed(process, 1)
    assert 'holds no estimate of any of the 1 tracks' in process.stderr
    passed(small('--allow_missing'), 1)
    process = small(estimates='nowhere')
    passed(process, 1)
    assert 'nowhere is not a folder, expected a folder of estimates' in process.stderr
    process = small('--method', 'B')
    passed(process, 1)
    assert 'has no method B, expected one of: methodA' in process.stderr


def test_results_that_cannot_be_written_are_said_first(small):
    with open(os.path.join(small.root, 'taken'), 'w'):
        pass
    process = small('--output', os.path.join(small.root, 'taken'))
    passed(process, 1)
    assert 'taken' in process.stderr.splitlines()[-1] and 'folder' in process.stderr.splitlines()[-1]


def test_wrong_usage(script):
    for flags in ((), ('--db', 'x', '--estimates', 'y', '--nprocs', '0')):
        process = script('-m', 'evaluation.DSD100_eval_only', *flags)
        passed(process, 2)
        assert len(process.stderr.splitlines()) == 1
    assert '--allow_missing' in passed(script('evaluation/DSD100_eval_only.py', '--help'))


def silence(path, start, stop):
    samples, rate = soundfile.read(path, dtype='int16')
    samples[start:stop] = 0
    soundfile.write(path, samples, rate, subtype='PCM_16')


def test_silence_is_counted_with_its_reason_and_the_others_are_scored(dsd):
    """Windows are [0, 30), [15, 45), [30, 60) s at 400 Hz; silent: the bass in the first, its estimate in the last."""
    silence(os.path.join(dsd.root, 'DSD100', 'Sources', 'Test', SONG, 'bass.wav'), 0, 12000)
    silence(os.path.join(dsd.stems, 'mixture_bass.wav'), 12000, 24800)
    out = passed(dsd())
    assert 'not scored: bass, silent reference: 1' in out
    assert 'not scored: bass, silent estimate: 1' in out
    targets = records.read(dsd.results + '.json')['targets']
    assert targets['bass']['not_scored'] == {'silent reference': [0], 'silent estimate': [2]}
    assert targets['bass']['scores']['SDR'][0] is None and targets['bass']['scores']['SDR'][2] == 0
    assert targets['bass']['scores']['SIR'][2] is None
    for target in ('drums', 'other', 'vocals', 'accompaniment'):
        assert not targets[target]['not_scored']
        assert np.isfinite(records.decode(targets[target]['scores']['SDR'])).all()
    rows = [line.split() for line in out.splitlines() if line.startswith('bass')]
    assert [row[7] for row in rows[:4]] == ['1', '1', '2', '2'], 'NaN windows of SDR, ISR, SIR, SAR'
    raw = fields(scipy.io.loadmat(dsd.results + '.mat')['results'])['bass']
    assert np.isneginf(raw['sdr'][0, 0]), 'the .mat file keeps what the MATLAB code gives'


def test_a_short_song_is_one_window_and_the_table_says_so(dsd):
    for path in everything(dsd):
        samples, rate = soundfile.read(path, dtype='int16')
        soundfile.write(path, samples[:8000], rate, subtype='PCM_16')
    out = passed(dsd())
    assert 'note (1 tracks): shorter than a window: scored as a whole' in out
    assert len(records.read(dsd.results + '.json')['targets']['vocals']['scores']['SDR']) == 1


def test_a_perfect_estimate_is_infinite_and_visible(small):
    for leaf in os.listdir(small.stems):
        os.remove(os.path.join(small.stems, leaf))
    source = os.path.join(small.root, 'DSD100', 'Sources', 'Test', SONG)
    for leaf in os.listdir(source):
        shutil.copy(os.path.join(source, leaf), os.path.join(small.stems, leaf))
    row = [line.split() for line in passed(small()).splitlines() if line.startswith('vocals')][0]
    assert row[:4] == ['vocals', 'SDR', 'inf', 'inf'] and row[-1] == '1'


def test_many_tracks_on_processes(small):
    second_song(small)
    out = passed(small('--nprocs', '2', '--quiet'))
    assert '2 evaluated' in out and 'methodA Test: 2 tracks' in out


def test_many_tracks_on_a_cluster(small, script):
    """The workers run in another folder than the program, which is given relative paths."""
    distributed = pytest.importorskip('distributed')
    second_song(small)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, host='127.0.0.1', dashboard_address=None,
                                  silence_logs=50) as cluster:
        out = passed(script('evaluation/DSD100_eval_only.py', '--db', 'DSD100', '--estimates', 'estimates', '--quiet',
                            '--scheduler', cluster.scheduler_address, cwd=small.root))
    assert '2 evaluated' in out and 'methodA Test: 2 tracks' in out
    assert os.path.exists(small.results + '.json')


def test_a_damaged_track_leaves_the_others(small):
    second_song(small)
    path = os.path.join(os.path.dirname(small.stems), '902 - B', 'mixture_bass.wav')
    samples, rate = soundfile.read(path)
    samples[5] = np.nan
    soundfile.write(path, samples, rate, subtype='FLOAT')
    process = small()
    out = passed(process, 1)
    assert 'mixture_bass.wav holds NaN' in process.stderr and '1 of 2 failed' in process.stderr
    assert '1 evaluated, 0 left out, 1 failed' in out and 'methodA Test: 1 tracks' in out


@pytest.mark.skipif(importlib.util.find_spec('museval') is None, reason='museval is not installed')
def test_v4_is_that_of_museval(small):
    metrics = program._museval()
    for path in everything(small):
        samples, rate = soundfile.read(path, dtype='int16')
        soundfile.write(path, samples[:4000], rate, subtype='PCM_16')
    out = passed(small('--v4'))
    assert 'BSS Eval 4 (museval)' in out
    v4 = records.read(small.results + '.json')['v4']
    assert sorted(v4) == ['accompaniment', 'bass', 'drums', 'other', 'vocals']
    references, estimates = ([soundfile.read(pattern % name)[0] for name in names] for pattern, names in (
        (os.path.join(small.root, 'DSD100', 'Sources', 'Test', SONG, '%s.wav'), ('bass', 'drums', 'other', 'vocals')),
        (os.path.join(small.stems, 'mixture_%s.wav'), ('bass', 'drums', 'others', 'vocals'))))
    expected = metrics.bss_eval([sum(references[:3]), references[3]], [sum(estimates[:3]), estimates[3]],
                                window=400, hop=400)[0][0]
    np.testing.assert_allclose(records.decode(v4['accompaniment']['scores']['SDR']), expected, rtol=0, atol=1e-9)


@pytest.mark.skipif(importlib.util.find_spec('museval') is None, reason='museval is not installed')
def test_v4_of_a_silent_estimate():
    """With one of them, museval scores none."""
    references = np.random.RandomState(0).uniform(-.5, .5, (2, 3000, 1))
    found = program.v4_scores('ab', references, references * [[[1.]], [[0.]]], 1000)
    nothing = {measure: [None] for measure in ('SDR', 'ISR', 'SIR', 'SAR')}
    assert found == {'a': {'scores': nothing, 'not_scored': {'another source is silent': [0]}},
                     'b': {'scores': nothing, 'not_scored': {'silent estimate': [0]}}}


def test_a_method_may_be_called_as_the_folder_of_a_page(tmp_path):
    """Without a page beside it."""
    for name in ('report', 'wiener', '.cache'):
        (tmp_path / name).mkdir()
    assert stems.folders(str(tmp_path), 'methods') == ['report', 'wiener']
    (tmp_path / 'index.html').write_text('a page')
    assert stems.folders(str(tmp_path), 'methods') == ['wiener']


def test_songs_are_no_methods(small):
    """The layout of separate_dsd.py for several songs: <estimates>/<song>/vocals.wav, with the page of --report."""
    rename(small.stems, 'mixture_', '')
    shutil.move(small.stems, os.path.join(small.root, 'separated', SONG))
    os.makedirs(os.path.join(small.root, 'separated', 'report'))
    with open(os.path.join(small.root, 'separated', 'index.html'), 'w') as page:
        page.write('a page')
    for leaf in ('song1-vocals.wav', 'vocals.wav'):
        shutil.copy(os.path.join(small.root, 'separated', SONG, 'vocals.wav'),
                    os.path.join(small.root, 'separated', 'report', leaf))
    with open(os.path.join(small.root, 'separated', 'report', 'scores.json'), 'w') as other:
        other.write('{"rule": "another program"}')
    assert 'separated Test: 1 tracks' in passed(small(estimates='separated'))
    from plots import scores
    assert set(scores.read_scores(os.path.join(small.root, 'separated'), 'SDR')['track']) == {SONG}


def test_what_musdb_needs_is_said(small, tmp_path, script):
    (tmp_path / 'MU' / 'test').mkdir(parents=True)
    process = script('-m', 'evaluation.DSD100_eval_only', '--db', tmp_path / 'MU', '--estimates', tmp_path)
    passed(process, 1)
    assert '(MUSDB18-HQ: give a folder whose Sources/Dev and Sources/Test link to train and test)' in process.stderr


def test_links_to_folders_are_followed(small, script):
    """As for features and separation, round a loop too."""
    parts, elsewhere = os.path.dirname(small.stems), os.path.join(small.root, 'elsewhere')
    shutil.move(parts, elsewhere)
    os.symlink(elsewhere, parts)
    os.symlink(parts, os.path.join(elsewhere, 'loop'))
    assert 'methodA Test: 1 tracks' in passed(small())
    for reader in ('plots.scores', 'evaluation.handle_voice_eval_results'):
        passed(script('-m', reader, '--input', os.path.join(small.root, 'estimates')))


def test_songs_of_the_same_name_in_dev_and_test(small):
    """Each is scored against its own references: those of Dev are the estimates themselves."""
    dev = os.path.join(small.root, 'DSD100', 'Sources', 'Dev', SONG)
    shutil.copytree(small.stems, os.path.join(small.root, 'estimates', 'methodA', 'Dev', SONG))
    shutil.copytree(os.path.join(small.root, 'DSD100', 'Sources', 'Test', SONG), dev)
    for leaf in os.listdir(dev):
        estimate = os.path.join(small.stems, 'mixture_' + leaf.replace('other', 'others'))
        shutil.copy(estimate, os.path.join(dev, leaf))
    out = passed(small())
    assert 'methodA Test: 1 tracks' in out and 'methodA Dev: 1 tracks' in out
    sdr = {subset: records.read(small.results.replace('Test', subset) + '.json')['targets']['bass']['scores']['SDR']
           for subset in ('Test', 'Dev')}
    assert sdr['Dev'] == ['inf'] and 0 < sdr['Test'][0] < 100
    shutil.move(small.stems, os.path.join(small.root, 'flat', SONG))
    process = small(estimates='flat')
    passed(process, 1)
    assert 'may be of Test or Dev: songs of both have this name, put the folder %s into one called' % SONG \
        in process.stderr
