"""Reports: what there is to say about components before, during and after fusing, as typed, frozen data.

The job: `inspect` says what is inside one file, `explain` what a fuse decided and why, `graph` draws both. Whatever
concerns a decision comes from the stage that took it, recorded by that stage (`model.record`); nothing is guessed
again here. Not its job: printing (`cli`), taking decisions (the stages), moving bytes (`binary`).

Nothing here is loaded by a fuse that is not asked to explain itself.
"""

from __future__ import annotations
