"""A session with os-brick, the library that hosts attach volumes with: an export is mounted once, and the path
of a volume is that of its file there. Commands are recorded, not run, because a mount needs root and a server.

    brick.py URL BIN DATA

URL is where Block Storage is served without authentication, with the back end `one` in DATA-one exported as
EXPORT with OPTIONS.
"""

import hashlib
import json
import os
import sys
import time
import urllib.request

from os_brick.initiator import connector

URL, _, DATA = sys.argv[1:4]
EXPORT, OPTIONS = "nfs1.example:/srv/one", "nfsvers=4.2,hard"
SHARE = f"{DATA}-one"
STEPS = 0


def call(method, path, body=None):
    global STEPS
    STEPS += 1
    request = urllib.request.Request(
        f"{URL}/v3/p1{path}", method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "X-Auth-Token": "u1:p1", "Content-Type": "application/json",
            "OpenStack-API-Version": "volume 3.70",
        },
    )
    with urllib.request.urlopen(request) as reply:
        text = reply.read()
    return json.loads(text) if text else None


def volume(volume_type):
    body = {"volume": {"size": 1, "volume_type": volume_type}}
    path = f"/volumes/{call('POST', '/volumes', body)['volume']['id']}"
    until = time.monotonic() + 60
    while True:
        row = call("GET", path)["volume"]
        if row["status"] == "available":
            return row["id"]
        assert row["status"] == "creating" and time.monotonic() < until, row
        time.sleep(0.05)


def attach(info):
    """Attaches by a connection; the path, and the commands for it."""
    commands = []

    def execute(*command, **_):
        commands.append(list(command))
        return "", ""

    kind = info["driver_volume_type"].upper()
    own = connector.InitiatorConnector.factory(kind, "sudo", execute=execute, conn=info)
    path = own.connect_volume(info["data"])["path"]
    own.disconnect_volume(info["data"], {"path": path})
    return path, commands


call("POST", "/types", {"volume_type": {"name": "nfs", "extra_specs": {"storage_protocol": "nfs"}}})
id = volume("nfs")

# By the action.
body = {"os-initialize_connection": {"connector": {"host": "h1"}}}
info = call("POST", f"/volumes/{id}/action", body)["connection_info"]
path, commands = attach(info)
point = os.path.join("/var/lib/statehold/mnt", hashlib.md5(EXPORT.encode()).hexdigest())
assert path == f"{point}/volume-{id}", path
assert commands[0] == ["mkdir", "-p", point], commands
mount = commands[1]
assert mount[:3] == ["mount", "-t", "nfs"] and mount[-4:] == ["-o", OPTIONS, EXPORT, point], commands
assert len(commands) == 2, commands
# The file is in the directory that is exported, and nothing but the volume is in it.
assert os.path.getsize(os.path.join(SHARE, os.path.basename(path))) == 1 << 30

# By an attachment, whose connection compute services sort into `data`.
body = {"attachment": {
    "volume_uuid": id, "instance_uuid": "00000000-0000-4000-8000-000000000001",
    "connector": {"host": "h1"},
}}
flat = call("POST", "/attachments", body)["attachment"]["connection_info"]
outer = {"driver_volume_type", "mount_point_base", "attachment_id"}
sorted_out = {name: flat[name] for name in outer if name in flat}
sorted_out["data"] = {name: value for name, value in flat.items() if name not in outer}
assert attach(sorted_out) == (path, commands)

print(f"os-brick: {STEPS} calls")
