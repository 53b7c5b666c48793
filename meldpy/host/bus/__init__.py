"""Messages between modules, and turns for those that handle them.

The job: a bounded mailbox each (`mailbox`), who receives what (`bus`), and who runs when there are more guests than
cores (`turns`). Messages of one sender to one receiver arrive in the order in which they were sent. Where a receiver
asked for durability, a message counts as accepted when it is in the store, and is delivered at least once.

Not its job: handling messages (`meldpy.host.lifecycle`).
"""
