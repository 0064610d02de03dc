"""Guides and what they say: notes of any length, masks on the fly, wrong scores."""
import dataclasses

import numpy as np
import pytest
from tunes import RATE, magnitudes, melody, moved, rendered, tune

from deepconvsep import stft
from deepconvsep.network import blend
from deepconvsep.score import masks, presence, rows
from deepconvsep.score.guide import ScoreGuide, plain, whole_piece
from deepconvsep.score.match import ScoreMatch
from deepconvsep.separation import engines
from deepconvsep.separation.separator import Separator
from deepconvsep.settings import ScoreSettings
from examples.bach10 import recipe as data
from examples.bach10_scoreinformed import recipe

__all__ = ['magnitudes']

def heard(scores, magnitudes, settings=recipe.SETTINGS, size=185, step=160):
    """What a guide says after frames that came in overlapping blocks."""
    guide = ScoreGuide(scores, settings)
    for first in range(0, len(magnitudes), step):
        guide(first, magnitudes[first:first + size])
    return guide.warnings()


def test_the_right_score(magnitudes):
    assert heard(tune(1), magnitudes) == []
    late = moved(tune(1), 0.15)  # as coarse as an alignment gets
    assert heard(late, magnitudes) == []
    assert heard(tune(1), magnitudes, recipe.LEGACY_SETTINGS) == []


@pytest.mark.parametrize('seed', range(2, 8))
def test_another_score(magnitudes, seed):
    [warning] = heard(tune(seed), magnitudes)
    assert warning.startswith('the score does not match the sound: it claims ') and 'would match' not in warning


@pytest.mark.parametrize('seconds', [4.5, -3.])
def test_a_score_at_the_wrong_time(magnitudes, seconds):
    shifted = [[note for note in notes if note.onset >= 0] for notes in moved(tune(1), seconds)]
    [warning] = heard(shifted, magnitudes)
    found = float(warning.split('moved by ')[1].split(' s')[0])
    assert abs(found + seconds) < 0.2


def test_a_score_that_ends_early_and_one_without_notes(magnitudes):
    short = [[note for note in notes if note.onset < 12] for notes in tune(1)]
    assert heard(short, magnitudes) == ['the score ends at 12.0 s, the sound at 20.0 s: what is behind is separated '
                                        'without a score']
    assert heard([[], [], [], []], magnitudes) == ['the score has no notes: the sources are separated without it']


def test_silence_and_a_short_sound_say_nothing(magnitudes):
    assert heard(tune(1), np.zeros((2000, 2049), np.float32)) == []
    assert heard(tune(2), magnitudes[:500]) == []


def test_a_note_sounds_for_a_block_at_least():
    blocks, pitches = np.nonzero(presence.roll([(3.2, 3.4, 60), (4.6, 6.4, 62), (-2., .6, 64), (-9., -8., 65)], 8))
    assert sorted(zip(pitches.tolist(), blocks.tolist())) == [(60, 3), (62, 5), (64, 0)]


def test_noise_behind_the_end_is_no_sound(magnitudes):
    """60 dB below the music; at 40 dB below it counts."""
    for level, said in (1e-3, []), (1e-2, ['the score ends at 20.0 s, the sound at 26.0 s: what is behind is separated '
                                           'without a score']):
        noise = np.random.RandomState(0).uniform(.9, 1., (517, 2049))
        noise *= level * np.sqrt((magnitudes ** 2).sum(axis=1).max() / (noise ** 2).sum(axis=1))[:, None]
        assert heard(tune(1), np.concatenate([magnitudes[:1722], noise.astype(np.float32)])) == said


def test_blocks_do_not_matter(magnitudes):
    notes = whole_piece(tune(1), plain(recipe.SETTINGS))
    whole, blocks = (ScoreMatch(notes, recipe.SETTINGS) for _ in range(2))
    whole.add(0, magnitudes)
    for first in range(0, len(magnitudes), 100):
        blocks.add(first, magnitudes[first:first + 133])
    np.testing.assert_allclose(blocks.shares(), whole.shares(), atol=1e-12)
    assert whole.shares()[0] == pytest.approx(np.mean(direct_shares(magnitudes)), abs=0.01)


