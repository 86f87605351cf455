"""The MLflow data's mirror in a bucket: `push`ed from a machine that has it, `pull`ed to one that has nothing.

Knows SQLite and files, not MLflow. `unchanged` tells for next to nothing whether there is anything to push, so nothing
is imported here.
"""
