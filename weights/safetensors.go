package weights

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// maxHeader is the longest header that the format's own reader accepts, in bytes.
const maxHeader = 100_000_000

// maxValues bounds what a file may ask to be allocated, in bytes.
const maxValues int64 = 16 << 30

var safetensorsDTypes = map[string]dtypes.DType{
	"F32": dtypes.Float32, "F64": dtypes.Float64, "I32": dtypes.Int32, "I64": dtypes.Int64, "U8": dtypes.Uint8,
	"F16": dtypes.Float16, "BF16": dtypes.BFloat16,
}

type tensorEntry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// Write writes the named tensors as a safetensors file: eight bytes of header
// length, a JSON header that maps each name to dtype, shape and byte offsets,
// then the values, little-endian, in the order of their names
// (github.com/huggingface/safetensors, "Format").
func Write(w io.Writer, named map[string]*tensors.Tensor) error {
	return WriteDescribed(w, named, "")
}

// Where a file describes its network: the header's map of texts that concern no
// reader of the values, and the key in it.
const (
	metadataEntry  = "__metadata__"
	descriptionKey = "patchlab"
)

// WriteDescribed writes what [Write] does, and in the header a description of the
// network that the values belong to, unless it is "".
func WriteDescribed(w io.Writer, named map[string]*tensors.Tensor, description string) error {
	names := sortedKeys(named)
	header := map[string]any{}
	if description != "" {
		header[metadataEntry] = map[string]string{descriptionKey: description}
	}
	offset := int64(0)
	for _, name := range names {
		t := named[name]
		code, ok := dtypeCode(t.DType())
		if !ok {
			return fmt.Errorf("write tensor %s: type %s cannot be stored", name, t.DType())
		}
		size := t.ByteSize()
		shape := append([]int{}, t.Shape().Dimensions...) // of a scalar [], not null
		header[name] = tensorEntry{DType: code, Shape: shape, Offsets: [2]int64{offset, offset + size}}
		offset += size
	}
	h, err := json.Marshal(header)
	if err != nil {
		return fmt.Errorf("write tensors: %w", err)
	}
	if pad := len(h) % 8; pad != 0 { // values start at a multiple of eight
		h = append(h, strings.Repeat(" ", 8-pad)...)
	}
	out := bufio.NewWriterSize(w, 1<<20)
	if err := binary.Write(out, binary.LittleEndian, uint64(len(h))); err != nil {
		return fmt.Errorf("write tensors: %w", err)
	}
	if _, err := out.Write(h); err != nil {
		return fmt.Errorf("write tensors: %w", err)
	}
	for _, name := range names {
		var werr error
		if err := named[name].ConstBytes(func(b []byte) { _, werr = out.Write(b) }); err != nil {
			return fmt.Errorf("write tensor %s: %w", name, err)
		}
		if werr != nil {
			return fmt.Errorf("write tensor %s: %w", name, werr)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write tensors: %w", err)
	}
	return nil
}

func dtypeCode(t dtypes.DType) (string, bool) {
	for code, d := range safetensorsDTypes {
		if d == t {
			return code, true
		}
	}
	return "", false
}

// Read reads a whole safetensors file. One that is truncated, overlapping,
// oversized or of an unknown type is an error that names the tensor.
func Read(r io.Reader) (map[string]*tensors.Tensor, error) {
	named, _, err := ReadDescribed(r)
	return named, err
}

// ReadDescribed reads what [Read] does, and the description that [WriteDescribed]
// put into the header; "" where there is none.
func ReadDescribed(r io.Reader) (named map[string]*tensors.Tensor, description string, err error) {
	in := bufio.NewReaderSize(r, 1<<20)
	var n uint64
	if err := binary.Read(in, binary.LittleEndian, &n); err != nil {
		return nil, "", fmt.Errorf("read tensors: no header length: %w", err)
	}
	if n < 2 || n > maxHeader {
		return nil, "", fmt.Errorf("read tensors: this is no safetensors file: its first 8 bytes give a header of %d bytes; allowed: 2 to %d", n, maxHeader)
	}
	h, err := io.ReadAll(io.LimitReader(in, int64(n)))
	if err != nil || uint64(len(h)) < n {
		return nil, "", fmt.Errorf("read tensors: header ends after %d of %d bytes", len(h), n)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(h, &raw); err != nil {
		return nil, "", fmt.Errorf("read tensors: header: %w", err)
	}
	if text, ok := raw[metadataEntry]; ok {
		var texts map[string]string
		if err := json.Unmarshal(text, &texts); err != nil {
			return nil, "", fmt.Errorf("read tensors: header: %s: %w", metadataEntry, err)
		}
		description = texts[descriptionKey]
		delete(raw, metadataEntry)
	}
	entries := map[string]tensorEntry{}
	for name, b := range raw {
		var e tensorEntry
		if err := json.Unmarshal(b, &e); err != nil {
			return nil, "", fmt.Errorf("read tensor %q: header: %w", name, err)
		}
		entries[name] = e
	}
	names := sortedKeys(entries)
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(entries[a].Offsets[0], entries[b].Offsets[0]) })

	named = map[string]*tensors.Tensor{}
	next := int64(0)
	for _, name := range names {
		e := entries[name]
		shape, err := e.shape()
		if err != nil {
			return nil, "", fmt.Errorf("read tensor %q: %w", name, err)
		}
		size := shape.ByteSize()
		if e.Offsets[0] != next || e.Offsets[1]-e.Offsets[0] != size {
			return nil, "", fmt.Errorf("read tensor %q: bytes %d to %d; want %d bytes from %d", name, e.Offsets[0], e.Offsets[1], size, next)
		}
		next = e.Offsets[1]
		if next > maxValues {
			return nil, "", fmt.Errorf("read tensor %q: file of more than %d bytes", name, maxValues)
		}
		t, err := readTensor(in, shape)
		if err != nil {
			return nil, "", fmt.Errorf("read tensor %q: %w", name, err)
		}
		named[name] = t
	}
	if _, err := in.ReadByte(); err != io.EOF {
		return nil, "", fmt.Errorf("read tensors: bytes beyond the last tensor, at %d", next)
	}
	return named, description, nil
}

// readTensor reads in pieces, so that a lying header cannot make it allocate
// more than the file holds.
func readTensor(in io.Reader, shape shapes.Shape) (*tensors.Tensor, error) {
	const piece = 1 << 20
	size := int(shape.ByteSize())
	data := make([]byte, 0, min(size, piece))
	for len(data) < size {
		n := min(size-len(data), max(piece, len(data)))
		data = slices.Grow(data, n)
		if _, err := io.ReadFull(in, data[len(data):len(data)+n]); err != nil {
			return nil, fmt.Errorf("values end before %d bytes: %w", size, err)
		}
		data = data[:len(data)+n]
	}
	t := tensors.FromShape(shape)
	if err := t.MutableBytes(func(b []byte) { copy(b, data) }); err != nil {
		return nil, err
	}
	return t, nil
}

func (e tensorEntry) shape() (shapes.Shape, error) {
	d, ok := safetensorsDTypes[e.DType]
	if !ok {
		return shapes.Shape{}, fmt.Errorf("type %q; allowed: %s", e.DType, strings.Join(sortedKeys(safetensorsDTypes), ", "))
	}
	size := int64(d.Size())
	for _, dim := range e.Shape {
		if dim < 1 || size > maxValues/int64(dim) {
			return shapes.Shape{}, fmt.Errorf("shape %v; allowed: dimensions of 1 or more, at most %d bytes", e.Shape, maxValues)
		}
		size *= int64(dim)
	}
	return shapes.Make(d, e.Shape...), nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
