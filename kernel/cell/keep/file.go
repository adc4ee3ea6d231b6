package keep

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"reflect"
	"time"
)

// A kept value is a line "patchlab value 1", a line of JSON (the header), the encoded value, and the CRC-32C of all
// before it in four bytes, little-endian.

const magic = "patchlab value 1\n"

// maxHeader bounds the header's line, in bytes.
const maxHeader = 16 << 20

type header struct {
	Name   string            `json:"name"`
	Type   string            `json:"type"`
	Digest string            `json:"digest"`
	Types  map[string]string `json:"types,omitempty"` // structure of every named type in it
	Kept   time.Time         `json:"kept"`
}

func headerOf(name string, t reflect.Type) header {
	h := header{Name: name, Type: nameOf(t), Types: digests(t)}
	h.Digest = digestOf(h.Type, h.Types)
	return h
}

func checksum() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// Write writes a value to w in the form in which values are kept; Read reads it.
func Write[T any](w io.Writer, name string, value T) error {
	err := write(w, name, reflect.ValueOf(&value).Elem())
	if err != nil {
		return fmt.Errorf("writing %q: %w", name, err)
	}
	return nil
}

func write(w io.Writer, name string, v reflect.Value) error {
	h := headerOf(name, v.Type())
	h.Kept = time.Now().UTC()
	line, err := json.Marshal(h)
	if err != nil {
		return err
	}
	sum := crc32.New(checksum())
	b := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<16)
	b.WriteString(magic)
	b.Write(append(line, '\n'))
	if err := newEncoder(b).value(v); err != nil {
		return err
	}
	if err := b.Flush(); err != nil {
		return err
	}
	_, err = w.Write(binary.LittleEndian.AppendUint32(nil, sum.Sum32()))
	return err
}

// Read reads a value that Write or Value wrote. The type must be that which was written: where types in it have
// changed since, the error wraps ErrType. Values of named types that interfaces hold are found in T or among the
// examples.
func Read[T any](r io.ReadSeeker, examples ...any) (value T, err error) {
	h, err := read(r, reflect.ValueOf(&value).Elem(), examples)
	if err != nil {
		var none T
		return none, fmt.Errorf("reading %q: %w", h.Name, err)
	}
	return value, nil
}

// read reads a value into v: first all of it for its checksum, then again to decode it.
func read(r io.ReadSeeker, v reflect.Value, examples []any) (header, error) {
	h, body, err := readHeader(r)
	if err != nil {
		return h, err
	}
	if asked := headerOf(h.Name, v.Type()); asked.Digest != h.Digest {
		return h, differ(h, asked)
	}
	size, err := verify(r)
	if err != nil {
		return h, err
	}
	if _, err := r.Seek(body, io.SeekStart); err != nil {
		return h, err
	}
	left := size - body
	b := bufio.NewReaderSize(io.LimitReader(r, left), 1<<16)
	if err := newDecoder(b, left, known(v.Type(), examples)).value(v); err != nil {
		return h, err
	}
	if _, err := b.ReadByte(); err != io.EOF {
		return h, errDamaged
	}
	return h, nil
}

// readHeader reads the first lines; body is where the encoded value begins.
func readHeader(r io.ReadSeeker) (h header, body int64, err error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return h, 0, err
	}
	b := bufio.NewReader(io.LimitReader(r, maxHeader))
	first, err := b.ReadString('\n')
	if err != nil || first != magic {
		return h, 0, fmt.Errorf("%w: it does not begin with %q", errDamaged, magic)
	}
	line, err := b.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &h)
	}
	if err != nil {
		return h, 0, fmt.Errorf("%w: its header cannot be read", errDamaged)
	}
	return h, int64(len(first) + len(line)), nil
}

// verify checks the checksum and returns how many bytes it covers.
func verify(r io.ReadSeeker) (size int64, err error) {
	size, err = r.Seek(-4, io.SeekEnd)
	if err != nil {
		return 0, errDamaged
	}
	var want [4]byte
	if _, err := io.ReadFull(r, want[:]); err != nil {
		return 0, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	sum := crc32.New(checksum())
	if _, err := io.CopyBuffer(sum, io.LimitReader(r, size), make([]byte, 1<<16)); err != nil {
		return 0, err
	}
	if sum.Sum32() != binary.LittleEndian.Uint32(want[:]) {
		return 0, errDamaged
	}
	return size, nil
}
