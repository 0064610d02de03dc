"""Features of the three Bach10 experiments, against recorded files of the original."""
import base64
import doctest
import itertools
import os
import re
from collections import Counter

import numpy as np
import pytest
from bach10_tree import make_bank, make_inputs
from conftest import assert_sampled

import rwc
from deepconvsep import audio, jobs
from deepconvsep.errors import InputError
from deepconvsep.features import tensors
from deepconvsep.features.command import conclude
from deepconvsep.score import Note, write_score
from examples.bach10 import delays, generation, recipe, rendering
from examples.bach10.generation import Case

PIECE = '01-AchGottundHerr'
TOLERANCE = dict(rtol=1e-10, atol=1e-10)


def check(recorded, key, found):
    """A feature file against the recorded samples and row sums."""
    assert_sampled(recorded, key, found, **TOLERANCE)
    np.testing.assert_allclose(found.sum(axis=(1, 2)), recorded[key + '.row_sums'], rtol=1e-9)


@pytest.mark.parametrize('module', [generation, rendering, recipe])
def test_docstrings(module):
    failed, tried = doctest.testmod(module)
    assert tried and not failed


# --- Bach10 -------------------------------------------------------------------------------------------

@pytest.fixture(scope='module')
def bach10(golden_json, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp('bach10'))
    make_inputs(golden_json('6_features/bach10.json')['input_files'], folder)
    os.mkdir(os.path.join(folder, 'Code'))  # is no piece
    return folder


def test_bach10_recorded(script, golden, bach10):
    done = script('examples/bach10/compute_features_bach10.py', '--db', bach10)
    assert done.returncode == 0, done.stderr
    assert '1 songs written, 0 already there, 0 left out, 0 failed' in done.stderr
    folder = os.path.join(bach10, 'transforms', 't3')
    assert sorted(os.listdir(folder)) == [
        PIECE + '__m_.data', PIECE + '__m_.json', PIECE + '__m_.shape', 'generation.json']
    with np.load(golden('6_features/bach10.npz')) as recorded:
        check(recorded, 'f0', tensors.load_tensor(os.path.join(folder, PIECE + '.data'), '__m_'))
    again = script('-m', 'examples.bach10.compute_features_bach10', '--db', bach10)
    assert again.returncode == 0 and '0 songs written, 1 already there' in again.stderr
    other = script('-m', 'examples.bach10.compute_features_bach10', '--db', bach10, '--dtype', 'float32')
    assert other.returncode == 1 and 'features with dtype float64, now wanted: dtype float32: choose' in other.stderr
    os.utime(os.path.join(bach10, PIECE, PIECE + '-violin.wav'), (2e9, 2e9))   # the same samples with another date
    newer = script('-m', 'examples.bach10.compute_features_bach10', '--db', bach10)
    assert newer.returncode == 0 and '0 songs written, 1 already there' in newer.stderr


def test_bach10_what_is_wrong_is_named(script, bach10, tmp_path):
    done = script('examples/bach10/compute_features_bach10.py', '--db', str(tmp_path / 'nowhere'))
    assert done.returncode == 1 and 'nowhere is not a folder, expected that of the dataset' in done.stderr
    done = script('examples/bach10/compute_features_bach10.py', '--db', str(tmp_path))
    assert done.returncode == 1 and 'expected folders such as 01-AchGottundHerr' in done.stderr
    (tmp_path / '02-Short').mkdir()
    done = script('examples/bach10/compute_features_bach10.py', '--db', str(tmp_path), '--quiet')
    assert done.returncode == 1 and '02-Short-bassoon.wav' in done.stderr and '1 of 1 failed' in done.stderr


def test_stems_are_checked(tmp_path):
    (tmp_path / '01-A').mkdir()
    for name in recipe.INSTRUMENTS:  # spelled saxophone
        audio.write(str(tmp_path / '01-A' / ('01-A-%s.wav' % name)), np.zeros(100), 22050)
    paths = recipe.stem_paths(str(tmp_path), '01-A')
    assert paths[2].endswith('01-A-saxophone.wav')
    with pytest.raises(InputError, match='01-A-bassoon.wav has 1 channels at 22050 Hz, expected one at 44100 Hz'):
        recipe.read_stems(paths)


