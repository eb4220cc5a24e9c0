"""Recurrent cells, one file each. Each is found through the entry-point group ``suite.cells``.

Importing this package imports no torch; its modules do.
"""
