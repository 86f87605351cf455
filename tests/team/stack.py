"""The whole compose file, started in its own order and waited for by its own health checks."""

from __future__ import annotations

import compileall
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from emulators import azurite, fake_gcs
from team.compose import Service, resolve, services
from team.container import CHECKOUT, Container, Image
from team.network import Network, network

UP_SECONDS = 400.0
_PAUSE_SECONDS = 0.3
_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


def images() -> dict[str, Image]:
    """Return what each image would bring, by its name."""
    package = {"PYTHONPATH": str(CHECKOUT / "include")}  # in place of the wheel
    postgres = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    assert postgres is not None, "PostgreSQL is missing; install it with: apt-get install postgresql"
    return {
        "model-release-airflow": Image(
            entrypoint=("airflow",),
            environment={"AIRFLOW_HOME": "/opt/airflow", **package},
            files={f"/opt/airflow/{each}": each for each in ("dags", "plugins", "include/models", "deploy/compose")},
            folder="/opt/airflow",
            user="airflow",
        ),
        "model-release-service": Image(entrypoint=("model-release",), environment=package, owns=("/models",)),
        "postgres": Image(
            entrypoint=(str(CHECKOUT / "tests/team/postgres_image.sh"),),
            environment={"PATH": f"{postgres}:{_PATH}", "PGDATA": "/var/lib/postgresql/data"},
        ),
        "redis": Image(folder="/data"),
        "seaweedfs": Image(folder="/data"),
        "azurite": Image(environment={"PATH": f"{Path(azurite.program()).parent}:{_PATH}"}),
        "fake-gcs-server": Image(files={"/usr/bin/fake-gcs-server": fake_gcs.program()}),
    }


def compile_modules() -> None:
    """Compile what images bring compiled: services run as users that may not write here, and would at each start."""
    compileall.compile_dir(CHECKOUT / "include", quiet=2)
    for name in ("amqp", "billiard", "celery", "kombu", "redis", "vine", "airflow.providers.celery"):
        package = find_spec(name)
        assert package is not None and package.submodule_search_locations, f"{name} is not installed"
        for folder in package.submodule_search_locations:
            compileall.compile_dir(folder, quiet=2)


class Stack:
    """The services of one compose file.

    Args:
        wanted: the services, by name.
        net: their network.
        folder: that holds the named volumes and the services' logs.

    Attributes:
        containers: by the service's name.
    """

    def __init__(self, wanted: Mapping[str, Service], net: Network, folder: Path) -> None:
        self.network = net
        self._volumes, self._logs = folder / "volumes", folder / "services"
        for each in (self._volumes, self._logs):
            each.mkdir(parents=True)
        for name, service in wanted.items():
            net.join(name, *{service.hostname, *service.aliases} - {name})
        known = images()
        self.containers = {
            name: Container(service, known[service.image], network=net, volumes=self._volumes, box=self._logs)
            for name, service in wanted.items()
        }
        self._ready: set[str] = set()

    def up(self, *names: str, seconds: float = UP_SECONDS) -> dict[str, float]:
        """Start services as the file's `depends_on` lets them, and wait until each is healthy, or has ended well.

        Args:
            names: of services; all by default.
            seconds: how long it may take.

        Returns:
            After how many seconds each was.
        """
        begun = time.monotonic()
        late = {name: self.containers[name] for name in names or self.containers}
        ready: dict[str, float] = {}
        again: dict[str, float] = {}
        with ThreadPoolExecutor(max_workers=len(late)) as pool:
            while late:
                assert time.monotonic() < begun + seconds, self.tell(f"not ready: {', '.join(late)}", *late)
                for each in late.values():
                    if not each.started and all(after in self._ready for after in each.service.after):
                        each.start()
                asked = time.monotonic()
                due = [each for name, each in late.items() if each.started and asked >= again.get(name, asked)]
                for each, done in zip(due, pool.map(self._is_ready, due), strict=True):
                    name, answered = each.service.name, time.monotonic()
                    if done:
                        self._ready.add(name)
                        ready[name] = round(answered - begun, 1)
                        del late[name]
                    else:  # a check may take seconds of a processor that the start needs
                        again[name] = answered + (answered - asked)
                time.sleep(_PAUSE_SECONDS)
        return ready

    def kill(self, name: str) -> None:
        """Kill a service: all of its processes at once."""
        self.containers[name].kill()
        self._ready.discard(name)

    def url(self, name: str, port: int) -> str:
        """Return a service's address as this process reaches it."""
        return f"http://{self.network.address(name)}:{port}"

    def secret(self, path: str) -> str:
        """Return a secret, such as `airflow/admin_password`."""
        consumer, _, name = path.partition("/")
        return (self._volumes / f"secrets-{consumer}" / name).read_text()

    def tell(self, words: str, *names: str) -> str:
        """Return words and the end of what services said."""
        return "\n".join([words, *(self.containers[name].tail() for name in names)])

    def down(self) -> None:
        """Kill everything."""
        for each in self.containers.values():
            each.kill()

    def _is_ready(self, container: Container) -> bool:
        if container.service.health:
            ready = container.is_healthy()
            assert ready or container.ended is None, self.tell("ended by itself", container.service.name)
            return ready
        if container.ended is not None:
            assert container.ended == 0, self.tell(f"ended with {container.ended}", container.service.name)
        return container.ended == 0


@contextmanager
def stack(folder: Path, *options: str, files: Sequence[Path] = ()) -> Iterator[Stack]:
    """Make a stack of the compose file's services, none of them started; end them with the block.

    Args:
        folder: empty; for volumes and logs.
        options: of `docker compose`, such as `--profile=clouds`.
        files: that are merged over the compose file.
    """
    compile_modules()
    wanted = services(resolve(*options, files=files))
    with network() as net:
        made = Stack(wanted, net, folder)
        try:
            yield made
        finally:
            made.down()
