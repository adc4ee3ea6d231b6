// Package zmtp carries ZeroMQ messages for Jupyter: the NULL mechanism of ZMTP 3.0 (https://rfc.zeromq.org/spec/23/)
// over TCP and Unix sockets, for the socket types that a kernel and its clients use. Peers are libzmq's and
// go-zeromq's sockets of version 3.0 and 3.1.
//
// It is small so that each hostile byte has a place where it is refused: a frame's length is bounded before memory is
// taken for it, memory grows with what arrives and not with what is announced, a peer that stays silent holds up
// nobody, a peer that does not read is disconnected when its queue is full, and each message is written whole by the
// one goroutine that owns the connection.
//
// # Why not go-zeromq/zmq4
//
// A kernel's port is open to every program of the machine, and what comes before a signature can be checked is the
// transport's to survive. In zmq4 v0.17.0, tried against its own ROUTER socket:
//
//   - conn.go, (*Conn).read, takes memory for as many bytes as a frame announces and has no limit to set: a peer that
//     shakes hands and announces 2^62 bytes, in nine bytes, ends the process ("makeslice: len out of range" in a
//     goroutine of the library, where nobody can recover).
//   - socket.go, (*socket).accept, shakes hands in the loop that accepts, and conn.go sets no deadlines: after a peer
//     that connects and says nothing no other was let in.
//
// And, by reading it: router.go, (*routerMWriter).write, and pub.go, (*pubMWriter).sendMsg, write while they hold the
// lock of all peers, with no deadline, so that one that stops reading stops the others; router.go,
// (*routerQReader).listen, takes a PING for a message; a PUB socket (pub.go, Recv) does not tell of subscriptions, to
// which protocol 5.4 has a kernel answer with a welcome.
package zmtp
