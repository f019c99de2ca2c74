"""A session with openstacksdk: what programs do with it.

    sdk.py URL

URL is where Block Storage is served without authentication.
"""

import sys

import openstack

URL = sys.argv[1]


def connect(project):
    """The token is whom the server takes the caller for."""
    token = {"endpoint": f"{URL}/v3/{project}", "token": f"u1:{project}"}
    connection = openstack.connect(
        load_yaml_config=False, load_envvars=False, auth_type="admin_token", auth=token
    )
    return connection.block_storage


cloud, other = connect("p1"), connect("p2")


def ready(row, status="available"):
    row = row.fetch(cloud)
    return cloud.wait_for_status(row, status=status, failures=["error"], interval=0.05, wait=60)


def gone(row):
    cloud.wait_for_delete(row, interval=0.05, wait=60)


def refused(call, text):
    try:
        call()
    except openstack.exceptions.HttpException as error:
        assert text in str(error), error
    else:
        raise AssertionError(f"not refused: {text}")


# Types.
fast = cloud.create_type(name="fast", extra_specs={"volume_backend_name": "one"})
slow = cloud.create_type(name="slow")
cloud.update_type_extra_specs(slow, volume_backend_name="two")
assert {row.name for row in cloud.types()} == {"fast", "slow", "__DEFAULT__"}
assert cloud.find_type("fast").id == fast.id

# Volumes with metadata; lists, filters, pages.
home = ready(cloud.create_volume(name="home", size=1, volume_type="fast", metadata={"tier": "gold"}))
assert home.host.endswith("@one#one"), home.host
for number in range(4):
    ready(cloud.create_volume(name=f"disk-{number}", size=1))
cloud.set_volume_metadata(home, owner="ops")
assert cloud.get_volume(home).metadata == {"tier": "gold", "owner": "ops"}
assert [row.id for row in cloud.volumes(properties="{'tier': 'gold'}")] == [home.id]
assert [row.name for row in cloud.volumes(name="disk-2")] == ["disk-2"]
# Pages of two are followed to the end.
assert sum(1 for _ in cloud.volumes(limit=2)) == 5
assert sum(1 for _ in cloud.volumes(details=False)) == 5
cloud.update_volume(home, description="where the heart is")

# Larger; snapshots; copies; back to a snapshot.
cloud.extend_volume(home, 2)
home = ready(home)
assert home.size == 2
snapshot = ready(cloud.create_snapshot(volume_id=home.id, name="before"))
copy = ready(cloud.create_volume(name="copy", snapshot_id=snapshot.id, size=2))
clone = ready(cloud.create_volume(name="clone", source_volume_id=home.id, size=2))
cloud.revert_volume_to_snapshot(home, snapshot)
home = ready(home)
assert [row.id for row in cloud.snapshots(volume_id=home.id)] == [snapshot.id]
refused(lambda: cloud.delete_volume(home), "have snapshots")

# Who uses a volume.
instance = "00000000-0000-4000-8000-000000000001"
attachment = cloud.create_attachment(copy.id, connector=None, instance=instance)
assert cloud.get_volume(copy).status == "reserved"
cloud.update_attachment(attachment, connector={"host": "h1", "ip": "10.0.0.1"})
cloud.complete_attachment(attachment)
copy = ready(copy, "in-use")
assert [row.id for row in cloud.attachments()] == [attachment.id]
refused(lambda: cloud.delete_volume(copy), "attached")
cloud.delete_attachment(attachment)
copy = ready(copy)

# To another project, which knows the key.
offer = cloud.create_transfer(volume_id=clone.id, name="gift")
refused(lambda: other.accept_transfer(offer.id, "0123456789abcdef"), "Invalid auth key")
other.accept_transfer(offer.id, offer.auth_key)
assert [row.id for row in other.volumes()] == [clone.id]

# Another type: the volume moves to the other back end.
cloud.retype_volume(copy, "slow", "on-demand")
copy = ready(copy)
assert copy.volume_type == "slow" and copy.host.endswith("@two#two"), copy.host

# Groups.
consistent = cloud.create_group_type(name="consistent")
cloud.create_group_type_group_specs(
    consistent, {"consistent_group_snapshot_enabled": "<is> True"}
)
group = ready(cloud.create_group(name="g", group_type=consistent.id, volume_types=[fast.id]))
member = ready(cloud.create_volume(name="member", size=1, volume_type="fast", group_id=group.id))
of_group = ready(cloud.create_group_snapshot(name="gs", group_id=group.id))
second = cloud.create_group_from_source(
    group_snapshot_id=of_group.id, source_group_id=None, name="g2"
)
second = ready(second)
cloud.delete_group_snapshot(of_group)
gone(of_group)
for row in [group, second]:
    cloud.delete_group(row, delete_volumes=True)
    gone(row)
cloud.delete_group_type(consistent)

# Backups, whole and of changes, and back.
whole = cloud.create_backup(volume_id=home.id, name="b1")
whole = ready(whole)
changes = cloud.create_backup(volume_id=home.id, name="b2", is_incremental=True)
changes = ready(changes)
assert changes.is_incremental and not whole.is_incremental
restored = cloud.restore_backup(changes, name="restored")
ready(cloud.get_volume(restored.volume_id))
cloud.restore_backup(whole, volume_id=home.id)
home = ready(home)
refused(lambda: cloud.delete_backup(whole), "Incremental backups exist")
for row in [changes, whole]:
    ready(row)
    cloud.delete_backup(row)
    gone(row)

# QoS.
qos = cloud.post("/qos-specs", json={"qos_specs": {"name": "limited", "read_iops": "100"}})
qos = qos.json()["qos_specs"]["id"]
assert cloud.get(f"/qos-specs/{qos}/associate?vol_type_id={fast.id}").status_code == 202
assert cloud.delete(f"/qos-specs/{qos}?force=True").status_code == 202

# Quotas and limits.
cloud.update_quota_set("p1", volumes=8)
assert cloud.get_quota_set("p1").volumes == 8
last = ready(cloud.create_volume(name="last", size=1))
refused(lambda: cloud.create_volume(size=1), "Maximum number of volumes allowed")
cloud.revert_quota_set("p1")
assert cloud.get_quota_set("p1", usage=True).usage["volumes"] == 8
assert cloud.get_limits().absolute.total_volumes_used == 8

# What operators look at.
assert {row.binary for row in cloud.services()} >= {"cinder-volume"}
assert {row.name.split("@")[1] for row in cloud.backend_pools()} == {"one#one", "two#two"}
assert [row.name for row in cloud.availability_zones()] == ["nova"]
cloud.reset_volume_status(last, status="error")

# Away with it.
cloud.delete_snapshot(snapshot)
gone(snapshot)
for row in list(cloud.volumes()):
    cloud.delete_volume(row)
    gone(row)
other.delete_volume(clone.id)
other.wait_for_delete(clone, interval=0.05, wait=60)
for row in [fast, slow]:
    cloud.delete_type(row)
assert list(cloud.volumes(all_projects=True)) == []
print("openstacksdk: every step did what it says")
