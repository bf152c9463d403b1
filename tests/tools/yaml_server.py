"""A client of the real yaml-language-server, over stdio."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

PACKAGE = "yaml-language-server@1.25.0"
CACHE = Path(tempfile.gettempdir()) / "specfmt-yaml-language-server-1.25.0"


def server_script() -> Path | None:
    """The installed server, installing it by npm first; None where npm is missing.

    Raises:
        subprocess.CalledProcessError: npm is there and failed.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        return None
    script = CACHE / "node_modules/yaml-language-server/bin/yaml-language-server"
    if not script.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(CACHE), PACKAGE]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    return script


class YamlServer:
    """One server process, asked about documents as an editor would."""

    def __init__(self, script: Path, schema: Path) -> None:
        self.schema = schema
        self.process = subprocess.Popen(
            ["node", str(script), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.number = 0
        self.documents = 0
        self.diagnostics: dict[str, list[dict[str, Any]]] = {}
        capabilities = {"textDocument": {"completion": {"completionItem": {}}}}
        self.request(
            "initialize", {"processId": None, "rootUri": None, "capabilities": capabilities}
        )
        self.send({"method": "initialized", "params": {}})

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        stream = self.process.stdout
        assert stream is not None
        length = 0
        while line := stream.readline().strip():
            if match := re.match(rb"Content-Length: (\d+)", line):
                length = int(match[1])
        assert length, "the server has ended"
        message: dict[str, Any] = json.loads(stream.read(length))
        if message.get("method") == "textDocument/publishDiagnostics":
            self.diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "method" in message and "id" in message:  # the server asks; nothing is configured
            items = message.get("params", {}).get("items", [])
            self.send({"id": message["id"], "result": [None] * len(items) if items else None})
        return message

    def request(self, method: str, params: dict[str, Any]) -> Any:
        self.number += 1
        number = self.number
        self.send({"id": number, "method": method, "params": params})
        while True:
            message = self.receive()
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def open(self, text: str) -> str:
        """Open a document (with the schema's mode line before it); its URI."""
        self.documents += 1
        uri = f"file:///tmp/document_{self.documents}.yaml"
        text = f"# yaml-language-server: $schema={self.schema}\n{text}"
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        return uri

    def problems(self, text: str) -> list[str]:
        """The messages about a document."""
        uri = self.open(text)
        while uri not in self.diagnostics:
            self.receive()
        return [item["message"] for item in self.diagnostics[uri]]

    def complete(self, text: str) -> list[dict[str, Any]]:
        """What is offered at the mark ``|``."""
        result = self._at_mark("textDocument/completion", text)
        return list(result["items"] if isinstance(result, dict) else result)

    def hover(self, text: str) -> str:
        """The text that is shown at the mark ``|``."""
        result = self._at_mark("textDocument/hover", text)
        return str(result["contents"]["value"]) if result else ""

    def _at_mark(self, method: str, text: str) -> Any:
        before = text[: text.index("|")]
        uri = self.open(text.replace("|", "", 1))
        position = {
            "line": before.count("\n") + 1,  # the mode line comes first
            "character": len(before) - before.rfind("\n") - 1,
        }
        return self.request(method, {"textDocument": {"uri": uri}, "position": position})
