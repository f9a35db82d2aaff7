"""URIs ``modelreg+postgresql://user:password@host:port/database?parameter=value``.

They are libpq's connection URIs with another scheme, two parameters of our own, and optionally
the path of a version behind the database:

``…/database?artifacts=reference``
    versions keep the address of their files only, as MLflow's own registry does
``…/database?runs=<artifact URI>``
    as ``--artifacts-destination``: where everything goes that is not a registered version
``…/database/versions/<model_id>/<directory>``
    the files of a version, or of a directory in it

A URI that is handed out has no password and none of libpq's parameters but those that say which
database it is. Who reads it takes the others from a URI that it was given by its operator.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import psycopg
from mlflow.exceptions import MlflowException
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

SCHEME = "modelreg+postgresql"
VERSIONS = "versions"

# Parameters that say which database it is, and nothing secret.
_IDENTITY = ("service", "host", "hostaddr", "port", "dbname")
_PUBLIC = (*_IDENTITY, "user", "sslmode")
_PLAIN = re.compile(r"[A-Za-z0-9_.-]+\Z")

_REGISTRY_STORE = "_MLFLOW_SERVER_REGISTRY_STORE"
_BACKEND_STORE = "_MLFLOW_SERVER_FILE_STORE"
_ARTIFACT_ROOT = "_MLFLOW_SERVER_ARTIFACT_ROOT"
_ARTIFACTS_DESTINATION = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"
_SERVE_ARTIFACTS = "_MLFLOW_SERVER_SERVE_ARTIFACTS"


@dataclass(frozen=True)
class RegistryUri:
    """One parsed URI. ``parameters`` are libpq's, the password among them: never print it.

    ``directory`` is below the version or, without one, ``versions`` or empty.
    """

    parameters: Mapping[str, str] = field(repr=False)
    reference_only: bool = False
    runs_uri: str | None = field(default=None, repr=False)
    model_id: str | None = None
    directory: str = ""

    @property
    def conninfo(self) -> str:
        """libpq's connection string, with the password."""
        return psycopg.conninfo.make_conninfo("", **self.parameters)

    @property
    def identity(self) -> tuple[str, ...]:
        """Equal for two URIs of the same database, as far as the parameters tell."""
        with_defaults = {**_defaults(), **self.parameters}
        if not with_defaults.get("dbname"):
            with_defaults["dbname"] = with_defaults.get("user", "")
        if "service" in self.parameters:
            return ("service", self.parameters["service"], with_defaults["dbname"])
        place = with_defaults.get("host") or with_defaults.get("hostaddr", "")
        return ("", place, with_defaults.get("port", ""), with_defaults["dbname"])

    def of_database(self) -> RegistryUri:
        """The same without a version."""
        return replace(self, model_id=None, directory="")

    def of_version(self, model_id: str, directory: str = "") -> RegistryUri:
        return replace(self, model_id=model_id, directory=directory.strip("/"))

    def public(self) -> str:
        """A URI to hand out: of the same database and version, without secrets."""
        shown = {key: self.parameters[key] for key in _PUBLIC if key in self.parameters}
        if "service" not in shown and "dbname" not in shown:
            shown["dbname"] = self.identity[-1]
        path = "/" + urllib.parse.quote(shown.pop("dbname", ""), safe="")
        if self.model_id is not None:
            path += "/" + version_path(self.model_id)
        if self.directory:
            path += "/" + urllib.parse.quote(self.directory)
        authority = ""
        host = shown.get("host", "")
        if host and "/" not in host and "," not in host and "," not in shown.get("port", ""):
            authority = f"[{host}]" if ":" in host else urllib.parse.quote(host, safe="")
            del shown["host"]
            if "port" in shown:
                authority += ":" + shown.pop("port")
        if "user" in shown:
            authority = urllib.parse.quote(shown.pop("user"), safe="") + "@" + authority
        query = urllib.parse.urlencode(shown, quote_via=urllib.parse.quote, safe="/")
        return f"{SCHEME}://{authority}{path}" + (f"?{query}" if query else "")


def is_registry_uri(uri: str | None) -> bool:
    return uri is not None and uri.lower().startswith(SCHEME + ":")


