package datasets

// painter composes the pictures of the shapes, one after the other, on one canvas.
type painter struct {
	dice   dice
	canvas canvas
	ground colour // the mean background
	noise  [side * side * 3]int16
}

// draw makes a picture of a class: background, clutter behind, the figures that carry the class, and
// now and then clutter before them.
func (p *painter) draw(class int) {
	p.background()
	p.clutter()
	switch class {
	case classDisc, classTriangle, classStar:
		p.smooth(outline(class))
	case classStripes, classChecks, classDots:
		p.patterned(class)
	case classRow, classCorners:
		p.marks(class)
	case classTwins, classRivals:
		p.pair(class)
	}
	if p.dice.onceIn(4) {
		p.stroke()
	}
}

// develop adds noise, whose strength varies from picture to picture, and writes the bytes.
func (p *painter) develop(image []uint8) {
	strength := int32(p.dice.between(6, 40)) // standard deviation 2 to 16 grey levels
	p.dice.noise(p.noise[:])
	for i := range p.canvas {
		for c, level := range p.canvas[i] {
			level += int32(p.noise[3*i+c]) * strength >> 8
			image[3*i+c] = uint8(min(max(level, 0), 255))
		}
	}
}

// background is a dull colour that drifts from corner to corner.
func (p *painter) background() {
	d := p.dice
	p.ground = hsv(d.upTo(hueTurn-1), d.between(0, 110), d.between(50, 215))
	var corners [4]colour
	for i := range corners {
		corners[i] = p.ground.plus(int32(d.between(-40, 40)))
		for c := range corners[i] {
			corners[i][c] += int32(d.between(-20, 20))
		}
	}
	for y := range side {
		down := int32(y * 256 / (side - 1))
		left, right := corners[0].mix(corners[2], down), corners[1].mix(corners[3], down)
		for x := range side {
			p.canvas[y*side+x] = left.mix(right, int32(x*256/(side-1)))
		}
	}
}

// clutter is faint large discs, thin lines and specks, none of which means anything.
func (p *painter) clutter() {
	d := p.dice
	for range d.upTo(2) {
		haze := p.place(outlineDisc, d.between(4*pixel, 10*pixel), -4*pixel)
		ink := p.ink()
		p.canvas.paint(&haze, int32(d.between(30, 80)), func(int, int) colour { return ink })
	}
	for range d.upTo(2) {
		p.stroke()
	}
	for range d.upTo(5) {
		speck := p.place(outlineDisc, d.between(pixel*6/10, pixel*12/10), 0)
		ink := p.ink()
		p.canvas.paint(&speck, int32(d.between(100, 220)), func(int, int) colour { return ink })
	}
}

// stroke is one thin line across the picture.
func (p *painter) stroke() {
	d := p.dice
	p.canvas.line(d.upTo(side*pixel), d.upTo(side*pixel), d.upTo(turn-1), d.between(pixel/2, pixel),
		p.ink(), int32(d.between(90, 200)))
}

// ink is any bright colour.
func (p *painter) ink() colour {
	return hsv(p.dice.upTo(hueTurn-1), p.dice.between(100, 255), p.dice.between(60, 255))
}

// vivid is a saturated colour of a hue that stands out from the background: of a few tries the first
// that is far enough from it, else the farthest.
func (p *painter) vivid(hue int) colour {
	best, far := colour{}, int32(-1)
	for range 6 {
		try := hsv(hue, p.dice.between(170, 255), p.dice.between(120, 255))
		if away := try.distance(p.ground); away > far {
			best, far = try, away
		}
		if far > 220 {
			break
		}
	}
	return best
}

// place is a figure of a size at any turn, wholly inside the picture but for margin.
func (p *painter) place(o outline, radius, margin int) figure {
	d := p.dice
	lo := min(radius+margin, side*pixel/2)
	return p.turned(o, d.between(lo, side*pixel-lo), d.between(lo, side*pixel-lo), radius)
}

// turned is a figure at a place, at any turn and a little squeezed.
func (p *painter) turned(o outline, x, y, radius int) figure {
	angle := p.dice.upTo(turn - 1)
	return figure{outline: o, x: x, y: y, radius: radius, sin: sine(angle), cos: cosine(angle), squeeze: p.dice.between(205, 256)}
}

// equalArea scales a radius so that all outlines cover about the area of a disc of that radius.
func equalArea(o outline, radius int) int {
	switch o {
	case outlineTriangle:
		return radius * 398 / 256 // √(π / (3√3/4))
	case outlineStar:
		return radius * 394 / 256 // √(π / (5·.45·sin 36°))
	}
	return radius
}

// anyOutline is one of the three, alike often.
func (p *painter) anyOutline() outline { return outline(p.dice.upTo(2)) }

// smooth is one figure in one colour, lighter towards one side.
func (p *painter) smooth(o outline) {
	d := p.dice
	f := p.place(o, equalArea(o, d.between(5*pixel, 9*pixel)), -pixel)
	ink := p.vivid(d.upTo(hueTurn - 1))
	slope := d.between(-30, 30)
	p.canvas.paint(&f, opaque, func(u, _ int) colour { return ink.plus(int32(u * slope / f.radius)) })
}

