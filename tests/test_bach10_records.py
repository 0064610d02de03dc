"""Features of Bach10, Sibelius and RWC are what their folder says: made from the sounds, scores, samples of now."""
import json
import os
import shutil

import pytest
import sound_tree

import rwc
from deepconvsep import command
from deepconvsep.errors import InputError
from deepconvsep.features import folder as folders
from deepconvsep.score import Note, write_score
from examples.bach10 import (
    compute_features_bach10,
    compute_features_bach10rwc,
    compute_features_bach10sibelius,
    generation,
    recipe,
    synthesize,
)
from examples.bach10_scoreinformed import compute_features_bach10 as scored_bach10
from examples.bach10_scoreinformed import compute_features_bach10rwc as scored_rwc

PIECE = '01-A'
RATE = recipe.SAMPLE_RATE
LOW = {'bassoon': 43, 'clarinet': 60, 'saxophone': 55, 'violin': 67}


@pytest.fixture(autouse=True)
def lines(monkeypatch):
    """The lines that are logged, rather than on standard error."""
    found = []
    monkeypatch.setattr(command, 'enable_default_logging', lambda *_: None)
    for name in ('info', 'warning', 'error'):
        monkeypatch.setattr('deepconvsep.features.command.logger.' + name,
                            lambda text, *args: found.append(text % args))
    monkeypatch.setattr('deepconvsep.jobs.logger.error', lambda text, *args: found.append(text % args))
    return found


@pytest.fixture
def trees(tmp_path):
    """A piece with all its scores and sounds, and a bank of samples with two notes of half a second in each file."""
    place = tmp_path / 'db' / PIECE
    place.mkdir(parents=True)
    for ending in ('_g', '_b', '_g_original'):
        write_scores(place, ending)
    for number, (source, name) in enumerate(zip(recipe.SOURCES, recipe.INSTRUMENTS)):
        for stem in ('%s-%s' % (PIECE, source), '%s_gt_%s' % (PIECE, name)):
            sound_tree.write(place / (stem + '.wav'), sound_tree.noise(number, 60000, 1))
    (tmp_path / 'rwc' / 'mat').mkdir(parents=True)
    for name in recipe.INSTRUMENTS:
        for musician in rwc.CASES:
            for dynamics in recipe.DYNAMICS:
                write_sample(tmp_path / 'rwc', name, musician, dynamics, seed=musician)
    return tmp_path


def write_scores(place, ending, tempo=1., length=1.4, high=0):
    for name in recipe.INSTRUMENTS:
        write_score(str(place / (name + ending + '.txt')), [
            Note(.1 / tempo, .5 / tempo, LOW[name]), Note(.6 / tempo, length / tempo, LOW[name] + 1 + high)])


def sample_paths(bank, name, musician, dynamics):
    stem = '%d%dXXNO%s' % (rwc.INSTRUMENTS[name], musician, dynamics)
    return bank / 'wav' / stem[:3] / (stem + '.WAV'), bank / 'mat' / (stem.lower() + '.wav.mat')


