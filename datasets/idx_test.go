package datasets

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// idxBytes is an IDX file of unsigned bytes.
func idxBytes(data []byte, shape ...int) []byte {
	out := []byte{0, 0, 8, byte(len(shape))}
	for _, n := range shape {
		out = binary.BigEndian.AppendUint32(out, uint32(n))
	}
	return append(out, data...)
}

func zipped(t testing.TB, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// fashionContent is a small Fashion-MNIST: three train and two test pictures.
func fashionContent() map[string][]byte {
	pixels := func(n, first int) []byte {
		out := make([]byte, n*fashionSide*fashionSide)
		for i := range out {
			out[i] = uint8(first + i*7)
		}
		return out
	}
	return map[string][]byte{
		fashionTrainImages: idxBytes(pixels(3, 1), 3, 28, 28),
		fashionTrainLabels: idxBytes([]byte{9, 0, 3}, 3),
		fashionTestImages:  idxBytes(pixels(2, 5), 2, 28, 28),
		fashionTestLabels:  idxBytes([]byte{2, 1}, 2),
	}
}

func writeFiles(t testing.TB, files map[string][]byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFashionPlainAndZipped(t *testing.T) {
	plain := fashionContent()
	packed, disguised := map[string][]byte{}, map[string][]byte{}
	for name, content := range plain {
		packed[name+".gz"] = zipped(t, content)
		disguised[name] = zipped(t, content) // gzipped, whatever its name says
	}
	var digests []string
	for _, files := range []map[string][]byte{plain, packed, disguised} {
		d, err := Load(t.Context(), "fashion-mnist", Options{Dir: writeFiles(t, files)})
		if err != nil {
			t.Fatal(err)
		}
		if d.Height != 28 || d.Width != 28 || d.Channels != 1 || d.Train.Channels != 1 {
			t.Errorf("shape %d×%d×%d, want 28×28×1", d.Height, d.Width, d.Channels)
		}
		if !slices.Equal(d.Train.Labels, []uint16{9, 0, 3}) || !slices.Equal(d.Test.Labels, []uint16{2, 1}) {
			t.Errorf("labels %v and %v", d.Train.Labels, d.Test.Labels)
		}
		if !bytes.Equal(d.Train.Images, plain[fashionTrainImages][16:]) || !bytes.Equal(d.Test.Images, plain[fashionTestImages][16:]) {
			t.Error("pixels aren't the file's")
		}
		digests = append(digests, d.Digest)
	}
	if digests[0] != digests[1] || digests[0] != digests[2] {
		t.Errorf("digests differ: %v", digests)
	}
}

func TestFashionLimits(t *testing.T) {
	content := fashionContent()
	d, err := Load(t.Context(), "fashion-mnist", Options{Dir: writeFiles(t, content), TrainLimit: 2, TestLimit: 9})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(d.Train.Images, content[fashionTrainImages][16:16+2*784]) || d.Train.Len() != 2 || d.Test.Len() != 2 {
		t.Errorf("got %d train and %d test images, want the first 2 and all 2", d.Train.Len(), d.Test.Len())
	}
}

func TestFashionDamageIsNamed(t *testing.T) {
	header := func(content []byte, at int, value uint32) []byte {
		binary.BigEndian.PutUint32(content[at:], value)
		return content
	}
	for _, c := range []struct {
		name   string
		file   string
		change func([]byte) []byte
		offset int64
		reason string
	}{
		{"truncated pixels", fashionTrainImages, func(b []byte) []byte { return b[:1000] }, 1000, "the file ends, must hold 2368 bytes"},
		{"truncated labels", fashionTestLabels, func(b []byte) []byte { return b[:9] }, 9, "must hold 10 bytes"},
		{"truncated header", fashionTestImages, func(b []byte) []byte { return b[:10] }, 10, "must hold 16 bytes"},
		{"empty", fashionTrainLabels, func([]byte) []byte { return nil }, 0, "must hold 8 bytes"},
		{"wrong magic", fashionTrainImages, func(b []byte) []byte { return header(b, 0, 0x0d03) }, 0, "magic number is 00000d03, must be 00000803"},
		{"labels in place of pictures", fashionTrainImages, func([]byte) []byte { return idxBytes(make([]byte, 99), 99) }, 0, "magic number is 00000801"},
		{"no pictures", fashionTrainImages, func(b []byte) []byte { return header(b, 4, 0) }, 4, "dimension 0 is 0"},
		{"absurd size", fashionTrainImages, func(b []byte) []byte { return header(b, 8, 1<<31) }, 8, "dimension 1 is 2147483648"},
		{"claims more than it has", fashionTrainImages, func(b []byte) []byte { return header(b, 4, 1_000_000) }, 2368, "must hold 784000016 bytes"},
		{"other size", fashionTestImages, func([]byte) []byte { return idxBytes(make([]byte, 2*28*20), 2, 28, 20) }, 12, "28×20 pixels, must be 28×28"},
		{"one label too few", fashionTrainLabels, func([]byte) []byte { return idxBytes([]byte{1, 2}, 2) }, 4, "there are 2 labels, must be 3"},
		{"wrong label", fashionTrainLabels, func(b []byte) []byte { b[9] = 10; return b }, 9, "label is 10, must be 0 to 9"},
		{"more follows", fashionTestLabels, func(b []byte) []byte { return append(b, 1) }, 10, "more bytes follow"},
		{"truncated gzip", fashionTrainImages, func(b []byte) []byte { z := zipped(t, b); return z[:len(z)/2] }, -1, "the file ends"},
		{"damaged gzip", fashionTrainImages, func(b []byte) []byte { z := zipped(t, b); z[len(z)-6] ^= 1; return z }, 2368, "gzip: invalid checksum"},
		{"damaged gzip header", fashionTrainImages, func(b []byte) []byte { z := zipped(t, b); z[2] = 0; return z }, 0, "gzip header is damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := fashionContent()
			files[c.file] = c.change(files[c.file])
			dir := writeFiles(t, files)
			_, err := Load(t.Context(), "fashion-mnist", Options{Dir: dir})
			if c.offset < 0 { // somewhere in the middle: where depends on the compressor
				var format *FormatError
				if !errors.As(err, &format) || format.Offset <= 0 || format.Offset >= 2368 {
					t.Fatalf("error is %v, want an offset within the file", err)
				}
				c.offset = format.Offset
			}
			wantFormatError(t, err, filepath.Join(dir, c.file), c.offset, c.reason)
		})
	}
}

func TestFashionMissingFileIsNamed(t *testing.T) {
	files := fashionContent()
	delete(files, fashionTestLabels)
	_, err := Load(t.Context(), "fashion-mnist", Options{Dir: writeFiles(t, files)})
	if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), fashionTestLabels) {
		t.Errorf("error is %v, want one that names %s", err, fashionTestLabels)
	}
}

