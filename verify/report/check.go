package report

import (
	"context"
	"sync"
	"time"

	"github.com/talos-tsbridge/talos-tsbridge/verify"
	"github.com/talos-tsbridge/talos-tsbridge/verify/devices"
	"github.com/talos-tsbridge/talos-tsbridge/verify/nodes"
)

// Check is what a [Report] is made from. Whatever is left out is not looked at.
type Check struct {
	// Checker tries Targets. Default: the zero Checker. Its Wait is that of the Check.
	Checker *verify.Checker
	Targets []verify.Target
	// Also are results of other places, which the diagnosis takes into account.
	Also []verify.Result

	// Inspector asks Nodes, unless it is nil. Its Wait and Wanted are those of the Check.
	Inspector *nodes.Inspector
	Nodes     []string
	// Wanted is what the nodes are held against, nil for what they say of themselves.
	Wanted *nodes.Wanted

	// LookUp asks the Tailscale API, unless it is nil; [devices.Fetch] does it.
	LookUp func(context.Context) (*devices.Tailnet, error)
	// Expected returns the devices that the nodes should be.
	Expected func([]nodes.Node) []devices.Expected

	// Wait is for how long whatever fails is tried again: targets, nodes and devices, all within the same time. Default: 0,
	// each once.
	Wait time.Duration
	// Interval is the pause between two tries. Default: [verify.DefaultInterval].
	Interval time.Duration
}

// Run looks at targets and nodes at the same time, and then at the tailnet. Its error is that of LookUp alone; what else
// fails is in the report. When ctx ends, the report has what is known by then.
func (c *Check) Run(ctx context.Context) (*Report, error) {
	checker := c.Checker
	if checker == nil {
		checker = &verify.Checker{}
	}

	deadline := time.Now().Add(c.Wait)
	checker.Wait, checker.Interval = c.Wait, c.Interval

	report := &Report{From: checker.From}
	if report.From == "" {
		report.From = verify.PlaceHost
	}

	var looking sync.WaitGroup

	looking.Go(func() { report.Results = checker.Check(ctx, c.Targets) })

	if c.Inspector != nil {
		c.Inspector.Wait, c.Inspector.Interval, c.Inspector.Wanted = c.Wait, c.Interval, c.Wanted

		looking.Go(func() { report.Nodes = c.Inspector.Inspect(ctx, c.Nodes) })
	}

	looking.Wait()

	report.Findings = verify.Merge(append(
		verify.Diagnose(append(append([]verify.Result{}, c.Also...), report.Results...)), nodes.Diagnose(report.Nodes, c.Wanted)...))

	if c.LookUp == nil {
		return report, nil
	}

	return report, c.lookUp(ctx, deadline, report)
}

// lookUp asks the Tailscale API until the expected devices are as they should be, or the time is over.
func (c *Check) lookUp(ctx context.Context, deadline time.Time, report *Report) error {
	var expected []devices.Expected
	if c.Expected != nil {
		expected = c.Expected(report.Nodes)
	}

	interval := c.Interval
	if interval <= 0 {
		interval = verify.DefaultInterval
	}

	for {
		tailnet, err := c.LookUp(ctx)
		left := time.Until(deadline)

		var findings []verify.Finding
		if err == nil {
			findings = devices.Diagnose(tailnet, expected, time.Now())
		}

		if worst := verify.Worst(findings); left <= 0 || ctx.Err() != nil || err == nil && worst != verify.SeverityFault {
			if err != nil {
				return err
			}

			tailnet.Devices = devices.Matching(tailnet.Devices, expected)
			report.Tailnet = tailnet
			report.Findings = verify.Merge(append(report.Findings, findings...))

			return nil
		}

		select {
		case <-time.After(min(interval, left)):
		case <-ctx.Done():
		}
	}
}
