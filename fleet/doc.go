// Package fleet brings many nodes to a tailnet from one file, which says what they have in common and what each has for
// itself.
//
// # How to use
//
// [Load] reads the file, [File.Plan] checks all of it against what a patch can be, and [Run] makes the patch of each node
// and hands it to a [Sink]: files, a command, or one of your own. Nothing is minted before everything is checked, and only
// the node at hand is in memory:
//
//	file, err := fleet.Load(ctx, "bridge.yaml")
//	plan, err := file.Plan(fleet.PlanOptions{})
//	summary, err := fleet.Run(ctx, plan, &fleet.Files{Dir: "patches"}, fleet.RunOptions{Keys: keys})
//
// [Up] is for nodes that run already, or wait for their first config: it reads what each has, decides, and changes what is
// not as the file says, through the Talos API.
//
// # Stability
//
// The fields of the file and of the JSON of results are stable within a major version. Texts are not.
//
// # Security
//
// The file holds no secret: a literal key in it is refused. A key is leased for one node, and taken back unless that node
// got it. [Up] gives it to a node in Talos's try mode, which writes it to no disk.
package fleet
