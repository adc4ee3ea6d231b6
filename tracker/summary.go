package tracker

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// keySummary is what listing needs to know about one metric of one run. The
// summaries of a run are one value in its row, rewritten by the transaction
// that adds points, so that listing never touches points.
type keySummary struct {
	key       int64
	count     int64 // points logged
	hot       int64 // how many of them are not sealed yet
	nonfinite int64 // how many are NaN or infinite
	last      sample
	min, max  float64 // over the finite values
}

// add accounts for points in the order in which they were logged. The latest
// value is that of the largest step; of equal steps the one logged last.
func (k *keySummary) add(samples []sample) {
	for _, s := range samples {
		if k.count == 0 || s.step >= k.last.step {
			k.last = s
		}
		switch {
		case math.IsNaN(s.value) || math.IsInf(s.value, 0):
			k.nonfinite++
		case k.count == k.nonfinite: // the first finite one
			k.min, k.max = s.value, s.value
		default:
			k.min, k.max = min(k.min, s.value), max(k.max, s.value)
		}
		k.count++
	}
}

// same compares bit for bit.
func (k keySummary) same(other keySummary) bool {
	return bytes.Equal(summaries{k}.encode(nil), summaries{other}.encode(nil))
}

// summaries are ordered by key.
type summaries []keySummary

// of finds the summary of a key, or inserts an empty one.
func (s *summaries) of(key int64) *keySummary {
	i, found := slices.BinarySearchFunc(*s, key, func(k keySummary, key int64) int { return cmp.Compare(k.key, key) })
	if !found {
		*s = slices.Insert(*s, i, keySummary{key: key})
	}
	return &(*s)[i]
}

func (s summaries) encode(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	for _, k := range s {
		dst = binary.AppendUvarint(dst, uint64(k.key))
		dst = binary.AppendUvarint(dst, uint64(k.count))
		dst = binary.AppendUvarint(dst, uint64(k.hot))
		dst = binary.AppendUvarint(dst, uint64(k.nonfinite))
		dst = binary.AppendVarint(dst, k.last.step)
		dst = binary.AppendVarint(dst, k.last.time)
		for _, v := range [...]float64{k.last.value, k.min, k.max} {
			dst = binary.BigEndian.AppendUint64(dst, math.Float64bits(v))
		}
	}
	return dst
}

var errSummary = errors.New("the summary of a run's metrics is damaged")

// decodeSummaries calls yield for each summary in data.
func decodeSummaries(data []byte, yield func(keySummary)) error {
	if len(data) == 0 {
		return nil
	}
	bad := false
	uvarint := func() int64 {
		v, n := binary.Uvarint(data)
		if n <= 0 {
			bad, n = true, 0
		}
		data = data[n:]
		return int64(v)
	}
	varint := func() int64 {
		v, n := binary.Varint(data)
		if n <= 0 {
			bad, n = true, 0
		}
		data = data[n:]
		return v
	}
	float := func() float64 {
		if len(data) < 8 {
			bad = true
			return 0
		}
		v := math.Float64frombits(binary.BigEndian.Uint64(data))
		data = data[8:]
		return v
	}
	for range uvarint() {
		k := keySummary{key: uvarint(), count: uvarint(), hot: uvarint(), nonfinite: uvarint()}
		k.last = sample{step: varint(), time: varint(), value: float()}
		k.min, k.max = float(), float()
		if bad {
			return errSummary
		}
		yield(k)
	}
	if bad || len(data) > 0 {
		return errSummary
	}
	return nil
}

// decodeMetrics turns the summaries of a run into what readers see.
func decodeMetrics(data []byte, names []string) (map[string]Metric, error) {
	count, _ := binary.Uvarint(data)
	metrics := make(map[string]Metric, min(count, uint64(len(data))))
	var unnamed error
	err := decodeSummaries(data, func(k keySummary) {
		m := Metric{Value: k.last.value, Step: k.last.step, Time: time.UnixMicro(k.last.time).UTC(),
			Min: k.min, Max: k.max, Count: k.count}
		if k.count == k.nonfinite {
			m.Min, m.Max = math.NaN(), math.NaN()
		}
		if k.key < 0 || k.key >= int64(len(names)) || names[k.key] == "" {
			unnamed = fmt.Errorf("there is no name for its metric %d", k.key)
			return
		}
		metrics[names[k.key]] = m
	})
	return metrics, cmp.Or(err, unnamed)
}
