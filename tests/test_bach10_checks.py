"""Features of Bach10 and of RWC: --validate, and what is wrong with a dataset."""
import os
import shutil

import numpy as np
import pytest
import sound_tree
from test_bach10_records import PIECE, flags_of, lines, rwc_flags, trees, write_sample

from deepconvsep.errors import InputError, UsageError
from deepconvsep.features import tensors
from examples.bach10 import (
    compute_features_bach10,
    compute_features_bach10rwc,
    compute_features_bach10sibelius,
    generation,
    recipe,
)
from examples.bach10_scoreinformed import compute_features_bach10 as scored_bach10
from examples.bach10_scoreinformed import compute_features_bach10rwc as scored_rwc

__all__ = ['lines', 'trees']


@pytest.mark.parametrize('main, flags, complete', [
    (compute_features_bach10.main, flags_of, 'Bach10 Sources: 1 of 10 songs'),
    (scored_bach10.main, flags_of, 'Bach10 Sources: 1 of 10 songs'),
    (compute_features_bach10sibelius.main, flags_of, 'Bach10 Sibelius gt: 1 of 10 songs'),
    (compute_features_bach10rwc.main, rwc_flags, 'Bach10 RWC samples: 12 of 12 songs'),
    (scored_rwc.main, rwc_flags, 'Bach10 RWC original: 1 of 10 songs')])
def test_validate(trees, capsys, main, flags, complete):
    (trees / 'db' / 'synthesis.json').write_text('{}')   # a tree of our own: complete whatever their number
    assert main(flags(trees, '--validate')) == 0
    listed = capsys.readouterr().out.splitlines()
    assert complete.replace('of 10', 'of 1') in listed and listed[-1] == '0 songs and 0 files missing, 0 damaged'
    os.unlink(str(trees / 'db' / 'synthesis.json'))
    assert main(flags(trees, '--validate')) == 1
    assert complete in capsys.readouterr().out.splitlines() and not (trees / 'features').exists()


def test_validate_names_what_is_wrong(trees, capsys):
    place = trees / 'db' / PIECE
    os.unlink(str(place / 'clarinet_b.txt'))
    (place / 'violin_g.txt').write_text('0.1,nonsense\n')
    sound_tree.write(place / (PIECE + '-bassoon.wav'), sound_tree.noise(0, 60000, 2))
    assert scored_bach10.main(flags_of(trees, '--validate')) == 1
    out = capsys.readouterr().out
    assert 'missing: %s' % (place / 'clarinet_b.txt') in out and 'damaged: %s' % (place / 'violin_g.txt') in out
    assert '%s has 2 channels, expected 1: convert it' % (place / (PIECE + '-bassoon.wav')) in out
    assert out.splitlines()[-1] == '9 songs and 1 files missing, 2 damaged'


def test_validate_names_every_damaged_description(trees, capsys):
    """Of two instruments, and all of one musician's."""
    damaged = sorted(str(path) for path in (trees / 'rwc' / 'mat').iterdir())[::5]
    for path in damaged:
        with open(path, 'wb') as out:
            out.write(b'version https://git-lfs.github.com/spec/v1\n')
    (trees / 'db' / 'synthesis.json').write_text('{}')
    assert compute_features_bach10rwc.main([*rwc_flags(trees), '--validate']) == 1
    listed = capsys.readouterr().out.splitlines()
    assert sorted(line.split(' ')[1] for line in listed if line.startswith('damaged: ')) == damaged
    assert listed[-1].endswith('%d damaged' % len(damaged))
    with pytest.raises(InputError, match='is not a description of RWC notes'):
        compute_features_bach10rwc.main(rwc_flags(trees))


def test_validate_when_no_description_can_be_read(trees, capsys):
    for path in (trees / 'rwc' / 'mat').iterdir():
        path.write_bytes(b'nothing')
    assert compute_features_bach10rwc.main([*rwc_flags(trees), '--validate']) == 1
    out = capsys.readouterr().out
    assert out.count('damaged: ') == len(os.listdir(str(trees / 'rwc' / 'mat'))) and 'samples: 0 of 12 songs' in out


def test_samples_of_another_rate_are_refused(trees):
    """They would play every note too low."""
    write_sample(trees / 'rwc', 'violin', 2, 'M', rate=22050)
    with pytest.raises(InputError, match='152XXNOM.WAV has 22050 Hz, expected 44100 Hz: resample it'):
        compute_features_bach10rwc.main(rwc_flags(trees))


def test_a_folder_that_is_not_there(trees):
    with pytest.raises(InputError, match='--rwc .*nowhere is not a folder, expected') as raised:
        compute_features_bach10rwc.main([*rwc_flags(trees), '--rwc', str(trees / 'nowhere')])
    assert not isinstance(raised.value, UsageError)


def test_a_piece_that_fails_does_not_stop_the_others(trees, lines):
    shutil.copytree(str(trees / 'db' / PIECE), str(trees / 'db' / '02-B'))
    os.unlink(str(trees / 'db' / '02-B' / 'violin_g_original.txt'))
    assert compute_features_bach10rwc.main(rwc_flags(trees)) == 1
    assert any('3 files written, 0 already there, 0 left out, 1 failed' in line for line in lines)
    assert any('original/02-B: ' in line and 'violin_g_original.txt is missing' in line for line in lines)


def test_the_magnitudes_are_those_of_the_transform(trees):
    assert compute_features_bach10.main(flags_of(trees)) == 0
    stems = recipe.read_stems(recipe.stem_paths(str(trees / 'db'), PIECE))
    expected = recipe.transform().compute_transform(generation.with_mixture(stems))
    np.testing.assert_allclose(tensors.load_tensor(str(trees / 'features' / (PIECE + '.data')), '__m_'), expected)
