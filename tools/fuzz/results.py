"""Results of the evaluation, and published ones."""
import os

import numpy as np

from tools.fuzz import mutate
from tools.fuzz.base import OneFile, Reader, golden


class ResultsMat(OneFile):
    """Results of the original's evaluation, as the plots and the pooled scores read them."""

    name, extension = 'results_mat', '.mat'

    def good(self):
        from evaluation import handle_voice_eval_results
        self.load = handle_voice_eval_results.read_results
        return golden('8_evaluation/bach10_results.mat', '8_evaluation/dsd_results_1.mat',
                      '8_evaluation/ikala_measures.mat')

    def read(self, path):
        self.load(path)


class Records(Reader):
    """Results of the evaluation programs, as the tables and the plots read them."""

    name = 'results_json'

    def warm_up(self):
        from deepconvsep.metrics import records, tables
        from plots import bach10_smc_stats, scores
        self.records, self.tables, self.stats, self.scores = records, tables, bach10_smc_stats, scores
        import pandas  # noqa: F401  scores.read_scores imports it when it is called
        described = records.describe({'SDR': [1., np.nan], 'SIR': [np.inf, 2.], 'SAR': [3., 4.], 'ISR': [0., 1.]},
                                     [False, True], [False, False])
        self.value = {'schema': records.SCHEMA, 'version': records.VERSION, 'track': 'a', 'method': 'm', 'subset': 's',
                      'settings': {'v4': False}, 'inputs': {'reference bass': '00'}, 'notes': ['a note'],
                      'sample_rate': 44100, 'samples': 9, 'v4': {'bassoon': described},
                      'targets': {name: described for name in ('bassoon', 'clarinet', 'saxphone', 'violin')}}

    def make(self, rng, folder):
        os.makedirs(os.path.join(folder, 'method'))
        path = os.path.join(folder, 'method', 'a_results.json')
        OneFile.write(path, mutate.damage_json(rng, self.value))
        OneFile.write(os.path.join(folder, 'method', 'a_results.mat'), b'')
        return folder, path

    def read(self, folder, path):
        from deepconvsep.metrics import program, stems
        track = stems.Track('a', 'm', 's', path[:-len('.json')], {})
        found = self.records.finished(track, self.value['settings'], self.value['inputs'])
        if found is not None:
            program.print_table('title', 'rule', [found])
        os.unlink(path[:-len('.json')] + '.mat')
        self.scores.read_scores(folder, 'SDR')
        self.stats.read_results(folder)


class FramesCsv(OneFile):
    """Published scores of windows."""

    name, extension = 'published_csv', '.csv'

    def good(self):
        import pandas  # noqa: F401

        from deepconvsep.metrics import published
        self.published = published
        columns = ['track_id', 'track', 'subset', 'target', *published.MEASURES, *published.MASKS.values()]
        rows = ['%d,song,Test,vocals,1.5,2,-inf,nan,0,na' % number for number in range(4)]
        return ['\n'.join([','.join(columns)] + rows).encode()]

    def read(self, path):
        frames = self.published.read_frames(path)
        self.published.aggregate(frames)
