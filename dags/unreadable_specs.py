"""Makes no DAG. Specs that cannot be read are this file's import error, and break no model's DAG but their own.

One Python file makes the DAGs of all models, and an exception there would take them all along.
"""

from model_release.airflow_glue import refuse_unreadable_specs

refuse_unreadable_specs(__file__)