# --- Bach10 Sibelius ----------------------------------------------------------------------------------

def test_sibelius_gt_recorded(script, golden, golden_json, tmp_path):
    make_inputs(golden_json('6_features/bach10_sibelius_gt.json')['input_files'], str(tmp_path))
    done = script('examples/bach10/compute_features_bach10sibelius.py', '--db', tmp_path, '--nprocs', 1)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / 'transforms' / 't3_synth_aug_more' / 'gt'
    name = PIECE + '_t0-0-0-0'
    assert sorted(os.listdir(str(folder))) == [name + '__m_.data', name + '__m_.json', name + '__m_.shape']
    with np.load(golden('6_features/bach10_sibelius_gt.npz')) as recorded:
        check(recorded, 'f0', tensors.load_tensor(str(folder / (name + '.data')), '__m_'))


def test_sibelius_delays_recorded(golden, golden_json, tmp_path):
    index = golden_json('6_features/bach10_sibelius_shifts.json')
    make_inputs(index['input_files'], str(tmp_path), length=26000)
    recorded = np.load(golden('6_features/bach10_sibelius_shifts.npz'))
    stems, seen = {}, set()
    for output in index['outputs']:
        if 'key' not in output:
            continue
        style, text = re.match(r'(\w+)/%s_(.*)__m_.data' % PIECE, output['file'], re.DOTALL).groups()
        numbers = re.findall(r'[\d.]+', base64.b64decode(text).decode())
        way = tuple(float(number) for number in numbers[::2])
        seen.add((style, way))
        if style not in stems:
            stems[style] = recipe.read_stems(recipe.sibelius_paths(str(tmp_path), PIECE, style))
        if len(seen) % 4 == 1:  # each one takes 0.1 s
            check(recorded, output['key'], recipe.transform().compute_transform(delays.delayed(stems[style], way)))
    expected = itertools.product(['fast', 'slow', 'original'], generation.delays(recipe.TIME_SHIFTS))
    assert seen == set(expected) and len(seen) == 3 * 78


def test_sibelius_without_gt(script, golden_json, tmp_path):
    rows = golden_json('6_features/bach10_sibelius_shifts.json')['input_files']
    make_inputs(rows, str(tmp_path), length=9500)
    command = ['examples/bach10/compute_features_bach10sibelius.py', '--db', tmp_path, '--gt', 0, '--dtype', 'float32']
    done = script(*command)
    assert done.returncode == 0 and '234 files written, 0 already there, 0 left out' in done.stderr
    folder = tmp_path / 'transforms' / 't3_synth_aug_more'
    (folder / 'slow' / (PIECE + '_t0-100-200-0__m_.shape')).unlink()
    assert '1 files written, 233 already there' in script(*command).stderr
    other = script(*command, '--seed', 1)
    assert other.returncode == 1 and 'with seed 0, now wanted: seed 1' in other.stderr


# --- combinations -------------------------------------------------------------------------------------

@pytest.mark.parametrize('shifts, count', [([0.], 3024), ([0., .1, .2], 421200)])
def test_permutations_are_those_of_itertools(shifts, count):
    cases = generation.rwc_cases(shifts)
    assert generation.count_permutations(cases) == count
    everyone = itertools.permutations(cases, 4)
    for index, expected in enumerate(itertools.islice(everyone, 0, count, 7919)):
        assert generation.permutation(cases, 7919 * index) == expected
    assert generation.permutation(cases, count - 1) == tuple(reversed(cases))[:4]


