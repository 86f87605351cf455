"""Publishing and promoting releases by the fourteen rules. The only writer of the pointer.

`store` is a model's releases at home and at the followers; `catalog` reads one folder. `claims` gives a release its
version, `publish` puts it in place, `promote` makes it live, and `pointer_cas` is the one way to move the pointer.
`decisions` keeps verdicts; `reconcile` heals, and `fill` gives a new follower what was published before. `acts` are a
person's, by `eligibility`; `prune` and `sweep` make room; `recover` is for a pointer that is lost. `manual` releases
files that were made elsewhere. `doctor` looks for damage.
"""
