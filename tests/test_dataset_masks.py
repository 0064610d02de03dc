"""Masks, piano rolls and channels against the recorded values of the original."""
import pickle

import numpy as np
import pytest
from conftest import assert_sampled
from feature_tree import sorted_rows, write

import dataset
from deepconvsep.errors import InputError


@pytest.fixture(scope='module')
def notes(golden):
    """The recorded note array, (4, notes, 43)."""
    return np.load(golden('3_dataset/masks.npz'))['notes']


@pytest.fixture(scope='module')
def notes4(notes):
    """The same for two channels, as masks recorded with channels used it."""
    both = np.stack([notes, notes[::-1]])
    both[1, ..., :2] += 4 * (both[1, ..., 2:3] > 0)
    both[1, 0, :, 2] = 0
    return both


def test_masks_and_rolls_are_the_recorded_ones(golden, golden_json, notes):
    index, recorded = golden_json('3_dataset/masks.json'), np.load(golden('3_dataset/masks.npz'))
    assert len(index['rows']) == 48
    for row in index['rows']:
        timbre = golden('3_dataset/harmonics.pkl') if row['timbre'] else None
        train = getattr(dataset, row['cls'])(timbre_model_path=timbre, tensortype=row['tensortype'])
        segment = np.ones((row['stop'] - row['start'], index['bins'])), notes, row['start'], row['stop']
        mask = train.filterSpec(*segment)
        assert list(mask.shape) == row['shape'] and mask.dtype == row['dtype']
        assert_sampled(recorded, 'mask%d' % row['k'], mask, rtol=1e-6 if row['dtype'] == 'float32' else 1e-12)
        if 'pitch_shape' in row:
            roll = train.buildPitch(*segment)
            assert list(roll.shape) == row['pitch_shape'] and set(np.unique(roll)) <= {0, 1}
            np.testing.assert_array_equal(np.argwhere(roll), recorded['pitch%d.nonzero' % row['k']])


def test_examples_with_masks_are_the_recorded_ones(tmp_path, golden, golden_json, notes):
    index, recorded = golden_json('3_dataset/loadFile_masks.json'), np.load(golden('3_dataset/loadFile_masks.npz'))
    write(tmp_path, 'p', np.random.RandomState(3702).uniform(size=(5, 200, 513)))
    write(tmp_path, 'p', notes, tag='__e_')
    for row in index['rows']:
        train = getattr(dataset, row['cls'])(
            str(tmp_path), nsources=4, pitched=True, pitch_code='e', tensortype='float32', mult_factor_in=.3,
            mult_factor_out=.3, legacy=True, time_context=row['time_context'], overlap=row['overlap'])
        assert train.getNum(0) == row['getNum']
        inputs, outputs, pitches, masks = train.loadFile(0, 0, row['windows_cut'])
        for name, value in (('in', inputs), ('out', outputs), ('masks', masks)):
            assert_sampled(recorded, '%s%d' % (name, row['k']), value, rtol=1e-6)
        assert list(pitches.shape) == row['shapes']['pitches']
        np.testing.assert_array_equal(pitches.sum(axis=(1, 2)), recorded['pitches%d.sum_per_example' % row['k']])


@pytest.fixture
def multi_tree(tmp_path, golden_json, notes, notes4):
    index = golden_json('3_dataset/multi.json')
    size = index['T'], index['bins']
    write(tmp_path, 'x', np.random.RandomState(index['seed_in']).uniform(size=(index['channels_in'],) + size), '_in_m_')
    write(tmp_path, 'x', np.random.RandomState(index['seed_out']).uniform(size=(index['channels_out'],) + size),
          '_out_m_')
    write(tmp_path, 'x', notes, '__g_')
    write(tmp_path, 'x', notes4, '__e_')
    return tmp_path


def test_channels_are_the_recorded_ones(multi_tree, golden, golden_json):
    index, recorded = golden_json('3_dataset/multi.json'), np.load(golden('3_dataset/multi.npz'))
    for row in index['rows']:
        kwargs = dict(row['kwargs'])
        if kwargs.pop('timbre', None):
            kwargs['timbre_model_path'] = golden('3_dataset/harmonics.pkl')
        if row['pitch_code']:
            kwargs['pitch_code'] = row['pitch_code']
        train = getattr(dataset, row['cls'])(str(multi_tree), time_context=30, overlap=20, legacy=True, **kwargs)
        assert (train.channels_in, train.channels_out) == (index['channels_in'], index['channels_out'])
        parts = train.loadFile(0, 0, row['shapes']['inputs'][0])
        assert len(parts) == (3 if row['pitch_code'] else 2)
        for name, key, value in zip(('in', 'out', 'masks'), ('inputs', 'outputs', 'masks'), parts):
            assert list(value.shape) == row['shapes'][key]
            assert_sampled(recorded, '%s%d' % (name, row['k']), value, rtol=1e-12)
        if 'class_weights' in row:
            np.testing.assert_allclose(train.getClassWeights(), row['class_weights'], atol=1e-12)
        if 'class_weights_error' in row:  # the original failed on notes without channels
            assert train.getClassWeights().shape == (4,)


