"""The other evaluation programs, run as users do, against the results that the MATLAB code left."""
import os
import re
import shutil

import numpy as np
import pytest
import scipy.io
import sound_tree
import soundfile
from evaluation_tree import assert_same_structure, copy, fields, passed, rename

from deepconvsep.metrics import records, stems
from evaluation import Bach10_eval_only, evaluate_SS_iKala, handle_voice_eval_results


@pytest.fixture
def tree(golden, tmp_path):
    """A copy of a recorded tree of a data set with estimates: ``tree('dsd_tree')``."""
    return lambda name: copy(golden, tmp_path, name)


def test_bach10_as_the_matlab_code(tree, script, golden, tmp_path):
    root = tree('bach10_tree')
    flags = ('-m', 'evaluation.Bach10_eval_only', '--estimates', os.path.join(root, 'estimates'), '--quiet')
    out = passed(script(*flags, '--db', os.path.join(root, 'Bach10'), '--output', tmp_path / 'a', '--id', '1'))
    assert 'the estimate of clarinet was cut by 64 samples' in out
    assert_same_structure(str(tmp_path / 'a' / 'm1' / '01-AchGottundHerr_results.mat'),
                          golden('8_evaluation/bach10_results.mat'))
    # as separate_bach10 names them, and the folder of the pieces itself as the data set
    rename(os.path.join(root, 'estimates'), 'Herr-', 'Herr_')
    rename(os.path.join(root, 'estimates'), 'saxphone', 'saxophone')
    passed(script(*flags, '--db', os.path.join(root, 'Bach10', 'Sources'), '--output', tmp_path / 'b'))
    assert_same_structure(str(tmp_path / 'b' / 'm1' / '01-AchGottundHerr_results.mat'),
                          golden('8_evaluation/bach10_results.mat'))


def test_a_saxophone_of_the_data_set_spelt_as_such(tree, script):
    root = tree('bach10_tree')
    rename(os.path.join(root, 'Bach10', 'Sources'), 'saxphone', 'saxophone')
    out = passed(script('-m', 'evaluation.Bach10_eval_only', '--estimates', os.path.join(root, 'estimates'), '--quiet',
                        '--db', os.path.join(root, 'Bach10')))
    assert 'saxphone' in out


def test_bach10_in_another_order_is_said(tree, script):
    folder = os.path.join(tree('bach10_tree'), 'estimates', 'm1')
    bassoon, violin = (os.path.join(folder, '01-AchGottundHerr-%s.wav' % name) for name in ('bassoon', 'violin'))
    os.rename(bassoon, bassoon + '.tmp')
    os.rename(violin, bassoon)
    os.rename(bassoon + '.tmp', violin)
    out = passed(script('evaluation/Bach10_eval_only.py', '--db', os.path.join(folder, '..', '..', 'Bach10'),
                        '--estimates', folder))
    assert 'bassoon is scored on violin, clarinet is scored on clarinet' in out
    assert os.path.exists(os.path.join(folder, '01-AchGottundHerr_results.mat'))


def of_sibelius(root):
    """Name the stems of a tree as those of Bach10 Sibelius, played fast; the folders of estimates and sources."""
    estimates, data = os.path.join(root, 'estimates', 'm1'), os.path.join(root, 'Bach10', 'Sources')
    for folder in (estimates, data):
        rename(folder, 'saxphone', 'saxophone')
        rename(folder, 'Herr-', 'Herr_fast_')
    return estimates, data


def test_bach10_sibelius_cases(tree, script):
    root = tree('bach10_tree')
    estimates, data = of_sibelius(root)
    rename(data, 'saxophone', 'saxphone')   # the references may be spelt either way
    os.rename(data, os.path.join(root, 'Bach10', 'Source separation'))
    out = passed(script('-m', 'evaluation.Bach10_eval_only_original', '--db', os.path.join(root, 'Bach10'),
                        '--estimates', os.path.join(root, 'estimates')))
    assert 'm1 fast: 1 tracks' in out and '1 expected' in out
    results = fields(scipy.io.loadmat(os.path.join(estimates, '01-AchGottundHerr_fast_results.mat'))['results'])
    assert list(results) == ['name', 'bassoon', 'clarinet', 'saxophone', 'violin']
    assert results['name'] == ['01-AchGottundHerr_fast']
    assert abs(results['violin']['sdr'][0, 0] - 9.360031292540391) < 1e-6


@pytest.mark.parametrize('program', ['Bach10_eval_only', 'Bach10_eval_only_original'])
def test_a_data_set_without_pieces_is_named(tree, script, tmp_path, program):
    done = script('-m', 'evaluation.' + program, '--db', tmp_path, '--estimates',
                  os.path.join(tree('bach10_tree'), 'estimates'))
    passed(done, 1)
    assert 'there are no pieces in %s, expected folders such as 01-Ach' % tmp_path in done.stderr