// fashionShelf is a library whose Fashion-MNIST is the small one, from a server.
func fashionShelf(t *testing.T) (l library, served map[string][]byte) {
	l, served = shelf(nil), map[string][]byte{}
	for _, name := range fashionFiles() {
		content := zipped(t, fashionContent()[name])
		served[name+".gz"] = content
		l.fashion.files = append(l.fashion.files, remoteFile{name + ".gz", int64(len(content)), sum(content)})
	}
	return l, served
}

func TestFashionDownload(t *testing.T) {
	l, served := fashionShelf(t)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(served[path.Base(r.URL.Path)]))
	}))
	defer s.Close()
	l.fashion.bases = []string{s.URL + "/data"}
	total, last := int64(0), int64(0)
	for _, content := range served {
		total += int64(len(content))
	}
	cache := t.TempDir()
	d, err := l.load(t.Context(), "fashion-mnist", Options{CacheDir: cache, Progress: func(done, of int64) {
		if of != total || done < last {
			t.Errorf("progress %d of %d after %d, want up to %d", done, of, last, total)
		}
		last = done
	}})
	if err != nil {
		t.Fatal(err)
	}
	if last != total || d.Train.Len() != 3 || d.Test.Len() != 2 {
		t.Errorf("progress ended at %d of %d; %d train, %d test images", last, total, d.Train.Len(), d.Test.Len())
	}
	s.Close()
	if _, err := l.load(t.Context(), "fashion-mnist", Options{CacheDir: cache}); err != nil {
		t.Errorf("second load: %v", err)
	}
}

