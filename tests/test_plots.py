"""The figures: what is in their tables and axes, and that the scripts write them without a display."""
import os
import shutil

import numpy as np
import pytest
import scipy.io
import soundfile
from matplotlib.collections import LineCollection

from deepconvsep import files
from deepconvsep.errors import InputError
from deepconvsep.metrics import published, records, stems
from deepconvsep.recipes.bach10 import INSTRUMENTS
from deepconvsep.training import log
from plots import bach10_smc_stats, scores, spectrograms


def bach10_mat(path, value, spelling='saxphone'):
    """A result file of the original: bassoon `value`, the next sources 1 dB more each; SIR + 5, SAR + 3."""
    results = {'name': 'piece'}
    for index, source in enumerate(('bassoon', 'clarinet', spelling, 'violin')):
        results[source] = {'sdr': value + index, 'sir': value + index + 5., 'sar': value + index + 3.}
    os.makedirs(os.path.dirname(path), exist_ok=True)
    scipy.io.savemat(path, {'results': results})


def record(path, method, subset, **targets):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    files.write_json(path, {'schema': records.SCHEMA, 'version': records.VERSION, 'method': method, 'subset': subset,
                            'notes': [],
                            'track': os.path.basename(path), 'targets': {
                                name: {'scores': {measure: records.encode(values) for measure in ('SDR', 'SIR', 'SAR')},
                                       'not_scored': {}} for name, values in targets.items()}})


def images(out):
    """The files that a script says it wrote; each must be a PNG or PDF of some size."""
    paths = [line for line in out.splitlines() if line.endswith(('.png', '.pdf'))]
    for path in paths:
        with open(path, 'rb') as source:
            assert source.read(4) in (b'\x89PNG', b'%PDF') and os.path.getsize(path) > 5000
    return [os.path.basename(path) for path in paths]


NO_DISPLAY = {'DISPLAY': '', 'MPLBACKEND': ''}


def test_results_of_the_original_and_of_ours(tmp_path, golden):
    for piece in range(3):
        bach10_mat(str(tmp_path / 'A' / ('%d_results.mat' % piece)), float(piece))
        bach10_mat(str(tmp_path / 'B' / ('%d_results.mat' % piece)), 10., 'saxophone')
    record(str(tmp_path / 'C' / 'x_results.json'), 'C', '', bassoon=[1.], clarinet=[np.nan], saxphone=[np.inf],
           violin=[4.])
    table = bach10_smc_stats.read_results(str(tmp_path))
    assert list(table.columns) == ['dB', 'measure', 'approach', 'source', 'piece']
    assert table.groupby('approach').size().to_dict() == {'A': 36, 'B': 36, 'C': 12}
    means = table.groupby(['approach', 'measure', 'source'])['dB'].mean()
    assert means['A', 'SDR', 'saxophone'] == 3 and means['A', 'SIR', 'bassoon'] == 6
    assert means['B', 'SAR', 'violin'] == 16
    assert table[table['approach'] == 'C']['dB'].isna().sum() == 6
    figure = bach10_smc_stats.draw(table, 'measure', bach10_smc_stats.MEASURES, 'dB')
    heights = [[round(bar.get_height(), 6) for bar in bars] for bars in figure.axes[0].containers]
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ['A, n = 3', 'B, n = 3', 'C, n = 1']
    assert heights[0] == [2.5, 7.5, 5.5], 'approach A: mean over pieces and sources of SDR, SIR, SAR'
    os.makedirs(str(tmp_path / 'real' / 'm'))
    shutil.copy(golden('8_evaluation/bach10_results.mat'), str(tmp_path / 'real' / 'm'))
    real = bach10_smc_stats.read_results(str(tmp_path / 'real'))
    violin = real[(real.source == 'violin') & (real.measure == 'SDR')]
    assert violin['dB'].tolist() == [pytest.approx(9.360031, abs=1e-6)]