def test_recorded_draw_is_the_same_list(golden_json):
    """The original chose from the whole list by a seeded generator: the same indices give the same combinations."""
    index = golden_json('6_features/bach10rwc_gt.json')
    cases = generation.rwc_cases([0.])
    chosen = np.random.RandomState(index['np_random_seed']).choice(3024, 4, replace=False)
    ours = {generation.describe(generation.permutation(cases, int(number))) for number in chosen}
    recorded = {generation.describe(combination_of(text)) for text in index['combination_text'].values()}
    assert recorded < ours and len(recorded) == 3  # one was left out for a missing note


def test_draw():
    cases = generation.rwc_cases([0., .1, .2])
    drawn = generation.draw(cases, 400, seed=1, piece=PIECE)
    assert len(set(drawn)) == 400 and all(len(set(combination)) == 4 for combination in drawn)
    assert len({generation.describe(combination) for combination in drawn}) == 400
    assert drawn[:50] == generation.draw(cases, 50, seed=1, piece=PIECE)
    assert drawn != generation.draw(cases, 400, seed=2, piece=PIECE)
    assert drawn != generation.draw(cases, 400, seed=1, piece='02-B')
    few = cases[:4]
    assert sorted(generation.draw(few, 100, 1, PIECE)) == sorted(itertools.permutations(few))


# --- RWC ----------------------------------------------------------------------------------------------

def combination_of(text):
    rows = np.array(re.findall(r'[\d.]+', text), float).reshape(4, 4)
    return tuple(Case(row[0], recipe.DYNAMICS[int(row[1])], 'NO', int(row[3])) for row in rows)


@pytest.fixture(scope='module')
def bank(golden_json, tmp_path_factory):
    """The recorded tree of instrument samples."""
    root = str(tmp_path_factory.mktemp('rwc'))
    make_bank(golden_json('6_features/bach10rwc_tree.json')['files'], root)
    return root


@pytest.mark.parametrize('style', ['gt', 'original'])
def test_rwc_recorded(golden, golden_json, bank, monkeypatch, style):
    """All recorded files, with the switch `legacy`; the original also moves the start of a note for good."""
    shifts, onset = [], rwc._onset
    monkeypatch.setattr(rwc, '_onset', lambda samples: shifts.append(onset(samples)) or shifts[-1])
    get_audio = rwc.Note.getAudio

    def moving(note, max_duration=0):
        samples = get_audio(note, max_duration)
        note.noteStart += shifts[-1] / 44100.
        return samples
    monkeypatch.setattr(rwc.Note, 'getAudio', moving)

    index = golden_json('6_features/bach10rwc_%s.json' % style)
    recorded = np.load(golden('6_features/bach10rwc_%s.npz' % style))
    keys = {output['file']: output['key'] for output in index['outputs'] if 'key' in output}
    keys = {(generation.describe(combination_of(index['combination_text'][name.replace('.data', '.shape')])),
             int(name[-len('0__m_.data')])): key for name, key in keys.items()}
    instruments = [rwc.Instrument(bank, rwc.INSTRUMENTS[name], ['NO']) for name in recipe.INSTRUMENTS]
    scores = recipe.read_scores(os.path.join(golden('6_features/bach10rwc_db'), PIECE), recipe.SCORE_ENDINGS[style])
    cases = generation.rwc_cases([0.] if style == 'gt' else recipe.TIME_SHIFTS)
    compared = 0
    for number in np.random.RandomState(index['np_random_seed']).choice(generation.count_permutations(cases), 4, False):
        combination = generation.permutation(cases, int(number))
        for chunk in range(2 if style == 'gt' else 1):
            signals, missing = rendering.render(scores, instruments, combination, 2 * 44100, 2. * chunk, legacy=True)
            key = keys.get((generation.describe(combination), chunk))
            assert (key is None) == bool(missing)
            if key:
                check(recorded, key, recipe.transform().compute_transform(signals))
                compared += 1
    assert compared == len(keys) == (6 if style == 'gt' else 4)


@pytest.fixture(scope='module')
def instruments(bank):
    return [rwc.Instrument(bank, rwc.INSTRUMENTS[name], ['NO']) for name in recipe.INSTRUMENTS]


