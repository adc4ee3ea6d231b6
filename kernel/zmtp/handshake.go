package zmtp

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Kind is a socket type, by its name in the protocol.
type Kind string

// The kinds that kernels and their clients use.
const (
	Router Kind = "ROUTER"
	Dealer Kind = "DEALER"
	Pub    Kind = "PUB"
	Sub    Kind = "SUB"
	Rep    Kind = "REP"
	Req    Kind = "REQ"
)

// speaksTo says whether sockets of two kinds may be joined.
func (k Kind) speaksTo(peer Kind) bool {
	peers := map[Kind][]Kind{
		Router: {Dealer, Req, Router}, Dealer: {Router, Rep, Dealer},
		Pub: {Sub, "XSUB"}, Sub: {Pub, "XPUB"},
		Rep: {Req, Dealer}, Req: {Rep, Router},
	}
	return slices.Contains(peers[k], peer)
}

// maxHandshake bounds the READY command: a few short properties.
const maxHandshake = 4096

// greeting is the first 64 bytes of each side: signature, version 3.0, mechanism NULL, no server.
func greeting() []byte {
	g := make([]byte, 64)
	g[0], g[9], g[10] = 0xff, 0x7f, 3
	copy(g[12:], "NULL")
	return g
}

// handshake exchanges greetings and properties with a peer, and returns the peer's kind and identity.
func handshake(r *bufio.Reader, w *bufio.Writer, kind Kind, identity []byte) (peer Kind, peerIdentity []byte, err error) {
	ready := appendProperty(nil, "Socket-Type", []byte(kind))
	if kind == Dealer || kind == Req || kind == Router {
		ready = appendProperty(ready, "Identity", identity)
	}
	if _, err := w.Write(greeting()); err != nil {
		return "", nil, err
	}
	if err := writeFrame(w, flagCommand, command("READY", ready)); err != nil {
		return "", nil, err
	}
	if err := w.Flush(); err != nil {
		return "", nil, err
	}

	var g [64]byte
	if _, err := io.ReadFull(r, g[:]); err != nil {
		return "", nil, unexpected(err)
	}
	if g[0] != 0xff || g[9] != 0x7f || g[10] < 3 {
		return "", nil, errors.New("zmtp: the peer does not speak ZMTP 3")
	}
	if mechanism := string(bytes.TrimRight(g[12:32], "\x00")); mechanism != "NULL" {
		return "", nil, fmt.Errorf("zmtp: security mechanism %q, only NULL is spoken", mechanism)
	}
	frames, body, err := readMessage(r, maxHandshake)
	if err != nil {
		return "", nil, err
	}
	if frames != nil {
		return "", nil, errors.New("zmtp: a message before the handshake")
	}
	name, data, err := splitCommand(body)
	if err != nil {
		return "", nil, err
	}
	if name != "READY" {
		return "", nil, fmt.Errorf("zmtp: command %.32q in the handshake", name)
	}
	for len(data) > 0 {
		var name string
		var value []byte
		if name, value, data, err = property(data); err != nil {
			return "", nil, err
		}
		switch {
		case strings.EqualFold(name, "Socket-Type"):
			peer = Kind(value)
		case strings.EqualFold(name, "Identity"):
			peerIdentity = value
		}
	}
	if !kind.speaksTo(peer) {
		return "", nil, fmt.Errorf("zmtp: a peer of kind %.16q cannot speak to %s", peer, kind)
	}
	if len(peerIdentity) > 255 {
		return "", nil, fmt.Errorf("zmtp: an identity of %d bytes, 255 are allowed", len(peerIdentity))
	}
	return peer, peerIdentity, nil
}

func appendProperty(b []byte, name string, value []byte) []byte {
	b = append(append(b, byte(len(name))), name...)
	return append(binary.BigEndian.AppendUint32(b, uint32(len(value))), value...)
}

// property reads the first property in data.
func property(data []byte) (name string, value, rest []byte, err error) {
	bad := errors.New("zmtp: malformed properties in the handshake")
	n := 1 + int(data[0])
	if len(data) < n+4 {
		return "", nil, nil, bad
	}
	size := binary.BigEndian.Uint32(data[n:])
	if uint64(size) > uint64(len(data)-n-4) {
		return "", nil, nil, bad
	}
	end := n + 4 + int(size)
	return string(data[1:n]), data[n+4 : end], data[end:], nil
}
