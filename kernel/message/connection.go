package message

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// Channel is one of a kernel's five sockets.
type Channel int

// The channels: what the kernel's socket is, and what the client's.
const (
	Shell     Channel = iota // ROUTER, DEALER: requests
	Control                  // ROUTER, DEALER: requests that overtake those on Shell
	Stdin                    // ROUTER, DEALER: the kernel asks the client for input
	IOPub                    // PUB, SUB: what everybody sees
	Heartbeat                // REP, REQ: echo
)

// Channels are all of them.
var Channels = [...]Channel{Shell, Control, Stdin, IOPub, Heartbeat}

func (c Channel) String() string {
	switch c {
	case Shell:
		return "shell"
	case Control:
		return "control"
	case Stdin:
		return "stdin"
	case IOPub:
		return "iopub"
	case Heartbeat:
		return "heartbeat"
	}
	return "channel " + strconv.Itoa(int(c))
}

// SignatureScheme is the only one that this package knows.
const SignatureScheme = "hmac-sha256"

// Connection is the content of a connection file: where the kernel listens, and the key of its messages.
type Connection struct {
	Transport       string `json:"transport"` // "tcp" or "ipc"
	IP              string `json:"ip"`        // tcp: a loopback address; ipc: the prefix of the sockets' paths
	ShellPort       int    `json:"shell_port"`
	ControlPort     int    `json:"control_port"`
	StdinPort       int    `json:"stdin_port"`
	IOPubPort       int    `json:"iopub_port"`
	HeartbeatPort   int    `json:"hb_port"`
	SignatureScheme string `json:"signature_scheme"`
	Key             string `json:"key"`
	KernelName      string `json:"kernel_name,omitempty"`
}

// Port returns the port (ipc: the suffix of the path) of a channel.
func (c Connection) Port(ch Channel) int {
	return [...]int{c.ShellPort, c.ControlPort, c.StdinPort, c.IOPubPort, c.HeartbeatPort}[ch]
}

// Address returns the network ("tcp" or "unix") and address of a channel, as package net takes them.
func (c Connection) Address(ch Channel) (network, address string) {
	if c.Transport == "ipc" {
		return "unix", c.IP + "-" + strconv.Itoa(c.Port(ch))
	}
	return "tcp", net.JoinHostPort(c.IP, strconv.Itoa(c.Port(ch)))
}

// Validate says what keeps the connection from being used: messages without protection may only travel over the
// loopback interface or sockets in the file system.
func (c Connection) Validate() error {
	switch c.Transport {
	case "tcp":
		if ip := net.ParseIP(c.IP); c.IP != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return fmt.Errorf("ip %q, allowed are loopback addresses such as 127.0.0.1", c.IP)
		}
	case "ipc":
		if c.IP == "" {
			return errors.New("no ip, which with transport ipc is the prefix of the sockets' paths")
		}
	default:
		return fmt.Errorf("transport %q, allowed are tcp and ipc", c.Transport)
	}
	if c.SignatureScheme != "" && c.SignatureScheme != SignatureScheme {
		return fmt.Errorf("signature scheme %q, allowed is %s", c.SignatureScheme, SignatureScheme)
	}
	used := map[int]Channel{}
	for _, ch := range Channels {
		p := c.Port(ch)
		if p < 1 || c.Transport == "tcp" && p > 65535 {
			return fmt.Errorf("%s port %d, allowed are 1 to 65535", ch, p)
		}
		if other, taken := used[p]; taken {
			return fmt.Errorf("%s and %s share port %d, each needs its own", other, ch, p)
		}
		used[p] = ch
	}
	return nil
}

// ReadConnection reads and validates a connection file.
func ReadConnection(path string) (Connection, error) {
	var c Connection
	b, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("reading the connection file: %w", err)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, fmt.Errorf("connection file %s: %w", path, err)
	}
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("connection file %s: %w", path, err)
	}
	return c, nil
}

// Write stores the connection as a file that only its owner reads.
func (c Connection) Write(path string) error {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the connection file: %w", err)
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the connection file: %w", err)
	}
	return nil
}

// NewTCP returns a connection on free ports of 127.0.0.1 with a new key. The ports are free when it returns; as with
// every Jupyter client, another program may take one before the kernel does.
func NewTCP(kernelName string) (Connection, error) {
	c := Connection{Transport: "tcp", IP: "127.0.0.1", SignatureScheme: SignatureScheme, Key: NewID(), KernelName: kernelName}
	for _, p := range []*int{&c.ShellPort, &c.ControlPort, &c.StdinPort, &c.IOPubPort, &c.HeartbeatPort} {
		l, err := net.Listen("tcp", net.JoinHostPort(c.IP, "0"))
		if err != nil {
			return c, fmt.Errorf("looking for free ports: %w", err)
		}
		defer l.Close() // not before all are chosen, so that they differ
		*p = l.Addr().(*net.TCPAddr).Port
	}
	return c, nil
}

// NewIPC returns a connection on Unix sockets in a folder, which should be the caller's own and have a short path (a
// socket's path holds about 100 bytes), with a new key.
func NewIPC(folder, kernelName string) Connection {
	return Connection{
		Transport: "ipc", IP: filepath.Join(folder, "s"), ShellPort: 1, ControlPort: 2, StdinPort: 3, IOPubPort: 4,
		HeartbeatPort: 5, SignatureScheme: SignatureScheme, Key: NewID(), KernelName: kernelName,
	}
}
