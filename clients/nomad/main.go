// A session with Nomad's Go client: every call of its volumes, plugins, nodes, namespaces, status and
// agent, with blocking, paging and errors.
//
//	nomad URL
//
// URL is where a server with the storage provider "disks" serves Nomad's API without ACLs. Ends with 0
// when every answer is the expected one.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
	"github.com/hashicorp/nomad/api/contexts"
)

const (
	node       = "fb2170a8-257d-3c64-b14d-bc06cc94e34c"
	otherNode  = "0c9de5b0-6e0d-4c2f-8d3b-2b7a3f5e9d22"
	allocation = "a8198d79-cfdb-6593-a999-1e9adabcba2e"
	// Longer than any change takes to wake a reader.
	patience = 30 * time.Second
)

type object = map[string]any

// A session, and how many of its checks went well.
type session struct {
	*api.Client
	section string
	passed  int
}

func (s *session) begin(section string) {
	s.section = section
	fmt.Println("--", section)
}

// Ends the program unless the condition holds.
func (s *session) check(holds bool, format string, args ...any) {
	if !holds {
		fmt.Printf("%s: %s\n", s.section, fmt.Sprintf(format, args...))
		os.Exit(1)
	}
	s.passed++
}

func (s *session) ok(err error, call string) {
	s.check(err == nil, "%s: %v", call, err)
}

// Checks that a call failed with a status and a text.
func (s *session) refused(err error, status int, text, call string) {
	var unexpected api.UnexpectedResponseError
	s.check(errors.As(err, &unexpected), "%s: %v is no refusal", call, err)
	s.check(unexpected.StatusCode() == status, "%s: %v, not %d", call, err, status)
	s.check(text == "" || contains(unexpected.Body(), text), "%s: %q is not in %v", call, text, err)
}

func contains(text, part string) bool {
	for at := 0; at+len(part) <= len(text); at++ {
		if text[at:at+len(part)] == part {
			return true
		}
	}
	return false
}

func (s *session) meta(meta *api.QueryMeta, call string) {
	s.check(meta.LastIndex >= 1 && meta.KnownLeader, "%s: %+v", call, meta)
}

// Puts a row as an orchestrator does.
func (s *session) feed(path string, body object) {
	_, err := s.Raw().Write("/statehold/v1/"+path, body, nil, nil)
	s.ok(err, "feed "+path)
}

// Waits in a read until a write wakes it. `read` returns the index and whether it has seen the change.
func (s *session) wakes(call string, read func(*api.QueryOptions) (uint64, bool, error), write func()) {
	index, seen, err := read(nil)
	s.ok(err, call)
	s.check(!seen, "%s: the change is there before it", call)
	type answer struct {
		index uint64
		seen  bool
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		index, seen, err := read(&api.QueryOptions{WaitIndex: index, WaitTime: patience})
		answers <- answer{index, seen, err}
	}()
	write()
	found := <-answers
	s.ok(found.err, call)
	s.check(found.seen && found.index > index, "%s: woken at %d after %d without the change", call, found.index, index)
}

func main() {
	client, err := api.NewClient(&api.Config{Address: os.Args[1]})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	s := &session{Client: client}
	s.statusAndAgent()
	s.namespaces()
	s.nodes()
	s.plugins()
	s.csiVolumes()
	s.providedVolumes()
	s.hostVolumes()
	s.workloads()
	s.searches()
	s.operator()
	fmt.Printf("%d passed, 0 failed\n", s.passed)
}

