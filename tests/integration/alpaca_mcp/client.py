"""The smallest MCP client: JSON-RPC, one message a line, over the standard streams of a server."""

import itertools
import json
import os
import subprocess
from pathlib import Path
from typing import Any

PROTOCOL = "2025-06-18"
STOP_S_MAX = 10


class ToolError(Exception):
    """What a tool answers when it fails."""


class McpServer:
    """One MCP server process."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        """Start the server and shake hands."""
        self._numbers = itertools.count(1)
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={"PATH": os.environ["PATH"], "HOME": str(log.parent), **environment},
                cwd=log.parent,
            )
        hello = {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}}
        self.info = self._ask("initialize", hello)["serverInfo"]
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def tools(self) -> set[str]:
        """Return the names of all tools."""
        return {tool["name"] for tool in self._ask("tools/list", {})["tools"]}

    def call(self, tool: str, **arguments: Any) -> Any:
        """Return what a tool answers, without the wrapping that tells models not to obey it."""
        answer = self._ask("tools/call", {"name": tool, "arguments": arguments})
        if answer.get("isError"):
            raise ToolError(answer["content"][0]["text"])
        data = answer["structuredContent"]["data"]
        if isinstance(data, dict) and "error" in data:
            raise ToolError(json.dumps(data["error"]))
        return data["result"] if isinstance(data, dict) and data.keys() == {"result"} else data

    def close(self) -> None:
        """End the server by closing its input."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _ask(self, method: str, params: dict[str, Any]) -> Any:
        number = next(self._numbers)
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if message.get("id") == number:
                assert "result" in message, message
                return message["result"]
        raise AssertionError(f"the server ended during {method}")

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()
