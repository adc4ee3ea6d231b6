package augment

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
)

// Policy says how training images are varied. The zero value leaves them as they
// are; the order is that of the fields.
type Policy struct {
	// Crop pads each side by so many grey-0 pixels and cuts a random window of the
	// image's own size (He et al. 2016, "Deep Residual Learning", section 4.2).
	Crop int `json:"crop,omitempty"`
	// Flip mirrors every other image, by chance, left to right.
	Flip bool `json:"flip,omitempty"`
	// Rand applies random operations of one strength.
	Rand *Rand `json:"rand,omitempty"`
	// Erase is the probability with which a random rectangle is erased.
	Erase float64 `json:"erase,omitempty"`
	// Mixing blends images and labels.
	Mixing *Mixing `json:"mixing,omitempty"`
}

// Rand is RandAugment (Cubuk et al. 2020, "RandAugment: Practical automated data
// augmentation with a reduced search space", section 3): Operations of 14 drawn
// with replacement, each applied at Magnitude, 0 to [MaxMagnitude].
type Rand struct {
	Operations int     `json:"operations"`
	Magnitude  float64 `json:"magnitude"`
}

// Mixing blends each image of a batch with another and their labels with them, by
// a share λ drawn from a symmetric Beta distribution, the same for the batch: all
// pixels (mixup, Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization",
// section 2) or a rectangle of them (CutMix, Yun et al. 2019, section 3.1).
// Where both are asked for, each batch is mixed in one of the two ways, with even
// chances (Touvron et al. 2021, as timm does it).
type Mixing struct {
	Mixup  float64 `json:"mixup,omitempty"`  // α of mixup's Beta(α, α); 0: no mixup
	CutMix float64 `json:"cutmix,omitempty"` // α of CutMix's; 0: no CutMix
	// Probability is the share of batches that are mixed at all.
	Probability float64 `json:"probability"`
}

const (
	// MaxMagnitude is RandAugment's strongest magnitude.
	MaxMagnitude = 30
	// maxOperations and maxCrop bound what a slip of the keyboard may ask for.
	maxOperations = 14
	maxCrop       = 1 << 10
)

// Validate reports the first value that no training could use, and what is allowed.
func (p Policy) Validate() error {
	if p.Crop < 0 || p.Crop > maxCrop {
		return fmt.Errorf("crop: padding of %d pixels; allowed: 0 to %d", p.Crop, maxCrop)
	}
	if r := p.Rand; r != nil {
		if r.Operations < 1 || r.Operations > maxOperations || !(r.Magnitude >= 0 && r.Magnitude <= MaxMagnitude) {
			return fmt.Errorf("RandAugment: %d operations of magnitude %g; allowed: 1 to %d of 0 to %d", r.Operations, r.Magnitude, maxOperations, MaxMagnitude)
		}
	}
	if !(p.Erase >= 0 && p.Erase <= 1) {
		return fmt.Errorf("erase: probability %g; allowed: 0 to 1", p.Erase)
	}
	if m := p.Mixing; m != nil {
		if !(m.Mixup >= 0) || !(m.CutMix >= 0) || m.Mixup+m.CutMix == 0 || math.IsInf(m.Mixup+m.CutMix, 1) {
			return fmt.Errorf("mixing: α %g of mixup and %g of CutMix; allowed: 0 (without) or more, not both 0", m.Mixup, m.CutMix)
		}
		if !(m.Probability > 0 && m.Probability <= 1) {
			return fmt.Errorf("mixing: probability %g; allowed: more than 0, at most 1", m.Probability)
		}
	}
	return nil
}

// String names what is done in one line, such as "crop 4, flip, rand 2 of 9,
// cutmix 1 (.5)"; "none" where nothing is.
func (p Policy) String() string {
	var parts []string
	add := func(on bool, format string, args ...any) {
		if on {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(p.Crop > 0, "crop %d", p.Crop)
	add(p.Flip, "flip")
	if r := p.Rand; r != nil {
		add(true, "rand %d of %g", r.Operations, r.Magnitude)
	}
	add(p.Erase > 0, "erase %g", p.Erase)
	if m := p.Mixing; m != nil {
		add(m.Mixup > 0, "mixup %g", m.Mixup)
		add(m.CutMix > 0, "cutmix %g", m.CutMix)
		add(m.Probability < 1, "mixed %g", m.Probability)
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// Source draws random numbers. One of its own is kept by each goroutine.
type Source struct {
	chacha *rand.ChaCha8
	*rand.Rand
}

// NewSource returns a source to be set by [Source.Image] or [Source.Batch].
func NewSource() *Source {
	c := rand.NewChaCha8([32]byte{})
	return &Source{c, rand.New(c)}
}

// Image sets the source to the variation of one image, by its index in the
// training images, in one epoch of a run: ChaCha8 keyed by all three.
func (s *Source) Image(seed int64, epoch, index int) { s.set("image...", seed, epoch, index) }

// Batch sets the source to the mixing of the batch that begins at an image of the
// epoch's order.
func (s *Source) Batch(seed int64, epoch, start int) { s.set("batch...", seed, epoch, start) }

func (s *Source) set(domain string, seed int64, epoch, index int) {
	var key [32]byte
	copy(key[:8], domain)
	binary.LittleEndian.PutUint64(key[8:], uint64(seed))
	binary.LittleEndian.PutUint64(key[16:], uint64(epoch))
	binary.LittleEndian.PutUint64(key[24:], uint64(index))
	s.chacha.Seed(key)
}