def test_notes_are_mixed(instruments):
    notes = [[Note(0., .3, 43), Note(.2, .5, 45)], [], [], []]
    combination = [Case(0., 'F', 'NO', musician) for musician in (1, 2, 3, 1)]
    together, _ = rendering.render(notes, instruments, combination, 30000)
    alone = [rendering.render([[note], [], [], []], instruments, combination, 30000)[0] for note in notes[0]]
    np.testing.assert_allclose(together, alone[0] + alone[1], atol=1e-15)
    assert (np.abs(alone[0][8820:13230, 1]) > 0).any() and (np.abs(alone[1][8820:13230, 1]) > 0).any()
    overwritten, _ = rendering.render(notes, instruments, combination, 30000, legacy=True)
    np.testing.assert_allclose(overwritten[8820:22040], alone[1][8820:22040], atol=1e-15)
    np.testing.assert_allclose(together[:, 0], together[:, 1:].sum(axis=1))


def test_time_shift_widens_and_late_notes_are_cut(instruments):
    combination = [Case(.1, 'F', 'NO', 1)] + [Case(0., 'F', 'NO', m) for m in (2, 3, 1)]
    signals, missing = rendering.render([[Note(.5, .6, 43)], [], [], []], instruments, combination, 44100)
    sounding = np.flatnonzero(signals[:, 1])
    assert abs(sounding[0] - .4 * 44100) < 400 and abs(sounding[-1] - .7 * 44100) < 3 and not missing
    signals, _ = rendering.render([[Note(.9, 3., 43)], [], [], []], instruments, combination, 44100)
    assert len(signals) == 44100 and np.flatnonzero(signals[:, 1])[-1] > 44000
    signal, _ = generation.play([generation.Event(44200, 1., 43)], instruments[0], combination[1], 44100)
    assert signal.shape == (44100,) and not signal.any()


def test_rwc_script(script, golden, bank, tmp_path):
    command = ['examples/bach10/compute_features_bach10rwc.py', '--db', golden('6_features/bach10rwc_db'),
               '--rwc', bank, '--chunk_size', 2.5, '--sample_size', '6.0', '--original', 0, '--nprocs', 2,
               '--feature_path', tmp_path, '--seed', 3]
    done = script(*command)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / PIECE / 'gt'
    files = sorted(name for name in os.listdir(str(folder)) if name.endswith('.data'))
    counts = re.search(r'(\d+) files written, 0 already there, (\d+) left', done.stderr)
    written, left_out = map(int, counts.groups())
    assert written == len(files) and written + left_out == 12  # the rest of the piece, 1.54 s, is kept
    assert re.search(r'\d+ left out: no sample of saxophone G3, dynamics P, style NO, musician 3', done.stderr)
    # what is in a file is what its name says
    name = next(name for name in files if name.endswith('_1__m_.data'))
    times, dynamics, musicians = re.search(r'_t([\d-]+)_d(\w{4})_m(\d{4})_1__m_', name).groups()
    combination = [Case(int(t) / 1000, d, 'NO', int(m)) for t, d, m in zip(times.split('-'), dynamics, musicians)]
    scores = recipe.read_scores(os.path.join(golden('6_features/bach10rwc_db'), PIECE), '_g')
    signals, _ = rendering.render(scores, rendering.instruments(bank), combination, int(np.ceil(4.0377 * 44100)))
    expected = recipe.transform().compute_transform(signals[int(2.5 * 44100):])
    np.testing.assert_allclose(tensors.load_tensor(str(folder / name.replace('__m_', '')), '__m_'), expected,
                               rtol=1e-9, atol=1e-12)
    # again: the lost file comes back, the others are kept
    before = (folder / name).read_bytes()
    (folder / name).unlink()
    again = script(*command)
    assert again.returncode == 0 and '1 files written, %d already there' % (written - 1) in again.stderr
    assert (folder / name).read_bytes() == before
    # another way into the same folder is refused
    other = script(*[4 if word == 3 else word for word in command])
    assert other.returncode == 1 and 'with seed 3, now wanted: seed 4' in other.stderr