func (s *session) statusAndAgent() {
	s.begin("status, regions and agent")
	leader, err := s.Status().Leader()
	s.ok(err, "Leader")
	s.check("http://"+leader == s.Address(), "Leader: %s", leader)
	of, err := s.Status().RegionLeader("global")
	s.ok(err, "RegionLeader")
	s.check(of == leader, "RegionLeader: %s", of)
	_, err = s.Status().RegionLeader("mars")
	s.refused(err, 500, "No path to region", "RegionLeader")
	peers, err := s.Status().Peers()
	s.ok(err, "Peers")
	s.check(slices.Equal(peers, []string{leader}), "Peers: %v", peers)
	regions, err := s.Regions().List()
	s.ok(err, "Regions")
	s.check(slices.Equal(regions, []string{"global"}), "Regions: %v", regions)

	self, err := s.Agent().Self()
	s.ok(err, "Self")
	version := self.Config["Version"].(object)["Version"].(string)
	s.check(version != "" && self.Member.Status == "alive", "Self: %+v", self)
	s.check(self.Stats["nomad"]["leader_addr"] == leader, "Self: %+v", self.Stats)
	name, err := s.Agent().NodeName()
	s.ok(err, "NodeName")
	datacenter, err := s.Agent().Datacenter()
	s.ok(err, "Datacenter")
	region, err := s.Agent().Region()
	s.ok(err, "Region")
	s.check(name != "" && datacenter == "dc1" && region == "global", "%s %s %s", name, datacenter, region)
	members, err := s.Agent().Members()
	s.ok(err, "Members")
	s.check(len(members.Members) == 1 && members.Members[0].Tags["build"] == version, "%+v", members)
	servers, err := s.Agent().Servers()
	s.ok(err, "Servers")
	s.check(slices.Equal(servers, []string{leader}), "Servers: %v", servers)
	health, err := s.Agent().Health()
	s.ok(err, "Health")
	s.check(health.Server.Ok && health.Client.Ok, "Health: %+v", health)
}

func (s *session) namespaces() {
	s.begin("namespaces")
	all := s.Namespaces()
	written := &api.Namespace{
		Name:        "team",
		Description: "A team",
		Meta:        map[string]string{"owner": "storage"},
		Capabilities: &api.NamespaceCapabilities{
			EnabledTaskDrivers: []string{"docker"}, DisabledNetworkModes: []string{"host"},
		},
		NodePoolConfiguration: &api.NamespaceNodePoolConfiguration{
			Default: "default", Allowed: []string{"default", "prod"},
		},
	}
	s.wakes("List", func(q *api.QueryOptions) (uint64, bool, error) {
		rows, meta, err := all.List(q)
		if err != nil {
			return 0, false, err
		}
		return meta.LastIndex, len(rows) == 2, nil
	}, func() {
		_, err := all.Register(written, nil)
		s.ok(err, "Register")
	})
	read, meta, err := all.Info("team", nil)
	s.ok(err, "Info")
	s.meta(meta, "Info")
	s.check(read.Meta["owner"] == "storage" && read.Quota == "", "Info: %+v", read)
	s.check(slices.Equal(read.Capabilities.EnabledTaskDrivers, []string{"docker"}), "%+v", read.Capabilities)
	s.check(slices.Equal(read.NodePoolConfiguration.Allowed, []string{"default", "prod"}), "%+v", read)
	rows, _, err := all.PrefixList("te", nil)
	s.ok(err, "PrefixList")
	s.check(len(rows) == 1 && rows[0].Name == "team", "PrefixList: %v", rows)
	rows, _, err = all.List(&api.QueryOptions{Filter: `Meta.owner == "storage"`})
	s.ok(err, "List")
	s.check(len(rows) == 1, "List: %v", rows)
	_, err = all.Register(&api.Namespace{Name: "team", Quota: "none"}, nil)
	s.refused(err, 400, "quota", "Register")
	_, err = all.Register(&api.Namespace{Name: "a b"}, nil)
	s.refused(err, 400, "invalid name", "Register")
	_, err = all.Delete("team", nil)
	s.ok(err, "Delete")
	_, _, err = all.Info("team", nil)
	s.refused(err, 404, "", "Info")
	_, err = all.Delete("default", nil)
	s.refused(err, 400, "default namespace", "Delete")
}

// A node with the instances of the plugin "fed" that it runs.
func fedNode(name string) object {
	info := object{
		"PluginID": "fed", "Provider": "ebs", "ProviderVersion": "1.0", "Healthy": true,
		"HealthDescription": "healthy", "NodeInfo": object{"ID": "i-1", "MaxVolumes": 5},
	}
	return object{
		"Name": name, "Datacenter": "dc1", "Status": "ready",
		"Attributes":     object{"os.name": "debian", "nomad.version": "1.9.0", "driver.docker": "1"},
		"CSINodePlugins": object{"fed": info},
	}
}

