package tracker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/klauspost/compress/zstd"
)

// chunkPoints is how many points of one key a sealed chunk holds.
const chunkPoints = 500

// maxBatch bounds the points of one stored batch, against damaged data.
const maxBatch = 1 << 16

// sample is one logged value: time in microseconds since 1970.
type sample struct {
	step, time int64
	value      float64
}

// The first byte of a stored batch says how its body is kept.
const (
	formatPlain byte = 1
	formatZstd  byte = 2
)

// codec turns samples into bytes and back. The body holds the count; the steps
// and then the times, each as differences of differences, zigzag varints; then
// the values' bits in eight planes, the most significant bytes of all first:
// signs and exponents repeat and compress, noise stays noise. Every bit of a
// value returns, those of NaN included.
type codec struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
	body    []byte
}

func newCodec() *codec {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault),
		zstd.WithWindowSize(32<<10), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(true))
	if err != nil {
		panic(err) // the options are constants
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(maxBatch*32))
	if err != nil {
		panic(err)
	}
	return &codec{encoder: encoder, decoder: decoder}
}

// plain appends a batch as it is: for the few points of one transaction.
func (c *codec) plain(dst []byte, samples []sample) []byte {
	return appendBody(append(dst, formatPlain), samples)
}

// compressed appends a batch as a sealed chunk keeps it.
func (c *codec) compressed(dst []byte, samples []sample) []byte {
	c.body = appendBody(c.body[:0], samples)
	return c.encoder.EncodeAll(c.body, append(dst, formatZstd))
}

// decode appends the samples of a stored batch to dst.
func (c *codec) decode(dst []sample, data []byte) ([]sample, error) {
	if len(data) == 0 {
		return dst, errors.New("an empty batch of points")
	}
	body := data[1:]
	switch data[0] {
	case formatPlain:
	case formatZstd:
		var err error
		if c.body, err = c.decoder.DecodeAll(body, c.body[:0]); err != nil {
			return dst, fmt.Errorf("unpacking points: %w", err)
		}
		body = c.body
	default:
		return dst, fmt.Errorf("unknown format %d of points", data[0])
	}
	return decodeBody(dst, body)
}

func appendBody(dst []byte, samples []sample) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(samples)))
	var previous, change int64
	for _, s := range samples {
		d := s.step - previous
		dst = binary.AppendVarint(dst, d-change)
		previous, change = s.step, d
	}
	previous, change = 0, 0
	for _, s := range samples {
		d := s.time - previous
		dst = binary.AppendVarint(dst, d-change)
		previous, change = s.time, d
	}
	for shift := 56; shift >= 0; shift -= 8 {
		for _, s := range samples {
			dst = append(dst, byte(math.Float64bits(s.value)>>shift))
		}
	}
	return dst
}

var errCutShort = errors.New("a batch of points is cut short")

func decodeBody(dst []sample, body []byte) ([]sample, error) {
	count, n := binary.Uvarint(body)
	if n <= 0 || count > maxBatch || count*10 > uint64(len(body)) {
		return dst, errCutShort
	}
	body = body[n:]
	start := len(dst)
	dst = append(dst, make([]sample, count)...)
	samples := dst[start:]
	var previous, change int64
	for i := range samples {
		d, n := binary.Varint(body)
		if n <= 0 {
			return dst[:start], errCutShort
		}
		body = body[n:]
		change += d
		previous += change
		samples[i].step = previous
	}
	previous, change = 0, 0
	for i := range samples {
		d, n := binary.Varint(body)
		if n <= 0 {
			return dst[:start], errCutShort
		}
		body = body[n:]
		change += d
		previous += change
		samples[i].time = previous
	}
	if len(body) != 8*len(samples) {
		return dst[:start], errCutShort
	}
	for i := range samples {
		var bits uint64
		for plane := range 8 {
			bits = bits<<8 | uint64(body[plane*len(samples)+i])
		}
		samples[i].value = math.Float64frombits(bits)
	}
	return dst, nil
}
