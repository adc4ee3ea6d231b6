package datasets

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The bytes of views are held against Pillow's in package weights; here is what timm has no case of.
func TestView(t *testing.T) {
	exact := image.NewRGBA(image.Rect(5, 7, 21, 23)) // its corner is not at 0
	for i := range exact.Pix {
		exact.Pix[i] = uint8(i * 7)
		if i%4 == 3 {
			exact.Pix[i] = 255
		}
	}
	got := View{Size: 16}.Apply(exact, 3)
	for i := range 16 * 16 {
		if !bytes.Equal(got[3*i:3*i+3], exact.Pix[4*i:4*i+3]) {
			t.Fatalf("pixel %d of a picture of the right size is %v, want %v", i, got[3*i:3*i+3], exact.Pix[4*i:4*i+3])
		}
	}
	clear := View{Size: 9, Crop: .9}.Apply(image.NewNRGBA(image.Rect(0, 0, 30, 20)), 3)
	for i, v := range clear {
		if v != 255 {
			t.Fatalf("value %d of a transparent picture is %d, want white", i, v)
		}
	}
	one := image.NewRGBA(image.Rect(0, 0, 40, 8))
	draw.Draw(one, one.Bounds(), image.NewUniform(color.RGBA{200, 100, 50, 255}), image.Point{}, draw.Src)
	grey := View{Size: 4}.Apply(one, 1)
	if want := color.GrayModel.Convert(color.RGBA{200, 100, 50, 255}).(color.Gray).Y; len(grey) != 16 || grey[7] != want {
		t.Errorf("grey pixels are %v, want 16 of %d", grey, want)
	}
	for _, size := range [][2]int{{1, 5000}, {5000, 1}, {1, 1}} {
		if got := (View{Size: 12, Crop: .8}).Apply(image.NewGray(image.Rect(0, 0, size[0], size[1])), 3); len(got) != 3*12*12 {
			t.Errorf("a picture of %v gives %d bytes", size, len(got))
		}
	}
	for _, v := range []View{{}, {Size: -1}, {Size: 8, Crop: 1.5}, {Size: 8, Crop: -1}, {Size: 8, Crop: 1e-9}, {Size: 8, Crop: 1e-300}, {Size: 1 << 20}} {
		if v.Validate() == nil {
			t.Errorf("%+v is taken", v)
		}
	}
}

func TestReadPictureRefuses(t *testing.T) {
	dir := t.TempDir()
	var whole bytes.Buffer
	if err := png.Encode(&whole, image.NewGray(image.Rect(0, 0, 64, 64))); err != nil {
		t.Fatal(err)
	}
	huge := bytes.Clone(whole.Bytes()) // its header says 2³¹−1 pixels a side; the checksum is not looked at first
	copy(huge[16:24], "\x7f\xff\xff\xff\x7f\xff\xff\xff")
	for name, content := range map[string][]byte{
		"cut.png": whole.Bytes()[:whole.Len()/2], "empty.jpg": nil, "words.jpeg": []byte("no picture"), "huge.png": huge,
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadPicture(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want an error that names it", name, err)
		}
	}
}
