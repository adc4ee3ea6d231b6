package viz

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"time"
)

// WriteAPNG writes the movie as an animated PNG with so many pixels a point, in
// full colour (PNG specification, third edition, sections 4.9 and 11.3.2). A
// program that knows only still PNGs shows the first frame. After the first, a
// frame holds only what changed.
func (m *Movie) WriteAPNG(w io.Writer, scale float64) error {
	var out bytes.Buffer
	sequence := uint32(0)
	next := func() []byte {
		sequence++
		return binary.BigEndian.AppendUint32(nil, sequence-1)
	}
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	err := m.each(scale, func(i int, frame, _ *image.RGBA, area image.Rectangle) error {
		var still bytes.Buffer
		if err := encoder.Encode(&still, frame.SubImage(area)); err != nil {
			return err
		}
		chunks, err := pngChunks(still.Bytes())
		if err != nil {
			return err
		}
		if i == 0 {
			out.WriteString("\x89PNG\r\n\x1a\n")
			writeChunk(&out, "IHDR", chunks["IHDR"][0])
			writeChunk(&out, "acTL", binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(len(m.frames))), 0))
		}
		control := next()
		for _, v := range []int{area.Dx(), area.Dy(), area.Min.X, area.Min.Y} {
			control = binary.BigEndian.AppendUint32(control, uint32(v))
		}
		control = binary.BigEndian.AppendUint16(control, uint16(m.delay/time.Millisecond))
		control = binary.BigEndian.AppendUint16(control, 1000)
		writeChunk(&out, "fcTL", append(control, 0, 0)) // keep what was drawn, overwrite
		for _, data := range chunks["IDAT"] {
			if i == 0 {
				writeChunk(&out, "IDAT", data)
			} else {
				writeChunk(&out, "fdAT", append(next(), data...))
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write APNG: %w", err)
	}
	writeChunk(&out, "IEND", nil)
	return writeAll(w, &out)
}

// pngChunks takes a PNG of the standard library apart, by kind.
func pngChunks(b []byte) (map[string][][]byte, error) {
	chunks := map[string][][]byte{}
	for at := 8; at+12 <= len(b); {
		length := int(binary.BigEndian.Uint32(b[at:]))
		if at+12+length > len(b) {
			return nil, fmt.Errorf("a chunk of %d bytes at %d of %d", length, at, len(b))
		}
		kind := string(b[at+4 : at+8])
		chunks[kind] = append(chunks[kind], b[at+8:at+8+length])
		at += 12 + length
	}
	if len(chunks["IHDR"]) != 1 || len(chunks["IDAT"]) == 0 {
		return nil, fmt.Errorf("a PNG without header or pixels")
	}
	return chunks, nil
}

func writeChunk(out *bytes.Buffer, kind string, data []byte) {
	body := append([]byte(kind), data...)
	var b []byte
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	b = append(b, body...)
	out.Write(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(body)))
}
