"""``scalecurve view``: the report in a browser, live while the run goes on."""

from __future__ import annotations

from typing import Annotated

import typer

from scalecurve.cli._app import app
from scalecurve.cli._options import Runs


@app.command()
def view(
    runs: Runs,
    port: Annotated[int, typer.Option(help="Port on this machine; a free one when not given.")] = 0,
    lang: Annotated[str, typer.Option(help="Language of the words: en or zh.")] = "en",
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = True,
) -> None:
    """Serve the report to this machine only, with every example; it follows a run while it goes on."""
    import webbrowser

    from scalecurve.report.server import HOST, serve

    server, shown = serve(runs, port=port, lang=lang)
    address = f"http://{HOST}:{server.server_address[1]}/"
    print(f"{address}  (Ctrl-C stops)", flush=True)
    if open_browser:
        webbrowser.open(address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        shown.close()
