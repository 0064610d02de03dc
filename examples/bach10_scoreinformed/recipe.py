"""What score-informed training with Bach10 adds to :mod:`examples.bach10.recipe`: notes, networks, phases.

Source: Miron, Janer, Gomez, "Monaural score-informed source separation for classical music using convolutional neural
networks", ISMIR 2017.
"""
import argparse
import dataclasses
import functools
import os

import dataset as datasets
from deepconvsep import command, files
from deepconvsep.data.sampled import SampledDataset
from deepconvsep.errors import InputError, UsageError
from deepconvsep.features.tensors import ALIGNED, COARSE, WIDENED
from deepconvsep.network import architecture
from deepconvsep.recipe import Recipe
from deepconvsep.recipes.bach10_scoreinformed import (
    DEFAULT_MODEL,
    LEGACY_SETTINGS,
    NETWORKS,
    SEPARATION,
    SETTINGS,
    TEST_ENDING,
    TRAITS,
    add_guide_flags,
    add_score_flags,
    guide,
    read_scores,
    score_paths,
    timbre_digest,
)
from deepconvsep.settings import ScoreSettings
from examples.bach10 import recipe as bach10
from examples.bach10.recipe import LOSS, SCALE_FACTOR_TEST, SOURCES, TRAINING_EPS, phases, song_of

__all__ = ['ALIGNED', 'COARSE', 'DEFAULT_MODEL', 'LEGACY_SETTINGS', 'LOSS', 'NETWORKS', 'RECIPE', 'SCALE_FACTOR_TEST',
           'SETTINGS', 'SOURCES', 'TEST_ENDING', 'TRAINING_EPS', 'TRAITS', 'WIDENED', 'add_guide_flags',
           'add_score_flags', 'guide', 'phases', 'read_scores', 'score_paths', 'song_of']

logger = command.get_logger('train')

#: Beside features: how their notes were made.
NOTES_FILE = 'notes.json'


def network(flags):
    """The network that the flags of the training scripts ask for."""
    if flags.network == 'compact':
        if flags.legacy or flags.function != 'build_ca':
            raise UsageError('--network compact has no other form: leave out --legacy and --function')
        return bach10.sized(architecture.SCOREINFORMED_COMPACT, flags, flags.time_context // 2)
    if flags.network == 'harmonic':
        if flags.legacy or flags.function != 'build_ca':
            raise UsageError('--network harmonic has no other form: leave out --legacy and --function')
        if flags.timbre_model_path:
            raise UsageError('--network harmonic sees no masks whose harmonics could be weighed: leave out '
                             '--timbre_model_path')
        chosen = architecture.SCOREINFORMED_HARMONIC
        return dataclasses.replace(chosen, time_context=flags.time_context, hidden=flags.bottleneck or chosen.hidden)
    if flags.function == 'build_ca_1x1':
        if flags.bottleneck:
            raise UsageError('--function build_ca_1x1 has no bottleneck: leave out --bottleneck')
        chosen = architecture.SCOREINFORMED_1X1 if flags.legacy else architecture.SCOREINFORMED_1X1_FOUR_BRANCHES
        return dataclasses.replace(chosen, time_context=flags.time_context)
    chosen = flags.recorded if flags.legacy else architecture.SCOREINFORMED_FOUR_BRANCHES
    return bach10.sized(chosen, flags, 2 * flags.time_context // 3)


def settings(flags):
    """The settings that the flags and the features of the training ask for."""
    if flags.skip_train:
        return SETTINGS
    return dataclasses.replace(SETTINGS, score=dataclasses.replace(
        read_notes_file(flags.feature_path), timbre=timbre_digest(flags.timbre_model_path),
        confine=bool(flags.confine), notes=flags.network == 'harmonic'))


def dataset(flags):
    """The class of the training data, and its arguments."""
    kind = sampled if flags.every_epoch else datasets.LargeDatasetMask2
    notes = flags.network == 'harmonic'
    return kind, {'pitch_code': WIDENED.strip('_'), 'timbre_model_path': flags.timbre_model_path,
                  'pitched': notes, 'save_mask': not notes}


def sampled(*args, nsamples, seed, batch_size, **more):
    """The training data with other files in every epoch, when there is a number of them."""
    load = functools.partial(datasets.LargeDatasetMask2, *args, batch_size=batch_size, **more)
    return SampledDataset(load, nsamples, seed, batch_size) if nsamples else load(nsamples=0, seed=seed)


def test_songs(flags):
    """The pieces of Bach10, as the score-free recipe gives them; those of Bach10 Sibelius have no coarse scores."""
    return bach10.test_songs(argparse.Namespace(db=flags.db, dbs=None, model=flags.model))


def read_notes_file(folder):
    """How the notes beside features were made; features of the original, which have no records, do not say it.

    Raises
    ------
    InputError
        When it is not known.
    """
    path = os.path.join(folder, NOTES_FILE)
    if os.path.exists(path):
        return ScoreSettings.from_dict(files.read_json(path, 'the settings of notes'), path)
    leaves = [leaf for _, _, own in os.walk(folder) for leaf in own]
    if any(leaf.endswith('.json') for leaf in leaves) or not any(leaf.endswith(WIDENED + '.data') for leaf in leaves):
        raise InputError('there is no %s: compute the features with examples/bach10_scoreinformed' % path)
    logger.warning('there is no %s: the notes are taken for those of the original, widened by %g s',
                   path, LEGACY_SETTINGS.score.tolerance)
    return LEGACY_SETTINGS.score


RECIPE = Recipe.of(SEPARATION, loss=LOSS, training_eps=TRAINING_EPS, network=network, test_songs=test_songs,
                   songs=bach10.songs, song_of=song_of, training_settings=settings, dataset=dataset, phases=phases)