def test_notes_without_channels_hold_for_every_channel(multi_tree, notes):
    """The original mixed up instruments and channels; the masks now lie as the outputs do."""
    train = dataset.LargeDatasetMultiMask2(str(multi_tree), pitched=True, time_context=30)
    pitches, masks = train.loadFile(0, 1, 2)[2:]
    assert pitches.shape == (1, 8, 30, 127) and masks.shape == (1, 8, 30, 513)
    plain = dataset.LargeDatasetMask2()
    for name, value, expected in (
            ('pitch', pitches, plain.buildPitch(None, notes, 25, 55)),
            ('mask', masks, plain.filterSpec(np.ones((30, 513)), notes, 25, 55))):
        width = value.shape[-1]
        for source in range(4):
            for channel in range(2):
                np.testing.assert_allclose(value[0, 2 * source + channel],
                                           expected[:, source * width:(source + 1) * width], atol=1e-9, err_msg=name)


@pytest.mark.parametrize('base', ['LargeDatasetMask1', 'LargeDatasetMask2', 'LargeDatasetMultiMask1',
                                  'LargeDatasetMultiMask2'])
def test_masks_and_rolls_of_a_subclass_are_used_as_they_are(multi_tree, notes, base):
    """As classes of the original are extended."""
    multi = 'Multi' in base
    folder = multi_tree / ('' if multi else 'plain')
    if not multi:
        folder.mkdir()
        write(folder, 'x', np.random.RandomState(0).uniform(size=(5, 200, 513)))
        write(folder, 'x', notes, '__g_')
    calls = []

    class Own(getattr(dataset, base)):
        def filterSpec(self, mag, notes, start, stop):
            calls.append((mag.shape, notes.shape, stop - start))
            frames = np.arange(start, stop, dtype=float)
            if multi:
                return np.ones((self.channels_out, 1, 513)) * frames[:, None] + np.arange(8)[:, None, None]
            return frames[:, None] + np.repeat(np.arange(4), 513)

        def buildPitch(self, mag, notes, start, stop):
            shape = (self.channels_out, stop - start, 127) if multi else (stop - start, 4 * 127)
            return np.full(shape, 7.)

    train = Own(str(folder), pitched=True, nsources=4, time_context=30, overlap=20)
    pitches, masks = train.loadFile(0, 1, 3)[2:]
    assert (pitches == 7).all()
    for window, begin in enumerate((10, 20)):
        for source in range(4):
            own = masks[window, 2 * source] if multi else masks[window][:, 513 * source:513 * (source + 1)]
            np.testing.assert_allclose(own, np.arange(begin, begin + 30)[:, None] + source * (1 + multi)
                                       + np.zeros((1, 513)))
    assert calls[-1] == ((2, 40, 513) if multi else (40, 513), notes.shape, 40)
    Own.filterSpec = lambda self, mag, notes, start, stop: np.ones(3)
    with pytest.raises(InputError, match=r'Own.filterSpec gave an array of shape \(3,\), expected \('):
        train.loadFile(0, 1, 3)


def test_instruments_without_a_source_are_ignored(multi_tree, notes4):
    write(multi_tree, 'x', np.concatenate([notes4, notes4[:, :1]], axis=1), '__m5_')
    given = [dataset.LargeDatasetMultiMask2(str(multi_tree), pitch_code=code, pitched=True).loadFile(0, 0, 3)
             for code in ('e', 'm5')]
    for four, five in zip(*given):
        np.testing.assert_array_equal(four, five)


def test_batches_and_chunks_carry_the_masks(tmp_path, notes):
    """From several files, in chunks: each example's masks are those of its own place."""
    rng = np.random.default_rng(0)
    for name, shift in (('a', 0), ('b', 40)):
        write(tmp_path, name, rng.uniform(size=(5, 90, 513)))
        moved = notes.copy()
        moved[..., :2] += shift * (moved[..., 2:3] > 0)
        write(tmp_path, name, moved, tag='__g_')
    for cls in (dataset.LargeDatasetMask1, dataset.LargeDatasetMask2):
        train = cls(str(tmp_path), nsources=4, pitched=True, time_context=10, overlap=5, batch_size=3, batch_memory=4)
        expected = [np.concatenate(parts) for parts in zip(train.loadFile(0), train.loadFile(1))]
        given = [np.concatenate(parts) for parts in zip(*train)]
        assert [part.shape for part in given] == [(34, 10, 513), (34, 10, 2052), (34, 10, 508), (34, 10, 2052)]
        for part, other in zip(given[1:], expected[1:]):
            np.testing.assert_array_equal(sorted_rows(np.concatenate([given[0], part], axis=2)),
                                          sorted_rows(np.concatenate([expected[0], other], axis=2)))
        chunk = next(train.chunks())
        assert chunk.masks.shape == (len(chunk.inputs), 2052) and chunk.pitches.shape == (len(chunk.inputs), 508)
        if cls is dataset.LargeDatasetMask2:
            start = chunk.starts[1]
            np.testing.assert_array_equal(chunk.masks[start:start + 10], chunk.batch(0)[3][1])


