"""Training, on torch. Importing this package, and its ``specs``, imports no torch; the other modules do."""
