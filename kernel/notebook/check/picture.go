package check

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"  // the formats
	_ "image/jpeg" // that notebooks
	_ "image/png"  // hold
	"strings"
)

// picture says whether a type holds pixels.
func picture(mime string) bool {
	return mime == "image/png" || mime == "image/jpeg" || mime == "image/gif"
}

// pictures says how two pictures in base64 differ, "" where they do not.
func (o Options) pictures(want, got string) string {
	if want == got {
		return ""
	}
	a, err := decode(want)
	if err != nil {
		return fmt.Sprintf("the old picture can't be read: %v", err)
	}
	b, err := decode(got)
	if err != nil {
		return fmt.Sprintf("the new picture can't be read: %v", err)
	}
	size := a.Bounds().Size()
	if size != b.Bounds().Size() {
		return fmt.Sprintf("the picture had %v pixels and has %v", size, b.Bounds().Size())
	}
	off, most := 0, 0
	for y := range size.Y {
		for x := range size.X {
			d := distance(a.At(a.Bounds().Min.X+x, a.Bounds().Min.Y+y), b.At(b.Bounds().Min.X+x, b.Bounds().Min.Y+y))
			most = max(most, d)
			if d > o.Levels {
				off++
			}
		}
	}
	if float64(off) <= o.Share*float64(size.X*size.Y) {
		return ""
	}
	return fmt.Sprintf("%d of %d pixels differ by more than %d of 255 levels, by up to %d", off, size.X*size.Y, o.Levels, most)
}

func decode(text string) (image.Image, error) {
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, err
	}
	config, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if config.Width*config.Height > 200<<20 {
		return nil, fmt.Errorf("%d × %d pixels; allowed: 200 million", config.Width, config.Height)
	}
	m, _, err := image.Decode(bytes.NewReader(data))
	return m, err
}

// distance is how far two colours are apart at most in one channel, 0 to 255;
// colours that can't be seen are the same.
func distance(a, b color.Color) int {
	x, y := color.RGBAModel.Convert(a).(color.RGBA), color.RGBAModel.Convert(b).(color.RGBA)
	most := 0
	for _, d := range []int{int(x.R) - int(y.R), int(x.G) - int(y.G), int(x.B) - int(y.B), int(x.A) - int(y.A)} {
		most = max(most, d, -d)
	}
	return most
}