def test_smc_figures_from_the_command_line(tmp_path, script):
    for method in 'AB':
        for piece in range(2):
            bach10_mat(str(tmp_path / 'db' / method / ('%d_results.mat' % piece)), float(piece))
    process = script('plots/bach10_smc_stats.py', '--db', 'db', env=NO_DISPLAY)
    assert process.returncode == 0, process.stderr
    assert images(process.stdout.replace('figures/', str(tmp_path / 'figures') + '/')) == [
        'bach10_measures.png', 'bach10_measures.pdf', 'bach10_sources.png', 'bach10_sources.pdf']
    (tmp_path / 'empty').mkdir()
    process = script('-m', 'plots.bach10_smc_stats', '--db', tmp_path / 'empty')
    assert process.returncode == 1 and 'empty holds no results, expected <method>/' in process.stderr


def test_wrong_results_are_named(tmp_path, golden):
    os.makedirs(str(tmp_path / 'm'))
    shutil.copy(golden('8_evaluation/dsd_results_1.mat'), str(tmp_path / 'm'))
    with pytest.raises(InputError, match='dsd_results_1.mat has no scores of the bassoon, expected results of Bach10'):
        bach10_smc_stats.read_results(str(tmp_path))
    (tmp_path / 'm' / 'dsd_results_1.mat').write_bytes(b'MATLAB 5.0')
    with pytest.raises(InputError, match='dsd_results_1.mat holds no results .* expected a .mat file'):
        bach10_smc_stats.read_results(str(tmp_path))


@pytest.fixture
def dsd(tmp_path):
    """Results of two songs of Test and one of Dev."""
    for name, subset, value in (('001 - a', 'Test', 1.), ('002 - b', 'Test', 3.), ('051 - c', 'Dev', 9.)):
        record(str(tmp_path / 'results' / ('%s.json' % name)), 'net', subset,
               **{target: [value - 1, value + 1, np.nan] for target in published.TARGETS})
    return str(tmp_path / 'results')


def lines_of(axes):
    return [found for found in axes.collections if isinstance(found, LineCollection)]


def test_infinite_scores_have_no_place_in_a_box(tmp_path):
    record(str(tmp_path / 'a.json'), 'net', '', voice=[np.inf, np.inf], music=[1., np.inf])
    table = scores.read_scores(str(tmp_path), 'SDR').set_index('target')['dB']
    assert np.isnan(table['voice']) and table['music'] == 1


def test_scores_per_track_with_published_lines(dsd):
    table = scores.read_scores(dsd, 'SDR')
    assert table[table.target == 'bass'].set_index('track')['dB'].to_dict() == {
        '001 - a.json': 1, '002 - b.json': 3, '051 - c.json': 9}
    figure = scores.draw(table[table.subset == 'Test'], 'SDR', 'Test')
    axes = figure.axes[0]
    heights = [round(float(line.get_segments()[0][0, 1]), 2) for line in lines_of(axes)]
    assert heights[:5] == [1.13, 3.83, 0.16, 1.64, 1.12] and heights[5] == 0.93
    assert [label.get_text() for label in axes.get_legend().get_texts()] == [
        'net, n = 2', 'CHA, published median', 'CHA, corrected median']
    assert len({str(line.get_linestyle()) + str(line.get_color()) for line in axes.get_legend().get_lines()[-2:]}) == 2
    own = table[table.subset == 'Test'].replace('001 - a.json', 'my song')
    assert not lines_of(scores.draw(own, 'SDR', 'Test').axes[0]), 'no published line for songs of the user'
    assert 'my song is no song of DSD100 Test' in scores.why_not(own, 'Test')
    other = table[table.target.isin(['bass', 'drums'])]
    assert scores.why_not(other, 'Test') is None
    assert not lines_of(scores.draw(other, 'SDR', 'Test').axes[0]), 'no published line for another data set'


def test_json_of_other_programs_is_passed_over(tmp_path):
    (tmp_path / 'models').mkdir()
    (tmp_path / 'models' / 'net.json').write_text('{"settings": {}}')
    with pytest.raises(InputError, match='holds no results, expected <method>/'):
        bach10_smc_stats.read_results(str(tmp_path))
    record(str(tmp_path / 'A' / 'x_results.json'), 'A', '', **dict.fromkeys(INSTRUMENTS, [1.]))
    assert set(bach10_smc_stats.read_results(str(tmp_path))['approach']) == {'A'}


NAMES = '_net', '$a$', 'cost$', '$\\frac$', 'b\udcff'


