package datasets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// The official binary layout ("CIFAR-10 binary version" on the authors' page; Krizhevsky, "Learning
// Multiple Layers of Features from Tiny Images", 2009): a record is the label, then the 32×32 bytes
// of the red plane, then green, then blue; nothing else is in a file.
const (
	cifarSide   = 32
	cifarPlane  = cifarSide * cifarSide
	cifarImage  = 3 * cifarPlane
	cifarRecord = 1 + cifarImage
	cifarFolder = "cifar-10-batches-bin"

	cifarArchive = "cifar-10-binary.tar.gz"
)

func cifarClasses() []string {
	return []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}
}

func cifarTrainFiles() []string {
	return []string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"}
}

const cifarTestFile = "test_batch.bin"

func cifarFiles() []string { return append(cifarTrainFiles(), cifarTestFile) }

func (l library) loadCIFAR10(ctx context.Context, o Options) (*Dataset, error) {
	dir, err := l.findCIFAR10(ctx, o)
	if err != nil {
		return nil, err
	}
	return readCIFAR10(ctx, dir, o.TrainLimit, o.TestLimit)
}

// findCIFAR10 is the folder that holds the six files, after a download where need be.
func (l library) findCIFAR10(ctx context.Context, o Options) (string, error) {
	if o.Dir != "" {
		return cifarIn(o.Dir)
	}
	cache, err := o.cacheDir()
	if err == nil {
		parent := filepath.Join(cache, "cifar10")
		dir := filepath.Join(parent, cifarFolder)
		if allExist(dir, cifarFiles()) {
			return dir, nil
		}
		if o.Offline {
			err = errOffline
		} else if err = l.fetchCIFAR10(ctx, parent, o); err == nil {
			return dir, nil
		}
	}
	return "", unavailable(ctx, err, "unpack "+cifarArchive+" and name its folder with --data-dir")
}

// fetchCIFAR10 downloads the official archive into parent, unpacks it there and removes it. An
// archive that somebody has put there by hand is used if its checksum is right.
func (l library) fetchCIFAR10(ctx context.Context, parent string, o Options) error {
	unlock, err := lockFolder(ctx, parent)
	if err != nil {
		return err
	}
	defer unlock()
	if allExist(filepath.Join(parent, cifarFolder), cifarFiles()) {
		return nil // another process was faster
	}
	if err := fetch(ctx, l.cifar.mirrored(o.Mirror), parent, l.patience, o.Progress); err != nil {
		return err
	}
	archive := filepath.Join(parent, l.cifar.files[0].name)
	const mostBytes = 10_000 * cifarRecord
	if err := unpackFolder(ctx, archive, parent, cifarFolder, cifarFiles(), mostBytes); err != nil {
		return err
	}
	return os.Remove(archive)
}

