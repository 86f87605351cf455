"""Publishing and promoting releases: the fourteen rules. The only writer of the pointer.

`once` and `swap` hold the two ways to write; `catalog` reads; `numbers` gives a release its version; `publish` puts it
in place; `promote` makes it live; `decisions` remembers verdicts; `reconcile` heals; `acts` are a person's; `prune` and
`sweep` make room; `recover` is for when the pointer is lost. `doctor` looks for damage, room by room (`examine_*`), by
what the `evidence` on each destination's `listing` proves; `restore` puts right bytes back.
"""