def test_names_that_are_no_text_of_a_figure_are_in_the_legends(tmp_path):
    for name in NAMES:
        record(str(tmp_path / name / 'a_results.json'), name, '',
               **dict.fromkeys(INSTRUMENTS, [1.]))
    labels = [r'_net, n = 1', r'\$a\$, n = 1', r'cost\$, n = 1', r'\$\frac\$, n = 1', r'b\udcff, n = 1']
    for figure in (scores.draw(scores.read_scores(str(tmp_path), 'SDR'), 'SDR', ''),
                   bach10_smc_stats.draw(bach10_smc_stats.read_results(str(tmp_path)), 'measure', ['SDR'], 'dB')):
        texts = figure.axes[0].get_legend().get_texts()
        assert sorted(text.get_text() for text in texts) == sorted(labels)
        figure.savefig(str(tmp_path / 'a.png'))


def test_a_track_that_is_there_twice_is_refused(dsd):
    shutil.copytree(dsd, os.path.join(dsd, 'copy'))
    with pytest.raises(InputError, match=r'holds the results of 0.* by net more than once: give a folder'):
        scores.read_scores(dsd, 'SDR')


def test_scores_from_the_command_line(dsd, script, tmp_path):
    process = script('-m', 'plots.scores', '--input', dsd, '--output', tmp_path / 'out', '--format', 'png',
                     env=NO_DISPLAY)
    assert process.returncode == 0, process.stderr
    assert images(process.stdout) == ['scores_Test_SDR.png']
    for flags, message in ((('--measure', 'NSDR'), 'has no NSDR, expected one of: SAR, SDR, SIR'),
                           (('--subset', 'Deaf'), 'has no subset Deaf, expected one of: Test, Dev')):
        process = script('-m', 'plots.scores', '--input', dsd, *flags)
        assert process.returncode == 1 and message in process.stderr
    process = script('-m', 'plots.scores', '--input', tmp_path / 'out')
    assert process.returncode == 1 and 'expected the .json files of an evaluation program' in process.stderr


def test_the_curve_of_a_training(tmp_path):
    history = [{'epoch': epoch, 'loss': 300 * 0.8 ** epoch, 'validation': 350 * 0.8 ** epoch} for epoch in range(1, 8)]
    figure = log.draw_losses(history, (), 'net, 2017-02-21', [(4, 'adam')])
    figure.savefig(str(tmp_path / 'a.png'))
    axes = figure.axes[0]
    assert axes.get_title(loc='left') == 'net, 2017-02-21' and [text.get_text() for text in axes.texts] == ['adam']
    assert [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ':'] == [4.5]
    assert all(tick == int(tick) for tick in axes.get_xticks())
    low, high = axes.get_ylim()
    shown = [text.get_text() for text, tick in zip(axes.get_yticklabels(), axes.get_yticks()) if low < tick < high]
    assert shown == ['100', '200']
    # a single epoch is to be seen
    assert log.draw_losses(history[:1], ()).axes[0].lines[0].get_marker() == '.'


@pytest.fixture
def song(tmp_path):
    """A sine of 1 kHz and one of 3 kHz, true and separated, in folders."""
    time = np.arange(22050) / 22050
    sine = {frequency: 0.4 * np.sin(2 * np.pi * frequency * time) for frequency in (1000, 3000)}
    for name, frequency in (('vocals', 1000), ('other', 3000)):
        for folder, prefix in (('true', ''), ('separated', 'mixture_')):
            (tmp_path / folder).mkdir(exist_ok=True)
            soundfile.write(str(tmp_path / folder / (prefix + name + '.wav')), sine[frequency], 22050)
    soundfile.write(str(tmp_path / 'mixture.wav'), sine[1000] + sine[3000] / 2, 22050)
    return tmp_path


def test_spectrogram_of_a_sine(song):
    levels, hop, width = spectrograms.spectrogram(str(song / 'true' / 'other.wav'), 0.2, 0.5)
    assert abs(levels[5].argmax() * width - 3000) < width
    assert hop == 512 / 22050 and levels[5].max() - np.median(levels[5]) > 60
    with pytest.raises(InputError, match='mixture.wav ends after 1.0 s, expected more than --start 5'):
        spectrograms.spectrogram(str(song / 'mixture.wav'), 5., 1.)


