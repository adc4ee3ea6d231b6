package exchange

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"patchlab/tracker"
)

// ImportTensorBoard imports the scalars of event files under a folder: each
// folder that holds such files is a run, named by its path below the root.
// Pictures, texts and graphs are left out. A file cut short, as one being
// written is, counts up to there; a damaged record is an error.
func ImportTensorBoard(ctx context.Context, db *tracker.DB, root string) (tracker.Merged, error) {
	folders := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && strings.Contains(entry.Name(), "tfevents") {
			folders[filepath.Dir(path)] = append(folders[filepath.Dir(path)], path)
		}
		return err
	})
	if err == nil && len(folders) == 0 {
		err = errors.New("there are no event files (*tfevents*) in it")
	}
	if err != nil {
		return tracker.Merged{}, fmt.Errorf("importing %s: %w", root, err)
	}
	return importing(ctx, db, func(s *staging) error {
		for _, folder := range sortedKeys(folders) {
			if err := s.addEventFiles(root, folder, folders[folder]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *staging) addEventFiles(root, folder string, files []string) error {
	slices.Sort(files) // their names begin with their time
	var points []point
	start := time.Time{}
	for _, path := range files {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		err = readEvents(file, func(e event) error {
			if start.IsZero() {
				start = e.at
			}
			for _, v := range e.scalars {
				points = append(points, point{v.tag, e.at, e.step, v.value})
			}
			return nil
		})
		if err = errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
	}
	if len(points) == 0 {
		return nil
	}
	name, err := filepath.Rel(root, folder)
	if err != nil || name == "." {
		name = filepath.Base(root)
	}
	name = filepath.ToSlash(name)
	id := identity("tensorboard", name, fmt.Sprint(start.UnixMicro()))
	end := start
	for _, p := range points {
		if p.at.After(end) {
			end = p.at
		}
	}
	return s.add(imported{Spec: tracker.Spec{ID: id, Start: start, Name: name, Experiment: "tensorboard", Tags: map[string]string{"source": "tensorboard"}},
		status: tracker.Finished, end: end, grows: true, points: logging(points)})
}

// event is what an event file's record holds of scalars.
type event struct {
	at      time.Time
	step    int64
	scalars []scalar
}

type scalar struct {
	tag   string
	value float64
}

// maxRecord bounds a record: pictures and graphs are large, but not that large.
const maxRecord = 1 << 28

// readEvents reads records until the end, or until one that is cut short. A
// record is its length, the length's checksum, the event, the event's checksum.
func readEvents(src io.Reader, yield func(event) error) error {
	in := bufio.NewReader(src)
	var head [12]byte
	var data []byte
	for offset := int64(0); ; offset += int64(len(data)) + 16 {
		if _, err := io.ReadFull(in, head[:]); err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil
		} else if err != nil {
			return err
		}
		length := binary.LittleEndian.Uint64(head[:8])
		if maskedChecksum(head[:8]) != binary.LittleEndian.Uint32(head[8:]) || length > maxRecord {
			return fmt.Errorf("the record at byte %d is damaged", offset)
		}
		var err error
		if data, err = readUpTo(in, data[:0], int(length)+4); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		body := data[:length]
		if maskedChecksum(body) != binary.LittleEndian.Uint32(data[length:]) {
			return fmt.Errorf("the record at byte %d is damaged", offset)
		}
		e, err := decodeEvent(body)
		if err != nil {
			return fmt.Errorf("the record at byte %d: %w", offset, err)
		}
		if err := yield(e); err != nil {
			return err
		}
		data = body
	}
}

// readUpTo reads length bytes, without trusting length before they come;
// io.EOF where there are fewer.
func readUpTo(in io.Reader, data []byte, length int) ([]byte, error) {
	for len(data) < length {
		n := min(length-len(data), 1<<16)
		at := len(data)
		data = slices.Grow(data, n)[:at+n]
		if _, err := io.ReadFull(in, data[at:]); err == io.ErrUnexpectedEOF || err == io.EOF {
			return data, io.EOF
		} else if err != nil {
			return data, err
		}
	}
	return data, nil
}

// maskedChecksum is CRC-32C, rotated and offset as the format wants it.
func maskedChecksum(data []byte) uint32 {
	c := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return (c>>15 | c<<17) + 0xa282ead8
}

// eachField calls yield for each field of a message, with the value's bytes
// (of a message, text or packed list) or bits.
func eachField(data []byte, yield func(number protowire.Number, bytes []byte, bits uint64) error) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		var bytes []byte
		var bits uint64
		switch kind {
		case protowire.BytesType:
			bytes, n = protowire.ConsumeBytes(data)
		case protowire.VarintType:
			bits, n = protowire.ConsumeVarint(data)
		case protowire.Fixed64Type:
			bits, n = protowire.ConsumeFixed64(data)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(data)
			bits = uint64(v)
		default:
			n = protowire.ConsumeFieldValue(number, kind, data)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		if err := yield(number, bytes, bits); err != nil {
			return err
		}
	}
	return nil
}

// decodeEvent reads an Event message: wall_time 1, step 2, summary 5.
func decodeEvent(data []byte) (e event, err error) {
	err = eachField(data, func(number protowire.Number, bytes []byte, bits uint64) error {
		switch number {
		case 1:
			if seconds := math.Float64frombits(bits); math.Abs(seconds) < 1e11 { // not NaN, not beyond year 5000
				e.at = time.UnixMicro(int64(math.Round(seconds * 1e6)))
			}
		case 2:
			e.step = int64(bits)
		case 5:
			return eachField(bytes, func(number protowire.Number, bytes []byte, _ uint64) error {
				if number != 1 {
					return nil
				}
				v, ok, err := decodeSummaryValue(bytes)
				if ok && v.tag != "" {
					e.scalars = append(e.scalars, v)
				}
				return err
			})
		}
		return nil
	})
	return e, err
}

// decodeSummaryValue reads a Summary.Value message: tag 1, simple_value 2,
// tensor 8.
func decodeSummaryValue(data []byte) (v scalar, ok bool, err error) {
	err = eachField(data, func(number protowire.Number, bytes []byte, bits uint64) error {
		switch number {
		case 1:
			v.tag = string(bytes)
		case 2:
			v.value, ok = float64(math.Float32frombits(uint32(bits))), true
		case 8:
			value, scalar, err := decodeTensor(bytes)
			if scalar {
				v.value, ok = value, true
			}
			return err
		}
		return nil
	})
	return v, ok, err
}

// decodeTensor reads a TensorProto of one number: dtype 1, tensor_shape 2,
// tensor_content 4, float_val 5, double_val 6, int_val 7, int64_val 10.
func decodeTensor(data []byte) (value float64, scalar bool, err error) {
	var kind uint64
	var content []byte
	err = eachField(data, func(number protowire.Number, bytes []byte, bits uint64) error {
		switch number {
		case 1:
			kind = bits
		case 2:
			if len(bytes) > 0 {
				kind = 0 // it has dimensions: no scalar
			}
		case 4:
			content = bytes
		case 5:
			if len(bytes) == 4 { // packed
				bits = uint64(binary.LittleEndian.Uint32(bytes))
			}
			value, scalar = float64(math.Float32frombits(uint32(bits))), len(bytes) <= 4
		case 6:
			if len(bytes) == 8 {
				bits = binary.LittleEndian.Uint64(bytes)
			}
			value, scalar = math.Float64frombits(bits), len(bytes) <= 8
		case 7, 10:
			if bytes != nil {
				var n int
				if bits, n = protowire.ConsumeVarint(bytes); n != len(bytes) {
					return nil
				}
			}
			value, scalar = float64(int64(bits)), true
		}
		return nil
	})
	const float, double, int32s, int64s = 1, 2, 3, 9 // DataType
	switch {
	case kind == float && len(content) == 4:
		value, scalar = float64(math.Float32frombits(binary.LittleEndian.Uint32(content))), true
	case kind == double && len(content) == 8:
		value, scalar = math.Float64frombits(binary.LittleEndian.Uint64(content)), true
	case kind == int32s && len(content) == 4:
		value, scalar = float64(int32(binary.LittleEndian.Uint32(content))), true
	case kind == int64s && len(content) == 8:
		value, scalar = float64(int64(binary.LittleEndian.Uint64(content))), true
	}
	known := kind == float || kind == double || kind == int32s || kind == int64s
	return value, scalar && known, err
}