func (s *session) nodes() {
	s.begin("nodes")
	all := s.Nodes()
	s.feed("nodes/"+node, fedNode("one"))
	s.wakes("List", func(q *api.QueryOptions) (uint64, bool, error) {
		rows, meta, err := all.List(q)
		if err != nil {
			return 0, false, err
		}
		return meta.LastIndex, len(rows) == 3, nil
	}, func() { s.feed("nodes/"+otherNode, fedNode("two")) })
	rows, _, err := all.PrefixList(node[:8])
	s.ok(err, "PrefixList")
	s.check(len(rows) == 1 && rows[0].Version == "1.9.0", "PrefixList: %+v", rows)
	s.check(rows[0].Drivers["docker"].Healthy, "PrefixList: %+v", rows[0].Drivers)
	rows, _, err = all.PrefixListOpts(node[:8], &api.QueryOptions{Params: map[string]string{"os": "true"}})
	s.ok(err, "PrefixListOpts")
	s.check(rows[0].Attributes["os.name"] == "debian", "PrefixListOpts: %+v", rows[0])
	read, meta, err := all.Info(node, nil)
	s.ok(err, "Info")
	s.meta(meta, "Info")
	s.check(read.Name == "one" && read.CSINodePlugins["fed"].Healthy, "Info: %+v", read)
	s.check(read.Resources != nil && read.NodeResources != nil, "Info: %+v", read)
	_, _, err = all.Info("00000000-0000-0000-0000-000000000000", nil)
	s.refused(err, 404, "node not found", "Info")
	allocations, _, err := all.Allocations(node, nil)
	s.ok(err, "Allocations")
	s.check(len(allocations) == 0, "Allocations: %v", allocations)
	pools, _, err := s.NodePools().List(nil)
	s.ok(err, "NodePools")
	s.check(len(pools) == 2 && pools[0].Name == "all", "NodePools: %v", pools)
	pools, _, err = s.NodePools().PrefixList("def", nil)
	s.ok(err, "NodePools")
	s.check(len(pools) == 1, "NodePools: %v", pools)
	pool, _, err := s.NodePools().Info("default", nil)
	s.ok(err, "NodePool")
	s.check(pool.Name == "default", "NodePool: %v", pool)
	within, _, err := s.NodePools().ListNodes("default", nil)
	s.ok(err, "ListNodes")
	s.check(len(within) == 3, "ListNodes: %v", within)
	s.pages("Nodes", func(q *api.QueryOptions) (int, string, error) {
		rows, meta, err := all.List(q)
		if err != nil {
			return 0, "", err
		}
		return len(rows), meta.NextToken, nil
	}, 3)
	_, _, err = all.List(&api.QueryOptions{Filter: "Nothing == 1"})
	s.refused(err, 400, "", "List")
	_, _, err = all.List(&api.QueryOptions{NextToken: "junk"})
	s.refused(err, 400, "next_token", "List")
}

// Reads a list in pages of one row.
func (s *session) pages(call string, read func(*api.QueryOptions) (int, string, error), rows int) {
	token, found := "", 0
	for {
		page, next, err := read(&api.QueryOptions{PerPage: 1, NextToken: token})
		s.ok(err, call)
		s.check(page <= 1, "%s: a page of %d", call, page)
		found += page
		if next == "" {
			break
		}
		token = next
	}
	s.check(found == rows, "%s: %d rows in pages, not %d", call, found, rows)
}