def parse(uri: str) -> RegistryUri:
    """Parses a URI; INVALID_PARAMETER_VALUE if it is none. The message never quotes the URI."""
    scheme, separator, rest = uri.partition("://")
    if scheme.lower() != SCHEME or not separator:
        raise MlflowException.invalid_parameter_value(
            f"Not a registry URI: it must begin with {SCHEME}://"
        )
    rest, _, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    database, _, below = path.partition("/")
    model_id, directory = _version(below)

    known = set(_keywords())
    own: dict[str, str] = {}
    libpq: list[tuple[str, str]] = []
    try:
        pairs = urllib.parse.parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise MlflowException.invalid_parameter_value(
            "The registry URI's query must be of the form ?parameter=value&parameter=value"
        ) from None
    for key, value in pairs:
        if key in ("artifacts", "runs"):
            own[key] = value
        elif key in known or key == "ssl":
            libpq.append((key, value))
        else:
            raise MlflowException.invalid_parameter_value(
                f"The registry URI has a parameter that neither libpq nor modelreg knows: {key!r}"
            )
    if own.get("artifacts", "registry") not in ("registry", "reference"):
        raise MlflowException.invalid_parameter_value(
            "The registry URI's parameter 'artifacts' must be 'registry' or 'reference'"
        )
    try:
        parameters = conninfo_to_dict(
            f"postgresql://{authority}{slash}{database}"
            + ("?" + urllib.parse.urlencode(libpq, quote_via=urllib.parse.quote) if libpq else "")
        )
    except psycopg.Error:
        # What libpq says may quote a part of the password.
        raise MlflowException.invalid_parameter_value(
            "libpq cannot parse the registry URI. Special characters in the user, the password "
            "and the database must be percent-encoded."
        ) from None
    return RegistryUri(
        parameters={key: str(value) for key, value in parameters.items() if value is not None},
        reference_only=own.get("artifacts") == "reference",
        runs_uri=own.get("runs") or None,
        model_id=model_id,
        directory=directory,
    )


def version_path(model_id: str) -> str:
    """The path of a version below a database, such as ``versions/churn_20261126_190000``.

    An id with characters that some client or proxy on the way would encode once too often, or
    refuse, is in base64 behind a tilde.
    """
    if _PLAIN.match(model_id) and model_id not in (".", ".."):
        return f"{VERSIONS}/{model_id}"
    encoded = base64.urlsafe_b64encode(model_id.encode()).decode().rstrip("=")
    return f"{VERSIONS}/~{encoded}"


def split_version_path(path: str) -> tuple[str, str] | None:
    """The reverse of :func:`version_path`: the id, and the path below; None if it is none."""
    head, _, rest = path.strip("/").partition("/")
    if head != VERSIONS or not rest:
        return None
    name, _, below = rest.partition("/")
    if name.startswith("~"):
        try:
            name = base64.b64decode(
                name[1:] + "=" * (-len(name[1:]) % 4), altchars=b"-_", validate=True
            ).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
    return name, below.strip("/")


def below_destination(location: str) -> str | None:
    """The path that MLflow's server has joined to the end of its artifacts destination."""
    destination = os.environ.get(_ARTIFACTS_DESTINATION)
    if not in_server() or destination is None or not is_registry_uri(destination):
        return None
    prefix = destination.rstrip("/") + "/"
    if not location.startswith(prefix):
        return None
    below = location[len(prefix) :]
    # Behind a destination without parameters, the path of a version is its own address.
    return below if "?" in destination or split_version_path(below) is None else None


def with_credentials(uri: RegistryUri, operators: Iterable[str | None]) -> RegistryUri:
    """Takes the connection parameters for ``uri`` from the first of the operator's URIs that is
    of the same database; else ``uri`` as it is, with what libpq's environment adds."""
    for candidate in operators:
        if candidate is None or not is_registry_uri(candidate):
            continue
        parsed = parse(candidate)
        if parsed.identity == uri.identity:
            return replace(uri, parameters=parsed.parameters)
    return uri


def server_uris() -> tuple[str | None, ...]:
    """The URIs that ``mlflow server`` was started with, in a process of it; else Nones."""
    names = (_REGISTRY_STORE, _ARTIFACTS_DESTINATION, _ARTIFACT_ROOT, _BACKEND_STORE)
    return tuple(os.environ.get(name) for name in names)


def in_server() -> bool:
    """Whether this process works for ``mlflow server``."""
    return _ARTIFACT_ROOT in os.environ


def served_artifacts_destination() -> str | None:
    """What ``mlflow-artifacts:/`` means in this process, if it is a server that serves it."""
    if in_server() and os.environ.get(_SERVE_ARTIFACTS, "").lower() == "true":
        return os.environ.get(_ARTIFACTS_DESTINATION)
    return None


def _version(below: str) -> tuple[str | None, str]:
    below = below.strip("/")
    if not below:
        return None, ""
    head, _, rest = below.partition("/")
    if head == VERSIONS and not rest:
        return None, VERSIONS  # where MLflow begins if it is given the URI of a version
    name, _, directory = rest.partition("/")
    found = split_version_path(f"{head}/{urllib.parse.unquote(name)}")
    if found is None:
        raise MlflowException.invalid_parameter_value(
            f"The registry URI's path must be /database or /database/{VERSIONS}/<model_id>"
        )
    return found[0], urllib.parse.unquote(directory.strip("/"))


@lru_cache(maxsize=1)
def _keywords() -> tuple[str, ...]:
    return tuple(option.keyword.decode() for option in pq.Conninfo.get_defaults())


def _defaults() -> dict[str, str]:
    return {
        option.keyword.decode(): option.val.decode()
        for option in pq.Conninfo.get_defaults()
        if option.val is not None
    }