def test_class_weights_of_equal_and_of_no_notes(multi_tree):
    flat = np.zeros((4, 2, 43))
    flat[:, 0, :3] = 10, 20, 60
    write(multi_tree, 'x', flat, '__f_')
    train = dataset.LargeDatasetMultiMask2(str(multi_tree), pitch_code='f')
    np.testing.assert_array_equal(train.getClassWeights(0, .5), [.5] * 4)
    write(multi_tree, 'x', 0 * flat, '__f_')
    with pytest.raises(InputError, match='there is no note in .*x__f_.data'):
        train.getClassWeights()
    with pytest.raises(InputError, match='class weights need notes: set save_mask or pitched'):
        dataset.LargeDatasetMultiMask1(str(multi_tree), save_mask=False).getClassWeights()


def test_class_weights_are_within_limits(multi_tree):
    rows = np.zeros((4, 1, 43))
    rows[:, 0, 1], rows[:, 0, 2] = (1, 40, 80, 100), 60   # frames that each instrument plays
    write(multi_tree, 'x', rows, '__f_')
    train = dataset.LargeDatasetMultiMask1(str(multi_tree), pitch_code='f')
    np.testing.assert_allclose(train.getClassWeights(), [.99, .6, .25, .25])
    rows[0, 0, 1] = 0
    write(multi_tree, 'x', rows, '__f_')
    assert dataset.LargeDatasetMultiMask1(str(multi_tree), pitch_code='f').getClassWeights()[0] == .99


@pytest.mark.parametrize('change, message', [
    (lambda folder: (folder / 'x__g_.shape').unlink(), 'x__g_.shape: No such file'),
    (lambda folder: write(folder, 'x', np.zeros((2, 43)), '__g_'),
     r'x__g_.data has the shape \(2, 43\), expected 3 or 4'),
    (lambda folder: write(folder, 'x', np.zeros((4, 2, 42)), '__g_'), r'x__g_.data has the shape \(4, 2, 42\)'),
    (lambda folder: write(folder, 'x', np.zeros((4, 2, 3)), '__g_'), r'x__g_.data has the shape \(4, 2, 3\)'),
    (lambda folder: write(folder, 'x', np.zeros((7, 90, 5)), '_out_m_'),
     'x_in_m_.data has 140 frames, but .*x_out_m_.data has 90'),
    (lambda folder: write(folder, 'x', np.zeros((7, 140, 513)), '_out_m_'),
     'x_out_m_.data has 7 channels, expected a multiple of the 2 of .*x_in_m_.data'),
    (lambda folder: (folder / 'x_in_m_.data').unlink(), 'no feature file that ends in _in_m_.data'),
    (lambda folder: [write(folder, 'y', np.ones((1, 50, 513)), '_in_m_'),
                     write(folder, 'y', np.ones((8, 50, 513)), '_out_m_'),
                     write(folder, 'y', np.zeros((4, 2, 43)), '__g_')], 'y_in_m_.data has 1 channels, but .*x_in_m_'),
])
def test_damaged_trees(multi_tree, change, message):
    change(multi_tree)
    with pytest.raises(InputError, match=message):
        dataset.LargeDatasetMultiMask1(str(multi_tree))


def test_other_instruments_in_another_file(tmp_path, notes):
    for name, own in (('a', notes), ('b', notes[:3])):
        write(tmp_path, name, np.ones((5, 40, 513)))
        write(tmp_path, name, own, tag='__g_')
    with pytest.raises(InputError, match='b__g_.data has the shape .* but .*a__g_.data has'):
        dataset.LargeDatasetMask1(str(tmp_path))


def test_timbre_models_are_arrays_and_nothing_else(tmp_path):
    path = tmp_path / 'timbre.pkl'
    for value, message in ((np.ones((4, 20)), r'timbre.pkl has the shape \(4, 20\)'), (sorted, 'nothing in it was run'),
                           ([np.ones(2)], 'not of one array')):
        path.write_bytes(pickle.dumps(value, protocol=2))
        with pytest.raises(InputError, match=message):
            dataset.LargeDatasetMask2(timbre_model_path=str(path))
    with pytest.raises(InputError, match='nowhere.pkl: No such file'):
        dataset.LargeDatasetMask2(timbre_model_path=str(tmp_path / 'nowhere.pkl'))