func (s *session) plugins() {
	s.begin("plugins")
	rows, meta, err := s.CSIPlugins().List(nil)
	s.ok(err, "List")
	s.meta(meta, "List")
	s.check(len(rows) == 2, "List: %v", rows)
	for _, id := range []string{"disks", "fed"} {
		plugin, _, err := s.CSIPlugins().Info(id, nil)
		s.ok(err, "Info")
		// Terraform waits until these are equal.
		s.check(plugin.ControllersExpected == plugin.ControllersHealthy, "%s: %+v", id, plugin)
		s.check(plugin.NodesExpected == plugin.NodesHealthy && plugin.NodesHealthy > 0, "%s: %+v", id, plugin)
	}
	_, _, err = s.CSIPlugins().Info("none", nil)
	s.refused(err, 404, "plugin not found", "Info")
}

func csiVolume(id, plugin string) *api.CSIVolume {
	return &api.CSIVolume{
		ID: id, Name: id, PluginID: plugin, ExternalID: "external-" + id,
		RequestedCapabilities: []*api.CSIVolumeCapability{{
			AccessMode:     api.CSIVolumeAccessModeSingleNodeWriter,
			AttachmentMode: api.CSIVolumeAttachmentModeFilesystem,
		}},
		MountOptions: &api.CSIMountOptions{FSType: "ext4", MountFlags: []string{"noatime"}},
		Secrets:      api.CSISecrets{"password": "xyzzy"},
	}
}

func (s *session) csiVolumes() {
	s.begin("CSI volumes")
	all := s.CSIVolumes()
	_, err := all.Register(csiVolume("a", "fed"), nil)
	s.ok(err, "Register")
	s.wakes("List", func(q *api.QueryOptions) (uint64, bool, error) {
		rows, meta, err := all.List(q)
		if err != nil {
			return 0, false, err
		}
		return meta.LastIndex, len(rows) == 2, nil
	}, func() {
		reply, _, err := all.RegisterOpts(&api.CSIVolumeRegisterRequest{
			Volumes: []*api.CSIVolume{csiVolume("b", "fed")},
		}, nil)
		s.ok(err, "RegisterOpts")
		s.check(len(reply.Volumes) == 1 && reply.Volumes[0].Schedulable, "RegisterOpts: %+v", reply)
	})
	read, meta, err := all.Info("a", nil)
	s.ok(err, "Info")
	s.meta(meta, "Info")
	s.check(read.Schedulable && read.Provider == "ebs" && read.ResourceExhausted.IsZero(), "Info: %+v", read)
	s.check(read.Secrets == nil && read.MountOptions.MountFlags[0] == "[REDACTED]", "Info: %+v", read)
	// The client sends it as the start of the volume's ID.
	of, _, err := all.PluginList("a")
	s.ok(err, "PluginList")
	s.check(len(of) == 1 && of[0].PluginID == "fed", "PluginList: %v", of)
	on, err := s.Nodes().CSIVolumes(node, nil)
	s.ok(err, "Nodes.CSIVolumes")
	s.check(len(on) == 0, "Nodes.CSIVolumes: %v", on)
	s.pages("List", func(q *api.QueryOptions) (int, string, error) {
		rows, meta, err := all.List(q)
		if err != nil {
			return 0, "", err
		}
		return len(rows), meta.NextToken, nil
	}, 2)
	found, _, err := all.List(&api.QueryOptions{Filter: `PluginID == "fed" and ID == "b"`})
	s.ok(err, "List")
	s.check(len(found) == 1, "List: %v", found)

	odd := csiVolume("odd", "fed")
	odd.RequestedCapabilities[0].AccessMode = "ReadWriteOnce"
	_, err = all.Register(odd, nil)
	s.refused(err, 400, "ReadWriteOnce", "Register")
	_, err = all.Register(csiVolume("c", "none"), nil)
	s.refused(err, 400, "none", "Register")
	_, _, err = all.Info("none", nil)
	s.check(err != nil, "Info of a volume that is not there")
	s.refused(all.Detach("none", node, nil), 404, "", "Detach")
	s.ok(all.Detach("a", node, nil), "Detach")
	s.refused(all.Deregister("none", false, nil), 404, "none", "Deregister")
	s.ok(all.Deregister("a", false, nil), "Deregister")
	s.ok(all.Deregister("b", true, nil), "Deregister")
}

