"""The lock is installed without resolving anything, so that it must be right by itself."""

from importlib.metadata import distributions, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def installed() -> dict[str, str]:
    return {canonicalize_name(one.metadata["Name"]): one.version for one in distributions()}


def test_every_package_has_what_it_requires_in_a_version_that_it_takes() -> None:
    present = installed()
    wrong = []
    for distribution in distributions():
        for line in distribution.requires or ():
            wanted = Requirement(line)
            if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
                continue
            found = present.get(canonicalize_name(wanted.name))
            if found is None or not wanted.specifier.contains(found, prereleases=True):
                wrong.append(f"{distribution.metadata['Name']} wants {wanted}; there is {found}")
    assert wrong == []


def test_kombu_takes_the_redis_client_that_is_installed() -> None:
    """The earlier platform's worker died at start, since its kombu refused its redis."""
    kombu = next(one for one in distributions() if canonicalize_name(one.metadata["Name"]) == "kombu")
    bounds = [
        wanted
        for wanted in map(Requirement, kombu.requires or ())
        if wanted.name == "redis" and wanted.marker is not None and wanted.marker.evaluate({"extra": "redis"})
    ]
    assert bounds
    assert all(wanted.specifier.contains(version("redis")) for wanted in bounds)
