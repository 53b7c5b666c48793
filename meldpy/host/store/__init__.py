"""What a host keeps: messages that were accepted, states of modules, their keys, jobs. One SQLite file.

The job: tables (`database`) and one face for each kind of row. A face's writing methods take the transaction they are
part of, so that what belongs together is kept together or not at all: a message's effects (state, messages sent, keys)
and its removal from the inbox are one transaction.

Not its job: when to write what (`meldpy.host.lifecycle`, `meldpy.host.jobs`).
"""