def test_rwc_what_is_wrong_is_named(script, golden, bank, tmp_path):
    command = ['examples/bach10/compute_features_bach10rwc.py', '--rwc', bank, '--feature_path', tmp_path / 'f', '--db']
    (tmp_path / 'db' / '01-A').mkdir(parents=True)
    done = script(*command, tmp_path / 'db')
    assert done.returncode == 1 and 'bassoon_g_original.txt, ' in done.stderr
    assert 'violin_g_original.txt is missing' in done.stderr
    for name in recipe.INSTRUMENTS:
        write_score(str(tmp_path / 'db' / '01-A' / (name + '_g_original.txt')), [Note(0., 2., 20)])
    done = script(*command, tmp_path / 'db', '--sample_size', 2)
    assert done.returncode == 1 and 'all 2 files were left out' in done.stderr
    assert 'no sample of bassoon G0#' in done.stderr
    for flags, message in ((['--sample_size', 2.5], '--sample_size is 2.5, expected a whole number, 1 or more'),
                           (['--float32', '--dtype', 'float64'], 'not allowed with argument')):
        done = script(*command, tmp_path / 'db', *flags)
        assert done.returncode == 2 and message in done.stderr
    done = script(*command, tmp_path / 'db', '--chunk_size', 0.1)
    assert done.returncode == 2 and '--chunk_size is 0.1, expected 1 or more seconds' in done.stderr
    done = script('examples/bach10/compute_features_bach10rwc.py', '--db', tmp_path / 'db')
    assert done.returncode == 2 and '--rwc' in done.stderr


def test_a_rest_of_a_second_is_a_chunk_of_its_own():
    assert rendering.cut(91., 45.)[1:] == [(45 * 44100, 90 * 44100), (90 * 44100, 91 * 44100)]
    assert rendering.cut(91. - 1 / 44100, 45.)[1:] == [(45 * 44100, 91 * 44100 - 1)]
    assert rendering.cut(.5, 45.) == [(0, 22050)]


def test_it_is_an_error_when_all_is_left_out_and_nothing_is_there():
    left_out, there = (jobs.Outcome(name, Counter(counts)) for name, counts in (
        ('a', {'no sample of violin C4': 2}), ('b', {'kept': 3})))
    with pytest.raises(InputError, match='all 2 files were left out, see above'):
        conclude([left_out], 'files')
    assert conclude([left_out, there], 'files') == 0


@pytest.mark.parametrize('name', ['compute_features_bach10', 'compute_features_bach10sibelius',
                                  'compute_features_bach10rwc'])
def test_help_does_not_import_theano(script, name):
    done = script('examples/bach10/%s.py' % name, '--help', env={'THEANO_FLAGS': 'device=nonsense'})
    assert done.returncode == 0 and '--feature_path' in done.stdout and '--db' in done.stdout


def test_a_cut_off_stem_is_refused(tmp_path):
    path = tmp_path / 'cut.wav'
    audio.write(str(path), np.full(5000, 0.1), 44100)
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(InputError, match='cut.wav is shorter than its header says'):
        recipe.read_stems([str(path)])


def test_a_stem_of_half_the_length_is_named(script, tmp_path):
    (tmp_path / '01-A').mkdir()
    for name in recipe.SOURCES:
        audio.write(str(tmp_path / '01-A' / ('01-A-%s.wav' % name)), np.full(110000, .1), 44100)
    command = ['examples/bach10/compute_features_bach10.py', '--db', tmp_path]
    audio.write(str(tmp_path / '01-A' / '01-A-violin.wav'), np.full(100000, .1), 44100)   # a little shorter
    assert script(*command).returncode == 0
    audio.write(str(tmp_path / '01-A' / '01-A-violin.wav'), np.full(55000, .1), 44100)
    done = script(*command)
    assert done.returncode == 1
    assert re.search('01-A-violin.wav lasts 1.247 s, expected 2.494 s as .*01-A-bassoon.wav: restore', done.stderr)
