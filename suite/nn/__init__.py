"""Networks, on torch: recurrent cells, encoders, poolings and the mappings built of them.

Importing this package imports no torch; its modules do.
"""
