"""Guides and what they say: notes of any length, masks on the fly, wrong scores."""
import dataclasses
import re

import numpy as np
import pytest

from deepconvsep import stft
from deepconvsep.network import blend
from deepconvsep.score import Note, masks, match, presence, rows
from deepconvsep.score.guide import ScoreGuide, plain, whole_piece
from deepconvsep.score.match import ScoreMatch
from deepconvsep.separation import engines
from deepconvsep.separation.separator import Separator
from deepconvsep.settings import ScoreSettings
from examples.bach10 import recipe as data
from examples.bach10_scoreinformed import recipe

RATE = 44100


def melody(seed, seconds, low, length=0.5):
    """A random melody without rests."""
    pitches = np.random.RandomState(seed).randint(low, low + 12, size=int(seconds / length))
    return [Note(length * index, length * (index + 1), int(midi)) for index, midi in enumerate(pitches)]


def tune(seed, seconds=20.):
    return [melody(seed * 10 + voice, seconds, low) for voice, low in enumerate((43, 55, 62, 69))]


def moved(scores, seconds):
    return [[Note(note.onset + seconds, note.offset + seconds, note.midi) for note in notes] for notes in scores]


def rendered(notes, seconds):
    """Six harmonics a note."""
    signal, time = np.zeros(int(seconds * RATE)), np.arange(int(seconds * RATE)) / RATE
    for onset, offset, midi in notes:
        part = slice(int(onset * RATE), int(offset * RATE))
        for number in range(1, 7):
            signal[part] += np.sin(2 * np.pi * number * 440 * 2 ** ((midi - 69) / 12) * time[part]) / number / 20
    return signal


@pytest.fixture(scope='module')
def magnitudes():
    """Of the tune number 1, 20 s."""
    return data.transform().compute_file(sum(rendered(notes, 20.) for notes in tune(1))).astype(np.float32)


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


# --- every instrument by itself -----------------------------------------------------------------------

NAMES = ['bassoon_b.txt', 'clarinet_b.txt', 'saxophone_b.txt', 'violin_b.txt']


def named(scores, magnitudes, traits=recipe.TRAITS):
    """What a guide that knows the instruments says."""
    guide = ScoreGuide(scores, recipe.SETTINGS, names=NAMES, traits=traits)
    guide(0, magnitudes)
    return guide.warnings()


def in_units(notes, factor):
    return [Note(note.onset * factor, note.offset * factor, note.midi) for note in notes]


def with_one(number, notes):
    """The tune with another score of one instrument."""
    return [notes if index == number else own for index, own in enumerate(tune(1))]


def numbers(warning):
    """The two percentages that a warning gives."""
    return [int(word) for word in re.findall(r'(\d+) %', warning)]


def test_right_scores_of_named_instruments_say_nothing(magnitudes):
    early = [note for note in moved(tune(1), -.2)[0] if note.onset >= 0]
    for scores in (tune(1), moved(tune(1), .2), [early] + tune(1)[1:]):
        assert named(scores, magnitudes) == []
    assert named(tune(1), magnitudes[:900]) == []  # a score that goes on behind an excerpt


def test_a_part_that_enters_behind_what_is_gathered_is_not_judged(magnitudes, monkeypatch):
    monkeypatch.setattr(match, 'LONGEST', 12.)
    late = [note for note in tune(1)[3] if note.onset >= 13]
    assert named(tune(1)[:3] + [late], magnitudes) == []


@pytest.mark.parametrize('number', range(4))
@pytest.mark.parametrize('factor, said', [(1000., '1000'), (RATE, '44100'), (RATE / 512, '86.133')])
def test_one_score_in_another_unit(magnitudes, number, factor, said):
    [warning] = named(with_one(number, in_units(tune(1)[number], factor)), magnitudes)
    assert warning.startswith('%s: its notes sound ' % NAMES[number])
    assert 'with its times divided by %s, ' % said in warning
    before, after = numbers(warning)
    assert before < 25 and after > 60


@pytest.mark.parametrize('number', range(4))
@pytest.mark.parametrize('seconds', [1.5, -1.5, 6.])
def test_one_score_at_the_wrong_time(magnitudes, number, seconds):
    late = [note for note in moved([tune(1)[number]], seconds)[0] if note.onset >= 0]
    [warning] = named(with_one(number, late), magnitudes)
    assert warning.startswith('%s: its notes sound ' % NAMES[number])
    assert abs(float(warning.split('moved by ')[1].split(' s')[0]) + seconds) <= .2


