package datasets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// FolderPrefix begins the name of a dataset that is a folder of pictures, such
// as "folder:pets". [Options.Dir] says where the folder is.
const FolderPrefix = "folder:"

// IsFolder says whether a dataset's name is that of a folder of pictures.
func IsFolder(name string) bool {
	rest, ok := strings.CutPrefix(name, FolderPrefix)
	return ok && rest != ""
}

// maxClasses is how many labels can tell apart.
const maxClasses = 1 << 16

// maxBytes bounds the pictures of a folder, which are all held in memory.
const maxBytes = 64 << 30

// labelled is a picture that is still a file.
type labelled struct {
	path  string
	label uint16
}

// loadFolder reads a folder in ImageNet's layout,
//
//	train/CLASS/PICTURE    PNG or JPEG, of any size
//	val/CLASS/PICTURE      optional
//	test/CLASS/PICTURE     optional
//
// The classes are train's subfolders by name, none of them empty. The test split is test, or val
// where there is no test; with both, val is the validation split. With neither,
// the last fifth of the training pictures is kept for the test. Each split is
// shuffled once, by [Order] of seed 0, so that any part of it holds all classes;
// a limit takes the first after that. Hidden files and those with other endings
// are left out. A picture that cannot be read is an error that names its file.
func loadFolder(ctx context.Context, o Options) (*Dataset, error) {
	if o.Dir == "" {
		return nil, fmt.Errorf("it is not said where the folder is; name it with --data-dir, or as --data %sDIR", FolderPrefix)
	}
	if err := o.View.Validate(); err != nil {
		return nil, err
	}
	classes, err := FolderClasses(o.Dir)
	if err != nil {
		return nil, err
	}
	lists := map[string][]labelled{}
	for _, split := range []string{"train", "val", "test"} {
		if lists[split], err = listSplit(filepath.Join(o.Dir, split), classes); err != nil {
			return nil, err
		}
	}
	train, val, test := lists["train"], lists["val"], lists["test"]
	if err := noneEmpty(filepath.Join(o.Dir, "train"), classes, train); err != nil {
		return nil, err
	}
	switch {
	case len(test) == 0 && len(val) > 0:
		val, test = nil, val
	case len(test) == 0:
		at := len(train) - len(train)/5
		train, test = train[:at], train[at:]
	}
	train, test = limited(train, o.TrainLimit), limited(test, o.TestLimit)
	if len(train) == 0 || len(test) == 0 {
		return nil, fmt.Errorf("%s holds %d pictures to train on and %d to test; both must be 1 or more", o.Dir, len(train), len(test))
	}
	count := len(train) + len(val) + len(test)
	if bytes := 3 * o.View.Size * o.View.Size; count > maxBytes/bytes {
		return nil, fmt.Errorf("%s holds %d pictures, which take %d GB at %d × %d pixels; allowed: %d GB, take fewer or smaller ones",
			o.Dir, count, count*bytes>>30, o.View.Size, o.View.Size, maxBytes>>30)
	}
	d := &Dataset{
		Classes: classes, Height: o.View.Size, Width: o.View.Size, Channels: 3,
		Source: fmt.Sprintf("the folder %s, scaled to %d × %d pixels", filepath.Base(o.Dir), o.View.Size, o.View.Size),
	}
	done := 0
	for _, part := range []struct {
		list []labelled
		into *Split
	}{{train, &d.Train}, {val, &d.Validation}, {test, &d.Test}} {
		report := func(n int) {
			if o.Progress != nil {
				o.Progress(int64(done+n), int64(count))
			}
		}
		if *part.into, err = readSplit(ctx, part.list, o.View, report); err != nil {
			return nil, err
		}
		done += len(part.list)
	}
	return d, nil
}

// FolderClasses are the classes of a folder of pictures, by name. It reads no picture.
func FolderClasses(dir string) ([]string, error) {
	train := filepath.Join(dir, "train")
	classes, err := subfolders(train)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; a folder of pictures looks like %s", err, filepath.Join(train, "CLASS", "PICTURE.png"))
	}
	if err != nil {
		return nil, err
	}
	if len(classes) < 2 || len(classes) > maxClasses {
		return nil, fmt.Errorf("%s holds %d folders of classes; allowed: 2 to %d", train, len(classes), maxClasses)
	}
	return classes, nil
}

// subfolders lists the folders within a folder by name, hidden ones left out.
func subfolders(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && isDir(dir, e) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// isDir follows a link, as large datasets are often put together of links.
func isDir(dir string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.IsDir()
	}
	info, err := os.Stat(filepath.Join(dir, e.Name()))
	return err == nil && info.IsDir()
}

// listSplit lists a split's pictures, shuffled; none where there is no such folder.
func listSplit(dir string, classes []string) ([]labelled, error) {
	present, err := subfolders(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []labelled
	for _, class := range present {
		label := slices.Index(classes, class)
		if label < 0 {
			return nil, fmt.Errorf("%s is a class that train has not; allowed: %s", filepath.Join(dir, class), strings.Join(classes, ", "))
		}
		entries, err := os.ReadDir(filepath.Join(dir, class))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			switch strings.ToLower(filepath.Ext(e.Name())) {
			case ".png", ".jpg", ".jpeg":
				if !strings.HasPrefix(e.Name(), ".") {
					list = append(list, labelled{filepath.Join(dir, class, e.Name()), uint16(label)})
				}
			}
		}
	}
	shuffled := make([]labelled, len(list))
	for i, at := range Order(len(list), 0, 0) {
		shuffled[i] = list[at]
	}
	return shuffled, nil
}

// noneEmpty refuses a class that nothing could be learned of.
func noneEmpty(dir string, classes []string, list []labelled) error {
	has := make([]bool, len(classes))
	for _, p := range list {
		has[p.label] = true
	}
	if i := slices.Index(has, false); i >= 0 {
		return fmt.Errorf("class %s has no pictures (PNG, JPEG): remove the folder %s or put pictures into it", classes[i], filepath.Join(dir, classes[i]))
	}
	return nil
}

func limited(list []labelled, limit int) []labelled {
	if limit > 0 && limit < len(list) {
		return list[:limit]
	}
	return list
}

// readSplit reads pictures, all cores at work, and tells report how many it has.
func readSplit(ctx context.Context, list []labelled, view View, report func(int)) (Split, error) {
	size := 3 * view.Size * view.Size
	s := Split{Images: make([]uint8, len(list)*size), Labels: make([]uint16, len(list)), Channels: 3}
	var (
		wait  sync.WaitGroup
		next  atomic.Int64
		lock  sync.Mutex // over what follows
		done  int
		fault error
	)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1) - 1)
				if i >= len(list) {
					return
				}
				p, err := ReadPicture(list[i].path)
				if err == nil {
					copy(s.Images[i*size:], view.Apply(p, 3))
					s.Labels[i] = list[i].label
				}
				lock.Lock()
				if err != nil && fault == nil {
					fault = err
					stop()
				}
				done++
				report(done)
				lock.Unlock()
			}
		})
	}
	wait.Wait()
	if fault != nil {
		return Split{}, fault
	}
	return s, ctx.Err()
}
