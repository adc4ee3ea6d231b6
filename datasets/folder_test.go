package datasets

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pictureFile writes a picture of one colour, PNG or JPEG by its ending.
func pictureFile(t *testing.T, path string, width, height int, c color.RGBA) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	p := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		p.SetRGBA(i%width, i/width, c)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(path, ".png") {
		err = png.Encode(f, p)
	} else {
		err = jpeg.Encode(f, p, nil)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// colours are three classes by name, in the order of their labels.
var colours = map[string]color.RGBA{"blue": {0, 0, 250, 255}, "green": {0, 250, 0, 255}, "red": {250, 0, 0, 255}}

// fill gives each class of a split so many pictures, each of another size.
func fill(t *testing.T, dir, split string, each int) {
	t.Helper()
	for class, c := range colours {
		for i := range each {
			ending := []string{"png", "jpg", "JPEG"}[i%3]
			pictureFile(t, filepath.Join(dir, split, class, fmt.Sprintf("%d.%s", i, ending)), 20+3*i, 15+i, c)
		}
	}
}

func loadDir(t *testing.T, dir string, more Options) (*Dataset, error) {
	t.Helper()
	more.Dir = dir
	if more.View.Size == 0 {
		more.View.Size = 8
	}
	return Load(t.Context(), "folder:colours", more)
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, "train", 10)
	pictureFile(t, filepath.Join(dir, "train", "red", ".hidden.png"), 9, 9, colours["blue"])
	if err := os.WriteFile(filepath.Join(dir, "train", "red", "notes.txt"), []byte("not a picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(s Split, count int) {
		t.Helper()
		if s.Len() != count || s.ImageSize() != 3*8*8 {
			t.Fatalf("%d pictures of %d bytes, want %d of %d", s.Len(), s.ImageSize(), count, 3*8*8)
		}
		for i, label := range s.Labels {
			channel := []int{2, 1, 0}[label]
			if v := s.Image(i)[channel]; v < 240 { // JPEG rounds
				t.Errorf("picture %d of class %d is not of its colour: %d", i, label, v)
			}
		}
	}
	d, err := loadDir(t, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.Classes, []string{"blue", "green", "red"}) || d.Name != "folder:colours" || d.Channels != 3 {
		t.Errorf("loaded %s with classes %v, %d channels", d.Name, d.Classes, d.Channels)
	}
	check(d.Train, 24)
	check(d.Test, 6)
	if train, val := d.Holdout(.25); train.Len() != 18 || val.Len() != 6 {
		t.Errorf("held out %d of %d", val.Len(), d.Train.Len())
	}
	if counts := d.Train.First(12).ClassCounts(3); slices.Min(counts) == 0 {
		t.Errorf("the first half holds %v of each class: it is not shuffled", counts)
	}

	again, err := loadDir(t, dir, Options{})
	if err != nil || again.Digest != d.Digest {
		t.Errorf("read again it is another dataset (%v)", err)
	}
	other, err := loadDir(t, dir, Options{View: View{Size: 8, Crop: .5}, TrainLimit: 5, TestLimit: 2})
	if err != nil {
		t.Fatal(err)
	}
	check(other.Train, 5)
	check(other.Test, 2)
	if !slices.Equal(other.Train.Labels, d.Train.Labels[:5]) || other.Digest == d.Digest {
		t.Error("a limit takes the first pictures, and makes another dataset")
	}

	fill(t, dir, "val", 2) // now tested on
	d, err = loadDir(t, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	check(d.Train, 30)
	check(d.Test, 6)
	without := d.Digest
	fill(t, dir, "test", 1) // now val is held out
	reported := 0
	d, err = loadDir(t, dir, Options{Progress: func(done, total int64) {
		reported++
		if total != 39 || done != int64(reported) {
			t.Errorf("told of %d of %d pictures after %d", done, total, reported)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	check(d.Train, 30)
	check(d.Test, 3)
	check(d.Validation, 6)
	if train, val := d.Holdout(.9); train.Len() != 30 || val.Len() != 6 || reported != 39 || d.Digest == without {
		t.Errorf("held out %d of %d, told of %d", val.Len(), train.Len(), reported)
	}
}

func TestFolderRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(dir string)
		options Options
		want    string
	}{
		"no train":  {func(string) {}, Options{}, filepath.Join("train", "CLASS")},
		"one class": {func(dir string) { pictureFile(t, filepath.Join(dir, "train", "a", "1.png"), 3, 3, colours["red"]) }, Options{}, "1 folders of classes"},
		"unknown class": {func(dir string) {
			fill(t, dir, "train", 1)
			pictureFile(t, filepath.Join(dir, "val", "pink", "1.png"), 3, 3, colours["red"])
		}, Options{}, "pink is a class that train has not"},
		"a broken one": {func(dir string) {
			fill(t, dir, "train", 4)
			os.WriteFile(filepath.Join(dir, "train", "red", "2.jpg"), []byte("\xff\xd8\xff"), 0o600)
		}, Options{}, filepath.Join("red", "2.jpg")},
		"an empty class": {func(dir string) {
			fill(t, dir, "train", 4)
			os.MkdirAll(filepath.Join(dir, "train", "zempty"), 0o700)
		}, Options{}, "class zempty has no pictures (PNG, JPEG): remove the folder "},
		"nothing to test": {func(dir string) { fill(t, dir, "train", 1) }, Options{}, "0 to test"},
		"no size":         {func(dir string) { fill(t, dir, "train", 4) }, Options{View: View{Size: -4}}, "-4 pixels"},
		"too much":        {func(dir string) { fill(t, dir, "train", 100) }, Options{View: View{Size: 1 << 14}}, "take fewer or smaller ones"},
	} {
		dir := t.TempDir()
		test.prepare(dir)
		if _, err := loadDir(t, dir, test.options); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	if _, err := Load(t.Context(), "folder:colours", Options{View: View{Size: 8}}); err == nil || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("without a folder: %v", err)
	}
	dir := t.TempDir()
	fill(t, dir, "train", 4)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Load(ctx, "folder:colours", Options{Dir: dir, View: View{Size: 8}}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// More classes than a byte tells apart, as ImageNet has.
func TestFolderOfManyClasses(t *testing.T) {
	dir := t.TempDir()
	for i := range 300 {
		pictureFile(t, filepath.Join(dir, "train", fmt.Sprintf("%03d", i), "1.png"), 2, 2, color.RGBA{uint8(i), uint8(i >> 8 * 200), 0, 255})
	}
	pictureFile(t, filepath.Join(dir, "test", "299", "1.png"), 2, 2, colours["red"])
	d, err := loadDir(t, dir, Options{View: View{Size: 2}})
	if err != nil {
		t.Fatal(err)
	}
	if d.Test.Labels[0] != 299 || slices.Max(d.Train.Labels) != 299 || len(d.Classes) != 300 {
		t.Errorf("the last class has the label %d of %d", d.Test.Labels[0], len(d.Classes))
	}
	for i, label := range d.Train.Labels {
		if p := d.Train.Image(i); p[0] != uint8(label) || (p[1] > 0) != (label > 255) {
			t.Fatalf("picture %d of class %d is %v", i, label, p[:3])
		}
	}
	before := d.ComputeDigest()
	d.Test.Labels[0] -= 256
	if d.ComputeDigest() == before {
		t.Error("labels 43 and 299 have one digest")
	}
}
