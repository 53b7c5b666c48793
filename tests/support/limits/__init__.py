"""Every limit of the engines and of meldpy itself, with an input on each side of it.

texts    component text and bytes of a given size
rows     the table: one row per limit, in the order of NAMES, which is the list that the table must cover
check    what must hold on each side
"""
