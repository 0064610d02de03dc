"""The evaluation program of DSD100 run again: which results are kept, and which are not taken for those of today."""
import json
import os
import shutil

import pytest
import soundfile
from evaluation_tree import SONG, dsd, passed, second_song, small, tree

from deepconvsep.errors import InputError
from deepconvsep.metrics import records

__all__ = ['dsd', 'small', 'tree']


def test_a_second_run_skips_what_is_finished(small):
    first = passed(small())
    times = os.stat(small.results + '.json').st_mtime_ns
    assert passed(small()) == first
    assert os.stat(small.results + '.json').st_mtime_ns == times
    passed(small('--overwrite'))
    assert os.stat(small.results + '.json').st_mtime_ns > times


def test_a_new_estimate_is_evaluated_again(small):
    passed(small())
    path = os.path.join(small.stems, 'mixture_bass.wav')
    samples, rate = soundfile.read(path, dtype='int16')
    soundfile.write(path, samples // 2, rate)
    before = records.read(small.results + '.json')['targets']['bass']['scores']['ISR']
    passed(small())
    assert records.read(small.results + '.json')['targets']['bass']['scores']['ISR'] != before


def test_the_results_of_a_renamed_method_take_its_new_name(small):
    """Else two methods would be averaged into one row."""
    passed(small())
    methods = os.path.join(small.root, 'estimates')
    os.rename(os.path.join(methods, 'methodA'), os.path.join(methods, 'methodB'))
    shutil.copytree(os.path.join(methods, 'methodB'), os.path.join(methods, 'methodA'))
    out = passed(small())
    assert 'methodA Test: 1 tracks' in out and 'methodB Test: 1 tracks' in out


def test_results_of_estimates_that_are_gone_are_named(small):
    """They stay, and plots would show them."""
    second_song(small)
    passed(small())
    process = small('--id', '1')
    passed(process)
    assert 'left out now' not in process.stderr
    shutil.rmtree(os.path.join(os.path.dirname(small.stems), '902 - B'))
    process = small('--allow_missing')
    passed(process)
    assert '902 - B_results.json is of stems that are left out now: remove it, or plots and' in process.stderr
    assert SONG + '_results.json is of' not in process.stderr


def test_a_record_of_another_version_is_refused(small):
    passed(small())
    with open(small.results + '.json') as source:
        record = json.load(source)
    with open(small.results + '.json', 'w') as out:
        json.dump(dict(record, version=99), out)
    with pytest.raises(InputError, match="version 99, expected 'deepconvsep.evaluation' version 1"):
        records.read(small.results + '.json')
    passed(small())
    assert records.read(small.results + '.json')['version'] == 1


def test_results_of_other_sounds_than_are_there_now_are_refused(small, script):
    """By every program that reads them, until they are computed again."""
    passed(small())
    readers = [('-m', 'plots.scores', '--input', os.path.join(small.root, 'estimates'), '--format', 'png'),
               ('-m', 'evaluation.handle_voice_eval_results', '--input', os.path.join(small.root, 'estimates'))]
    path = os.path.join(small.stems, 'mixture_bass.wav')
    os.utime(path)
    for reader in readers:
        passed(script(*reader))
    samples, rate = soundfile.read(path, dtype='int16')
    soundfile.write(path, samples // 2, rate)
    for reader in readers:
        process = script(*reader)
        passed(process, 1)
        assert '_results.json was made from another ' in process.stderr and 'mixture_bass.wav than' in process.stderr
    passed(small())
    for reader in readers:
        passed(script(*reader))
    os.remove(path)
    passed(script(*readers[0]))   # nothing to compare with


def test_results_of_a_sound_of_another_length_but_the_same_date_are_refused(small):
    passed(small())
    path = os.path.join(small.stems, 'mixture_bass.wav')
    dates = os.stat(path)
    with open(path, 'ab') as sound:
        sound.write(b'more')
    os.utime(path, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    with pytest.raises(InputError, match='was made from another .*mixture_bass.wav than is there now'):
        records.require_current(small.results + '.json')


def test_another_mat_file_is_not_taken_for_the_results(small, golden, script):
    passed(small())
    shutil.copy(golden('8_evaluation/dsd_results_1.mat'), small.results + '.mat')
    process = script('-m', 'evaluation.handle_voice_eval_results', '--input', os.path.join(small.root, 'estimates'))
    passed(process, 1)
    assert '_results.mat is not the one that was written with' in process.stderr
    passed(small())
    passed(script('-m', 'evaluation.handle_voice_eval_results', '--input', os.path.join(small.root, 'estimates')))
