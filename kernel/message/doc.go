// Package message is Jupyter's messaging protocol 5.4 without its sockets: messages as typed structs, the frames that
// carry them, their HMAC-SHA256 signatures, and the connection file that says where a kernel listens. It serves both
// ends: a kernel decodes requests and encodes replies, a client the other way round.
//
// A message travels as frames:
//
//	identities…  "<IDS|MSG>"  signature  header  parent header  metadata  content  buffers…
//
// The signature is the hexadecimal HMAC-SHA256 of the four JSON frames; an empty key leaves it empty. See "The wire
// protocol" in https://jupyter-client.readthedocs.io/en/stable/messaging.html.
package message
