"""All tables of a service, for tests that must not forget one."""

from __future__ import annotations

import importlib
import pkgutil

from sqlalchemy import MetaData


def metadata_of(service: str) -> MetaData:
    """The service's tables, with the models of every slice imported."""
    package = importlib.import_module(f"otokura.{service}")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if module.name.rpartition(".")[2] == "models":
            importlib.import_module(module.name)
    found: MetaData = importlib.import_module(f"otokura.{service}.models").Table.metadata
    return found
