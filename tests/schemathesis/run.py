"""Starts a fresh server, makes one of everything, and has schemathesis hold its answers against its description.

Needs HOOKWRIGHT, the binary. Arguments go to schemathesis.
"""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

SEED = "20260131"
EXAMPLES = "50"
CHECKS = "not_a_server_error,response_schema_conformance,status_code_conformance,negative_data_rejection"


class Server:
    """A server in a folder of its own, and the admin's token."""

    def __init__(self, folder: Path):
        token = folder / "admin-token"
        command = [os.environ["HOOKWRIGHT"], "serve", "--listen", "127.0.0.1:0"]
        command += ["--database", f"sqlite:{folder / 'test.db'}", "--allow-network", "127.0.0.0/8"]
        command += ["--key-file", str(folder / "keys"), "--admin-token-file", str(token)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HOOKWRIGHT_")}
        environment |= {"HOOKWRIGHT_LIMITS_REQUESTS": "0", "HOOKWRIGHT_DELIVERY_RESULT_WAIT_MS": "500"}
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment, cwd=folder)
        self.url = self.process.stdout.readline().decode().removeprefix("listening on ").strip()
        self.token = token.read_text().strip()

    def post(self, path: str, body: dict) -> dict:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/v1{path}", data, headers, method="POST")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return json.load(answer)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=60)


def made(server: Server, number: int) -> dict:
    """One of everything: what stands for the `{id}` below each path."""
    kind = f"try.n{number}"
    webhook = {"url": "http://127.0.0.1:9/", "events": [kind], "name": f"n{number}", "retry": [0]}
    webhook_id = server.post("/webhooks", webhook)["id"]
    event = server.post("/events", {"type": kind, "payload": {"n": number}})
    job = {"status": "failed", "since": "2020-01-01T00:00:00Z"}
    user = {"email": f"n{number}@example.com", "name": "Ada"}
    return {
        "events": event["id"],
        "deliveries": event["deliveries"][0]["id"],
        "webhooks": webhook_id,
        "jobs": server.post("/deliveries/resend", job)["id"],
        "projects": server.post("/projects", {"name": f"n{number}"})["id"],
        "tokens": server.post("/tokens", {"name": "spare", "permissions": ["events:read"]})["id"],
        "users": server.post("/users", user)["id"],
        "roles": server.post("/roles", {"name": f"n{number}", "permissions": ["events:read"]})["name"],
        "schedules": server.post("/schedules", {"cron": "0 9 * * *", "event_type": kind})["id"],
        "event-types": server.post("/event-types", {"name": kind})["name"],
    }


def described(server: Server) -> dict:
    """What the server says of itself, without events as lines: each is answered by itself, and all of them with 200."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{server.url}/api/v1/openapi.json") as answer:
        document = json.load(answer)
    del document["paths"]["/api/v1/events"]["post"]["requestBody"]["content"]["application/x-ndjson"]
    return document


def settings(document: dict, things: dict, others: dict) -> str:
    """What is asked for is about things that there are; what deletes something has things of its own."""
    # Another version than there is would be told (412) before what is wrong with a form that can be read.
    lines = ["[parameters]", '"header.If-Match" = "*"', "", "[generation]", 'database = "none"', ""]
    for path, methods in document["paths"].items():
        words = path.removeprefix("/api/v1/").split("/")
        if len(words) < 2 or words[0] not in things or words[1] not in ("{id}", "{name}"):
            continue
        for method in methods:
            thing = (others if method == "delete" else things)[words[0]]
            lines += ["[[operations]]", f'include-name = "{method.upper()} {path}"']
            lines += [f'parameters = {{ "path.{words[1][1:-1]}" = "{thing}" }}', ""]
    return "\n".join(lines)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="hookwright-schemathesis-") as name:
        folder = Path(name)
        server = Server(folder)
        try:
            document = described(server)
            (folder / "openapi.json").write_text(json.dumps(document))
            configuration = folder / "schemathesis.toml"
            configuration.write_text(settings(document, made(server, 1), made(server, 2)))
            command = [str(Path(sys.executable).with_name("st")), "--config-file", str(configuration), "run"]
            command += [str(folder / "openapi.json"), "--url", server.url, "--header", f"Authorization: Bearer {server.token}"]
            command += ["--checks", CHECKS, "--max-examples", EXAMPLES, "--seed", SEED, "--generation-deterministic"]
            # A stream, which ends after minutes.
            command += ["--exclude-path", "/api/v1/live"]
            command += ["--phases", "examples,coverage,fuzzing", "--workers", "1", "--no-color"]
            environment = os.environ | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
            found = subprocess.run(command + sys.argv[1:], env=environment, cwd=folder).returncode
            if server.process.poll() is not None:
                print(f"the server ended:\n{server.log.read_text()}", file=sys.stderr)
                return 1
        finally:
            ended = server.stop()
        if found or ended:
            print("what the server said:", *server.log.read_text().splitlines()[-20:], sep="\n", file=sys.stderr)
        return found or ended


if __name__ == "__main__":
    sys.exit(main())