// cifarIn is dir itself or the official folder below it, whichever holds the first file.
func cifarIn(dir string) (string, error) {
	first := cifarTrainFiles()[0]
	for _, candidate := range []string{dir, filepath.Join(dir, cifarFolder)} {
		if _, err := os.Stat(filepath.Join(candidate, first)); err == nil {
			return candidate, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("neither %s nor %s in it holds %s: %w", dir, cifarFolder, first, fs.ErrNotExist)
}

// readCIFAR10 reads the six files of a folder. A file may hold any number of records above none;
// the official ones hold 10,000. A limit of 0 reads all of a split.
func readCIFAR10(ctx context.Context, dir string, trainLimit, testLimit int) (*Dataset, error) {
	d := &Dataset{
		Classes: cifarClasses(),
		Height:  cifarSide, Width: cifarSide, Channels: 3,
		Source: dir,
	}
	var err error
	if d.Train, err = readCIFARFiles(ctx, dir, cifarTrainFiles(), trainLimit); err != nil {
		return nil, err
	}
	if d.Test, err = readCIFARFiles(ctx, dir, []string{cifarTestFile}, testLimit); err != nil {
		return nil, err
	}
	return d, nil
}

// readCIFARFiles joins the records of several files, or the first limit of them, into one split, all
// cores at work.
func readCIFARFiles(ctx context.Context, dir string, names []string, limit int) (Split, error) {
	files := make([]*cifarFile, 0, len(names))
	defer func() {
		for _, f := range files {
			f.content.Close()
		}
	}()
	total := 0
	for _, name := range names {
		f, err := openCIFARFile(filepath.Join(dir, name))
		if err != nil {
			return Split{}, err
		}
		files = append(files, f)
		total += f.records
	}
	if limit > 0 {
		total = min(total, limit)
	}
	split := Split{Images: make([]uint8, total*cifarImage), Labels: make([]uint16, total), Channels: 3}

	const chunk = 256 // records: three quarters of a megabyte, which stays in a core's cache
	type job struct{ file, first, into int }
	var jobs []job
	into := 0
	for i, f := range files {
		for first := 0; first < f.records && into+first < total; first += chunk {
			jobs = append(jobs, job{file: i, first: first, into: into + first})
		}
		into += f.records
	}
	errs := make([]error, len(jobs))
	var (
		wait sync.WaitGroup
		next = make(chan int)
	)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			buffer := make([]byte, chunk*cifarRecord)
			for j := range next {
				f, first, into := files[jobs[j].file], jobs[j].first, jobs[j].into
				count := min(chunk, f.records-first, total-into)
				part := split.Slice(into, into+count)
				errs[j] = decodeCIFAR(f.path, f.content, first, buffer, part)
			}
		})
	}
	for j := range jobs {
		if ctx.Err() != nil {
			break
		}
		next <- j
	}
	close(next)
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return Split{}, err
	}
	for _, err := range errs { // the first in file order, whichever core met one first
		if err != nil {
			return Split{}, err
		}
	}
	return split, nil
}

type cifarFile struct {
	path    string
	content *os.File
	records int
}

func openCIFARFile(path string) (*cifarFile, error) {
	content, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := content.Stat()
	if err == nil {
		var records int
		if records, err = cifarRecords(path, info.Size()); err == nil {
			return &cifarFile{path: path, content: content, records: records}, nil
		}
	}
	content.Close()
	return nil, err
}

// cifarRecords is how many records a file of so many bytes holds.
func cifarRecords(path string, size int64) (int, error) {
	if size == 0 {
		return 0, &FormatError{File: path, Offset: 0, Reason: fmt.Sprintf("the file is empty, must hold records of %d bytes", cifarRecord)}
	}
	if rest := size % cifarRecord; rest != 0 {
		return 0, &FormatError{File: path, Offset: size, Reason: fmt.Sprintf(
			"the file ends %d bytes into record %d, must be a multiple of %d bytes long", rest, size/cifarRecord, cifarRecord)}
	}
	return int(size / cifarRecord), nil
}

// decodeCIFAR reads len(into.Labels) records from record first on and turns planes into pixels.
// buffer is scratch space for all of them.
func decodeCIFAR(path string, content io.ReaderAt, first int, buffer []byte, into Split) error {
	start := int64(first) * cifarRecord
	buffer = buffer[:len(into.Labels)*cifarRecord]
	if n, err := content.ReadAt(buffer, start); n < len(buffer) {
		if errors.Is(err, io.EOF) {
			return &FormatError{File: path, Offset: start + int64(n), Reason: "the file became shorter while it was read"}
		}
		return fmt.Errorf("read %s at byte %d: %w", path, start+int64(n), err)
	}
	for i := range into.Labels {
		record := buffer[i*cifarRecord : (i+1)*cifarRecord]
		if record[0] > 9 {
			return &FormatError{File: path, Offset: start + int64(i)*cifarRecord,
				Reason: fmt.Sprintf("label is %d, must be 0 to 9", record[0])}
		}
		into.Labels[i] = uint16(record[0])
		interleave(into.Images[i*cifarImage:(i+1)*cifarImage], record[1:])
	}
	return nil
}

// interleave turns the three planes [3, 32·32] of one picture into pixels [32·32, 3].
func interleave(pixels, planes []byte) {
	red, green, blue := planes[:cifarPlane], planes[cifarPlane:2*cifarPlane], planes[2*cifarPlane:3*cifarPlane]
	pixels = pixels[:3*cifarPlane]
	for i := range cifarPlane {
		p := pixels[3*i : 3*i+3 : 3*i+3]
		p[0], p[1], p[2] = red[i], green[i], blue[i]
	}
}
