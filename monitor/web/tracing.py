"""One span a request, when traces are on: named by its route, never by what the address holds."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.sight import traces

_FAULT = 500


class Traced:
    """A request joins the trace of whoever sent it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not traces.are_on():
            await self._app(scope, receive, send)
            return
        answered = _FAULT

        async def sent(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = message["status"]
            await send(message)

        headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in scope["headers"]}
        with traces.request_span(scope["method"], headers) as span:
            try:
                await self._app(scope, receive, sent)
            finally:
                route = getattr(scope.get("route"), "path", "")
                span.update_name(f"{scope['method']} {route}".rstrip())
                told = {"http.request.method": scope["method"], "http.route": route}
                span.set_attributes({**told, "http.response.status_code": answered})