def direct_shares(magnitudes):
    """By block of 8 frames, the share of the energy in semitones of notes and three overtones; a restatement."""
    frequencies = np.arange(1, magnitudes.shape[1]) * RATE / 4096
    semitones = np.rint(69 + 12 * np.log2(frequencies / 440)).astype(int)
    shares = []
    for block in range(len(magnitudes) // 8):
        energy = np.zeros(150)
        np.add.at(energy, semitones, (magnitudes[8 * block:8 * block + 8, 1:] ** 2).sum(axis=0))
        times = np.arange(8 * block, 8 * block + 8) * 512 / RATE
        claimed = {note.midi + step for notes in tune(1) for note in notes for step in (0, 12, 19, 24)
                   if ((np.floor(note.onset * RATE / 512) * 512 / RATE <= times + 1e-9) & (
                       times + 1e-9 < np.floor(note.offset * RATE / 512) * 512 / RATE)).any()}
        if energy[36:108].sum() > 1e-5:
            shares.append(sum(energy[midi] for midi in claimed if midi < 108) / energy[36:108].sum())
    return shares


# --- notes --------------------------------------------------------------------------------------------

def test_pieces_longer_than_40_seconds():
    """Without the defects as note_rows has them; with them, every 40 s start anew, as in the training."""
    scores = [melody(1, 130., 60), melody(2, 130., 50)]
    whole = whole_piece(scores, recipe.SETTINGS)
    assert whole.shape == (2, 260, 43)
    # widened by 0.2 s, 17 frames; the last one may sound on for 0.5 s
    expected = [[max(0, int(onset * RATE / 512) - 17), int(offset * RATE / 512) + 17, midi]
                for onset, offset, midi in scores[0]]
    expected[-1][1] = int(130.5 * RATE / 512)
    np.testing.assert_array_equal(whole[0, :, :3], expected)
    legacy = whole_piece(scores, recipe.LEGACY_SETTINGS)
    # 86 frames a second from the beginning of each 40 s
    row = next(row for row in legacy[0] if row[2] == scores[0][165].midi and abs(row[0] - 7085) < 30)
    assert row[0] == round(80 * RATE / 512) + int(2.5 * 86) - 17
    unequal = whole_piece([scores[0], scores[1][:2]], recipe.LEGACY_SETTINGS)
    assert (unequal[..., 2] == 0).any() and not unequal[unequal[..., 2] == 0].any(), 'unused rows are 0'


def test_a_guide_filters_as_the_training_does(magnitudes):
    """In blocks anywhere, the channels are the mixture times the masks of the whole file, and add up to it."""
    guide = ScoreGuide(tune(2), recipe.SETTINGS)
    notes = rows.stack_rows([rows.note_rows(
        own, len(magnitudes), rows.Grid(before=.2, after=.2, fermata=.5)) for own in tune(2)])
    mask = masks.harmonic_mask(notes, 0, len(magnitudes), 2049).reshape(len(magnitudes), 4, 2049)
    channels = guide(300, magnitudes[300:485])
    np.testing.assert_allclose(channels, mask[300:485] * magnitudes[300:485, None], atol=1e-6)
    np.testing.assert_allclose(channels.sum(axis=1), magnitudes[300:485], rtol=1e-5)


def engine(outputs):
    """An engine whose network makes `outputs` of a window, (channels, 30, bins); windows begin every 5 frames."""
    def run(frames, weights):
        blended = np.zeros((4, 5 * len(weights) + 25, frames.shape[2]), np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(frames, 30, axis=0)[::5].transpose(0, 1, 3, 2)
        fine = [blend.add_masks(outputs(window), np.full(window.shape[1:], 1e-30, np.float32), False, row,
                                blended[:, 5 * number:5 * number + 30])
                for number, (window, row) in enumerate(zip(windows, weights))]
        return blended, np.array(fine)
    return run


def test_separation_hands_the_guided_channels_to_the_network(monkeypatch):
    """With a network that passes its input on, the stems are the mixture filtered by the masks; 45 s in blocks."""
    seconds, scores = 45., tune(3, 45.)
    mixture = sum(rendered(notes, seconds) for notes in scores)

    def passing(network, params, settings, batch_size):
        assert network.channels == 4

        return engine(lambda window: window.copy())
    monkeypatch.setitem(engines.ENGINES, 'theano', passing)
    network = dataclasses.replace(recipe.NETWORKS[3], name='x')
    separator = Separator(network, [], recipe.SETTINGS, batch_size=16)
    blocks = [mixture[first:first + 30000, None] for first in range(0, len(mixture), 30000)]
    stems = np.concatenate(list(separator.stems(blocks, ScoreGuide(scores, recipe.SETTINGS))))[:, :, 0].T
    tt = data.transform()
    magnitude, phase = tt.compute_file(mixture, phase=True)
    notes = whole_piece(scores, recipe.SETTINGS)
    mask = masks.harmonic_mask(notes, 0, len(magnitude), 2049).reshape(len(magnitude), 4, 2049)
    for source in range(4):
        expected = tt.compute_inverse(mask[:, source] * magnitude, phase)[:len(mixture)]
        np.testing.assert_allclose(stems[source], expected, atol=2e-5)
    assert stft.frame_count(len(mixture), 512) == len(magnitude)


def test_confinement_is_the_product_of_both_masks(monkeypatch):
    """Masks that do not know the score, confined: against whole arrays in float64, and what the two rules say."""
    seconds, scores = 20., tune(3)
    mixture = sum(rendered(notes, seconds) for notes in scores)
    blind = np.random.RandomState(0).uniform(.1, 1, (4, 2049))
    blind[0] = 0
    blind /= blind.sum(axis=0)

    def fixed(network, params, settings, batch_size):
        shares = np.broadcast_to(blind[:, None].astype(np.float32), (4, 30, 2049))
        return engine(lambda window: shares.copy())
    monkeypatch.setitem(engines.ENGINES, 'theano', fixed)
    separator = Separator(dataclasses.replace(recipe.NETWORKS[3], name='x'), [], recipe.SETTINGS, batch_size=16)

    def stems(confine):
        settings = dataclasses.replace(recipe.SETTINGS, score=ScoreSettings(confine=confine))
        blocks = [mixture[first:first + 30000, None] for first in range(0, len(mixture), 30000)]
        return np.concatenate(list(separator.stems(blocks, ScoreGuide(scores, settings))))[:, :, 0].T

    tt = data.transform()
    magnitude, phase = tt.compute_file(mixture, phase=True)
    canvas = masks.harmonic_canvas(whole_piece(scores, recipe.SETTINGS), 0, len(magnitude), 2049)
    limits = canvas / canvas.sum(axis=0)
    product = np.where(blind > 0, blind, 1e-6)[:, None] * limits
    product /= product.sum(axis=0)
    for source, (free, confined) in enumerate(zip(stems(False), stems(True))):
        np.testing.assert_allclose(free, tt.compute_inverse(blind[source] * magnitude, phase)[:len(mixture)], atol=2e-5)
        np.testing.assert_allclose(
            confined, tt.compute_inverse(product[source] * magnitude, phase)[:len(mixture)], atol=2e-5)
    # nothing in the score: the network's; only the first in the score, for which the network has nothing: its own
    nowhere, first = (canvas == masks.FLOOR).all(axis=0), (canvas[0] == 1) & (canvas[1:] == masks.FLOOR).all(axis=0)
    whole = masks.confined(np.repeat(blind[:, None], len(magnitude), axis=1), limits)
    assert nowhere.any() and first.any()
    np.testing.assert_allclose(whole[1][nowhere], np.broadcast_to(blind[1], nowhere.shape)[nowhere], rtol=1e-4)
    np.testing.assert_allclose(whole[0][first], 1, rtol=1e-9)
    np.testing.assert_array_equal(masks.confined(np.zeros_like(limits), limits), 0)