def test_ikala_as_the_matlab_code(tree, script, golden):
    root = tree('ikala_tree')
    out = passed(script('-m', 'evaluation.evaluate_SS_iKala', '--db', root, '--method', 'm1'))
    got = scipy.io.loadmat(os.path.join(root, 'measures', 'test_m1', '10161_chorus.mat'))
    want = scipy.io.loadmat(golden('8_evaluation/ikala_measures.mat'))
    for measure in ('NSDR', 'NSIR', 'SDR', 'SIR', 'SAR'):
        np.testing.assert_allclose(got[measure], want[measure], rtol=0, atol=1e-6, err_msg=measure)
    assert got['NSAR'].shape == (2, 1) and (got['NSAR'] < -200).all()
    assert 'NSAR means nothing' in out
    record = records.read(os.path.join(root, 'measures', 'test_m1', '10161_chorus.json'))
    assert record['targets']['voice']['scores']['NSDR'] == [pytest.approx(12.0732797942)]


@pytest.mark.parametrize('program', ['ikala', 'bach10'])
def test_the_silence_is_that_of_the_estimate_that_a_source_is_scored_on(tmp_path, program):
    """The best order takes the estimate of the music for the voice, and the silent one for the music."""
    sounds = dict(zip(('music', 'voice'), np.random.RandomState(0).uniform(-.4, .4, (2, 4000))))
    true, paths = {}, {name: str(tmp_path / (name + '.wav')) for name in ('voice', 'music')}
    for name, samples in (('voice', np.zeros(4000)), ('music', sounds['voice'])):
        soundfile.write(paths[name], samples, 8000)
        true[name] = str(tmp_path / 'true' / (name + '.wav'))
        sound_tree.write(true[name], sounds[name], 8000)
    clip = str(tmp_path / 'clip.wav')
    soundfile.write(clip, np.stack([sounds['music'], sounds['voice']], axis=1), 8000)
    evaluate, true = (evaluate_SS_iKala.evaluate_clip, dict.fromkeys(true, clip)) if program == 'ikala' else (
        Bach10_eval_only.evaluate_piece, true)
    track = stems.Track('clip', 'm', '', str(tmp_path / 'r'), true, paths)
    facts, targets, _ = evaluate(track, {'v4': False})
    assert 'voice is scored on music, music is scored on voice' in facts['notes'][-1]
    assert {name: target['not_scored'] for name, target in targets.items()} == {
        'voice': {}, 'music': {'silent estimate': [0]}}


def test_ikala_needs_both_channels(tree, script):
    root = tree('ikala_tree')
    path = os.path.join(root, 'Wavfile', '10161_chorus.wav')
    samples, rate = soundfile.read(path, dtype='int16')
    soundfile.write(path, samples[:, 0], rate)
    process = script('-m', 'evaluation.evaluate_SS_iKala', '--db', root)
    passed(process, 1)
    assert '10161_chorus.wav has 1 channels, expected 2: left the music, right the voice' in process.stderr


def test_row_of_the_voice(golden, script, tmp_path):
    (tmp_path / 'results_test').mkdir()
    shutil.copy(golden('8_evaluation/dsd_results_1.mat'), str(tmp_path / 'results_test'))
    out = passed(script('-m', 'evaluation.handle_voice_eval_results'))
    lines = (tmp_path / 'results_dB' / 'results_dB_test.txt').read_text().splitlines()
    assert lines[0] == 'SDR, ISR, SIR, SAR' and lines == out.splitlines()[-2:]
    sdr = np.array([7.938803488995703, 8.05412661083999, 8.097755441632371])
    assert float(lines[1].split(',')[0]) == pytest.approx(10 * np.log10((10 ** (sdr / 10)).mean()), abs=1e-4)
    assert 'songs: 1, windows: 3, not finite: SDR 0' in out
    (tmp_path / 'two' / 'Dev').mkdir(parents=True)
    shutil.copytree(str(tmp_path / 'results_test'), str(tmp_path / 'two' / 'Test'))
    shutil.copy(golden('8_evaluation/dsd_results_1.mat'), str(tmp_path / 'two' / 'Dev'))
    process = script('-m', 'evaluation.handle_voice_eval_results', '--input', tmp_path / 'two', '--output', 'mixed')
    passed(process, 1)
    assert 'two holds the results of 2 methods or parts of DSD100, expected those of one: give' in process.stderr
    assert not (tmp_path / 'mixed').exists()
    process = script('-m', 'evaluation.handle_voice_eval_results', '--input', tmp_path / 'nothing')
    passed(process, 1)
    assert 'holds no .mat file' in process.stderr
    shutil.copy(golden('8_evaluation/bach10_results.mat'), str(tmp_path / 'results_test'))
    process = script('evaluation/handle_voice_eval_results.py')
    passed(process, 1)
    assert 'bach10_results.mat has no scores of vocals' in process.stderr


def test_a_case_leaves_the_stems_of_others_alone(tree, script):
    root = tree('bach10_tree')
    estimates, data = of_sibelius(root)
    for leaf in os.listdir(estimates):
        shutil.copy(os.path.join(estimates, leaf), os.path.join(estimates, leaf.replace('_fast_', '_gt_')))
    out = passed(script('-m', 'evaluation.Bach10_eval_only_original', '--db', data, '--case', 'fast',
                        '--estimates', os.path.join(root, 'estimates')))
    assert 'm1 fast: 1 tracks' in out and 'm1 gt' not in out


