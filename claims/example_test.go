package claims_test

import (
	"fmt"
	"log"

	"patchlab/claims"
)

// A claim's criterion stands before anything is measured; values decide it.
func Example() {
	picked, err := claims.Pick([]string{"bottleneck"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(picked[0].Statement)
	fmt.Println("Supported if", picked[0].Criterion())

	least := 10.
	part := claims.Part{What: "points", Region: claims.Region{Low: &least}, Values: []float64{38, 45, 41}}
	if err := part.Decide(); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.1f (%.1f to %.1f): %s\n", part.Mean, part.Interval.Low, part.Interval.High, part.Verdict)
	// Output:
	// Attention cures the seq2seq bottleneck.
	// Supported if what attention gains on long sequences (points) is above 10; and what attention loses from short to long (points) is below 10
	// 41.3 (32.6 to 50.1): supported
}
