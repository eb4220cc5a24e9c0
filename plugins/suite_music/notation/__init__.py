"""Notation: pieces of one voice as ABC text, and of four voices in steps; read, written, held to rules, heard, drawn.

Data flow: files (`files`: ABC, MIDI, scores in XML) → a piece, which is a text or a `chorales.Chorale` → tokens and
what a model reads beside them (`tunes`, `chorales`) → rules of what may come next (`rules`) → tokens → text and notes
as they come (`playing`), or a whole piece (`pieces`): notation, MIDI, sound (`sound`), a piano roll (`plot`), and what
is measured of it (`statistics`). Any task may read and write with it; it knows none.
"""