@pytest.mark.parametrize('number', range(4))
def test_one_score_of_another_piece_or_empty(magnitudes, number):
    [warning] = named(with_one(number, tune(5)[number]), magnitudes)
    assert warning.startswith('%s does not match the sound: its notes sound ' % NAMES[number])
    assert named(with_one(number, []), magnitudes) == [
        '%s has no notes: the instrument is separated without a score' % NAMES[number]]


def test_all_scores_in_milliseconds(magnitudes):
    [warning] = named([in_units(notes, 1000.) for notes in tune(1)], magnitudes)
    assert warning.startswith('the score does not match the sound') and '(--score_tempo 1000)' in warning
    # also of a sound that is too short to compare anything
    warnings = named([in_units(moved([notes], 1.)[0], 1000.) for notes in tune(1)], magnitudes[:500])
    assert warnings == ['%s: all its notes lie behind the end of the sound, at 5.8 s' % name for name in NAMES]


def test_flags_that_were_given_are_part_of_the_advice(magnitudes):
    """What was moved by 4000 s before its times are divided by 1000 is moved by 4 s after that."""
    guide = ScoreGuide([in_units(notes, 1000.) for notes in tune(1)], recipe.SETTINGS, played=(2., 4000.))
    guide(0, magnitudes)
    assert '(--score_tempo 2000 --score_offset 4.00)' in guide.warnings()[-1]


def test_a_score_in_another_tempo(magnitudes):
    faster = [in_units(notes, 77. / 120) for notes in tune(1)]
    warning = named(faster, magnitudes)[-1]
    tempo = float(warning.split('--score_tempo ')[1].split(')')[0].split()[0])
    assert tempo == pytest.approx(77. / 120, rel=.005)


def test_exchanged_scores(magnitudes):
    """What goes lower than an instrument can; the same file twice."""
    first, second, third, fourth = tune(1)
    [warning] = [each for each in named([fourth, second, third, first], magnitudes) if each.startswith(NAMES[3])]
    assert warning == ('violin_b.txt: 100 % of its notes are beyond the range of the instrument; is it exchanged '
                       'with bassoon_b.txt?')
    assert named([first, third, third, fourth], magnitudes) == [
        'clarinet_b.txt and saxophone_b.txt hold the same notes']


def sounding(notes, evens):
    """Notes whose even harmonics are so strong."""
    signal, time = np.zeros(20 * RATE), np.arange(20 * RATE) / RATE
    for onset, offset, midi in notes:
        part = slice(int(onset * RATE), int(offset * RATE))
        for number in range(1, 9):
            level = (evens if number % 2 == 0 else 1.) / number / 20
            signal[part] += level * np.sin(2 * np.pi * number * 440 * 2 ** ((midi - 69) / 12) * time[part])
    return signal


def test_exchanged_scores_of_one_range():
    """A clarinet is known by its weak even harmonics, whoever has its notes."""
    scores = [melody(1, 20., 43), melody(2, 20., 58), melody(3, 20., 56), melody(4, 20., 69)]

    sound = sum(sounding(notes, .05 if number == 1 else 1.) for number, notes in enumerate(scores))
    magnitudes = data.transform().compute_file(sound).astype(np.float32)
    assert named(scores, magnitudes) == []
    [warning] = named([scores[0], scores[2], scores[1], scores[3]], magnitudes)
    assert warning == ('clarinet_b.txt and saxophone_b.txt look exchanged: the notes of saxophone_b.txt sound with the '
                       'weak even harmonics of a clarinet, those of clarinet_b.txt do not')
    # of two instruments with weak even harmonics nobody knows whose they are
    both = [dataclasses.replace(each, hollow=number in (0, 1)) for number, each in enumerate(recipe.TRAITS)]
    assert named([scores[0], scores[2], scores[1], scores[3]], magnitudes, both) == []


def test_exchanged_scores_whose_parts_lie_the_other_way_round():
    """A violin below a clarinet: then less of a difference in timbre is enough, but it must be there."""
    scores = [melody(1, 20., 43), melody(2, 20., 58), melody(3, 20., 56), melody(4, 20., 72)]
    exchanged = [scores[0], scores[3], scores[2], scores[1]]
    evens = (1., .45, 1., 1.)
    magnitudes = data.transform().compute_file(sum(map(sounding, scores, evens))).astype(np.float32)
    assert named(scores, magnitudes) == []
    [warning] = named(exchanged, magnitudes)
    assert warning.startswith('clarinet_b.txt and violin_b.txt look exchanged')
    # a clarinet that plays above a violin
    magnitudes = data.transform().compute_file(sum(map(sounding, exchanged, evens))).astype(np.float32)
    assert named(exchanged, magnitudes) == []
