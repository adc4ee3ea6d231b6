package tracker

import (
	"fmt"
	"math"
)

// takePoints adds the points that the source has besides ours. They are
// written anew: nothing of how the source kept them is taken on trust.
func (m *merging) takePoints() error {
	metrics, err := metricsOf(m.ctx, m.source, m.theirs.key)
	if err != nil {
		return refuse(err)
	}
	s := &storing{tx: m.tx, keys: keyIDs{}, codec: m.ourCodec}
	sums, err := s.summaries(m.ctx, m.run)
	if err != nil {
		return err
	}
	ours := int64(0)
	for _, k := range sums {
		ours += k.count
	}
	for _, k := range metrics {
		key, err := s.keys.id(m.ctx, m.tx, k.name)
		if err != nil {
			return err
		}
		sum := sums.of(key)
		ours -= sum.count
		if err := m.takeMetric(s, sum, k); err != nil {
			return err
		}
	}
	m.oursHasMore = m.oursHasMore || ours > 0 // metrics that theirs has not
	if !m.grew {
		return nil
	}
	m.changed = true
	return s.saveSummaries(m.ctx, m.run, sums)
}

// takeMetric compares the points of one metric, batch by batch. Copies of one
// run begin alike; where one of them ends, the other goes on.
func (m *merging) takeMetric(s *storing, sum *keySummary, k namedSummary) error {
	ours, err := openPoints(m.ctx, m.tx, m.ourCodec, m.run, sum.key)
	if err != nil {
		return err
	}
	defer ours.close()
	theirs, err := openPoints(m.ctx, m.source, m.theirCodec, m.theirs.key, k.key)
	if err != nil {
		return refuse(err)
	}
	defer theirs.close()
	var a, b []sample
	for equal := 0; ; {
		if len(a) == 0 {
			if a, err = ours.next(); err != nil {
				return err
			}
		}
		if len(b) == 0 {
			if b, err = theirs.next(); err != nil {
				return refuse(err)
			}
		}
		n := min(len(a), len(b))
		if n == 0 {
			break
		}
		for i := range n {
			if a[i].bits() != b[i].bits() {
				return m.takeOther(s, sum, k, ours, theirs, a[i:], b[i:], equal+i)
			}
		}
		a, b, equal = a[n:], b[n:], equal+n
	}
	if len(a) > 0 {
		m.oursHasMore = true
		return nil
	}
	if err := ours.close(); err != nil {
		return err
	}
	return m.appendPoints(s, sum, b, theirs)
}

// appendPoints adds points and what comes behind them in the source.
func (m *merging) appendPoints(s *storing, sum *keySummary, points []sample, rest *pointStream) (err error) {
	for len(points) > 0 {
		m.grew = true
		if err := s.append(m.ctx, m.run, sum, points); err != nil {
			return err
		}
		if points, err = rest.next(); err != nil {
			return refuse(err)
		}
	}
	return nil
}

// takeOther settles what to do where the copies differ behind equal points: a
// and b, and what the streams still hold. The one may have the same points in
// another order and more, as an import from elsewhere has; otherwise the
// copies went different ways.
func (m *merging) takeOther(s *storing, sum *keySummary, k namedSummary, ours, theirs *pointStream, a, b []sample, equal int) error {
	onlyOurs, onlyTheirs := map[sampleBits]int{}, 0
	first, other := a[0], b[0]
	for len(a) > 0 {
		for _, p := range a {
			onlyOurs[p.bits()]++
		}
		var err error
		if a, err = ours.next(); err != nil {
			return err
		}
	}
	for len(b) > 0 {
		for _, p := range b {
			switch left := onlyOurs[p.bits()]; left {
			case 0:
				onlyTheirs++
			case 1:
				delete(onlyOurs, p.bits())
			default:
				onlyOurs[p.bits()] = left - 1
			}
		}
		var err error
		if b, err = theirs.next(); err != nil {
			return refuse(err)
		}
	}
	switch {
	case onlyTheirs == 0:
		m.oursHasMore = m.oursHasMore || len(onlyOurs) > 0
		return nil
	case len(onlyOurs) > 0:
		return refuse(fmt.Errorf("the copies of its metric %q went different ways: behind %d equal points comes %v at step %d here and %v at step %d there",
			k.name, equal, first.value, first.step, other.value, other.step))
	}
	// Theirs has every point of ours: take it as it is, in its order.
	if err := ours.close(); err != nil {
		return err
	}
	for _, table := range []string{"hot", "chunk"} {
		if _, err := m.tx.ExecContext(m.ctx, `DELETE FROM `+table+` WHERE run = ? AND key = ?`, m.run, sum.key); err != nil {
			return err
		}
	}
	*sum = keySummary{key: sum.key}
	again, err := openPoints(m.ctx, m.source, m.theirCodec, m.theirs.key, k.key)
	if err != nil {
		return refuse(err)
	}
	defer again.close()
	points, err := again.next()
	if err != nil {
		return refuse(err)
	}
	return m.appendPoints(s, sum, points, again)
}

// sampleBits is a sample that compares by its bits, as NaN does not.
type sampleBits struct {
	step, time int64
	value      uint64
}

func (s sample) bits() sampleBits { return sampleBits{s.step, s.time, math.Float64bits(s.value)} }
