"""Makes the secrets of a compose stack at its first start: `python make_secrets.py FOLDER`; existing ones stay.

A folder for each consumer, which is a volume that it alone sees, and files that any user may read, since every image
has a user of its own. A secret is written whole or not at all: a start that was interrupted is made good by the next.
Needs only Python's standard library.
"""

from __future__ import annotations

import base64
import json
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

AZURE_ACCOUNT = "standin"


def make(folder: Path) -> None:
    """Write the missing secrets below `folder`."""
    airflow, postgres, redis = folder / "airflow", folder / "postgres", folder / "redis"
    once(postgres / "password", token)
    for user in ("airflow", "mlflow"):
        once(postgres / f"password_{user}", token)
    once(redis / "password", token)
    once(redis / "redis.conf", lambda: redis_settings((redis / "password").read_text()))

    once(airflow / "fernet_key", lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    once(airflow / "secret_key", token)
    once(airflow / "jwt_secret", lambda: secrets.token_urlsafe(64))
    once(airflow / "admin_password", lambda: secrets.token_urlsafe(16))
    database = database_of("airflow", postgres)
    once(airflow / "sql_alchemy_conn", lambda: database)
    once(airflow / "result_backend", lambda: f"db+{database}")
    once(airflow / "broker_url", lambda: f"redis://:{(redis / 'password').read_text()}@redis:6379/0")

    s3, accounts = folder / "seaweedfs/s3.json", folder / "azurite/accounts"
    once(s3, lambda: json.dumps(s3_identities()))
    once(accounts, lambda: f"{AZURE_ACCOUNT}:{base64.b64encode(secrets.token_bytes(64)).decode()}")
    keys = {each["name"]: each["credentials"][0] for each in json.loads(s3.read_text())["identities"]}
    azure_key = accounts.read_text().partition(":")[2]
    once(airflow / "connections.json", lambda: json.dumps(connections(keys["writer"], azure_key), indent=2))
    once(folder / "mlflow/database", lambda: database_of("mlflow", postgres))
    once(folder / "mlflow/stand_in", lambda: for_shell(keys["registry"]))
    once(folder / "service/stand_in", lambda: for_shell(keys["reader"]))


def once(path: Path, content: Callable[[], str]) -> None:
    """Write a file unless it is there."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(content())
    draft.chmod(0o444)
    draft.replace(path)
    print(f"made {path}")


def token() -> str:
    """Return a password that needs no quoting anywhere."""
    return secrets.token_hex(24)


def database_of(user: str, postgres: Path) -> str:
    """Return the address of a user's own database, for SQLAlchemy."""
    return f"postgresql+psycopg2://{user}:{(postgres / f'password_{user}').read_text()}@postgres/{user}"


def redis_settings(password: str) -> str:
    """Return Redis's configuration: the queue outlives a restart, and nothing is dropped for lack of memory."""
    return f"requirepass {password}\ndir /data\nappendonly yes\nmaxmemory 384mb\nmaxmemory-policy noeviction\n"


def s3_identities() -> dict[str, list[dict[str, object]]]:
    """Return SeaweedFS's users: who releases, who only reads, and the registry for its artifacts."""
    actions = {
        "writer": ["Admin", "Read", "Write", "List", "Tagging"],
        "reader": ["Read:models", "List:models"],
        "registry": ["Read:mlflow", "Write:mlflow", "List:mlflow", "Tagging:mlflow"],
    }
    return {
        "identities": [
            {"name": name, "credentials": [{"accessKey": name, "secretKey": token()}], "actions": allowed}
            for name, allowed in actions.items()
        ]
    }


def connections(writer: dict[str, str], azure_key: str) -> dict[str, dict[str, object]]:
    """Return the Airflow connections to the stand-ins, in the format of `airflow connections import`."""
    return {
        "aws_models": {
            "conn_type": "aws",
            "login": writer["accessKey"],
            "password": writer["secretKey"],
            "extra": {
                "endpoint_url": "http://seaweedfs:8333",
                "region_name": "us-east-1",
                "config_kwargs": {"s3": {"addressing_style": "path"}},
            },
        },
        "gcp_models": {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True}},
        "azure_models": {
            "conn_type": "wasb",
            "login": AZURE_ACCOUNT,
            "password": azure_key,
            "host": f"http://{AZURE_ACCOUNT}.blob.core.internal:10000",
        },
    }


def for_shell(keys: dict[str, str]) -> str:
    """Return the variables by which Amazon's SDK finds a key pair."""
    return f"AWS_ACCESS_KEY_ID={keys['accessKey']}\nAWS_SECRET_ACCESS_KEY={keys['secretKey']}\n"


if __name__ == "__main__":
    make(Path(sys.argv[1]))
