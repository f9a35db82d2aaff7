"""LiveModel: the model in service, replaced in the background when another version goes live."""

from __future__ import annotations

import atexit
import dataclasses
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from psycopg.conninfo import make_conninfo

from modelreg.errors import NotFoundError
from modelreg.follower import Backoff, connection_settings
from modelreg.types import DeploymentStage, ModelVersion, Trust
from modelreg.watching import Watch, watch

if TYPE_CHECKING:
    from modelreg.registry import ModelRegistry

logger = logging.getLogger("modelreg")

# Seconds after which a load that failed is tried again, if no event comes before: doubled between
# these two.
RETRY_FIRST = 1.0
RETRY_MOST = 60.0


class LiveModel:
    """Holds the model that is live, and exchanges it when another version goes live.

        with registry.live_model("theft") as live:
            live.model.predict(data)

    The first load happens in the constructor, which raises if it fails. If nothing is live yet,
    `model` raises NotFoundError until something is; `wait_for()` waits for it. From then on a
    thread watches (see watch()). A new version is loaded and verified beside the old one, which is
    in service until the new one takes its place in one step: who needs model and version of the
    same moment takes `current`. A load that fails leaves the old one in service, is logged and
    reported to `on_error`, and tried again: at the next event, or after a while. If the version is
    withdrawn and no other goes live, it stays in service.

    load(registry, version)     makes the model, where load_model(model_id, trusted=…) would not do:
                                of a directory of files, with another serializer …
    on_reload(model, version)   called by the thread after each exchange, the first load excluded
    on_error(version, error)    called by the thread for what failed; version None: the watch
                                itself, which goes on all the same

    Both callbacks may take their time, and delay nothing but the next exchange. Use it as a context
    manager, or call close(). A process that was forked has a thread of its own from its first use
    of the model on.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        model_name: str,
        stage: DeploymentStage | str | None = DeploymentStage.PRODUCTION,
        *,
        alias: str | None = None,
        poll: float | None = None,
        trusted: Trust | None = None,
        load: Callable[[ModelRegistry, ModelVersion], Any] | None = None,
        on_reload: Callable[[Any, ModelVersion], object] | None = None,
        on_error: Callable[[ModelVersion | None, Exception], object] | None = None,
    ) -> None:
        # A registry of its own: a load must not wait for the caller's, or be in its transaction.
        self._dsn = make_conninfo(**connection_settings(registry.source))
        self._config = dataclasses.replace(
            registry.config, registry_root=None, prepared=registry.prepared
        )
        self._model_name = model_name
        self._stage = stage
        self._alias = alias
        self._poll = poll
        self._trusted = trusted
        self._load_function = load
        self._on_reload = on_reload
        self._on_error = on_error
        self._current: tuple[Any, ModelVersion] | None = None
        self._error: Exception | None = None
        self._closed = False
        self._reset()
        with self._new_watch(timeout=0.0) as once:
            for version in once:
                self._current = (self._load(version), version)
        self._revive()
        _all.add(self)
        atexit.register(self.close)

    @property
    def current(self) -> tuple[Any, ModelVersion]:
        """The model in service and its version. Raises NotFoundError as long as there was none."""
        self._revive()
        current = self._current
        if current is None:
            where = f"alias {self._alias}" if self._alias is not None else f"{self._stage}"
            raise NotFoundError(f'no version of model "{self._model_name}" is live ({where})')
        return current

    @property
    def model(self) -> Any:
        """The model in service."""
        return self.current[0]

    @property
    def version(self) -> ModelVersion:
        """The version in service."""
        return self.current[1]

    metadata = version

    @property
    def error(self) -> Exception | None:
        """What went wrong last; None if the last thing tried succeeded."""
        return self._error

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """Call `predict` of the model in service."""
        return self.model.predict(*args, **kwargs)

    def wait_for(
        self, version: ModelVersion | str | None = None, timeout: float | None = None
    ) -> ModelVersion:
        """Wait until a version is in service, and return it.

        `version` is a ModelVersion, a model_id or a semantic version; None: any. Raises
        TimeoutError after `timeout` seconds, from the last failure if there was one.
        """
        self._revive()
        wanted = version.model_id if isinstance(version, ModelVersion) else version
        ends = None if timeout is None else time.monotonic() + timeout

        def there() -> bool:
            if self._current is None:
                return False
            serving = self._current[1]
            return wanted is None or wanted in (serving.model_id, serving.version)

        with self._changed:
            while not there():
                left = None if ends is None else ends - time.monotonic()
                if self._closed or (left is not None and left <= 0):
                    raise TimeoutError(
                        f'{wanted or "a version"} of model "{self._model_name}" is not in service'
                    ) from self._error
                self._changed.wait(left)
            return self.version

    def close(self) -> None:
        """End the thread. The model stays usable."""
        self._closed = True
        atexit.unregister(self.close)
        with self._changed:
            self._changed.notify_all()
        watching, thread = self._watch, self._thread
        if watching is not None:
            watching.close()
        self._stop.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def __enter__(self) -> LiveModel:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _new_watch(self, timeout: float | None = None) -> Watch:
        return watch(
            self._model_name,
            self._stage,
            alias=self._alias,
            source=self._dsn,
            listen_dsn=self._config.listen_dsn,
            poll=self._poll,
            timeout=timeout,
        )

    def _reset(self) -> None:
        """Begin without a thread: in the constructor, and in a forked process.

        There, locks may be held for ever by threads that do not exist.
        """
        from modelreg.registry import ModelRegistry

        self._registry = ModelRegistry(self._dsn, self._config)
        self._guard = threading.Lock()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._watch: Watch | None = None
        self._thread: threading.Thread | None = None

    def _revive(self) -> None:
        """Start the thread if there is none, as after a fork."""
        if self._thread is not None or self._closed:
            return
        with self._guard:
            if self._thread is None:
                thread = threading.Thread(
                    target=self._run, name=f"modelreg live {self._model_name}", daemon=True
                )
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        broken = Backoff(RETRY_FIRST, RETRY_MOST)
        while not self._closed:
            try:
                with self._new_watch() as watching:
                    self._watch = watching
                    self._serve(watching, broken)
            except Exception as error:
                # What the watch could not mend itself: rights withdrawn, the extension dropped …
                self._failed(None, error)
            self._stop.wait(broken.next())

    def _serve(self, watching: Watch, broken: Backoff) -> None:
        """Exchange the model for each version that comes, until the watch is closed."""
        retry = Backoff(RETRY_FIRST, RETRY_MOST)
        if self._closed:
            return
        for version in watching:
            broken.reset()
            if self._current is not None and self._current[1].model_id == version.model_id:
                self._error = None
                continue
            try:
                model = self._load(version)
            except Exception as error:
                self._failed(version, error)
                watching.repeat_within(retry.next())
                continue
            retry.reset()
            with self._changed:
                self._current = (model, version)
                self._error = None
                self._changed.notify_all()
            logger.info("%s is in service", version.model_id)
            if self._on_reload is not None:
                self._call(self._on_reload, model, version)

    def _load(self, version: ModelVersion) -> Any:
        try:
            if self._load_function is not None:
                return self._load_function(self._registry, version)
            return self._registry.load_model(
                version.model_id, verify_checksum=True, trusted=self._trusted
            )
        finally:
            self._registry.close()  # until the next time, which may be in a year

    def _failed(self, version: ModelVersion | None, error: Exception) -> None:
        self._error = error
        if version is None:
            logger.warning("watch of %s failed: %s", self._model_name, error)
        else:
            logger.warning("%s cannot be loaded: %s", version.model_id, error)
        if self._on_error is not None:
            self._call(self._on_error, version, error)

    def _call(self, callback: Callable[..., object], *args: object) -> None:
        """Call a callback. If it fails, the thread has to go on all the same."""
        try:
            callback(*args)
        except Exception:
            logger.exception("a callback of the live model %s failed", self._model_name)


_all: weakref.WeakSet[LiveModel] = weakref.WeakSet()


def _after_fork() -> None:
    for live in list(_all):
        live._reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
