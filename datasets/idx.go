package datasets

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// readIDX reads an IDX file of unsigned bytes, gzipped or not (which its first two bytes tell).
// See [decodeIDX].
func readIDX(path string, dims int) (shape []int, data []uint8, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	buffered := bufio.NewReaderSize(file, 1<<16)
	var content io.Reader = buffered
	if head, _ := buffered.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, nil, &FormatError{File: path, Offset: 0, Reason: fmt.Sprintf("the gzip header is damaged: %v", err)}
		}
		content = unzipped
	}
	return decodeIDX(path, content, dims)
}

// decodeIDX reads LeCun, Cortes and Burges's format ("The MNIST database", the section on the IDX
// file format): two zero bytes, 8 for unsigned bytes, the number of dimensions, each dimension as a
// big-endian 32-bit integer, then the values in row-major order and nothing more.
func decodeIDX(path string, content io.Reader, dims int) (shape []int, data []uint8, err error) {
	header := make([]byte, 4+4*dims)
	if n, err := io.ReadFull(content, header); err != nil {
		return nil, nil, idxEnd(path, int64(n), int64(len(header)), err)
	}
	if want := []byte{0, 0, 8, byte(dims)}; !bytes.Equal(header[:4], want) {
		return nil, nil, &FormatError{File: path, Offset: 0, Reason: fmt.Sprintf(
			"the magic number is %x, must be %x (unsigned bytes, %d dimensions)", header[:4], want, dims)}
	}
	total := int64(1)
	for i := range dims {
		size := int64(binary.BigEndian.Uint32(header[4+4*i:]))
		shape = append(shape, int(size))
		if size == 0 || size > maxIDX/total {
			return nil, nil, &FormatError{File: path, Offset: int64(4 + 4*i), Reason: fmt.Sprintf(
				"dimension %d is %d, must be at least 1 and leave the file within %d bytes", i, size, maxIDX)}
		}
		total *= size
	}
	// The buffer grows with what really comes: a damaged header can't ask for all memory.
	var values bytes.Buffer
	values.Grow(int(min(total, 64<<20)) + bytes.MinRead)
	n, err := io.Copy(&values, io.LimitReader(content, total+1))
	if err != nil || n < total {
		return nil, nil, idxEnd(path, int64(len(header))+n, int64(len(header))+total, err)
	}
	if n > total {
		return nil, nil, &FormatError{File: path, Offset: int64(len(header)) + total, Reason: fmt.Sprintf(
			"more bytes follow, must end after %d values", total)}
	}
	return shape, values.Bytes(), nil
}

// maxIDX bounds the content of one file, in bytes.
const maxIDX = 1 << 30

// idxEnd is the error for content that ends, or can't be read on, at an offset.
func idxEnd(path string, at, want int64, err error) error {
	reason := fmt.Sprintf("the file ends, must hold %d bytes", want)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		reason = fmt.Sprintf("%v", err)
	}
	return &FormatError{File: path, Offset: at, Reason: reason}
}
