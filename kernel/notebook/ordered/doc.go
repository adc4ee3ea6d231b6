// Package ordered holds JSON without losing how it was written: members keep
// their order, numbers and strings their spelling. A value that is parsed and
// appended again with the same indentation is the same, byte for byte, when it
// was laid out as Python's json.dumps or JavaScript's JSON.stringify lay out.
//
// Beyond RFC 8259 it reads NaN, Infinity and -Infinity, which Python writes.
package ordered
