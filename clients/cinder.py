"""A session with the stock `cinder` command line: what people do with it, in the order they do it.

    cinder.py URL BIN

URL is where Block Storage is served without authentication, BIN the folder of `cinder`.
"""

import subprocess
import sys
import time

URL, BIN = sys.argv[1:3]
STEPS = 0


def command(project, *arguments):
    return [
        f"{BIN}/cinder", "--os-auth-type", "noauth", "--os-endpoint", f"{URL}/v3",
        "--os-user-id", "u1", "--os-project-id", project,
        "--os-volume-api-version", "3.70", *map(str, arguments),
    ]


def run(*arguments, project="p1", refused=None):
    """Runs a command; its standard output. With `refused` it has to fail and say that."""
    global STEPS
    STEPS += 1
    done = subprocess.run(command(project, *arguments), capture_output=True, text=True)
    said = done.stdout + done.stderr
    if refused is None:
        assert done.returncode == 0, f"cinder {arguments}: {said}"
    else:
        assert done.returncode != 0 and refused in said, f"cinder {arguments}: {said}"
    return done.stdout


def cells(text):
    """The rows of a table, each a list of cells, without the first, which names the columns."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines][1:]


def made(*arguments, **options):
    """Runs a command that shows properties; their values by name."""
    return {row[0]: row[1] for row in cells(run(*arguments, **options))}


def ids(*arguments, **options):
    return [row[0] for row in cells(run(*arguments, **options))]


def wait(show, name, status, **options):
    """Waits until something has a status; `gone` is no more to be found."""
    until = time.monotonic() + 60
    while True:
        done = subprocess.run(
            command(options.get("project", "p1"), show, name), capture_output=True, text=True
        )
        row = {cell[0]: cell[1] for cell in cells(done.stdout)}
        own = "gone" if done.returncode else row["status"]
        if own == status:
            return row
        assert time.monotonic() < until, f"{name} is {own}, not {status}: {done.stderr}"


def volume(*arguments, **options):
    return wait("show", made("create", *arguments, **options)["id"], "available", **options)


# Types, with what they demand of back ends.
run("type-create", "fast", "--description", "one back end")
run("type-key", "fast", "set", "volume_backend_name=one")
run("type-create", "slow")
run("type-key", "slow", "set", "volume_backend_name=two")
assert "volume_backend_name" in run("extra-specs-list")
assert len(ids("type-list")) == 3

# Volumes with metadata; lists, filters, pages.
home = volume("--name", "home", "--metadata", "tier=gold", "--volume-type", "fast", "1")
assert home["volume_type"] == "fast" and home["os-vol-host-attr:host"].endswith("@one#one"), home
for number in range(4):
    volume("--name", f"disk-{number}", "1")
run("metadata", "home", "set", "owner=ops")
assert "owner : ops" in run("show", "home"), "metadata"
assert ids("list", "--metadata", "tier=gold") == [home["id"]]
assert ids("list", "--name", "disk-2") != [] and len(ids("list", "--filters", "name~=disk")) == 4
page = ids("list", "--sort", "name:asc", "--limit", "2")
rest = ids("list", "--sort", "name:asc", "--marker", page[-1])
assert len(page) == 2 and len(rest) == 3 and not set(page) & set(rest), (page, rest)
assert "5" in run("list", "--with-count")
run("rename", "disk-0", "disk-zero", "--description", "renamed")

# Larger; snapshots; copies; back to a snapshot.
run("extend", "home", "2")
assert wait("show", "home", "available")["size"] == "2"
run("extend", "home", "1", refused="must be greater than current size")
run("snapshot-create", "--name", "before", "home")
wait("snapshot-show", "before", "available")
assert len(ids("snapshot-list", "--volume-id", home["id"])) == 1
before = wait("snapshot-show", "before", "available")["id"]
copy = volume("--name", "copy", "--snapshot-id", before, "2")
assert copy["snapshot_id"] == before
clone = volume("--name", "clone", "--source-volid", home["id"], "2")
assert clone["source_volid"] == home["id"]
run("revert-to-snapshot", "before")
wait("show", "home", "available")
run("delete", "home", refused="have snapshots")

# Who uses a volume.
instance = "00000000-0000-4000-8000-000000000001"
text = run("attachment-create", "copy", instance)
attachment = ids("attachment-list")[0]
wait("show", "copy", "reserved")
run("attachment-update", attachment, "--host", "h1", "--initiator", "iqn.1", "--ip", "10.0.0.1",
    "--mountpoint", "/dev/vdb")
run("attachment-complete", attachment)
wait("show", "copy", "in-use")
run("attachment-show", attachment)
run("delete", "copy", refused="attached")
run("attachment-delete", attachment)
wait("show", "copy", "available")

# To another project, which knows the key.
offer = made("transfer-create", "clone")
assert len(ids("transfer-list")) == 1
run("transfer-accept", offer["id"], "0123456789abcdef", project="p2", refused="Invalid auth key")
run("transfer-accept", offer["id"], offer["auth_key"], project="p2")
assert ids("list", project="p2") == [clone["id"]]

# Another type: the volume moves to the other back end.
run("retype", "--migration-policy", "on-demand", "copy", "slow")
moved = wait("show", "copy", "available")
assert moved["volume_type"] == "slow" and moved["os-vol-host-attr:host"].endswith("@two#two"), moved

# Groups.
run("group-type-create", "consistent")
run("group-type-key", "consistent", "set", "consistent_group_snapshot_enabled=<is> True")
run("group-create", "--name", "g", "consistent", "fast")
wait("group-show", "g", "available")
member = volume("--name", "member", "--volume-type", "fast", "--group-id",
                wait("group-show", "g", "available")["id"], "1")
assert ids("group-list") != []
run("group-snapshot-create", "--name", "gs", "g")
wait("group-snapshot-show", "gs", "available")
run("group-create-from-src", "--group-snapshot", "gs", "--name", "g2")
wait("group-show", "g2", "available")
run("group-snapshot-delete", "gs")
wait("group-snapshot-show", "gs", "gone")
for group in ["g", "g2"]:
    run("group-delete", "--delete-volumes", group)
    wait("group-show", group, "gone")
run("group-type-delete", "consistent")

# Backups, whole and of changes, and back.
run("backup-create", "--name", "b1", "home")
whole = wait("backup-show", "b1", "available")
run("backup-create", "--name", "b2", "--incremental", "home")
changes = wait("backup-show", "b2", "available")
assert whole["is_incremental"] == "False" and changes["is_incremental"] == "True"
assert len(ids("backup-list")) == 2
run("backup-restore", "b2", "--name", "restored")
wait("show", "restored", "available")
run("backup-restore", "b1", "--volume", home["id"])
wait("show", "home", "available")
run("backup-delete", "b1", refused="Incremental backups exist")
for backup in ["b2", "b1"]:
    wait("backup-show", backup, "available")
    run("backup-delete", backup)
    wait("backup-show", backup, "gone")

# QoS.
qos = made("qos-create", "limited", "consumer=back-end", "read_iops=100")["id"]
fast = [row[0] for row in cells(run("type-list")) if row[1] == "fast"][0]
run("qos-associate", qos, fast)
assert "fast" in run("qos-get-association", qos)
run("qos-key", qos, "set", "write_iops=50")
run("qos-disassociate", qos, fast)
run("qos-delete", qos)

# Quotas and limits.
assert made("quota-show", "p1")["volumes"] == "10"
run("quota-update", "p1", "--volumes", "8")
assert made("quota-show", "p1")["volumes"] == "8"
run("quota-usage", "p1")
volume("--name", "last", "1")
run("create", "--name", "one-too-many", "1", refused="Maximum number of volumes allowed")
run("quota-delete", "p1")
assert "totalVolumesUsed" in run("absolute-limits")

# What operators look at.
assert "cinder-volume" in run("service-list")
assert "@one#one" in run("get-pools")
run("availability-zone-list")
run("api-version")
run("reset-state", "--state", "error", "last")
wait("show", "last", "error")
run("message-list")

# Away with it.
run("snapshot-delete", "before")
wait("snapshot-show", "before", "gone")
for name in [row[0] for row in cells(run("list"))]:
    run("delete", name)
    wait("show", name, "gone")
run("delete", clone["id"], project="p2")
wait("show", clone["id"], "gone", project="p2")
for kind in ["fast", "slow"]:
    run("type-delete", kind)
assert ids("list", "--all-tenants") == []
print(f"cinder: {STEPS} commands did what they say")
