"""A studio in which people who write no code fine-tune language models on their own text."""

__version__ = "0.1.0"