def test_an_excerpt_begins_at_its_start(tmp_path):
    """Blocks of 65536 samples are read before it, and between windows that do not overlap."""
    ramp = np.arange(300000) / 300000.
    soundfile.write(str(tmp_path / 'a.wav'), ramp, 22050, 'DOUBLE')
    samples, rate = spectrograms.read(str(tmp_path / 'a.wav'), 12, 1)
    assert rate == 22050 and np.array_equal(samples, ramp[12 * 22050:13 * 22050])
    bounds = [(0, 10), (5, 70000), (200000, 200010), (200005, 200005), (290000, 300000)]
    for (start, stop), window in zip(bounds, stems.windows(str(tmp_path / 'a.wav'), bounds)):
        assert np.array_equal(window[:, 0], ramp[start:stop])


def test_spectrograms_from_the_command_line(song, script):
    flags = ('plots/spectrograms.py', '--mixture', 'mixture.wav', '--estimates', 'separated',
             '--output', str(song / 'out'))
    process = script(*flags, '--references', 'true', env=NO_DISPLAY)
    assert process.returncode == 0, process.stderr
    name = 'spectrograms_' + song.name   # that of the folder: all mixtures of DSD100 have the same
    assert images(process.stdout) == [name + '.png', name + '.pdf']
    assert 'explains' not in process.stderr
    assert script(*flags, '--format', 'png').returncode == 0
    os.remove(str(song / 'true' / 'vocals.wav'))
    process = script(*flags, '--references', 'true')
    assert process.returncode == 1 and 'true has no true stem of vocals' in process.stderr
    soundfile.write(str(song / 'separated' / 'bass.wav'), np.zeros(9), 22050)
    process = script(*flags)
    assert process.returncode == 1 and 'bass.wav has 9 samples at 22050 Hz and mixture.wav' in process.stderr
    shutil.copy(str(song / 'mixture.wav'), str(song / 'separated' / 'others.wav'))
    process = script(*flags)
    assert process.returncode == 1 and 'separated holds two stems of other' in process.stderr


def test_rows_and_columns_of_the_spectrogram_figure(song):
    shutil.copy(str(song / 'mixture.wav'), str(song / 'separated' / 'song.wav'))
    soundfile.write(str(song / 'separated' / 'mixture.wav'), np.zeros(9), 22050)
    paths = spectrograms.by_source(str(song / 'separated'), str(song / 'separated' / 'song.wav'))
    assert list(paths) == ['other', 'vocals']
    pictures = {source: spectrograms.spectrogram(path, 0., 1.) for source, path in paths.items()}
    figure = spectrograms.draw(pictures['vocals'], {'separated': pictures, 'true': pictures}, 0., 8000.)
    titles = [axes.get_title(loc='left') for axes in figure.axes]
    assert titles[:6] == ['mixture', '', 'other, separated', 'other, true', 'vocals, separated', 'vocals, true']


def test_stems_of_another_song_are_said(song, caplog):
    soundfile.write(str(song / 'mixture.wav'), 0.4 * np.sin(2 * np.pi * 500 * np.arange(22050) / 22050), 22050)
    flags = ['--mixture', str(song / 'mixture.wav'), '--output', str(song / 'out'), '--format', 'png']
    spectrograms.main([*flags, '--estimates', str(song / 'separated'), '--references', str(song / 'true')])
    assert [line.split(',')[0] for line in caplog.messages] == ['the sum of the separated stems',
                                                               'the sum of the true stems']


def test_a_stem_without_a_true_one_has_an_empty_place(song, script):
    shutil.copy(str(song / 'mixture.wav'), str(song / 'separated' / 'accompaniment.wav'))
    process = script('plots/spectrograms.py', '--mixture', 'mixture.wav', '--estimates', 'separated', '--references',
                     'true', '--output', 'out', '--format', 'png')
    assert process.returncode == 0, process.stderr
    pictures = {'vocals': spectrograms.spectrogram(str(song / 'mixture.wav'), 0., 1.)}
    figure = spectrograms.draw(pictures['vocals'], {'separated': dict(pictures, accompaniment=pictures['vocals']),
                                                    'true': pictures}, 0., 8000.)
    assert [axes.axison for axes in figure.axes[:6]] == [True, False, True, True, True, False]
    with pytest.raises(InputError, match='--seconds 0.01 is 220 samples of .*mixture.wav, expected 2048 or more'):
        spectrograms.spectrogram(str(song / 'mixture.wav'), 0., 0.01)
