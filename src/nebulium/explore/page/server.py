"""The page behind an address of this machine."""

import html
import logging
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dash import Dash, set_props
from flask import Response
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server, select_address_family

from nebulium.errors import NebuliumError
from nebulium.explore.page.callbacks import register
from nebulium.explore.page.explored import MAP, Explored
from nebulium.explore.page.layout import page
from nebulium.explore.page.state import default_state
from nebulium.explore.page.views import choices_of, labels_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ASSETS = Path(__file__).parent / "assets"
#: How long an answer waits for its turn: most views are drawn in less.
LONGEST_WAIT_S = 0.05
LOOPBACK = ("127.0.0.1", "localhost", "::1")
#: plotly compiles its WebGL programs in the browser, hence unsafe-eval; nothing comes from elsewhere.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval' {hashes}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)

_log = logging.getLogger(__name__)


def make_app(explored: Explored) -> Dash:
    """The page as a Dash application; it keeps nothing of its visitors.

    Parameters
    ----------
    explored : Explored
        The galaxies.

    Returns
    -------
    Dash
        Its `server` is a WSGI application.

    Examples
    --------
    >>> import numpy as np
    >>> from nebulium.explore.sample.galaxies import Galaxies
    >>> galaxies = Galaxies("mine.parquet", np.array(["7", "8"]), {"redshift": np.array([0.1, 0.2])})
    >>> make_app(Explored(galaxies, None)).title
    'nebulium: mine.parquet'
    """
    app = new_application(explored.galaxies.name)
    choices, galaxies = choices_of(explored), explored.galaxies
    app.layout = page(
        galaxies.name,
        len(galaxies),
        choices,
        default_state(choices),
        labels_of(),
        (*galaxies.notes, *explored.notes),
        has_images=explored.pictures is not None,
    )
    register(app, explored, choices)
    # The first visitor's first click would wait for it.
    explored.finder(MAP, "")
    guard(app)
    return app


def new_application(name: str, *, prevent_initial_callbacks: bool = True, assets_ignore: str = "") -> Dash:
    """A page without layout and answers, in the look of all."""
    return Dash(
        "nebulium.explore",
        # The title is the one text that Dash writes into the document as it is.
        title=html.escape(f"nebulium: {name}"),
        update_title="",
        assets_folder=str(ASSETS),
        assets_ignore=assets_ignore,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
        add_log_handler=False,
        prevent_initial_callbacks=prevent_initial_callbacks,
        on_error=_report_error,
    )


def guard(app: Dash) -> None:
    """Let nothing from elsewhere into a page that is complete."""
    app.index_string = app.index_string.replace("<html>", '<html lang="en">')
    policy = POLICY.format(hashes=" ".join(app.csp_hashes()))

    @app.server.after_request
    def guarded(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response


def open_server(app: Dash, *, host: str = "127.0.0.1", port: int = 8050) -> BaseWSGIServer:
    """Take a port and get ready to serve; `serve_forever` of what is returned does it."""
    family = select_address_family(host, port)
    try:
        listening = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        where = f"port {port} of {host}"
        mend = (
            "choose another with --port, or 0 for any that is free; --host names an address of this machine"
        )
        raise NebuliumError(where, f"cannot be listened on ({error})", mend) from error
    if host in LOOPBACK:
        # Another site cannot reach the page by a name of its own that points to this machine.
        app.server.config["TRUSTED_HOSTS"] = list(LOOPBACK)
    with listening:
        return make_server(
            host, port, InTurn(app.server), threaded=True, request_handler=_Handler, fd=listening.fileno()
        )


def serve(
    app: Dash,
    *,
    host: str = "127.0.0.1",
    port: int = 8050,
    open_browser: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Serve the page until Ctrl-C or SIGTERM, which both end it in order.

    Parameters
    ----------
    app : Dash
        From `make_app`.
    host : str
        Address of this machine; with the default, nobody else can reach the page.
    port : int
        0 takes any that is free.
    open_browser : bool
        Whether to show the page.
    say : callable of str
        Takes the address, and a line at the end.

    Raises
    ------
    NebuliumError
        The port is taken, or the host is not an address of this machine.

    Examples
    --------
    >>> serve(make_app(explore("galaxies.parquet")), port=0, say=print)  # doctest: +SKIP
    http://127.0.0.1:40123/ shows the galaxies; Ctrl-C ends it
    """
    server = open_server(app, host=host, port=port)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{server.socket.getsockname()[1]}/"
    with _ended_by_signals():
        say(f"{address} shows the galaxies; Ctrl-C ends it")
        if open_browser:
            threading.Timer(0.3, webbrowser.open, [address]).start()
        server.serve_forever()
    say("Ended.")


class InTurn:
    """One answer after the other, unless one takes long.

    A click asks for several views at once: the first is there sooner if it need not share the interpreter.

    Parameters
    ----------
    application : WSGI application
        That answers.
    """

    def __init__(self, application: "WSGIApplication"):
        self._application = application
        self._turn = threading.Lock()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer, once the others have or have taken too long."""
        has_turn = self._turn.acquire(timeout=LONGEST_WAIT_S)
        try:
            return self._application(environ, start_response)
        finally:
            if has_turn:
                self._turn.release()


class _Handler(WSGIRequestHandler):
    """Connections stay open, answers leave at once, and requests are not logged."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, *_: Any) -> None:
        """Requests are not logged."""


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM does what Ctrl-C does, which `serve_forever` takes as its end."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


def _report_error(error: Exception) -> None:
    """Report a fault in one view: the page stays as it is, and the terminal gets the traceback."""
    _log.error("A view could not be drawn.", exc_info=error)
    set_props("message", {"data": {"text": "Something went wrong there; see the terminal."}})