// patterned is one figure, of any outline, covered by stripes, checks or dots of two colours.
func (p *painter) patterned(class int) {
	d := p.dice
	o := p.anyOutline()
	f := p.place(o, equalArea(o, d.between(7*pixel, 10*pixel)), -2*pixel)
	hue := d.upTo(hueTurn - 1)
	ink := p.vivid(hue)
	other := hsv(hue+d.between(-300, 300), d.between(60, 255), d.between(10, 255))
	for range 8 {
		if other.distance(ink) > 260 {
			break
		}
		other = hsv(d.upTo(hueTurn-1), d.between(0, 255), d.between(0, 255))
	}
	period := d.between(4*pixel, 6*pixel)
	shiftU, shiftV := d.upTo(period), d.upTo(period)
	angle := d.upTo(turn - 1) // of the pattern inside the figure
	sin, cos := sine(angle), cosine(angle)
	p.canvas.paint(&f, opaque, func(u, v int) colour {
		s := (u*cos+v*sin)>>14 + shiftU
		t := (v*cos-u*sin)>>14 + shiftV
		return ink.mix(other, pattern(class, s, t, period))
	})
}

// pattern is the share, of 256, of the second colour at a point of a periodic texture.
func pattern(class, s, t, period int) int32 {
	// fromMiddle is how far a coordinate is from the middle of its period, 0 to period/2.
	fromMiddle := func(x int) int {
		x = (x%period+period)%period - period/2
		return max(x, -x)
	}
	a, b := fromMiddle(s), fromMiddle(t)
	switch class {
	case classStripes:
		return cover(a - period/4)
	case classChecks: // exclusive or of two sets of stripes
		x, y := cover(a-period/4), cover(b-period/4)
		return x + y - 2*x*y>>8
	default: // dots that cover about a third
		return cover(root(a*a+b*b) - period*85/256)
	}
}

// marks is four small figures in a row or at the corners of a square. Both arrangements have the
// same root mean square distance from their middle.
func (p *painter) marks(class int) {
	d := p.dice
	spread := d.between(pixel*65/10, pixel*85/10) // root mean square distance
	angle := d.upTo(turn - 1)
	var xs, ys [4]int
	for i := range 4 {
		along, across := 0, 0
		if class == classRow { // at -3, -1, 1, 3 thirds of half the length: rms = length·.3727
			along = (2*i - 3) * spread * 229 / 512
		} else {
			along, across = (2*(i&1)-1)*spread*181/256, (i&2-1)*spread*181/256
		}
		xs[i] = (along*cosine(angle)-across*sine(angle))>>14 + d.between(-pixel/2, pixel/2)
		ys[i] = (along*sine(angle)+across*cosine(angle))>>14 + d.between(-pixel/2, pixel/2)
	}
	x, y := p.inside(xs[:]), p.inside(ys[:])
	radius := d.between(pixel*17/10, pixel*27/10)
	hue, alike := d.upTo(hueTurn-1), d.onceIn(2)
	for i := range 4 {
		if !alike {
			hue = d.upTo(hueTurn - 1)
		}
		o := p.anyOutline()
		f := p.turned(o, x+xs[i], y+ys[i], equalArea(o, radius))
		ink := p.vivid(hue)
		p.canvas.paint(&f, opaque, func(int, int) colour { return ink })
	}
}

// inside is a place for the middle of a group such that its members are 2.5 pixels from the border.
func (p *painter) inside(offsets []int) int {
	lo, hi := offsets[0], offsets[0]
	for _, o := range offsets {
		lo, hi = min(lo, o), max(hi, o)
	}
	const margin = pixel * 5 / 2
	first, last := margin-lo, side*pixel-margin-hi
	if first >= last {
		return (first + last) / 2
	}
	return p.dice.between(first, last)
}

// pair is two figures at least 13 pixels apart: of one hue, or of hues at least a quarter of the colour circle apart.
// Brightness and saturation differ either way.
func (p *painter) pair(class int) {
	d := p.dice
	hue := d.upTo(hueTurn - 1)
	hues := [2]int{hue, hue}
	if class == classRivals {
		hues[1] += d.sign() * d.between(hueTurn/4, hueTurn/2)
	}
	distance, angle := d.between(13*pixel, 20*pixel), d.upTo(turn-1)
	half := [2]int{-distance / 2, distance / 2}
	var xs, ys [2]int
	for i := range 2 {
		xs[i], ys[i] = half[i]*cosine(angle)>>14, half[i]*sine(angle)>>14
	}
	x, y := p.inside(xs[:]), p.inside(ys[:])
	for i := range 2 {
		o := p.anyOutline()
		f := p.turned(o, x+xs[i], y+ys[i], equalArea(o, d.between(pixel*35/10, 5*pixel)))
		ink := p.vivid(hues[i])
		p.canvas.paint(&f, opaque, func(int, int) colour { return ink })
	}
}
