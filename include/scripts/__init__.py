"""What `make run` and `make up` do: a real Airflow on this machine, and a look at what it released.

For a checkout only; none of it is in the wheel. Tests may use `LocalAirflow` as a library.
"""
