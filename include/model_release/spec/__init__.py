"""The spec: what a team writes of its model in YAML, checked key by key, and what DAG files need of it at parse."""
