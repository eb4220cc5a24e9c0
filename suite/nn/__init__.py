"""Networks in torch: recurrent cells, layers, and the models built of them.

Importing this package imports no torch; its modules do.
"""
