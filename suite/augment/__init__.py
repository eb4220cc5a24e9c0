"""Training inputs, changed a little by chance."""
