module node

go 1.26.5

require (
	github.com/containerd/containerd/v2 v2.3.5 // indirect
	github.com/siderolabs/talos v1.14.1
	github.com/siderolabs/talos/pkg/machinery v1.14.1
)

exclude github.com/containerd/containerd v1.7.0

replace (
	github.com/coredns/coredns => github.com/siderolabs/coredns v1.14.53
	github.com/cosi-project/runtime => github.com/cosi-project/runtime v1.16.2
	github.com/jsimonetti/rtnetlink/v2 => ./rtnetlink
	github.com/mdlayher/ethtool => ./ethtool
	github.com/mdlayher/kobject => github.com/smira/kobject v0.0.0-20240304111826-49c8d4613389
	golang.zx2c4.com/wireguard/wgctrl => github.com/siderolabs/wgctrl-go v0.0.0-20251029173431-c4fd5f6a4e72
)
