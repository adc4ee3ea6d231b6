package datasets

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	_ "image/jpeg" // decoders
	_ "image/png"
	"io"
	"math"
	"os"
)

// View says how a picture of any size becomes one of Size × Size pixels: its
// shorter side is scaled to Size/Crop pixels, and the square in the middle is
// taken. It is timm's transform for evaluation, byte for byte: Pillow's bicubic
// resampling (Keys 1981 with a = −1/2, widened where it shrinks, rounded to
// bytes after the rows and after the columns) and torchvision's rounding of
// sizes.
type View struct {
	Size int     `json:"size"`           // pixels a side
	Crop float64 `json:"crop,omitempty"` // above 0 to 1; 0: 1
}

// maxSide bounds what a picture is scaled to, in pixels a side.
const maxSide = 1 << 14

// Validate reports values that no picture could have.
func (v View) Validate() error {
	switch {
	case v.Size < 1 || v.Size > maxSide:
		return fmt.Errorf("pictures of %d pixels a side; allowed: 1 to %d", v.Size, maxSide)
	case !(v.Crop >= 0 && v.Crop <= 1) || v.Crop > 0 && float64(v.Size)/v.Crop > maxSide:
		return fmt.Errorf("crop of %g; allowed: above 0 to 1, and at most %d pixels before it", v.Crop, maxSide)
	}
	return nil
}

// short is the shorter side before the square is cut out.
func (v View) short() int {
	if v.Crop == 0 {
		return v.Size
	}
	return int(math.Floor(float64(v.Size) / v.Crop))
}

// Apply returns the view's pixels row by row, the channels (3, or 1 for grey)
// innermost. Transparent parts become white.
func (v View) Apply(p image.Image, channels int) []uint8 {
	b := p.Bounds()
	from := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(from, from.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(from, from.Bounds(), p, b.Min, draw.Over)

	short := v.short()
	width, height := short, short
	if b.Dx() > b.Dy() {
		width = int(float64(short*b.Dx()) / float64(b.Dy()))
	} else {
		height = int(float64(short*b.Dy()) / float64(b.Dx()))
	}
	left := int(math.RoundToEven(float64(width-v.Size) / 2))
	top := int(math.RoundToEven(float64(height-v.Size) / 2))

	columns := resampling(b.Dx(), width, left, v.Size)
	rows := resampling(b.Dy(), height, top, v.Size)
	wide := image.NewRGBA(image.Rect(0, 0, v.Size, b.Dy())) // columns first
	resample(wide.Pix, from.Pix, columns, b.Dy(), 4, wide.Stride, 4, from.Stride)
	out := image.NewRGBA(image.Rect(0, 0, v.Size, v.Size))
	resample(out.Pix, wide.Pix, rows, v.Size, out.Stride, 4, wide.Stride, 4)

	pixels := make([]uint8, 0, v.Size*v.Size*channels)
	for i := 0; i < len(out.Pix); i += 4 {
		c := out.Pix[i : i+3 : i+3]
		if channels == 1 {
			c = []uint8{color.GrayModel.Convert(color.RGBA{c[0], c[1], c[2], 255}).(color.Gray).Y}
		}
		pixels = append(pixels, c...)
	}
	return pixels
}

// taps are the weights of one pixel of a resampled line, in units of 2⁻²², and
// where in the line they begin.
type taps struct {
	first   int
	weights []int32
}

const tapBits = 22 // what Pillow's 32 bits leave beside a byte and two bits of room

// resampling is how a line of from pixels becomes one of to, of which count
// pixels from start on are wanted.
func resampling(from, to, start, count int) []taps {
	line := make([]taps, count)
	scale := float64(from) / float64(to)
	wide := max(scale, 1)
	for i := range line {
		centre := (float64(start+i) + .5) * scale
		first := max(int(centre-2*wide+.5), 0)
		end := min(int(centre+2*wide+.5), from)
		weights, sum := make([]float64, end-first), 0.
		for k := range weights {
			weights[k] = keys((float64(k+first) - centre + .5) / wide)
			sum += weights[k]
		}
		line[i] = taps{first, make([]int32, len(weights))}
		for k, w := range weights {
			line[i].weights[k] = int32(math.Round(w / sum * (1 << tapBits)))
		}
	}
	return line
}

// keys is the cubic convolution kernel (Keys 1981, equation 15).
func keys(x float64) float64 {
	const a = -.5
	switch x = math.Abs(x); {
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return (((x-5)*x+8)*x - 4) * a
	}
	return 0
}

// resample makes lines of RGBA pixels by taps. The i-th pixel of line n is at
// byte i·pixel + n·next of to, and of from with the strides fromPixel and fromNext.
func resample(to, from []uint8, line []taps, lines, pixel, next, fromPixel, fromNext int) {
	for n := range lines {
		for i, t := range line {
			sum := [3]int32{1 << (tapBits - 1), 1 << (tapBits - 1), 1 << (tapBits - 1)}
			at := n*fromNext + t.first*fromPixel
			for _, w := range t.weights {
				for c, value := range from[at : at+3 : at+3] {
					sum[c] += w * int32(value)
				}
				at += fromPixel
			}
			for c, s := range sum {
				to[n*next+i*pixel+c] = uint8(min(max(s>>tapBits, 0), 255))
			}
		}
	}
}

// maxPixels bounds a picture, so that a small file that unpacks to a huge one
// is an error.
const maxPixels = 1 << 28

// ReadPicture reads a PNG or JPEG file. Its errors name the file.
func ReadPicture(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head, _, err := image.DecodeConfig(f)
	if err == nil && (head.Width < 1 || head.Height < 1 || head.Width > maxPixels/head.Height) {
		return nil, fmt.Errorf("%s: %d × %d pixels; allowed: 1 to %d in all", path, head.Width, head.Height, maxPixels)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	var p image.Image
	if err == nil {
		p, _, err = image.Decode(f)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; allowed: PNG, JPEG", path, err)
	}
	return p, nil
}
