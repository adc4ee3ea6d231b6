package datasets

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// realCIFAR is the folder of real CIFAR-10 pictures called kind ("jpeg" or "exact").
func realCIFAR(t testing.TB, kind string) string {
	t.Helper()
	root := os.Getenv("PATCHLAB_TEST_DATA")
	if root == "" {
		t.Skip("PATCHLAB_TEST_DATA is not set: no real pictures to read")
	}
	return filepath.Join(root, kind)
}

// cifarBytes is a file of records whose labels are given. The byte of record r, channel c, pixel i
// is a simple function of the three.
func cifarBytes(labels ...uint8) []byte {
	var out []byte
	for r, label := range labels {
		out = append(out, label)
		for c := range 3 {
			for i := range cifarPlane {
				out = append(out, uint8(r*31+c*85+i*7))
			}
		}
	}
	return out
}

// writeCIFAR makes the official folder below a new directory, with three records a file; change, when
// set, spoils a file's content before it is written.
func writeCIFAR(t testing.TB, change func(name string, content []byte) []byte) (parent string) {
	t.Helper()
	parent = t.TempDir()
	dir := filepath.Join(parent, cifarFolder)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, name := range cifarFiles() {
		content := cifarBytes(uint8(i), uint8(i+1), uint8(i+2))
		if change != nil {
			content = change(name, content)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return parent
}

func TestCIFAR10LayoutAndOrder(t *testing.T) {
	parent := writeCIFAR(t, nil)
	d, err := Load(t.Context(), "cifar10", Options{Dir: parent})
	if err != nil {
		t.Fatal(err)
	}
	if want := []uint16{0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4, 5, 4, 5, 6}; !slices.Equal(d.Train.Labels, want) {
		t.Errorf("train labels %v, want the files' in order %v", d.Train.Labels, want)
	}
	if want := []uint16{5, 6, 7}; !slices.Equal(d.Test.Labels, want) {
		t.Errorf("test labels %v, want %v", d.Test.Labels, want)
	}
	for n := range d.Train.Len() {
		image := d.Train.Image(n)
		for i := range cifarPlane {
			for c := range 3 {
				if got, want := image[3*i+c], uint8(n%3*31+c*85+i*7); got != want {
					t.Fatalf("image %d, pixel %d, channel %d is %d, want %d", n, i, c, got, want)
				}
			}
		}
	}
	inner, err := Load(t.Context(), "cifar10", Options{Dir: filepath.Join(parent, cifarFolder)})
	if err != nil {
		t.Fatal(err)
	}
	if inner.Digest != d.Digest {
		t.Error("the folder itself and its parent gave different datasets")
	}
}

func TestCIFAR10LimitsReadAPrefix(t *testing.T) {
	parent := writeCIFAR(t, nil)
	all, err := Load(t.Context(), "cifar10", Options{Dir: parent})
	if err != nil {
		t.Fatal(err)
	}
	for limit := 1; limit <= 16; limit++ {
		some, err := Load(t.Context(), "cifar10", Options{Dir: parent, TrainLimit: limit, TestLimit: 2})
		if err != nil {
			t.Fatal(err)
		}
		want := all.Train.First(limit)
		if !bytes.Equal(some.Train.Images, want.Images) || !slices.Equal(some.Train.Labels, want.Labels) {
			t.Errorf("limit %d isn't the first %[1]d images", limit)
		}
		if some.Test.Len() != 2 {
			t.Errorf("%d test images, want 2", some.Test.Len())
		}
		if some.Digest == all.Digest {
			t.Errorf("limits %d and 2 have the digest of the whole", limit)
		}
	}
}

func TestCIFAR10DamageIsNamed(t *testing.T) {
	for _, c := range []struct {
		name   string
		file   string
		change func([]byte) []byte
		offset int64
		reason string
	}{
		{"truncated", "data_batch_3.bin", func(b []byte) []byte { return b[:cifarRecord+100] }, cifarRecord + 100, "ends 100 bytes into record 1"},
		{"one byte too many", "test_batch.bin", func(b []byte) []byte { return append(b, 0) }, 3*cifarRecord + 1, "ends 1 bytes into record 3"},
		{"empty", "data_batch_1.bin", func([]byte) []byte { return nil }, 0, "empty"},
		{"wrong label", "data_batch_5.bin", func(b []byte) []byte { b[2*cifarRecord] = 10; return b }, 2 * cifarRecord, "label is 10, must be 0 to 9"},
		{"wrong label in test", "test_batch.bin", func(b []byte) []byte { b[cifarRecord] = 255; return b }, cifarRecord, "label is 255"},
	} {
		t.Run(c.name, func(t *testing.T) {
			parent := writeCIFAR(t, func(name string, content []byte) []byte {
				if name == c.file {
					return c.change(content)
				}
				return content
			})
			_, err := Load(t.Context(), "cifar10", Options{Dir: parent})
			wantFormatError(t, err, filepath.Join(parent, cifarFolder, c.file), c.offset, c.reason)
		})
	}
}

// wantFormatError checks what a FormatError says, and that its text holds all of it.
func wantFormatError(t *testing.T, err error, file string, offset int64, reason string) {
	t.Helper()
	var format *FormatError
	if !errors.As(err, &format) {
		t.Fatalf("error is %v, want a FormatError", err)
	}
	if format.File != file || format.Offset != offset || !strings.Contains(format.Reason, reason) {
		t.Errorf("error is %v\nwant file %s, byte %d, %q", err, file, offset, reason)
	}
	if text := fmt.Sprintf("%s: byte %d: ", file, offset); !strings.Contains(err.Error(), text) {
		t.Errorf("error %q doesn't say %q", err, text)
	}
	if errors.Is(err, ErrUnavailable) {
		t.Error("damage is reported as unavailable")
	}
}

func TestCIFAR10MissingFileIsNamed(t *testing.T) {
	parent := writeCIFAR(t, nil)
	if err := os.Remove(filepath.Join(parent, cifarFolder, "data_batch_4.bin")); err != nil {
		t.Fatal(err)
	}
	_, err := Load(t.Context(), "cifar10", Options{Dir: parent})
	if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "data_batch_4.bin") {
		t.Errorf("error is %v, want one that names data_batch_4.bin", err)
	}
	empty := t.TempDir()
	_, err = Load(t.Context(), "cifar10", Options{Dir: empty})
	if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), empty) {
		t.Errorf("error is %v, want one that names %s", err, empty)
	}
}

