"""Training data from feature files: the classes, under the name that the original gave their module."""
from dataset_base import LargeDataset

__all__ = ['LargeDataset']