func (s *session) providedVolumes() {
	s.begin("volumes and snapshots of a provider")
	all := s.CSIVolumes()
	volume := csiVolume("made", "disks")
	volume.ExternalID, volume.RequestedCapacityMin = "", 1<<20
	made, _, err := all.Create(volume, nil)
	s.ok(err, "Create")
	s.check(len(made) == 1 && made[0].ExternalID != "" && made[0].Capacity == 1<<20, "Create: %+v", made)
	second := csiVolume("second", "disks")
	second.ExternalID = ""
	_, _, err = all.CreateOpts(&api.CSIVolumeCreateRequest{Volumes: []*api.CSIVolume{second}}, nil)
	s.ok(err, "CreateOpts")
	s.pages("ListExternal", func(q *api.QueryOptions) (int, string, error) {
		page, _, err := all.ListExternal("disks", q)
		if err != nil {
			return 0, "", err
		}
		return len(page.Volumes), page.NextToken, nil
	}, 2)
	_, _, err = all.ListExternal("disks", &api.QueryOptions{NextToken: "junk"})
	s.refused(err, 400, "next_token", "ListExternal")

	for _, name := range []string{"monday", "tuesday"} {
		taken, _, err := all.CreateSnapshot(&api.CSISnapshot{SourceVolumeID: "made", Name: name}, nil)
		s.ok(err, "CreateSnapshot")
		s.check(taken.Snapshots[0].PluginID == "disks" && taken.Snapshots[0].IsReady, "%+v", taken)
	}
	s.pages("ListSnapshotsOpts", func(q *api.QueryOptions) (int, string, error) {
		request := &api.CSISnapshotListRequest{PluginID: "disks", QueryOptions: *q}
		page, _, err := all.ListSnapshotsOpts(request)
		if err != nil {
			return 0, "", err
		}
		return len(page.Snapshots), page.NextToken, nil
	}, 2)
	// The client crashes here, and in ListExternal, when it gets no options.
	listed, _, err := all.ListSnapshots("disks", "", &api.QueryOptions{})
	s.ok(err, "ListSnapshots")
	s.check(listed.Snapshots[0].PluginID == "disks", "ListSnapshots: %+v", listed.Snapshots[0])
	s.refused(all.DeleteSnapshot(&api.CSISnapshot{PluginID: "disks"}, nil), 400, "snapshot_id", "DeleteSnapshot")
	s.refused(all.DeleteSnapshot(&api.CSISnapshot{ID: listed.Snapshots[0].ID}, nil), 400, "plugin_id", "DeleteSnapshot")
	for _, snapshot := range listed.Snapshots {
		s.ok(all.DeleteSnapshot(snapshot, nil), "DeleteSnapshot")
	}
	s.ok(all.Delete("made", nil), "Delete")
	s.ok(all.DeleteOpts(&api.CSIVolumeDeleteRequest{
		ExternalVolumeID: "second", Secrets: api.CSISecrets{"key": "value"},
	}, nil), "DeleteOpts")
	left, _, err := all.ListExternal("disks", &api.QueryOptions{})
	s.ok(err, "ListExternal")
	s.check(len(left.Volumes) == 0, "ListExternal: %v", left.Volumes)
}