func TestRealCIFAR10(t *testing.T) {
	d, err := Load(t.Context(), "cifar10", Options{Dir: realCIFAR(t, "jpeg")})
	if err != nil {
		t.Fatal(err)
	}
	if d.Train.Len() != 50_000 || d.Test.Len() != 10_000 || d.Height != 32 || d.Width != 32 || d.Channels != 3 {
		t.Errorf("got %d train, %d test of %d×%d×%d", d.Train.Len(), d.Test.Len(), d.Height, d.Width, d.Channels)
	}
	if got, want := d.Train.Labels[:10], []uint16{6, 9, 9, 4, 1, 1, 2, 7, 8, 3}; !slices.Equal(got, want) {
		t.Errorf("first train labels %v, want %v", got, want)
	}
	if got, want := d.Test.Labels[:10], []uint16{3, 8, 8, 0, 6, 6, 1, 6, 3, 1}; !slices.Equal(got, want) {
		t.Errorf("first test labels %v, want %v", got, want)
	}
	if name := d.Classes[d.Train.Labels[0]]; name != "frog" {
		t.Errorf("the first train image is a %s, want a frog", name)
	}
	for label, n := range d.Train.ClassCounts(10) {
		if n != 5000 {
			t.Errorf("%d train images of class %d, want 5000", n, label)
		}
	}
	for label, n := range d.Test.ClassCounts(10) {
		if n != 1000 {
			t.Errorf("%d test images of class %d, want 1000", n, label)
		}
	}
	// CIFAR-10's published channel means are 125.3, 123.0, 113.9 and its deviations 63.0, 62.1, 66.7;
	// these pixels are a few grey levels off.
	mean, variance := d.Train.ChannelMoments()
	for c, want := range []float32{125.3, 123.0, 113.9} {
		if mean[c] < want-.5 || mean[c] > want+.5 {
			t.Errorf("mean of channel %d is %.2f, want about %.1f", c, mean[c], want)
		}
	}
	for c, want := range []float32{63.0, 62.1, 66.7} {
		if d := variance[c] - want*want; d < -150 || d > 150 {
			t.Errorf("variance of channel %d is %.1f, want about %.1f", c, variance[c], want*want)
		}
	}
}

func TestRealCIFAR10ExactPixels(t *testing.T) {
	d, err := Load(t.Context(), "cifar10", Options{Dir: realCIFAR(t, "exact")})
	if err != nil {
		t.Fatal(err)
	}
	if d.Train.Len() != 2000 || d.Test.Len() != 400 {
		t.Fatalf("got %d train and %d test images, want 2000 and 400", d.Train.Len(), d.Test.Len())
	}
	// The first pixels of the first train image, as every introduction to CIFAR-10 prints them.
	if got, want := d.Train.Image(0)[:9], []uint8{59, 62, 63, 43, 46, 45, 50, 48, 43}; !slices.Equal(got, want) {
		t.Errorf("first pixels of the frog %v, want %v", got, want)
	}
	if got, want := d.Test.Image(0)[:6], []uint8{158, 112, 49, 159, 111, 47}; !slices.Equal(got, want) {
		t.Errorf("first pixels of the first test image %v, want %v", got, want)
	}
}

func FuzzCIFAR(f *testing.F) {
	f.Add(cifarBytes(3))
	f.Add(cifarBytes(9, 0))
	f.Add(cifarBytes(10))
	f.Add(cifarBytes(1)[:200])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		records, err := cifarRecords("fuzz", int64(len(content)))
		if err != nil {
			if len(content) > 0 && len(content)%cifarRecord == 0 {
				t.Fatalf("%d bytes refused: %v", len(content), err)
			}
			return
		}
		split := Split{Images: make([]uint8, records*cifarImage), Labels: make([]uint16, records), Channels: 3}
		err = decodeCIFAR("fuzz", bytes.NewReader(content), 0, make([]byte, len(content)), split)
		if err != nil {
			var format *FormatError
			if !errors.As(err, &format) || content[format.Offset] <= 9 {
				t.Fatalf("error doesn't point at a wrong label: %v", err)
			}
			return
		}
		for r := range records { // what was read, put back, is the file
			record := []byte{byte(split.Labels[r])}
			for c := range 3 {
				for i := range cifarPlane {
					record = append(record, split.Image(r)[3*i+c])
				}
			}
			if !bytes.Equal(record, content[r*cifarRecord:(r+1)*cifarRecord]) {
				t.Fatalf("record %d changed", r)
			}
		}
	})
}

func BenchmarkLoadCIFAR10(b *testing.B) {
	dir := realCIFAR(b, "jpeg")
	for b.Loop() {
		if _, err := Load(b.Context(), "cifar10", Options{Dir: dir}); err != nil {
			b.Fatal(err)
		}
	}
}

// sum is the SHA-256 of bytes in hex.
func sum(content []byte) string {
	digest := sha256.Sum256(content)
	return hex.EncodeToString(digest[:])
}
