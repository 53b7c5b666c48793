"""A running host, from other processes: a socket in its folder, which the folder's owner alone can open.

The job: what can be asked (`protocol`), answering (`server`), asking (`client`). What is asked is what `Host` can do;
nothing is decided here.
"""

from meldpy.host.extra import need

need("msgspec")