func (s *session) hostVolumes() {
	s.begin("host volumes and their claims")
	all := s.HostVolumes()
	created, _, err := all.Create(&api.HostVolumeCreateRequest{Volume: &api.HostVolume{
		Name: "data", PluginID: "mkdir",
		Constraints: []*api.Constraint{{LTarget: "${attr.kernel.name}", RTarget: "linux", Operand: "="}},
		RequestedCapabilities: []*api.HostVolumeCapability{{
			AttachmentMode: api.HostVolumeAttachmentModeFilesystem,
			AccessMode:     api.HostVolumeAccessModeSingleNodeWriter,
		}},
	}}, nil)
	s.ok(err, "Create")
	volume := created.Volume
	read, meta, err := all.Get(volume.ID, nil)
	s.ok(err, "Get")
	s.meta(meta, "Get")
	s.check(read.State == api.HostVolumeStateReady && read.HostPath != "", "Get: %+v", read)
	s.wakes("List", func(q *api.QueryOptions) (uint64, bool, error) {
		rows, meta, err := all.List(nil, q)
		if err != nil {
			return 0, false, err
		}
		return meta.LastIndex, len(rows) == 2, nil
	}, func() {
		_, _, err := all.Register(&api.HostVolumeRegisterRequest{Volume: &api.HostVolume{
			Name: "elsewhere", NodeID: node, HostPath: "/srv/elsewhere",
		}}, nil)
		s.ok(err, "Register")
	})
	rows, _, err := all.List(&api.HostVolumeListRequest{NodeID: node, NodePool: "default"}, nil)
	s.ok(err, "List")
	s.check(len(rows) == 1 && rows[0].Name == "elsewhere", "List: %v", rows)
	s.pages("List", func(q *api.QueryOptions) (int, string, error) {
		rows, meta, err := all.List(nil, q)
		if err != nil {
			return 0, "", err
		}
		return len(rows), meta.NextToken, nil
	}, 2)
	_, _, err = all.Create(&api.HostVolumeCreateRequest{Volume: &api.HostVolume{}}, nil)
	s.refused(err, 400, "missing name", "Create")
	_, _, err = all.Get("00000000-0000-0000-0000-000000000000", nil)
	s.refused(err, 404, "volume not found", "Get")

	s.feed("jobs/default/sticky", object{"Type": "service", "TaskGroups": []object{{
		"Name": "group", "Volumes": object{"v": object{"Type": "host", "Source": "data", "Sticky": true}},
	}}})
	s.feed("allocations/"+allocation, object{
		"JobID": "sticky", "TaskGroup": "group", "NodeID": read.NodeID, "ClientStatus": "running",
	})
	claims, _, err := s.TaskGroupHostVolumeClaims().List(&api.TaskGroupHostVolumeClaimsListRequest{JobID: "sticky"}, nil)
	s.ok(err, "Claims.List")
	s.check(len(claims) == 1 && claims[0].VolumeID == volume.ID, "Claims.List: %v", claims)
	used, _, err := all.Get(volume.ID, nil)
	s.ok(err, "Get")
	s.check(len(used.Allocations) == 1, "Get: %+v", used)
	_, _, err = all.Delete(&api.HostVolumeDeleteRequest{ID: volume.ID}, nil)
	s.refused(err, 409, "", "Delete")
	_, err = s.TaskGroupHostVolumeClaims().Delete(claims[0].ID, nil)
	s.ok(err, "Claims.Delete")
	s.feed("allocations/"+allocation, object{
		"JobID": "sticky", "TaskGroup": "group", "NodeID": read.NodeID, "ClientStatus": "complete",
	})
	for _, row := range []string{volume.ID, rows[0].ID} {
		_, _, err = all.Delete(&api.HostVolumeDeleteRequest{ID: row, Force: row != volume.ID}, nil)
		s.ok(err, "Delete")
	}
}

