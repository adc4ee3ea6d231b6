package claims

import (
	"context"
	"fmt"
	"math"

	"patchlab/experiments"
	"patchlab/lab"
)

// looked is how many test images are looked into.
const looked = 200

// farBackground: section 3, Visualizing the attention.
func farBackground() Claim {
	return Claim{
		Name: "background", Section: "3 Visualizing the attention", Images: true,
		Statement: "Background patches attend to far background patches.",
		Method: fmt.Sprintf("One ViT block on 8 × 8 patches, its attention on %d test images, averaged over heads. Background, which the images do not mark, "+
			"is taken to be the outermost ring of patches, what is shown the inner 4 × 4. Measured is the attention that a patch gives to ring patches at "+
			"least 4 patches away, over what it would give if it looked everywhere alike.", looked),
		parts: []Part{
			{What: "a background patch's attention to far background over even attention", Region: above(1)},
			{What: "the same less that of an inner patch", Region: above(0)},
		},
		measure: func(ctx context.Context, b *Bench) (Measured, error) {
			var own, more []float64
			err := b.eachAttention(ctx, func(_, trained attention) error {
				ring, inner := trained.far()
				own, more = append(own, ring), append(more, ring-inner)
				return nil
			})
			return Measured{Values: [][]float64{own, more}}, err
		},
	}
}

// heads: section 2, ViT.
func heads() Claim {
	return Claim{
		Name: "heads", Section: "3 Visualizing the attention", Images: true,
		Statement: "More heads learn different patterns.",
		Method: fmt.Sprintf("One ViT block of 4 heads: the Jensen-Shannon divergence of the attention of two heads from the same patch, averaged over pairs, "+
			"patches and %d test images, after training less that of the untrained weights of the same seed.", looked),
		parts: []Part{{What: "divergence of two heads gained by training (bits)", Region: above(0)}},
		measure: func(ctx context.Context, b *Bench) (Measured, error) {
			var gained, ended []float64
			err := b.eachAttention(ctx, func(untrained, trained attention) error {
				after := trained.divergence()
				gained, ended = append(gained, after-untrained.divergence()), append(ended, after)
				return nil
			})
			if err != nil {
				return Measured{}, err
			}
			text, err := interval(ended)
			return Measured{[][]float64{gained}, []string{"after training two heads diverge by " + text + " of at most 1 bit"}}, err
		},
	}
}

// attention is a layer's scores of some images: [images][heads][T][T], flattened.
type attention struct {
	scores              []float32
	images, heads, side int // T is side²
}

// eachAttention trains a ViT block for each seed and gives its attention before
// and after.
func (b *Bench) eachAttention(ctx context.Context, f func(untrained, trained attention) error) error {
	d, err := b.dataset(b.Scale.Images)
	if err != nil {
		return err
	}
	return b.each(func(seed int64) error {
		info, err := b.trained(ctx, "vit:1", false, seed)
		if err != nil {
			return err
		}
		recipe, trained, err := lab.Load(ctx, b.DB, info, b.Backend)
		if err != nil {
			return err
		}
		defer trained.Close()
		untrained, err := experiments.NewNetwork(b.Backend, recipe.Model, seed)
		if err != nil {
			return err
		}
		defer untrained.Close()
		images, _ := d.Holdout(recipe.Data.Validation)
		if err := untrained.Adapt(images); err != nil {
			return err
		}
		var looks [2]attention
		for i, n := range []*experiments.Network{untrained, trained} {
			looks[i] = attention{side: recipe.Model.Grid()}
			const batch = 50
			for start := 0; start+batch <= min(looked, d.Test.Len()); start += batch {
				inside, err := n.Inspect(ctx, d.Test.Slice(start, start+batch).Images, d.Height, d.Width)
				if err != nil {
					return err
				}
				layer := inside.Attention[0]
				looks[i].scores = append(looks[i].scores, layer.Values...)
				looks[i].images, looks[i].heads = looks[i].images+batch, layer.Dims[1]
			}
		}
		return f(looks[0], looks[1])
	})
}

// row is what one query patch of one head gives to each patch.
func (a attention) row(image, head, query int) []float32 {
	t := a.side * a.side
	at := ((image*a.heads+head)*t + query) * t
	return a.scores[at : at+t]
}

// far is the attention to ring patches at least half the grid away, over even
// attention: of queries on the ring, and of those in the inner quarter.
func (a attention) far() (ring, inner float64) {
	onRing := func(p int) bool {
		y, x := p/a.side, p%a.side
		return y == 0 || x == 0 || y == a.side-1 || x == a.side-1
	}
	inside := func(p int) bool {
		y, x, quarter := p/a.side, p%a.side, a.side/4
		return y >= quarter && y < a.side-quarter && x >= quarter && x < a.side-quarter
	}
	t := a.side * a.side
	var sums, even [2]float64
	for query := range t {
		kind := 0
		switch {
		case onRing(query):
		case inside(query):
			kind = 1
		default:
			continue
		}
		for key := range t {
			away := math.Hypot(float64(query/a.side-key/a.side), float64(query%a.side-key%a.side))
			if !onRing(key) || away < float64(a.side)/2 {
				continue
			}
			even[kind] += 1 / float64(t)
			for image := range a.images {
				for head := range a.heads {
					sums[kind] += float64(a.row(image, head, query)[key]) / float64(a.images*a.heads)
				}
			}
		}
	}
	return sums[0] / even[0], sums[1] / even[1]
}

// divergence is the mean Jensen-Shannon divergence of two heads in bits (Lin 1991,
// "Divergence measures based on the Shannon entropy"): 0 where they look alike, 1
// where they share no patch.
func (a attention) divergence() float64 {
	sum, count := 0., 0
	for image := range a.images {
		for query := range a.side * a.side {
			for one := range a.heads {
				for other := range one {
					p, q := a.row(image, one, query), a.row(image, other, query)
					for k := range p {
						x, y := float64(p[k]), float64(q[k])
						middle := (x + y) / 2
						if x > 0 {
							sum += x * math.Log2(x/middle) / 2
						}
						if y > 0 {
							sum += y * math.Log2(y/middle) / 2
						}
					}
					count++
				}
			}
		}
	}
	return sum / float64(count)
}
