"""`docker-compose.yaml` run without a container engine: each service as processes here, apart from the others."""