def write_sample(bank, name, musician, dynamics, seed=0, rate=RATE):
    wav, mat = sample_paths(bank, name, musician, dynamics)
    sound_tree.write(wav, sound_tree.noise(seed, RATE, 1), rate)
    synthesize.write_mat(str(mat), rwc.INSTRUMENTS[name], name, 'XX', dynamics, [LOW[name], LOW[name] + 1],
                         [0, RATE // 2], [RATE // 2, RATE])


def age(path):
    """Date a file long before everything else."""
    os.utime(str(path), (1e9, 1e9))


def rwc_flags(trees, *more, out='features'):
    return ['--db', str(trees / 'db'), '--rwc', str(trees / 'rwc'), '--feature_path', str(trees / out), '--nprocs', '1',
            '--float32', '--quiet', '--sample_size', '3', *map(str, more)]


def flags_of(trees, *more, out='features'):
    return ['--db', str(trees / 'db'), '--feature_path', str(trees / out), '--nprocs', '1', '--quiet', *map(str, more)]


def tensors_in(place):
    """Every tensor below a folder: {path: bytes}."""
    found = {}
    for where, _, names in os.walk(str(place)):
        for name in names:
            if name.endswith(('.data', '.shape')):
                with open(os.path.join(where, name), 'rb') as source:
                    found[os.path.relpath(os.path.join(where, name), str(place))] = source.read()
    return found


def anew(trees, main, flags):
    """What the same command makes in an empty folder."""
    assert main([str(trees / 'anew') if word == str(trees / 'features') else word for word in flags]) == 0
    made = tensors_in(trees / 'anew')
    shutil.rmtree(str(trees / 'anew'))
    return made


# --- what has changed is computed again ---------------------------------------------------------------

@pytest.mark.parametrize('main, legacy', [(compute_features_bach10rwc.main, ()), (scored_rwc.main, ()),
                                          (scored_rwc.main, ('--legacy',))])
def test_scores_that_changed(trees, lines, main, legacy):
    flags = rwc_flags(trees, *legacy)
    assert main(flags) == 0 and '3 files written, 0 already there' in lines[-1]
    before = tensors_in(trees / 'features')
    assert main(flags) == 0 and '0 files written, 3 already there' in lines[-1]
    write_scores(trees / 'db' / PIECE, '_g_original', tempo=1 / 1.3)
    for name in recipe.INSTRUMENTS:
        age(trees / 'db' / PIECE / (name + '_g_original.txt'))
    assert main(flags) == 0 and '3 files written, 0 already there' in lines[-1]
    after = tensors_in(trees / 'features')
    assert after == anew(trees, main, flags) and set(after) == set(before)
    assert not any(after[name] == before[name] for name in after if name.endswith('.data'))
    assert folders.fingerprint(str(trees / 'features' / PIECE / 'original'))


def test_records_say_from_which_sample_to_which_a_chunk_goes(trees):
    """Of a piece of 1.4 s, in one chunk."""
    assert compute_features_bach10rwc.main(rwc_flags(trees)) == 0
    for path in (trees / 'features' / PIECE / 'original').glob('*__m_.json'):
        settings = json.loads(path.read_text())['settings']
        assert (settings['begin'], settings['end']) == (0, 61740)


def test_a_sample_that_changed_matters_to_those_that_it_plays(trees, lines):
    flags = rwc_flags(trees)
    assert compute_features_bach10rwc.main(flags) == 0
    combination = generation.parse(next(name for name in os.listdir(str(trees / 'features' / PIECE / 'original')))
                                   [len(PIECE) + 1:].split('_0_')[0])
    case = combination[3]
    wav, mat = sample_paths(trees / 'rwc', 'violin', case.musician, case.dynamics)
    others = [name for name in tensors_in(trees / 'features') if name.endswith('.data') and generation.parse(
        os.path.basename(name)[len(PIECE) + 1:].split('_0_')[0])[3][1:] != case[1:]]
    for path, change in ((wav, lambda: sound_tree.write(wav, sound_tree.noise(9, RATE, 1))),
                         (mat, lambda: synthesize.write_mat(str(mat), 15, 'violin', 'XX', case.dynamics, [67, 68],
                                                            [500, RATE // 2], [RATE // 2, RATE]))):
        before = tensors_in(trees / 'features')
        change()
        age(path)
        assert compute_features_bach10rwc.main(flags) == 0
        after = tensors_in(trees / 'features')
        assert after == anew(trees, compute_features_bach10rwc.main, flags)
        changed = {name for name in after if after[name] != before[name]}
        assert changed and not changed & set(others)
    assert len(others) < 3


def test_files_beyond_a_score_that_became_shorter_go_with_their_notes(trees):
    write_scores(trees / 'db' / PIECE, '_g_original', length=3.)
    flags = rwc_flags(trees, '--chunk_size', 1)
    assert scored_rwc.main(flags) == 0
    assert sum('_2__' in name for name in tensors_in(trees / 'features')) == 18
    write_scores(trees / 'db' / PIECE, '_g_original', length=1.9)
    assert scored_rwc.main(flags) == 0
    assert tensors_in(trees / 'features') == anew(trees, scored_rwc.main, flags)


def test_features_of_notes_that_cannot_be_played_any_more_are_removed(trees, lines):
    assert scored_rwc.main(rwc_flags(trees)) == 0
    write_scores(trees / 'db' / PIECE, '_g_original', high=30)
    with pytest.raises(InputError, match='all 3 files were left out'):
        scored_rwc.main(rwc_flags(trees))
    assert not tensors_in(trees / 'features')


def test_coarse_scores_that_changed(trees, lines):
    assert scored_bach10.main(flags_of(trees)) == 0 and '1 songs written' in lines[-1]
    before = tensors_in(trees / 'features')
    write_scores(trees / 'db' / PIECE, '_b', tempo=1.2)
    for name in recipe.INSTRUMENTS:
        age(trees / 'db' / PIECE / (name + '_b.txt'))
    # sounds alone do not depend on them
    assert compute_features_bach10.main(flags_of(trees)) == 0 and '0 songs written, 1 already' in lines[-1]
    assert scored_bach10.main(flags_of(trees)) == 0
    assert '0 songs written, 1 already there, 0 left out, 0 failed; notes of 1 written' in lines[-1]
    after = tensors_in(trees / 'features')
    assert after == anew(trees, scored_bach10.main, flags_of(trees))
    assert {name for name in after if after[name] != before[name]} == {PIECE + '__b_.data', PIECE + '__e_.data'}


def test_notes_of_an_old_sound_never_lie_beside_a_new_one(trees):
    """The script that knows no scores takes away the notes of what it writes."""
    assert scored_rwc.main(rwc_flags(trees)) == 0
    write_scores(trees / 'db' / PIECE, '_g_original', tempo=1.3)
    assert compute_features_bach10rwc.main(rwc_flags(trees)) == 0
    assert {name.rpartition('__')[2] for name in tensors_in(trees / 'features')} == {'m_.data', 'm_.shape'}
    assert scored_rwc.main(rwc_flags(trees)) == 0
    assert tensors_in(trees / 'features') == anew(trees, scored_rwc.main, rwc_flags(trees))


@pytest.mark.parametrize('main, stem', [(compute_features_bach10.main, PIECE + '-violin'),
                                        (compute_features_bach10sibelius.main, PIECE + '_gt_violin')])
def test_a_sound_replaced_by_an_older_one(trees, lines, main, stem):
    assert main(flags_of(trees)) == 0
    sound_tree.write(trees / 'db' / PIECE / (stem + '.wav'), sound_tree.noise(7, 60000, 1))
    age(trees / 'db' / PIECE / (stem + '.wav'))
    assert main(flags_of(trees)) == 0 and '1 %s written' % ('files' if 'gt' in stem else 'songs') in lines[-1]
    assert tensors_in(trees / 'features') == anew(trees, main, flags_of(trees))


# --- what is there but was not drawn ------------------------------------------------------------------

def test_notes_are_made_for_all_features_that_are_there(trees, lines):
    assert compute_features_bach10rwc.main(rwc_flags(trees, '--sample_size', 5)) == 0
    assert scored_rwc.main(rwc_flags(trees, '--sample_size', 2)) == 0
    assert '0 files written, 5 already there, 0 left out, 0 failed; notes of 5 written' in lines[-1]
    assert tensors_in(trees / 'features') == anew(trees, scored_rwc.main, rwc_flags(trees, '--sample_size', 5))


def test_another_draw_is_refused_or_takes_the_place(trees):
    assert compute_features_bach10rwc.main(rwc_flags(trees)) == 0
    with pytest.raises(InputError, match='holds features with seed 0, now wanted: seed 1: choose another --feature_'):
        compute_features_bach10rwc.main(rwc_flags(trees, '--seed', 1))
    again = rwc_flags(trees, '--seed', 1, '--overwrite')
    assert compute_features_bach10rwc.main(again) == 0
    assert tensors_in(trees / 'features') == anew(trees, compute_features_bach10rwc.main, again)


def test_another_draw_of_delays_takes_the_place(trees):
    for name in recipe.INSTRUMENTS:
        for style in recipe.TEMPI:
            shutil.copy(str(trees / 'db' / PIECE / ('%s_gt_%s.wav' % (PIECE, name))),
                        str(trees / 'db' / PIECE / ('%s_%s_%s.wav' % (PIECE, style, name))))
    main, flags = compute_features_bach10sibelius.main, flags_of(trees, '--gt', 0, '--sample_size', 2)
    assert main(flags) == 0 and len(tensors_in(trees / 'features')) == 12
    assert main(flags_of(trees, '--gt', 0, '--sample_size', 1)) == 0 and len(tensors_in(trees / 'features')) == 12
    again = [*flags, '--seed', '1', '--overwrite']
    assert main(again) == 0
    assert tensors_in(trees / 'features') == anew(trees, main, again)


def test_a_name_tells_the_combination():
    cases = generation.rwc_cases(recipe.TIME_SHIFTS)
    for combination in generation.draw(cases, 200, 0, PIECE):
        assert generation.parse(generation.describe(combination)) == combination
    styled = (generation.Case(.1, 'F', 'PZ', 1), generation.Case(0., 'M', 'NO', 2))
    assert generation.parse(generation.describe(styled)) == styled
    for text in ('', 't0', 't0-0_dF_m11', 't0-0_dFF_m1', 't0-_dFF_m11', 't0-0_dFF_sNO_m11', 'x_t0-0_dFF_m11'):
        assert generation.parse(text) is None


# --- folders of before --------------------------------------------------------------------------------

@pytest.mark.parametrize('main, flags, record', [
    (scored_rwc.main, rwc_flags, {'chunk_size': 45., 'seed': 0, 'dtype': 'float32', 'db': 'db', 'rwc': 'rwc'}),
    (scored_bach10.main, flags_of, {'dtype': 'float64', 'db': os.path.join(os.pardir, 'db')}),
    (compute_features_bach10sibelius.main, flags_of, {'dtype': 'float64', 'seed': 0,
                                                      'db': os.path.join(os.pardir, 'db')})])
def test_a_folder_without_records_goes_on(trees, lines, main, flags, record):
    assert main(flags(trees)) == 0
    for where, _, names in os.walk(str(trees / 'features')):
        for name in names:
            if name.endswith('_.json'):
                os.unlink(os.path.join(where, name))
    record = {name: str(trees / value) if value in ('db', 'rwc') else value for name, value in record.items()}
    (trees / 'features' / 'generation.json').write_text(json.dumps(record))
    before = tensors_in(trees / 'features')
    assert main(flags(trees)) == 0 and ' 0 left out, 0 failed' in lines[-1]
    assert ': 0 ' in lines[-1] and 'notes' not in lines[-1] and tensors_in(trees / 'features') == before
    assert json.loads((trees / 'features' / 'generation.json').read_text()) == record
    shutil.copytree(str(trees / 'db'), str(trees / 'elsewhere'))
    with pytest.raises(InputError, match='holds features with db .*, now wanted: db .*: choose another --feature_path'):
        main([str(trees / 'elsewhere') if word == str(trees / 'db') else word for word in flags(trees)])
