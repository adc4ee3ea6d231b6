// Package zmtp carries ZeroMQ messages for Jupyter: the NULL mechanism of ZMTP 3.0 (https://rfc.zeromq.org/spec/23/)
// over TCP and Unix sockets, for the socket types that a kernel and its clients use. Peers are libzmq's and
// go-zeromq's sockets of version 3.0 and 3.1.
//
// It is small so that each hostile byte has a place where it is refused: a frame's length is bounded before memory is
// taken for it, memory grows with what arrives and not with what is announced, a peer that stays silent holds up
// nobody, a peer that does not read is disconnected when its queue is full, and each message is written whole by the
// one goroutine that owns the connection.
package zmtp