def test_a_window_with_a_silent_reference_has_no_score_in_a_mat_file(tmp_path):
    silent = {'sdr': [1., -np.inf, np.nan], 'isr': [1., 2., 3.], 'sir': [np.inf, 2., 3.], 'sar': [4., 5., 6.]}
    scipy.io.savemat(str(tmp_path / 'a.mat'), {'results': {'name': 'a', 'vocals': silent}})
    found = handle_voice_eval_results.read_results(str(tmp_path / 'a.mat'))['vocals']
    np.testing.assert_array_equal(found['SAR'], [4., np.nan, np.nan])
    np.testing.assert_array_equal(found['SIR'], [np.inf, np.nan, np.nan])


def test_a_mat_file_without_a_measure_is_named(tmp_path, script):
    voice = {'sdr': [1.], 'sir': [2.], 'sar': [3.]}
    scipy.io.savemat(str(tmp_path / 'a.mat'), {'results': {'name': 'a', 'vocals': voice}})
    done = script('-m', 'evaluation.handle_voice_eval_results', '--input', tmp_path, '--output', tmp_path / 'out')
    assert done.returncode == 1 and 'a.mat has no ISR of the vocals' in done.stderr


def bach10(script, root, *args, program='Bach10_eval_only', db='Bach10'):
    return script('-m', 'evaluation.' + program, '--db', os.path.join(root, db), '--estimates',
                  os.path.join(root, 'estimates'), '--quiet', *args)


def trained(root):
    """What a trainer leaves: a method of Bach10, and beside it one of Sibelius renderings."""
    first, second = (os.path.join(root, 'estimates', name) for name in ('m1', 'm1_original'))
    shutil.copytree(first, second)
    rename(second, 'saxphone', 'saxophone')
    rename(second, 'Herr-', 'Herr_original_')


def test_the_folders_that_a_trainer_writes(tree, script):
    """output/CNNrwc_original of Bach10 and output/CNNrwc_original_original of the renderings, in one command each."""
    root = tree('bach10_tree')
    trained(root)
    done = bach10(script, root)
    assert 'm1: 1 tracks' in passed(done) and 'belongs to no track' not in done.stderr
    assert 'm1_original is left out: its stems are of Bach10 Sibelius, which Bach10_eval_only_original' in done.stderr
    done = bach10(script, root, '--method', 'm1_original')
    passed(done, 1)
    assert 'holds stems of Bach10 Sibelius only, expected Bach10: evaluate them with Bach10_eval_only_original' \
        in done.stderr
    sibelius = shutil.copytree(os.path.join(root, 'Bach10', 'Sources'), os.path.join(root, 'Sibelius'))
    rename(sibelius, 'saxphone', 'saxophone')
    rename(sibelius, 'Herr-', 'Herr_original_')
    done = bach10(script, root, program='Bach10_eval_only_original', db='Sibelius')
    assert 'm1_original original: 1 tracks' in passed(done)
    assert 'm1 is left out: its stems are of Bach10, which Bach10_eval_only evaluates' in done.stderr


def test_stems_of_neither_data_set_are_still_named(tree, script):
    root = tree('bach10_tree')
    folder = os.path.join(root, 'estimates', 'm1')
    shutil.copy(os.path.join(folder, '01-AchGottundHerr-violin.wav'),
                os.path.join(folder, '01-AchGottundHerr-tuba.wav'))
    done = bach10(script, root)
    passed(done, 1)
    assert '01-AchGottundHerr-tuba.wav belongs to no track of the data set' in done.stderr


def test_half_a_stem_is_named(tree, script):
    root = tree('bach10_tree')
    path = os.path.join(root, 'estimates', 'm1', '01-AchGottundHerr-violin.wav')
    samples, rate = soundfile.read(path, dtype='int16')
    soundfile.write(path, samples[:len(samples) // 2], rate)
    done = bach10(script, root)
    passed(done, 1)
    assert re.search(r'01-AchGottundHerr-violin.wav has \d+ samples and .*-bassoon.wav \d+, expected the same length',
                     done.stderr)


def test_bounds_of_half_a_stem_are_refused(tmp_path, script):
    folder = tmp_path / 'Bach10' / '01-Piece'
    folder.mkdir(parents=True)
    for source, length in (('bassoon', 44100), ('clarinet', 44100), ('saxphone', 40100), ('violin', 22050)):
        soundfile.write(str(folder / ('01-Piece-%s.wav' % source)), np.full(length, 0.1), 44100)
    done = script('-m', 'evaluation.bounds', '--db', tmp_path / 'Bach10', '--output', tmp_path / 'out', '--quiet')
    assert done.returncode == 1 and not list((tmp_path / 'out').rglob('*.wav'))
    assert re.search(r'violin.wav has 22050 samples and .*bassoon.wav 44100, expected the same \(give or take 4096\)',
                     done.stderr)
