"""Recipes: data that is fetched, verified, unpacked and split by rule."""
