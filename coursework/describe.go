package coursework

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"patchlab/compare"
	"patchlab/kernel/cell/record"
	"patchlab/tracker"
)

const recipeName = "recipe.json"

// describe is a run of a database as a manifest claims it.
func describe(ctx context.Context, db *tracker.DB, info tracker.RunInfo) (Run, error) {
	r := Run{ID: info.ID, Name: info.Name, Kind: ByHand, Start: info.Start, Digest: info.Digest,
		Data: []string{}, Results: map[string]string{}}
	artifacts, err := db.Artifacts(ctx, info.ID)
	if err != nil {
		return r, err
	}
	for _, a := range artifacts {
		if a.Name == recipeName {
			r.Kind, r.Recipe = Training, a.SHA256
		}
	}
	if info.Tags[record.TagKind] == record.KindNotebook {
		r.Kind = NotebookSession
	}
	for _, input := range info.Inputs {
		r.Data = append(r.Data, input.Digest)
	}
	all, timings := sha256.New(), sha256.New()
	measured := false
	for _, key := range slices.Sorted(maps.Keys(info.Metrics)) {
		history, err := db.History(ctx, info.ID, key)
		if err != nil {
			return r, err
		}
		field(all, key)
		number(all, uint64(len(history)))
		for _, p := range history {
			number(all, uint64(p.Step))
			number(all, uint64(p.Time.UnixMicro()))
			number(all, math.Float64bits(p.Value))
		}
		if !compare.Timed(key) {
			r.Results[key] = strconv.FormatFloat(info.Metrics[key].Value, 'g', -1, 64)
			continue
		}
		if strings.HasPrefix(key, "system/") || strings.Contains(key, "bytes") { // coarse: two machines may agree
			continue
		}
		field(timings, key)
		number(timings, uint64(len(history)))
		for _, p := range history {
			number(timings, math.Float64bits(p.Value))
			measured = measured || p.Value != math.Trunc(p.Value)
		}
	}
	if len(info.Metrics) > 0 {
		r.Points = hex.EncodeToString(all.Sum(nil))
	}
	if measured {
		r.Timings = hex.EncodeToString(timings.Sum(nil))
	}
	return r, nil
}

// field digests a text behind its length, so that none runs into another.
func field(h hash.Hash, text string) {
	number(h, uint64(len(text)))
	io.WriteString(h, text)
}

func number(h hash.Hash, v uint64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	h.Write(b[:])
}

// Claim is a result as a table shows it: with four digits, or "-".
func (r Run) Claim(metric string) string {
	v, err := strconv.ParseFloat(r.Results[metric], 64)
	if err != nil {
		return "-"
	}
	return fmt.Sprintf("%.4g", v)
}