func TestFashionOfTheSystem(t *testing.T) {
	l, served := fashionShelf(t)
	l.fashionSystem = writeFiles(t, served)
	d, err := l.load(t.Context(), "fashion-mnist", Options{CacheDir: filepath.Join(t.TempDir(), "none"), Offline: true})
	if err != nil || d.Source != l.fashionSystem {
		t.Errorf("error %v, source of %+v, want %s", err, d, l.fashionSystem)
	}
}

// TestRealFashionMNIST needs Debian's package dataset-fashion-mnist.
func TestRealFashionMNIST(t *testing.T) {
	dir := official().fashionSystem
	if !allExist(dir, fashionFiles(), ".gz") {
		t.Skipf("the package dataset-fashion-mnist is not installed: nothing in %s", dir)
	}
	d, err := Load(t.Context(), "fashion-mnist", Options{Offline: true, CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if want := "bac4b5ea57c148c9f559497af0b974b052a7dc60f81c954ebcbed05614b3a8c9"; d.Digest != want {
		t.Errorf("digest %s, want %s", d.Digest, want)
	}
	for _, s := range []struct {
		split Split
		each  int
		first []uint16
	}{
		{d.Train, 6000, []uint16{9, 0, 0, 3, 0, 2, 7, 2, 5, 5}},
		{d.Test, 1000, []uint16{9, 2, 1, 1, 6, 1, 4, 6, 5, 7}},
	} {
		if !slices.Equal(s.split.Labels[:10], s.first) {
			t.Errorf("first labels %v, want %v", s.split.Labels[:10], s.first)
		}
		for label, n := range s.split.ClassCounts(10) {
			if n != s.each {
				t.Errorf("%d images of class %d, want %d", n, label, s.each)
			}
		}
	}
}

func FuzzIDX(f *testing.F) {
	f.Add(idxBytes([]byte{1, 2, 3, 4, 5, 6}, 1, 2, 3), 3)
	f.Add(idxBytes([]byte{9, 0, 3}, 3), 1)
	f.Add(idxBytes(nil, 1<<30, 1<<30, 1<<30), 3)
	f.Add(idxBytes([]byte{1}, 2), 1)
	f.Add([]byte{0, 0, 13, 1}, 1)
	f.Fuzz(func(t *testing.T, content []byte, dims int) {
		if dims < 1 || dims > 4 {
			return
		}
		shape, data, err := decodeIDX("fuzz", bytes.NewReader(content), dims)
		if err != nil {
			var format *FormatError
			if !errors.As(err, &format) || format.Offset < 0 || format.Offset > int64(len(content)) {
				t.Fatalf("error without a place in the file: %v", err)
			}
			return
		}
		if !bytes.Equal(idxBytes(data, shape...), content) {
			t.Fatalf("shape %v with %d values isn't what the file holds", shape, len(data))
		}
	})
}

func BenchmarkLoadFashionMNIST(b *testing.B) {
	if dir := official().fashionSystem; !allExist(dir, fashionFiles(), ".gz") {
		b.Skipf("the package dataset-fashion-mnist is not installed: nothing in %s", dir)
	}
	for b.Loop() {
		if _, err := Load(b.Context(), "fashion-mnist", Options{Offline: true}); err != nil {
			b.Fatal(err)
		}
	}
}
