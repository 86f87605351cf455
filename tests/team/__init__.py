"""`docker-compose.yaml` run without a container engine: each service as processes of this machine, in namespaces of its own."""
