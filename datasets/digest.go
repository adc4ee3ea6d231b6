package datasets

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
)

// ComputeDigest is the SHA-256, in hex, of what a training run sees: two datasets have the same
// digest only where name, shape, labels and pixels agree. The bytes that are hashed, in this order:
//
//	"patchlab-dataset 1\n"
//	NAME "\n"
//	HEIGHT " " WIDTH " " CHANNELS " " NUMBER-OF-CLASSES "\n"   in decimal
//	for the train split, then the test split, then, where there is one, the validation split:
//	  NUMBER-OF-IMAGES "\n"                                    in decimal
//	  the labels, one byte each, or two, the lower first, where there are more than 256 classes
//	  the pixels, image by image, row by row, channels innermost
//
// [Load] fills Digest with it after applying the limits; whoever changes a Dataset afterwards calls
// it again.
func (d *Dataset) ComputeDigest() string {
	h := sha256.New()
	fmt.Fprintf(h, "patchlab-dataset 1\n%s\n%d %d %d %d\n", d.Name, d.Height, d.Width, d.Channels, len(d.Classes))
	for _, s := range []Split{d.Train, d.Test} {
		s.hashInto(h, len(d.Classes))
	}
	if d.Validation.Len() > 0 {
		d.Validation.hashInto(h, len(d.Classes))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (s Split) hashInto(h hash.Hash, classes int) {
	fmt.Fprintf(h, "%d\n", s.Len())
	labels := make([]byte, 0, 2*s.Len())
	for _, l := range s.Labels {
		labels = append(labels, byte(l))
		if classes > 256 {
			labels = append(labels, byte(l>>8))
		}
	}
	h.Write(labels) // a hash never returns an error
	h.Write(s.Images)
}
