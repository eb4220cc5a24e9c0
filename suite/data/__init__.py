"""Files on disk: rows out of files, fixed splits, batches, and data that is fetched once and checked."""
