"""Variational autoencoders over bags of items; users take `vt.MultVAE`, `vt.RecVAE` and `vt.VASP`.

The configs (`base`, and one file each) are made without PyTorch, and what is fitted answers without it. Behind them, with PyTorch: people as bags of
items (`bags`), the likelihood of a catalogue in chunks or by a sample (`output`), the networks (`nets`, one class for each model), and the one trainer.
"""
