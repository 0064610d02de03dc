"""Training data from feature files: the classes, in the module where the original had them.

- :class:`LargeDataset`: mixtures and sources;
- :class:`LargeDatasetMask1`, :class:`LargeDatasetMask2`: and harmonic masks and piano rolls from a score;
- :class:`LargeDatasetMulti`: several channels, inputs and targets in files of their own;
- :class:`LargeDatasetMultiMask1`, :class:`LargeDatasetMultiMask2`: both.
"""
from deepconvsep.data.large import LargeDataset
from deepconvsep.data.masks import LargeDatasetMask1, LargeDatasetMask2, LargeDatasetMultiMask1, LargeDatasetMultiMask2
from deepconvsep.data.multi import LargeDatasetMulti

__all__ = ['LargeDataset', 'LargeDatasetMask1', 'LargeDatasetMask2', 'LargeDatasetMulti', 'LargeDatasetMultiMask1',
           'LargeDatasetMultiMask2']