func (s *session) workloads() {
	s.begin("jobs and allocations that were fed")
	jobs, meta, err := s.Jobs().List(nil)
	s.ok(err, "Jobs.List")
	s.meta(meta, "Jobs.List")
	s.check(len(jobs) == 1 && jobs[0].JobSummary.Summary["group"].Complete == 1, "Jobs.List: %+v", jobs)
	job, _, err := s.Jobs().Info("sticky", nil)
	s.ok(err, "Jobs.Info")
	s.check(*job.ID == "sticky" && job.TaskGroups[0].Volumes["v"].Sticky, "Jobs.Info: %+v", job)
	summary, _, err := s.Jobs().Summary("sticky", nil)
	s.ok(err, "Jobs.Summary")
	s.check(summary.Summary["group"].Complete == 1, "Jobs.Summary: %+v", summary)
	versions, _, _, err := s.Jobs().Versions("sticky", false, nil)
	s.ok(err, "Jobs.Versions")
	s.check(len(versions) == 1, "Jobs.Versions: %v", versions)
	of, _, err := s.Jobs().Allocations("sticky", false, nil)
	s.ok(err, "Jobs.Allocations")
	s.check(len(of) == 1 && of[0].ID == allocation, "Jobs.Allocations: %v", of)
	evaluations, _, err := s.Jobs().Evaluations("sticky", nil)
	s.ok(err, "Jobs.Evaluations")
	deployments, _, err := s.Jobs().Deployments("sticky", false, nil)
	s.ok(err, "Jobs.Deployments")
	s.check(len(evaluations)+len(deployments) == 0, "%v %v", evaluations, deployments)
	latest, _, err := s.Jobs().LatestDeployment("sticky", nil)
	s.ok(err, "Jobs.LatestDeployment")
	s.check(latest == nil, "Jobs.LatestDeployment: %v", latest)
	_, _, err = s.Jobs().Info("none", nil)
	s.refused(err, 404, "job not found", "Jobs.Info")

	all, _, err := s.Allocations().List(nil)
	s.ok(err, "Allocations.List")
	s.check(len(all) == 1 && all[0].JobID == "sticky", "Allocations.List: %v", all)
	all, _, err = s.Allocations().PrefixList(allocation[:8])
	s.ok(err, "Allocations.PrefixList")
	s.check(len(all) == 1, "Allocations.PrefixList: %v", all)
	one, _, err := s.Allocations().Info(allocation, nil)
	s.ok(err, "Allocations.Info")
	s.check(one.ClientStatus == "complete" && *one.Job.ID == "sticky", "Allocations.Info: %+v", one)
	_, _, err = s.Allocations().Info(node, nil)
	s.refused(err, 404, "alloc not found", "Allocations.Info")
	none, _, err := s.Evaluations().List(nil)
	s.ok(err, "Evaluations.List")
	nothing, _, err := s.Deployments().List(nil)
	s.ok(err, "Deployments.List")
	s.check(len(none)+len(nothing) == 0, "%v %v", none, nothing)
}

func (s *session) searches() {
	s.begin("search")
	for _, context := range []contexts.Context{
		contexts.All, contexts.Allocs, contexts.Deployments, contexts.Evals, contexts.HostVolumes, contexts.Jobs,
		contexts.Namespaces, contexts.NodePools, contexts.Nodes, contexts.Plugins, contexts.ScalingPolicies,
		contexts.Variables, contexts.Volumes,
	} {
		_, _, err := s.Search().PrefixSearch("a", context, nil)
		s.ok(err, "PrefixSearch "+string(context))
	}
	found, _, err := s.Search().PrefixSearch("sti", contexts.All, nil)
	s.ok(err, "PrefixSearch")
	s.check(slices.Equal(found.Matches[contexts.Jobs], []string{"sticky"}), "PrefixSearch: %v", found.Matches)
	fuzzy, _, err := s.Search().FuzzySearch("tick", contexts.Jobs, nil)
	s.ok(err, "FuzzySearch")
	s.check(fuzzy.Matches[contexts.Jobs][0].ID == "sticky", "FuzzySearch: %v", fuzzy.Matches)
	_, _, err = s.Search().PrefixSearch("a", "nothing", nil)
	s.refused(err, 400, "context must be one of", "PrefixSearch")
}

func (s *session) operator() {
	s.begin("operator")
	// The reader compares the checksum.
	snapshot, err := s.Operator().Snapshot(nil)
	s.ok(err, "Snapshot")
	size, err := io.Copy(io.Discard, snapshot)
	s.ok(err, "Snapshot")
	s.check(size > 0, "Snapshot: %d bytes", size)
	metrics, _, err := s.Operator().MetricsSummary(nil)
	s.ok(err, "MetricsSummary")
	s.check(len(metrics.Gauges) > 0, "MetricsSummary: %+v", metrics)
	text, err := s.Operator().Metrics(&api.QueryOptions{Params: map[string]string{"format": "prometheus"}})
	s.ok(err, "Metrics")
	s.check(contains(string(text), "nomad_raft_appliedIndex"), "Metrics: %s", text)
}
